//! Publishing: what is filled in, and what is refused with which words.

use std::time::Duration;

use serde_json::{Value, json};
use soorma_core::{Position, Topic};
use soorma_edge::Config;
use soorma_ports::{EventLog, EventLogError, Reach};
use soorma_testkit::{Call, Fault, MemoryLog};

use super::http::{Reply, exchange};
use super::server::{HOUR, Server, work};

const PATH: &str = "/v1/events/publish";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn stored(server: &Server) -> Vec<Value> {
    let page =
        server.log.read(&Reach::Platform, Topic::ActionRequests, Position(0), 100).await.expect("read");
    page.entries.iter().map(|entry| serde_json::to_value(&*entry.event).expect("JSON")).collect()
}

#[tokio::test]
async fn what_an_event_leaves_out_is_filled_in_and_what_is_unknown_is_dropped() {
    let server = Server::start().await;
    let headers = [JSON, ("x-tenant-id", "pt"), ("x-service-tenant-id", "st"), ("x-user-id", "su")];
    let event = json!({"source": "x", "type": "a.b", "topic": "action-requests", "userId": "  me  ", "goalId": "g",
        "platform_tenant_id": "evil", "session_id": null, "unknown": 1});
    let reply = server.send("POST", PATH, &headers, &json!({ "event": event }).to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let stored = stored(&server).await;
    let event = &stored[0];
    assert_eq!(reply.json()["event_id"], event["id"]);
    assert_eq!(reply.json()["message"], "Event published to action-requests");
    for (name, value) in [
        ("tenant_id", "st"),
        ("user_id", "me"),
        ("platform_tenant_id", "pt"),
        ("goal_id", "g"),
        ("specversion", "1.0"),
    ] {
        assert_eq!(event[name], value, "{name}");
    }
    assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert!(event["correlation_id"].is_string());
    assert!(event.get("session_id").is_none() && event.get("unknown").is_none());
}

#[tokio::test]
async fn a_strict_cloud_event_is_taken_as_it_is() {
    let server = Server::start().await;
    let event = json!({"specversion": "1.0", "id": "c-1", "source": "x", "type": "a.b", "topic": "action-requests",
        "datacontenttype": "application/json", "tenantid": "st", "userid": "su", "correlationid": "c", "data": {"n": 1.50}});
    let headers = [("content-type", "application/cloudevents+json; charset=utf-8")];
    let reply = server.send("POST", PATH, &headers, &event.to_string()).await;
    assert_eq!((reply.status, reply.json()["event_id"].as_str()), (200, Some("c-1")), "{}", reply.body);
    assert_eq!(stored(&server).await[0]["correlation_id"], "c");

    let mut bytes = event.clone();
    bytes["data_base64"] = "AAAA".into();
    let reply = server.send("POST", PATH, &headers, &bytes.to_string()).await;
    assert_eq!(reply.status, 422);
    assert!(reply.detail().contains("data_base64"));

    let reply = server.send("POST", PATH, &headers, r#"{"source": "x"}"#).await;
    assert_eq!(reply.problem()["errors"][0]["loc"], json!(["body", "type"]), "there is no wrapper to name");
}

#[tokio::test]
async fn the_same_id_is_answered_as_before_and_stored_once() {
    let server = Server::start().await;
    for _ in 0..3 {
        server.publish(work("e1")).await;
    }
    assert_eq!(stored(&server).await.len(), 1);
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let server = Server::start().await;
    let event = json!({"topic": "nope", "specversion": "0.3", "id": "a\u{7}", "time": "yesterday", "data": "text", "tenant_id": "t".repeat(65)});
    let reply = server.post(PATH, &json!({ "event": event })).await;
    assert_eq!(reply.status, 422);
    let problem = reply.problem();
    let errors = problem["errors"].as_array().expect("errors");
    let mut fields: Vec<_> = errors
        .iter()
        .map(|error| (error["loc"][2].as_str().expect("a field"), error["type"].as_str().expect("a rule")))
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            ("data", "dict_type"),
            ("id", "value_error"),
            ("source", "missing"),
            ("specversion", "value_error"),
            ("tenant_id", "string_too_long"),
            ("time", "value_error"),
            ("topic", "enum"),
            ("type", "missing"),
            ("user_id", "missing"),
        ]
    );
    let detail = reply.detail();
    for topic in Topic::ALL {
        assert!(detail.contains(topic.as_str()), "{detail}");
    }
    assert!(stored(&server).await.is_empty());
}

#[tokio::test]
async fn a_body_that_is_no_event_is_refused_with_where_and_why() {
    let server = Server::start().await;
    for (body, says) in [
        ("{\n \"event\": {,}}", "line 2 column 12"),
        ("", "line 1 column 0"),
        ("{}", "event is required"),
        (r#"{"event": null}"#, "event is required"),
        (r#"{"event": 5}"#, "line 1 column 11"),
        ("[]", "shape"),
        (r#"{"event": {"source": 5}}"#, "invalid type: integer `5`, expected a string"),
        (r#"{"event": {"tenant_id": "a", "tenantId": "b"}}"#, "duplicate field"),
        ("{\"event\": {\"source\": \"\u{fffd}\u{0}\"}}", "control character"),
    ] {
        let reply = server.send("POST", PATH, &[JSON], body).await;
        assert_eq!(reply.status, 422, "{body}: {}", reply.body);
        assert!(reply.detail().contains(says), "{body}: {}", reply.detail());
    }
    let deep =
        format!("{{\"event\": {}{}}}", "{\"data\":".repeat(100_000), "1".to_owned() + &"}".repeat(100_000));
    assert_eq!(server.send("POST", PATH, &[JSON], &deep).await.status, 422);
}

#[tokio::test]
async fn other_content_types_are_refused_with_those_that_are_taken() {
    let server = Server::start().await;
    for content_type in ["text/plain", "application/cloudevents-batch+json", "application/jsonp", ""] {
        let reply = server.send("POST", PATH, &[("content-type", content_type)], "{}").await;
        assert_eq!(reply.status, 415, "{content_type}");
        let detail = reply.detail();
        assert!(detail.contains("application/json or application/cloudevents+json"), "{detail}");
    }
    let reply = server.send("POST", PATH, &[], "{}").await;
    assert_eq!(reply.status, 415);
    assert!(reply.detail().contains("missing"));
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_with_the_bound_whether_or_not_it_says_its_length() {
    let server = Server::with(Config { max_body_bytes: 1_000, ..Config::default() }).await;
    let check = |reply: Reply| {
        assert_eq!(reply.status, 413);
        assert!(reply.detail().contains("1000"), "{}", reply.detail());
    };
    check(server.send("POST", PATH, &[JSON], &"x".repeat(1_001)).await);
    let mut chunked = String::from(
        "POST /v1/events/publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for _ in 0..11 {
        chunked.push_str(&format!("64\r\n{}\r\n", " ".repeat(100)));
    }
    chunked.push_str("0\r\n\r\n");
    check(exchange(server.address, chunked.as_bytes()).await);
    assert_eq!(server.send("POST", PATH, &[JSON], &" ".repeat(1_000)).await.status, 422);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_forever() {
    let server = Server::with(Config { body_within: Duration::from_millis(50), ..Config::default() }).await;
    let half = b"POST /v1/events/publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let reply = exchange(server.address, half).await;
    assert_eq!((reply.status, reply.problem()["code"].as_str()), (408, Some("timeout")));
}

#[tokio::test]
async fn an_event_over_the_bound_is_refused_with_the_bound() {
    let bus = soorma_bus::Config { max_event_bytes: 2_000, ..soorma_bus::Config::default() };
    let server = Server::over(Config::default(), bus, MemoryLog::new).await;
    let mut event = work("large");
    event["data"]["text"] = "x".repeat(2_000).into();
    let reply = server.post(PATH, &json!({ "event": event })).await;
    assert_eq!(reply.status, 422);
    assert!(reply.detail().contains("2000"), "{}", reply.detail());
}

#[tokio::test]
async fn a_log_that_is_away_or_full_says_when_to_come_back() {
    let server = Server::start().await;
    for (failure, seconds) in
        [(EventLogError::Unavailable("net".into()), "1"), (EventLogError::Full("disk".into()), "5")]
    {
        server.log.on(Call::Append, Fault::Fail(failure));
        let reply = server.post(PATH, &json!({ "event": work("e1") })).await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some(seconds)));
        assert_eq!(reply.problem()["code"], "unavailable");
    }
    server.publish(work("e1")).await;
}

#[tokio::test]
async fn a_full_bus_says_when_to_come_back() {
    let bus = soorma_bus::Config { max_in_flight: 1, ..soorma_bus::Config::default() };
    let server = Server::over(Config::default(), bus, MemoryLog::new).await;
    server.log.delay(1, Call::Append, HOUR);
    let body = json!({ "event": work("e1") });
    let refused = tokio::select! {
        first = server.post(PATH, &body) => panic!("it is on its way for an hour: {first:?}"),
        refused = async {
            server.until_no_fault_is_left().await;
            server.post(PATH, &json!({ "event": work("e2") })).await
        } => refused,
    };
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.problem()["code"], "overloaded");
}
