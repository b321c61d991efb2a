//! Values of a plan: set under conditions, changed in one step, listed, and watched.

use std::time::Duration;

use serde_json::{Value, json};
use soorma_edge::Config;
use soorma_testkit::{SECRET, TestClock, token};

use super::server::{Server, guarded};
use super::sse::Stream;

const ANN: [(&str, &str); 3] = [("x-tenant-id", "one"), ("x-service-tenant-id", "st"), ("x-user-id", "ann")];

async fn watch(server: &Server, plan: &str) -> Stream {
    Stream::at(server.address, &format!("/v1/memory/working/{plan}?watch=true"), &ANN).await
}

#[tokio::test]
async fn a_value_is_set_only_where_it_is_as_it_must_be() {
    let server = Server::start().await;
    let path = "/working/p/k";
    let first = server.remembers(200, "PUT", path, json!({"value": null, "ifAbsent": true})).await;
    assert_eq!((&first["value"], &first["planId"], &first["key"]), (&json!(null), &json!("p"), &json!("k")));
    let revision = first["revision"].as_u64().expect("a revision");
    for body in [json!({"value": 1, "if_absent": true}), json!({"value": 1, "ifRevision": revision + 1_000})]
    {
        let reply = server.recall("PUT", path, &body).await;
        assert_eq!((reply.status, &reply.problem()["code"]), (409, &json!("conflict")), "{body}");
    }
    let second = server.remembers(200, "PUT", path, json!({"value": 2, "ifRevision": revision})).await;
    assert!(second["revision"].as_u64() > Some(revision), "{second}");
    let short = server.remembers(200, "PUT", path, json!({"value": 3, "ttlSeconds": 60})).await;
    assert!(short["expiresAt"].is_string(), "{short}");
    server.clock.jump(Duration::from_secs(61));
    let reply = server.recall("GET", path, &Value::Null).await;
    assert_eq!((reply.status, reply.detail().as_str()), (404, "Working memory not found: p/k"));
}

#[tokio::test]
async fn a_value_is_changed_in_one_step() {
    let server = Server::start().await;
    for (key, change, expect) in [
        ("n", json!({"op": "increment"}), json!(1)),
        ("n", json!({"op": "increment", "by": 41}), json!(42)),
        ("l", json!({"op": "append", "value": [1]}), json!([[1]])),
        ("l", json!({"op": "extend", "value": [2, null]}), json!([[1], 2, null])),
        ("o", json!({"op": "merge", "value": {"a": 1, "b": 2}}), json!({"a": 1, "b": 2})),
        ("o", json!({"op": "merge", "value": {"b": null, "c": 3}}), json!({"a": 1, "c": 3})),
        ("c", json!({"op": "compare_and_set", "value": null}), json!(null)),
        ("c", json!({"op": "compare_and_set", "expected": null, "value": {"x": 1}}), json!({"x": 1})),
    ] {
        let changed = server.remembers(200, "POST", &format!("/working/p/{key}"), change.clone()).await;
        assert_eq!(changed["value"], expect, "{change}");
    }
    for (key, change) in [
        ("l", json!({"op": "increment", "by": 1})),
        ("n", json!({"op": "append", "value": 1})),
        ("n", json!({"op": "merge", "value": {}})),
        ("c", json!({"op": "compare_and_set", "value": 1})),
        ("c", json!({"op": "compare_and_set", "expected": {"x": 2}, "value": 1})),
    ] {
        let reply = server.recall("POST", &format!("/working/p/{key}"), &change).await;
        assert_eq!(
            (reply.status, &reply.problem()["code"]),
            (409, &json!("conflict")),
            "{change}: {}",
            reply.body
        );
    }
    let kept = server.remembers(200, "GET", "/working/p/c", Value::Null).await;
    assert_eq!(kept["value"], json!({"x": 1}));
}

#[tokio::test]
async fn the_keys_of_a_plan_are_listed_by_how_they_begin() {
    let server = Server::start().await;
    let umlauts = "%C3%BC".repeat(200);
    for key in ["a:2", "b", "a:1", "a:3", umlauts.as_str()] {
        server.remembers(200, "PUT", &format!("/working/p/{key}"), json!({"value": "four"})).await;
    }
    let keys = |page: &Value| {
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| item["key"].as_str().expect("a key").to_owned()).collect::<Vec<_>>()
    };
    let first = server.remembers(200, "GET", "/working/p?prefix=a:&limit=2", Value::Null).await;
    assert_eq!((keys(&first), &first["items"][0]["bytes"]), (vec!["a:1".into(), "a:2".into()], &json!(6)));
    let next = format!("/working/p?prefix=a:&limit=2&cursor={}", first["nextCursor"].as_str().expect("more"));
    let second = server.remembers(200, "GET", &next, Value::Null).await;
    assert_eq!((keys(&second), second.get("nextCursor")), (vec!["a:3".into()], None));
    // The longest keys have more bytes than a name.
    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let page = server.remembers(200, "GET", &format!("/working/p?limit=1{cursor}"), Value::Null).await;
        seen += keys(&page).len();
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, 5);
    assert_eq!(keys(&server.remembers(200, "GET", "/working/none", Value::Null).await), [""; 0]);
}

#[tokio::test]
async fn who_watches_a_plan_is_shown_what_there_is_and_then_what_happens() {
    let server = Server::start().await;
    for (key, value) in [("a", json!(null)), ("b", json!("caf\u{e9}\u{2028}"))] {
        server.remembers(200, "PUT", &format!("/working/p/{key}"), json!({"value": value})).await;
    }
    let mut stream = watch(&server, "p").await;
    let connected = stream.next().await;
    assert_eq!((connected.event.as_str(), &connected.data["plan_id"]), ("connected", &json!("p")));
    assert_eq!(
        stream.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str()),
        Some("text/event-stream; charset=utf-8")
    );
    let snapshot = stream.next().await;
    assert_eq!((snapshot.event.as_str(), &snapshot.data["complete"]), ("snapshot", &json!(true)));
    let values: Vec<_> = snapshot.data["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| (&change["key"], &change["value"]))
        .collect();
    assert_eq!(values, [(&json!("a"), &json!(null)), (&json!("b"), &json!("caf\u{e9}\u{2028}"))]);

    server.remembers(200, "POST", "/working/p/n", json!({"op": "increment"})).await;
    let change = stream.next().await;
    assert_eq!(
        (change.event.as_str(), &change.data["key"], &change.data["value"], &change.data["deleted"]),
        ("change", &json!("n"), &json!(1), &json!(false))
    );
    server.remembers(200, "DELETE", "/working/p/b", Value::Null).await;
    let change = stream.next().await;
    assert_eq!(
        (&change.data["key"], change.data.get("value"), &change.data["deleted"]),
        (&json!("b"), None, &json!(true))
    );
    // What is another's is not shown.
    let other =
        server.recall_as(("one", "st", "bob"), "PUT", "/working/p/theirs", &json!({"value": 1})).await;
    assert_eq!(other.status, 200);
    server.remembers(200, "PUT", "/working/p/mine", json!({"value": 2})).await;
    assert_eq!(stream.next().await.data["key"], "mine");

    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("soorma_streams_open{kind=\"watch\"} 1\n"), "{metrics}");
    let connections = server.ask("GET", "/v1/admin/connections", &Value::Null).await.json();
    assert_eq!((&connections["count"], &connections["connections"][0]["topics"]), (&json!(1), &json!([])));
}

#[tokio::test]
async fn a_watch_shows_signs_of_life_and_ends_with_the_node() {
    let every = Duration::from_millis(50);
    let mut server = Server::with(Config { heartbeat_every: every, ..Config::default() }).await;
    let mut stream = watch(&server, "p").await;
    let connection = stream.next().await.data["connection_id"].clone();
    assert_eq!(stream.next().await.event, "snapshot");
    let beat = stream.next().await;
    assert_eq!((beat.event.as_str(), &beat.data["connection_id"]), ("heartbeat", &connection));
    server.tell_to_stop();
    let last = loop {
        let frame = stream.next().await;
        if frame.event != "heartbeat" {
            break frame;
        }
    };
    assert_eq!((last.event.as_str(), &last.data["connection_id"]), ("disconnected", &connection));
    assert_eq!(stream.try_next().await, None);
    server.stopped().await;
}

#[tokio::test]
async fn a_watch_ends_with_its_token() {
    use soorma_ports::Clock as _;
    let server = Server::letting_in(guarded).await;
    let seconds = TestClock::new().now().micros() / 1_000_000;
    let claims = json!({"exp": seconds + 1, "platform_tenant_id": "one", "sub": "ann"});
    let bearer = format!("Bearer {}", token(SECRET, &claims));
    let mut stream =
        Stream::at(server.address, "/v1/memory/working/p?watch=true", &[("authorization", bearer.as_str())])
            .await;
    let events = [stream.next().await.event, stream.next().await.event, stream.next().await.event];
    assert_eq!(events, ["connected", "snapshot", "disconnected"]);
    assert_eq!(stream.try_next().await, None);
}

#[tokio::test]
async fn watches_have_their_place_among_the_streams_of_a_tenant_and_principal() {
    let server = Server::with(Config { max_streams_per_principal: 1, ..Config::default() }).await;
    let _first = watch(&server, "p").await;
    let reply = server.recall("GET", "/working/q?watch=true", &Value::Null).await;
    assert_eq!((reply.status, &reply.problem()["code"]), (429, &json!("rate_limited")));
    assert!(reply.header("retry-after").is_some());
    // Another user has a place.
    let mut bob = ANN;
    bob[2].1 = "bob";
    let _other = Stream::at(server.address, "/v1/memory/working/p?watch=true", &bob).await;
}

#[tokio::test]
async fn published_clients_work_without_saying_who_they_are_where_nobody_is_asked() {
    let server = Server::start().await;
    let headers = [("content-type", "application/json")];
    let reply = server.send("PUT", "/v1/memory/working/p/k", &headers, r#"{"value": 1}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let who = [("x-service-tenant-id", "st_default-tenant"), ("x-user-id", "su_default-user")];
    assert_eq!(server.send("GET", "/v1/memory/working/p/k", &who, "").await.json()["value"], 1);
    let plan =
        server.send("POST", "/v1/memory/plans", &headers, r#"{"planId": "p", "goalEvent": "g"}"#).await;
    assert_eq!(plan.json()["userId"], "su_default-user");
}

#[tokio::test]
async fn a_watch_that_nobody_reads_is_ended_and_its_place_is_free() {
    let config =
        Config { stall_after: Duration::from_millis(500), max_streams_per_principal: 1, ..Config::default() };
    let server = Server::with(config).await;
    // More than the buffers of a connection hold.
    let long = "x".repeat(1_024 * 1_024 - 2);
    for n in 0..24 {
        server.remembers(200, "PUT", &format!("/working/p/{n}"), json!({"value": long})).await;
    }
    let mut stream = watch(&server, "p").await;
    server.until(async || server.get("/health").await.json()["active_streams"] == 0).await;
    let mut events = Vec::new();
    while let Some(frame) = stream.try_next().await {
        events.push(frame.event);
    }
    assert_eq!(events.last().map(String::as_str), Some("slow_consumer"));
    let snapshots = events.iter().filter(|event| *event == "snapshot").count();
    assert!(snapshots < 24, "{snapshots} frames fit into the buffers");
    let mut again = watch(&server, "p").await;
    assert_eq!(again.next().await.event, "connected");
}
