//! What is shown of groups, and what is done with them.

use serde_json::{Value, json};
use soorma_edge::Config;
use soorma_testkit::MemoryLog;

use super::server::{Server, patient, work};

async fn get(server: &Server, path: &str) -> Value {
    let reply = server.ask("GET", path, &Value::Null).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[tokio::test]
async fn groups_are_listed_by_page_and_tenant_with_how_far_they_are() {
    let server = Server::with(patient()).await;
    let mut b = server.member("b").await;
    let _others = [server.member("a").await, server.explicit("c", "&partitionkey=plan_id").await];
    server.publish(work("e0")).await;
    assert_eq!(b.ids(1).await, ["e0"]);
    let page = get(&server, "/v1/groups?limit=2").await;
    let names: Vec<_> =
        page["groups"].as_array().expect("a list").iter().map(|group| &group["name"]).collect();
    assert_eq!((names, &page["next"]), (vec![&json!("a"), &json!("b")], &json!("b")));
    let last = get(&server, "/v1/groups?limit=2&after=b").await;
    assert_eq!((&last["groups"][0]["name"], &last["next"]), (&json!("c"), &json!(null)));
    assert_eq!(last["groups"][0]["partitionkey"], "plan_id");

    let shown = get(&server, "/v1/groups/b").await;
    for (field, value) in [
        ("behind", json!(1)),
        ("in_hand", json!(1)),
        ("waiting", json!(0)),
        ("dead_letters", json!(0)),
        ("paused", json!(false)),
        ("streams", json!(1)),
        ("partitionkey", json!(null)),
        ("expire_after_seconds", json!(604_800)),
        ("topics", json!({"action-requests": {"position": 1, "lag": 0}})),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert!(shown["oldest_seconds"].is_number() && shown["used_at"].is_string(), "{shown}");
    assert_eq!(server.get("/v1/groups").await.json(), json!({"groups": [], "next": null}));
    assert_eq!(server.get("/v1/groups/b").await.status, 404);
}

#[tokio::test]
async fn a_group_is_paused_resumed_moved_and_removed() {
    let server = Server::with(patient()).await;
    let mut member = server.member("workers").await;
    let tell = async |verb: &str, body: Value| {
        server.ask("POST", &format!("/v1/groups/workers:{verb}"), &body).await
    };
    assert_eq!(tell("pause", Value::Null).await.json()["paused"], true);
    server.publish_all(&[work("e0"), work("e1")]).await;
    assert_eq!(get(&server, "/v1/groups/workers").await["behind"], 2);
    assert_eq!(tell("resume", Value::Null).await.json()["paused"], false);
    assert_eq!(member.ids(2).await, ["e0", "e1"]);
    let answer = |id: &str| {
        let mut answer = work(&format!("r-{id}"));
        answer["source"] = "workers".into();
        answer["topic"] = "action-results".into();
        answer["parent_event_id"] = id.into();
        answer
    };
    server.publish_all(&[answer("e0"), answer("e1")]).await;
    server.until(async || get(&server, "/v1/groups/workers").await["behind"] == 0).await;
    let moved = tell("seek", json!({"to": "action-requests=1"})).await.json();
    assert_eq!(moved["name"], "workers");
    assert_eq!(member.ids(1).await, ["e1"]);
    assert_eq!(server.ask("DELETE", "/v1/groups/workers", &Value::Null).await.status, 204);
    assert_eq!(server.ask("DELETE", "/v1/groups/workers", &Value::Null).await.status, 404);
    // Its member joins it anew.
    server.until(async || server.ask("GET", "/v1/groups/workers", &Value::Null).await.status == 200).await;
    server.publish(work("e2")).await;
    assert_eq!(member.ids(1).await, ["e2"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_command_is_said() {
    let keep_one = |clock| MemoryLog::with_retention(clock, std::time::Duration::MAX, 1);
    let server = Server::over(patient(), soorma_bus::Config::default(), keep_one).await;
    let _member = server.member("a:b").await;
    server.publish_all(&[work("e0"), work("e1"), work("e2")]).await;
    for (path, body, status, says) in [
        ("/v1/groups/nobody:pause", Value::Null, 404, "no group nobody"),
        ("/v1/groups/nobody:seek", json!({"to": "now"}), 404, "no group nobody"),
        ("/v1/groups/a:b", Value::Null, 422, ":pause, :resume or :seek"),
        ("/v1/groups/a:b:seek", json!({"to": "yesterday"}), 422, "earliest"),
        ("/v1/groups/a:b:seek", json!({}), 422, "missing field"),
        ("/v1/groups/a:b:seek", json!({"to": "action-requests=99"}), 422, "future"),
        ("/v1/groups/a:b:seek", json!({"to": "action-requests=0"}), 410, "is gone"),
        ("/v1/groups/:pause", Value::Null, 422, "is empty"),
    ] {
        let reply = server.ask("POST", path, &body).await;
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.body);
        assert!(reply.detail().contains(says), "{path}: {}", reply.detail());
    }
    assert_eq!(get(&server, "/v1/groups/a:b").await["name"], "a:b");
    assert_eq!(server.ask("POST", "/v1/groups/a:b:pause", &Value::Null).await.json()["paused"], true);
}

#[tokio::test]
async fn a_tenant_has_only_so_many_groups_and_joins_those_that_it_has() {
    let server = Server::with(Config { max_groups_per_tenant: 2, ..patient() }).await;
    drop([server.member("a").await, server.member("b").await]);
    let path = "/v1/events/stream?topics=action-requests&agent_id=c&agent_name=c";
    let refused = server.ask("GET", path, &Value::Null).await;
    assert_eq!((refused.status, refused.problem()["code"].as_str()), (429, Some("rate_limited")));
    assert!(refused.detail().contains("DELETE /v1/groups"), "{}", refused.detail());
    let _known = server.member("a").await;
    let _other = super::sse::Stream::open(
        server.address,
        "topics=action-requests&agent_id=c&agent_name=c",
        &[("x-tenant-id", "two")],
    )
    .await;
    assert_eq!(server.ask("DELETE", "/v1/groups/b", &Value::Null).await.status, 204);
    let _new = server.member("c").await;
}
