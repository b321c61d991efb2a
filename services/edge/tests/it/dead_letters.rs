//! Dead letters over HTTP.

use std::time::Duration;

use serde_json::json;
use soorma_core::Topic;
use soorma_ports::{ConsumerSpec, EventLog, Settle, Start};
use soorma_testkit::{name, tenant};

use super::server::{HOUR, Server, work};

/// Publishes so many events and rejects them all; returns the ids of the dead letters.
async fn rejected(server: &Server, group: &str, count: usize) -> Vec<u64> {
    let spec = ConsumerSpec {
        tenant: tenant("one"),
        group: name(group),
        topics: [Topic::ActionRequests].into(),
        start: Start::Now,
        ack_within: HOUR,
        max_attempts: 3,
        max_unsettled: 1_000,
        key: None,
        expire_after: None,
    };
    let consumer = server.log.consumer(spec).await.expect("joined");
    for n in 0..count {
        server.publish(work(&format!("{group}-{n}"))).await;
    }
    let handed = consumer.next(count, Duration::from_secs(1)).await.expect("handed out");
    let reject =
        |delivery: soorma_ports::Delivery| (delivery.id, Settle::Reject { cause: "bad input".into() });
    consumer.settle(handed.into_iter().map(reject).collect()).await.expect("settled");
    let list = server
        .send("GET", &format!("/v1/dead-letters?group={group}&limit=500"), &[("x-tenant-id", "one")], "")
        .await;
    list.json()["dead_letters"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|letter| letter["id"].as_u64().expect("an id"))
        .collect()
}

async fn post(server: &Server, path: &str, body: serde_json::Value) -> super::http::Reply {
    let headers = [("content-type", "application/json"), ("x-tenant-id", "one")];
    server.send("POST", path, &headers, &body.to_string()).await
}

async fn list(server: &Server, query: &str) -> serde_json::Value {
    server.send("GET", &format!("/v1/dead-letters?{query}"), &[("x-tenant-id", "one")], "").await.json()
}

#[tokio::test]
async fn dead_letters_are_listed_by_page_and_filter_and_shown_with_their_event() {
    let server = Server::start().await;
    let ids = rejected(&server, "workers", 5).await;
    assert_eq!(ids.len(), 5);
    let page = list(&server, "limit=2").await;
    assert_eq!(page["next"], ids[1]);
    let first = &page["dead_letters"][0];
    for (key, value) in [
        ("group", "workers"),
        ("topic", "action-requests"),
        ("event_id", "workers-0"),
        ("event_type", "work.requested"),
        ("source", "asker"),
        ("cause", "bad input"),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!(first["attempts"], 1);
    assert!(first.get("event").is_none());
    let last = list(&server, &format!("limit=2&after={}", ids[3])).await;
    assert_eq!((last["dead_letters"].as_array().map(Vec::len), &last["next"]), (Some(1), &json!(null)));
    assert_eq!(list(&server, "topic=plan-events").await["dead_letters"], json!([]));
    assert_eq!(list(&server, "group=others").await["dead_letters"], json!([]));

    let shown =
        server.send("GET", &format!("/v1/dead-letters/{}", ids[2]), &[("x-tenant-id", "one")], "").await;
    assert_eq!(shown.json()["event"]["data"], json!({"n": "workers-2"}));
}

#[tokio::test]
async fn a_tenant_sees_and_touches_none_of_anothers() {
    let server = Server::start().await;
    let ids = rejected(&server, "workers", 2).await;
    assert_eq!(server.get("/v1/dead-letters").await.json()["dead_letters"], json!([]));
    let reply = server.get(&format!("/v1/dead-letters/{}", ids[0])).await;
    assert_eq!((reply.status, reply.problem()["code"].as_str()), (404, Some("not_found")));
    for path in ["/v1/dead-letters/redrive", "/v1/dead-letters/discard"] {
        let reply = server.post(path, &json!({ "ids": ids })).await;
        assert_eq!(reply.json(), json!({"count": 0, "ids": [], "missing": ids, "next": null}));
        assert_eq!(server.post(path, &json!({"all": true})).await.json()["count"], 0);
    }
    assert_eq!(list(&server, "").await["dead_letters"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn redriven_events_reach_their_group_again_in_order() {
    let server = Server::start().await;
    let ids = rejected(&server, "workers", 4).await;
    let reversed: Vec<_> = ids.iter().rev().chain([&9_999, &ids[0]]).collect();
    let reply = post(&server, "/v1/dead-letters/redrive", json!({ "ids": reversed })).await;
    assert_eq!(reply.json(), json!({"count": 4, "ids": ids, "missing": [9_999], "next": null}));
    let mut member = server.member("workers").await;
    assert_eq!(member.ids(4).await, ["workers-0", "workers-1", "workers-2", "workers-3"]);
    assert_eq!(list(&server, "").await["dead_letters"], json!([]));
}

#[tokio::test]
async fn all_of_a_group_can_be_dealt_with_at_once_however_many_there_are() {
    let server = Server::start().await;
    let many = rejected(&server, "many", 230).await;
    rejected(&server, "few", 1).await;
    let reply = post(
        &server,
        "/v1/dead-letters/discard",
        json!({"all": true, "group": "many", "topic": "action-requests"}),
    )
    .await;
    assert_eq!(reply.json(), json!({"count": 230, "ids": many, "missing": [], "next": null}));
    assert_eq!(list(&server, "").await["dead_letters"].as_array().map(Vec::len), Some(1));
    assert_eq!(post(&server, "/v1/dead-letters/redrive", json!({"all": true})).await.json()["count"], 1);
}

#[tokio::test]
async fn all_are_dealt_with_a_thousand_at_a_time_and_each_answer_says_where_to_go_on() {
    let server = Server::start().await;
    let ids = rejected(&server, "workers", 400).await;
    let more = [rejected(&server, "more", 400).await, rejected(&server, "most", 400).await].concat();
    let all: Vec<_> = ids.iter().chain(&more).copied().collect();
    let first = post(&server, "/v1/dead-letters/discard", json!({"all": true})).await.json();
    assert_eq!(
        (&first["count"], &first["next"], &first["ids"]),
        (&json!(1_000), &json!(all[999]), &json!(all[..1_000]))
    );
    let limited = json!({"all": true, "after": first["next"], "limit": 150});
    let second = post(&server, "/v1/dead-letters/discard", limited).await.json();
    assert_eq!((&second["count"], &second["next"]), (&json!(150), &json!(all[1_149])));
    let last = json!({"all": true, "after": second["next"]});
    let last = post(&server, "/v1/dead-letters/discard", last).await.json();
    assert_eq!((&last["ids"], &last["next"]), (&json!(all[1_150..]), &json!(null)));
}

#[tokio::test]
async fn dead_letters_of_one_type_are_listed_and_redriven_alone() {
    let server = Server::start().await;
    let mut member = server.explicit("workers", "").await;
    for (id, kind) in [("e0", "order.placed"), ("e1", "bill.sent"), ("e2", "order.placed")] {
        let mut event = work(id);
        event["type"] = kind.into();
        server.publish(event).await;
        let (delivery, ..) = member.delivery().await;
        let reject = json!({"ids": [delivery], "reject": true});
        assert_eq!(post(&server, "/v1/deliveries:nack", reject).await.status, 200);
    }
    let listed = list(&server, "type=bill.sent").await;
    assert_eq!(listed["dead_letters"].as_array().map(Vec::len), Some(1));
    let redriven =
        post(&server, "/v1/dead-letters/redrive", json!({"all": true, "type": "order.placed"})).await;
    assert_eq!(redriven.json()["count"], 2);
    assert_eq!([member.delivery().await.2, member.delivery().await.2], ["e0", "e2"]);
}

#[tokio::test]
async fn a_selection_that_may_mean_two_things_is_refused() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({"all": false}),
        json!({"ids": [1], "all": true}),
        json!({"ids": [1], "group": "g"}),
        json!({"ids": [1], "type": "t"}),
        json!({"ids": [1], "after": 1}),
        json!({"ids": [1], "limit": 1}),
        json!({"group": "g"}),
        json!({"ids": (0..1_001).collect::<Vec<u64>>()}),
        json!({"ids": [-1]}),
        json!({"all": true, "grup": "g"}),
        json!({"all": true, "topic": "nope"}),
        json!({"all": true, "group": ""}),
    ] {
        let reply = post(&server, "/v1/dead-letters/discard", body.clone()).await;
        assert_eq!(reply.status, 422, "{body}");
        reply.problem();
    }
    assert_eq!(server.get("/v1/dead-letters/first").await.status, 422);
    assert_eq!(server.get("/v1/dead-letters?topic=nope").await.status, 422);
}
