//! What the platform is asked wrongly over HTTP: a problem document with the right status and a sentence that says
//! what to do, and nothing of it in the log.

use serde_json::{Value, json};

use super::http::{Reply, send};
use super::place::{Dev, Place, event};

fn post(dev: &Dev, headers: &[(&str, &str)], body: &str) -> Reply {
    send(dev.addr, "POST", "/v1/events/publish", headers, body)
}

fn without(field: &str) -> Value {
    let mut event = event("wrong");
    event.as_object_mut().unwrap().remove(field);
    event
}

fn with(field: &str, value: Value) -> Value {
    let mut event = event("wrong");
    event[field] = value;
    event
}

/// Looks that a request was refused for a reason, in words that hold all the given ones.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, words: &[&str]) -> Value {
    let problem = reply.problem();
    assert_eq!((reply.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in {detail:?}");
    }
    problem
}

#[test]
fn wrong_events_are_refused_with_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let dev = place.dev(&[]);
    assert_eq!(dev.publish(&event("first")).status, 200);

    let problem = refused(
        &dev.publish(&with("topic", json!("orders"))),
        422,
        "invalid",
        &["'orders'", "action-requests"],
    );
    assert_eq!(problem["errors"][0]["loc"], json!(["body", "event", "topic"]));
    let problem = refused(
        &dev.publish(&without("type")),
        422,
        "invalid",
        &["type is required", "such as order.placed"],
    );
    assert_eq!(problem["errors"][0]["loc"], json!(["body", "event", "type"]));
    let nothing = refused(
        &dev.publish(&json!({})),
        422,
        "invalid",
        &["source is", "type is", "topic is", "tenant_id is"],
    );
    assert_eq!(nothing["errors"].as_array().unwrap().len(), 5, "all at once: {nothing}");
    refused(&dev.publish(&with("data", json!([1]))), 422, "invalid", &["data must be a JSON object"]);
    refused(&dev.publish(&with("id", json!("a\nb"))), 422, "invalid", &["id contains a control character"]);
    refused(&dev.publish(&with("time", json!("yesterday"))), 422, "invalid", &["time"]);
    refused(&dev.publish(&with("data", json!({ "n": "x".repeat(300_000) }))), 422, "invalid", &["bytes"]);

    let json = ("content-type", "application/json");
    refused(
        &post(&dev, &[json], r#"{"event": {"source": "x", "#),
        422,
        "invalid",
        &["not JSON", "line 1 column 26"],
    );
    refused(&post(&dev, &[json], ""), 422, "invalid", &["not JSON"]);
    refused(&post(&dev, &[json], "{}"), 422, "invalid", &["event is required", r#"send {"event""#]);
    let body = json!({ "event": event("wrong") }).to_string();
    for wrong in
        [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/x-www-form-urlencoded")]]
    {
        refused(&post(&dev, wrong, &body), 415, "invalid", &["content-type", "send application/json"]);
    }
    let large = [json, ("content-length", "1048577")];
    refused(&post(&dev, &large, ""), 413, "invalid", &["more than 1048576 bytes", "send where it is"]);
    refused(&post(&dev, &[json, ("host", "soorma.example")], &body), 403, "forbidden", &["http://localhost"]);
    refused(&post(&dev, &[json, ("x-tenant-id", "a\tb")], &body), 422, "invalid", &["x-tenant-id"]);

    assert_eq!(dev.publish(&event("last")).status, 200);
    let args =
        ["events", "tail", "--json", "--after", "action-requests=0", "--count", "2", "--url", &dev.url];
    let said = place.run(&args).ok();
    let ids: Vec<_> =
        said.lines().map(|line| super::place::json(&format!("{line}\n"))["event"]["id"].clone()).collect();
    assert_eq!(ids, ["first", "last"], "nothing of what was refused is there");
}

#[test]
fn wrong_streams_are_refused_with_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let dev = place.dev(&[]);
    assert_eq!(dev.publish(&event("first")).status, 200);
    let open = |query: &str| dev.get(&format!("/v1/events/stream?{query}"));
    refused(
        &open(""),
        422,
        "invalid",
        &["topics and agent_id are required", "open /v1/events/stream?topics="],
    );
    let problem = refused(&open("agent_id=me"), 422, "invalid", &["topics is required"]);
    assert_eq!(problem["errors"][0]["loc"], json!(["query", "topics"]));
    refused(&open("agent_id=me&topics="), 400, "invalid", &["At least one topic"]);
    refused(&open("agent_id=me&topics=orders"), 422, "invalid", &["'orders'", "action-requests"]);
    refused(&open("topics=*&agent_id=%0a"), 422, "invalid", &["agent_id"]);
    let position = "agent_id=me&topics=action-requests&last_event_id";
    refused(
        &open(&format!("{position}=action-requests=2")),
        422,
        "invalid",
        &["lies in the future", "ends at 1"],
    );
    refused(&open(&format!("{position}=7")), 422, "invalid", &["'7' is not a position", "send back the id"]);
    refused(&dev.get("/v1/event/publish"), 404, "not_found", &["Not Found", "GET / lists what there is"]);
    let reply = dev.get("/v1/events/publish");
    refused(&reply, 405, "invalid", &["Method Not Allowed"]);
    assert_eq!(reply.header("allow"), Some("POST"));
    assert_eq!(dev.get("/health").json()["active_streams"], 0);
}
