//! Several events at once, and keys under which a publish can be repeated.

use serde_json::{Value, json};
use soorma_core::{Position, Topic};
use soorma_edge::Config;
use soorma_ports::{EventLog, EventLogError, Reach};
use soorma_testkit::{Call, Fault, MemoryLog};

use super::http::Reply;
use super::server::{Server, work};

const PATH: &str = "/v1/events:batch";

async fn stored(server: &Server) -> Vec<String> {
    let page =
        server.log.read(&Reach::Platform, Topic::ActionRequests, Position(0), 10_000).await.expect("read");
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

async fn batch(server: &Server, events: &[Value]) -> Reply {
    server.ask("POST", PATH, &json!({ "events": events })).await
}

/// Publishes under a key.
async fn keyed(server: &Server, path: &str, key: &str, body: &Value) -> Reply {
    let headers = [("x-tenant-id", "one"), ("content-type", "application/json"), ("idempotency-key", key)];
    server.send("POST", path, &headers, &body.to_string()).await
}

/// An event that says no id.
fn nameless(n: u64) -> Value {
    let mut event = work("x");
    event.as_object_mut().expect("an event").remove("id");
    event["data"] = json!({ "n": n });
    event
}

#[tokio::test]
async fn a_batch_is_published_in_order_and_says_what_was_there() {
    let server = Server::start().await;
    server.publish(work("e1")).await;
    let events: Vec<_> = (0..1_000).map(|n| work(&format!("e{n}"))).collect();
    let reply = batch(&server, &events).await.json();
    assert_eq!((&reply["success"], &reply["count"]), (&json!(true), &json!(1_000)));
    for (n, event) in reply["events"].as_array().expect("a list").iter().enumerate() {
        assert_eq!(*event, json!({"event_id": format!("e{n}"), "duplicate": n == 1}));
    }
    let mut expect: Vec<_> = (0..1_000).map(|n| format!("e{n}")).collect();
    expect.remove(1);
    expect.insert(0, "e1".into());
    assert_eq!(stored(&server).await, expect);
}

#[tokio::test]
async fn one_wrong_event_refuses_the_batch_and_each_is_named_by_its_place() {
    let server = Server::start().await;
    let mut events: Vec<_> = (0..10).map(|n| work(&format!("e{n}"))).collect();
    events[3]["topic"] = "nope".into();
    events[3]["source"] = "".into();
    events[7]["data"] = "text".into();
    let reply = batch(&server, &events).await;
    assert_eq!(reply.status, 422);
    let problem = reply.problem();
    let locs: Vec<_> =
        problem["errors"].as_array().expect("errors").iter().map(|error| &error["loc"]).collect();
    assert_eq!(
        locs,
        [
            &json!(["body", "events", 3, "source"]),
            &json!(["body", "events", 3, "topic"]),
            &json!(["body", "events", 7, "data"])
        ]
    );
    assert!(reply.detail().starts_with("event 3: source is required"), "{}", reply.detail());
    assert!(stored(&server).await.is_empty());
    // Many faults are counted in the sentence and named in the list.
    let many: Vec<_> = (0..20).map(|_| json!({"tenant_id": "st", "user_id": "su"})).collect();
    let reply = batch(&server, &many).await;
    assert!(reply.detail().ends_with("and 55 more, see errors"), "{}", reply.detail());
    assert_eq!(reply.problem()["errors"].as_array().map(Vec::len), Some(60));
}

#[tokio::test]
async fn a_batch_has_bounds_of_its_own() {
    let config = Config { max_body_bytes: 1_000, max_batch_bytes: 20_000, ..Config::default() };
    let bus = soorma_bus::Config { max_event_bytes: 4_000, ..soorma_bus::Config::default() };
    let server = Server::over(config, bus, MemoryLog::new).await;
    let events: Vec<_> = (0..40).map(|n| work(&format!("e{n}"))).collect();
    assert_eq!(batch(&server, &events).await.status, 200);
    let large = |size: usize| {
        let mut event = work("large");
        event["data"]["text"] = "x".repeat(size).into();
        [work("small"), event]
    };
    for (events, status, says) in [
        (large(30_000).to_vec(), 413, "20000"),
        (large(5_000).to_vec(), 422, "4000"),
        (vec![], 422, "1 to 1000"),
    ] {
        let reply = batch(&server, &events).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        assert!(reply.detail().contains(says), "{}", reply.detail());
    }
    assert_eq!(stored(&server).await.len(), 40, "all or none");
    let server = Server::start().await;
    let reply = batch(&server, &vec![json!({}); 1_001]).await;
    assert_eq!(reply.status, 422);
    assert!(reply.detail().contains("1001 events"), "{}", reply.detail());
    assert_eq!(server.send("POST", PATH, &[("content-type", "text/plain")], "{}").await.status, 415);
    for body in [json!({}), json!([]), json!({"events": {}}), json!({"events": [5]})] {
        assert_eq!(server.ask("POST", PATH, &body).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn a_publish_repeated_under_its_key_is_published_once() {
    let server = Server::start().await;
    let one = json!({ "event": nameless(1) });
    let first = keyed(&server, "/v1/events/publish", "k-1", &one).await;
    assert_eq!(first.status, 200, "{}", first.body);
    // The answer may get lost, also after the event is in the log.
    server.log.on(Call::Append, Fault::CommitThenFail(EventLogError::Unavailable("net".into())));
    let all = json!({ "events": [nameless(2), work("own"), nameless(3)] });
    assert_eq!(keyed(&server, PATH, "k-2", &all).await.status, 503);
    let second = keyed(&server, PATH, "k-2", &all).await.json();
    for _ in 0..2 {
        let again = keyed(&server, "/v1/events/publish", "k-1", &one).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        assert_eq!(keyed(&server, PATH, "k-2", &all).await.json(), second);
    }
    let duplicates: Vec<_> =
        second["events"].as_array().expect("a list").iter().map(|event| &event["duplicate"]).collect();
    assert_eq!(duplicates, [true, true, true]);
    assert_eq!(stored(&server).await.len(), 4);
    // Another key, or another tenant, is another publish.
    assert_ne!(keyed(&server, "/v1/events/publish", "k-3", &one).await.json(), first.json());
    let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let other = server.send("POST", "/v1/events/publish", &headers, &one.to_string()).await;
    assert_ne!(other.json(), first.json());
}

#[tokio::test]
async fn a_key_that_is_used_for_something_else_is_refused() {
    let server = Server::start().await;
    let events: Vec<_> = (0..300).map(nameless).collect();
    let all = json!({ "events": events });
    assert_eq!(keyed(&server, PATH, "k", &all).await.status, 200);
    for n in 0..100 {
        server.publish(work(&format!("between-{n}"))).await;
    }
    for (place, field, value) in
        [(0, "type", json!("other")), (299, "data", json!({"n": 0})), (150, "source", json!("somebody"))]
    {
        let mut changed = all.clone();
        changed["events"][place][field] = value;
        let reply = keyed(&server, PATH, "k", &changed).await;
        assert_eq!((reply.status, reply.problem()["code"].as_str()), (409, Some("conflict")), "{field}");
        assert!(reply.detail().contains("idempotency-key"), "{}", reply.detail());
    }
    // What stands beside the content may change, such as the time.
    let mut later = all.clone();
    later["events"][0]["time"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(keyed(&server, PATH, "k", &later).await.status, 200);
    // One event more is another batch: it is not refused beside an event that is stored.
    let more = json!({ "events": (1..302).map(nameless).collect::<Vec<_>>() });
    assert_eq!(keyed(&server, PATH, "k", &more).await.status, 200);
    assert_eq!(stored(&server).await.len(), 701);
    // An id that was sent is the client's own affair.
    let own = json!({ "event": work("between-1") });
    assert_eq!(keyed(&server, "/v1/events/publish", "k", &own).await.status, 200);
    assert_eq!(keyed(&server, PATH, "a key", &all).await.status, 422);
    assert_eq!(stored(&server).await.len(), 701);
}
