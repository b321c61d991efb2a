//! Members that acknowledge.

use std::time::Duration;

use serde_json::{Value, json};
use soorma_agents::Worker;
use soorma_edge::Config;
use soorma_testkit::tenant;

use super::server::{Server, patient, work};

async fn publish(server: &Server, range: std::ops::Range<usize>) {
    let events: Vec<_> = range.map(|n| work(&format!("e{n}"))).collect();
    server.publish_all(&events).await;
}

/// Says something of one delivery by its path.
async fn say(server: &Server, id: &str, verb: &str, body: &Value) -> super::http::Reply {
    let id = id.replace('%', "%25").replace(' ', "%20").replace('/', "%2F");
    server.ask("POST", &format!("/v1/deliveries/{id}:{verb}"), body).await
}

#[tokio::test]
async fn a_delivery_is_settled_once_by_its_id() {
    let server = Server::start().await;
    let mut member = server.explicit("workers", "&lease_ms=20000&credit=1").await;
    publish(&server, 0..2).await;
    let frame = member.next().await;
    assert_eq!((frame.event.as_str(), &frame.data["attempt"]), ("delivery", &json!(1)));
    assert_eq!(frame.data["event"]["data"], json!({"n": "e0"}));
    assert!((1..=20_000).contains(&frame.data["lease_ms"].as_u64().expect("a number")), "{frame:?}");
    let id = frame.data["delivery_id"].as_str().expect("an id").to_owned();
    assert_eq!(id, "action-requests:1:1:workers");
    let reply = say(&server, &id, "ack", &Value::Null).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"settled": [id], "stale": []})));
    assert_eq!(member.delivery().await.2, "e1", "its place is free");
    let again = say(&server, &id, "ack", &Value::Null).await;
    assert_eq!((again.status, again.problem()["code"].as_str()), (409, Some("conflict")));
    assert!(again.detail().contains("Take the next"), "{}", again.detail());
}

#[tokio::test]
async fn what_names_no_delivery_is_refused_with_what_would() {
    let server = Server::start().await;
    let _member = server.explicit("workers", "").await;
    for (path, body, status, says) in [
        ("/v1/deliveries/action-requests:1:1:nobody:ack", Value::Null, 404, "no group nobody"),
        ("/v1/deliveries/action-requests:1:1:workers:ack", Value::Null, 409, "does not count"),
        ("/v1/deliveries/action-requests:1:1:workers", Value::Null, 422, ":ack, :nack or :extend"),
        ("/v1/deliveries/seven:ack", Value::Null, 422, "delivery_id"),
        ("/v1/deliveries/action-requests:1:1:workers:nack", json!({"ids": ["x"]}), 422, "leave ids out"),
        ("/v1/deliveries:ack", json!({"ids": []}), 422, "1 to 1000"),
        ("/v1/deliveries:ack", json!({"ids": vec!["x"; 1_001]}), 422, "1 to 1000"),
        ("/v1/deliveries:extend", json!({"ids": ["action-requests:1:1:w", "x"]}), 422, "1 of the ids"),
        ("/v1/deliveries:ack", json!({"id": "x"}), 422, "unknown field"),
        ("/v1/deliveries:nack", json!({"ids": ["x"], "reject": true, "release": true}), 422, "rejected"),
        ("/v1/deliveries:nack", json!({"ids": ["x"], "reject": true, "retry_after_ms": 1}), 422, "rejected"),
        ("/v1/deliveries:nack", json!({"ids": ["x"], "retry_after_ms": 604_800_001}), 422, "604800000"),
        ("/v1/deliveries:nack", json!({"ids": ["x"], "reason": "x".repeat(4_097)}), 422, "4096"),
    ] {
        let reply = server.ask("POST", path, &body).await;
        assert_eq!(reply.status, status, "{path} {}", reply.body);
        assert!(reply.detail().contains(says), "{path}: {}", reply.detail());
    }
    let reply =
        server.ask("POST", "/v1/deliveries:ack", &json!({"ids": ["action-requests:1:1:w", "x"]})).await;
    assert_eq!(reply.problem()["errors"][0]["loc"], json!(["body", "ids", 1]));
}

#[tokio::test]
async fn batches_say_of_each_whether_it_counted_and_no_tenant_settles_for_another() {
    let server = Server::start().await;
    let mut member = server.explicit("workers", "").await;
    publish(&server, 0..4).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(member.delivery().await.0);
    }
    let stranger = server.post("/v1/deliveries:ack", &json!({ "ids": ids })).await;
    assert_eq!(stranger.json(), json!({"settled": [], "stale": ids}));
    let elsewhere = "action-requests:1:1:nobody";
    let reply = server.ask("POST", "/v1/deliveries:ack", &json!({"ids": [ids[0], elsewhere, ids[1]]})).await;
    assert_eq!(reply.json(), json!({"settled": [ids[0], ids[1]], "stale": [elsewhere]}));
    let reply = server.ask("POST", "/v1/deliveries:extend", &json!({"ids": ids})).await;
    assert_eq!(reply.json(), json!({"settled": ids[2..], "stale": ids[..2]}));
    let group = server.ask("GET", "/v1/groups/workers", &Value::Null).await.json();
    assert_eq!((&group["in_hand"], &group["behind"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn what_has_failed_comes_again_when_it_is_to_and_what_never_works_is_a_dead_letter() {
    let server = Server::start().await;
    let mut member = server.explicit("workers", "").await;
    publish(&server, 0..3).await;
    let (retried, ..) = member.delivery().await;
    let (released, ..) = member.delivery().await;
    let (rejected, ..) = member.delivery().await;
    let retry = json!({"ids": [retried], "retry_after_ms": 0, "reason": "later"});
    assert_eq!(server.ask("POST", "/v1/deliveries:nack", &retry).await.json()["settled"], json!([retried]));
    assert_eq!(member.delivery().await, ("action-requests:1:2:workers".into(), 2, "e0".into()));
    assert_eq!(say(&server, &released, "nack", &json!({"release": true})).await.status, 200);
    assert_eq!(member.delivery().await, (released, 1, "e1".into()), "no attempt is used");
    let reject = json!({"reject": true, "reason": "bad input"});
    assert_eq!(say(&server, &rejected, "nack", &reject).await.status, 200);
    let letter = server.ask("GET", "/v1/dead-letters", &Value::Null).await.json();
    assert_eq!(
        (&letter["dead_letters"][0]["event_id"], &letter["dead_letters"][0]["cause"]),
        (&json!("e2"), &json!("bad input"))
    );
    // Where nothing is said, the platform's backoff holds: the second attempt waits for more than a second.
    assert_eq!(say(&server, "action-requests:1:2:workers", "nack", &Value::Null).await.status, 200);
    let group = server.ask("GET", "/v1/groups/workers", &Value::Null).await.json();
    assert_eq!((&group["waiting"], &group["in_hand"]), (&json!(1), &json!(1)));
    let begun = tokio::time::Instant::now();
    assert_eq!(member.delivery().await.1, 3);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_not_settled_within_the_lease_goes_to_another_member() {
    let server = Server::start().await;
    let mut silent = server.explicit("workers", "&lease_ms=1000&credit=1").await;
    publish(&server, 0..1).await;
    let (late, ..) = silent.delivery().await;
    let mut other = server.explicit("workers", "&lease_ms=1000&credit=1").await;
    let (id, attempt, event) = other.delivery().await;
    assert_eq!((attempt, event.as_str()), (2, "e0"));
    assert_eq!(say(&server, &late, "extend", &Value::Null).await.status, 409);
    assert_eq!(say(&server, &id, "ack", &Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_member_that_is_gone_gives_back_what_it_has_in_hand() {
    let server = Server::with(patient()).await;
    let mut dying = server.explicit("workers", "").await;
    publish(&server, 0..100).await;
    for _ in 0..60 {
        let (id, ..) = dying.delivery().await;
        assert_eq!(say(&server, &id, "ack", &Value::Null).await.status, 200);
    }
    drop(dying);
    let mut heir = server.explicit("workers", "").await;
    for n in 60..100 {
        assert_eq!(heir.delivery().await.2, format!("e{n}"));
    }
}

#[tokio::test]
async fn a_new_group_starts_where_it_asks_to_and_an_old_one_where_it_was() {
    let server = Server::start().await;
    publish(&server, 0..5).await;
    let mut earliest = server.explicit("a", "&start=earliest").await;
    assert_eq!(earliest.delivery().await.2, "e0");
    let mut placed = server.explicit("b", "&start=action-requests=3").await;
    assert_eq!(placed.delivery().await.2, "e3");
    let mut now = server.explicit("c", "&start=now").await;
    drop(server.explicit("d", "").await);
    publish(&server, 5..6).await;
    assert_eq!(now.delivery().await.2, "e5");
    let mut known = server.explicit("d", "&start=earliest").await;
    assert_eq!(known.delivery().await.2, "e5", "it was made before");
    let path = "/v1/events/stream?topics=action-requests&agent_id=x&agent_name=x&start=action-requests=99";
    let reply = server.ask("GET", path, &Value::Null).await;
    assert_eq!(reply.status, 422, "{}", reply.body);
}

#[tokio::test]
async fn events_of_one_key_come_one_at_a_time() {
    let server = Server::start().await;
    let mut member = server.explicit("workers", "&partitionkey=plan_id").await;
    let of = |id: &str, plan: &str| {
        let mut event = work(id);
        event["plan_id"] = plan.into();
        event
    };
    server.publish_all(&[of("a1", "a"), of("a2", "a"), of("b1", "b")]).await;
    let (first, _, event) = member.delivery().await;
    assert_eq!((event.as_str(), member.delivery().await.2.as_str()), ("a1", "b1"));
    assert_eq!(say(&server, &first, "ack", &Value::Null).await.status, 200);
    assert_eq!(member.delivery().await.2, "a2");
}

#[tokio::test]
async fn the_group_of_a_hosted_agent_is_its_own() {
    let server = Server::start().await;
    let worker = Worker::new("hosted").expect("a name").tenant(tenant("one"));
    let worker = worker.on_task("t", |_: Value, _| async { Ok(json!({})) });
    server.agents.host(worker).await.expect("hosted");
    let path = "/v1/events/stream?topics=action-requests&agent_id=x&agent_name=hosted";
    let reply = server.ask("GET", path, &Value::Null).await;
    assert_eq!((reply.status, reply.problem()["code"].as_str()), (409, Some("conflict")));
    let removed = server.ask("DELETE", "/v1/groups/hosted", &Value::Null).await;
    assert_eq!((removed.status, removed.problem()["code"].as_str()), (409, Some("conflict")));
    assert_eq!(server.get("/health").await.json()["active_streams"], 0, "its place is free again");
}

#[tokio::test]
async fn each_connection_is_a_proxy_in_the_tree_and_one_that_is_killed_ends_alone() {
    let server = Server::with(patient()).await;
    let mut killed = server.explicit("workers", "").await;
    let mut other = server.stream("topics=action-requests&agent_id=w-2&agent_name=workers").await;
    let proxies = || {
        let agents = &server.root.tree().children[0];
        let external = agents.children.iter().find(|child| child.id == "external").expect("a branch");
        external
            .children
            .iter()
            .flat_map(|shard| &shard.children)
            .map(|proxy| proxy.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(proxies(), ["workers@one#workers-1", "workers@one#w-2"]);
    assert!(server.root.kill("agents/external/0/workers@one#workers-1"));
    assert_eq!(killed.next().await.event, "disconnected");
    assert_eq!(killed.try_next().await, None);
    publish(&server, 0..2).await;
    assert_eq!(other.ids(2).await, ["e0", "e1"]);
    drop(other);
    server.until(async || proxies().is_empty()).await;
}

#[tokio::test]
async fn answers_come_to_the_stream_of_who_asked() {
    let server = Server::with(Config { stream_credit: 300, ..patient() }).await;
    let mut askers = Vec::new();
    for n in 0..4 {
        let query = format!("topics=action-results&agent_id=asker-{n}&agent_name=asker");
        askers.push(server.stream(&query).await);
    }
    for n in 0..4 {
        let requests: Vec<_> = (0..200).map(|nth| work(&format!("q{n}-{nth}"))).collect();
        let me = format!("asker-{n}");
        let headers = [("x-tenant-id", "one"), ("content-type", "application/json"), ("x-agent-id", &me)];
        let body = json!({ "events": requests }).to_string();
        assert_eq!(server.send("POST", "/v1/events:batch", &headers, &body).await.status, 200);
    }
    // The answers come in another order, from a worker that is somebody else.
    let answers: Vec<_> = (0..200)
        .flat_map(|nth| (0..4).map(move |n| (n, nth)))
        .map(|(n, nth)| {
            let mut answer = work(&format!("a{n}-{nth}"));
            answer["topic"] = "action-results".into();
            answer["correlation_id"] = format!("about-q{n}-{nth}").into();
            answer
        })
        .collect();
    server.publish_all(&answers).await;
    for (n, asker) in askers.iter_mut().enumerate() {
        let expect: Vec<_> = (0..200).map(|nth| format!("a{n}-{nth}")).collect();
        assert_eq!(asker.ids(200).await, expect);
    }
}
