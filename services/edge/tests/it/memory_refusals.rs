//! What memory refuses, and in which words.

use serde_json::{Value, json};
use soorma_ports::MemoryStoreError;
use soorma_testkit::{Fault, MemoryCall};

use super::http::Reply;
use super::server::Server;

/// Looks that something was refused, and returns the rule and place of its first fault.
#[track_caller]
fn fault(reply: &Reply) -> (String, String) {
    let problem = reply.problem();
    assert_eq!((reply.status, &problem["code"]), (422, &json!("invalid")), "{problem}");
    let first = &problem["errors"][0];
    let place: Vec<String> = first["loc"]
        .as_array()
        .expect("a place")
        .iter()
        .map(|part| part.to_string().replace('"', ""))
        .collect();
    (first["type"].as_str().expect("a rule").to_owned(), place.join("."))
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_by_its_place() {
    let server = Server::start().await;
    let long = |chars: usize| "x".repeat(chars);
    let tags: Vec<String> = (0..1_000).map(|n| format!("t{n}")).collect();
    for (method, path, body, rule, place) in [
        ("POST", "/semantic", json!([]), "model_type", "body"),
        ("POST", "/semantic", json!({}), "missing", "body.content"),
        ("POST", "/semantic", json!({"content": 1}), "string_type", "body.content"),
        ("POST", "/semantic", json!({"content": long(1_048_577)}), "string_too_long", "body.content"),
        ("POST", "/semantic", json!({"content": "a\u{0}"}), "value_error", "body.content"),
        ("POST", "/semantic", json!({"content": "c", "tags": tags}), "too_long", "body.tags"),
        ("POST", "/semantic", json!({"content": "c", "tags": [long(129)]}), "string_too_long", "body.tags.0"),
        (
            "POST",
            "/semantic",
            json!({"content": "c", "externalId": long(256)}),
            "string_too_long",
            "body.externalId",
        ),
        ("POST", "/semantic", json!({"content": "c", "isPublic": "perhaps"}), "bool_type", "body.isPublic"),
        ("POST", "/semantic", json!({"content": "c", "metadata": [1]}), "dict_type", "body.metadata"),
        (
            "POST",
            "/semantic",
            json!({"content": "c", "metadata": {"m": long(70_000)}}),
            "too_long",
            "body.metadata",
        ),
        ("POST", "/semantic", json!({"content": "c", "validTo": "soon"}), "datetime_parsing", "body.validTo"),
        ("POST", "/semantic", json!({"content": "c", "episodeId": "e"}), "uuid_parsing", "body.episodeId"),
        ("POST", "/episodic", json!({"agentId": "a", "role": "robot", "content": "c"}), "enum", "body.role"),
        ("POST", "/episodic", json!({"agentId": "a", "role": "user"}), "missing", "body.content"),
        (
            "POST",
            "/episodic",
            json!({"agentId": " ", "role": "user", "content": "c"}),
            "value_error",
            "body.agentId",
        ),
        ("POST", "/procedural", json!({"agentId": "a", "content": "c"}), "missing", "body.procedureType"),
        (
            "POST",
            "/procedural",
            json!({"agentId": "a", "procedureType": long(65), "content": "c"}),
            "string_too_long",
            "body.procedureType",
        ),
        ("POST", "/plans", json!({"planId": long(101), "goalEvent": "g"}), "string_too_long", "body.planId"),
        ("POST", "/plans", json!({"planId": "", "goalEvent": "g"}), "string_too_short", "body.planId"),
        ("POST", "/plans", json!({"planId": "a\nb", "goalEvent": "g"}), "value_error", "body.planId"),
        (
            "POST",
            "/plans",
            json!({"planId": "p", "goalEvent": long(256)}),
            "string_too_long",
            "body.goalEvent",
        ),
        ("PUT", "/plans/p", json!({"status": "lost"}), "enum", "body.status"),
        ("POST", "/sessions", json!({"sessionId": long(101)}), "string_too_long", "body.sessionId"),
        ("POST", "/task-context", json!({"taskId": "t"}), "missing", "body.eventType"),
        (
            "POST",
            "/task-context",
            json!({"taskId": "t", "eventType": "e", "subTasks": [1]}),
            "string_type",
            "body.subTasks.0",
        ),
        (
            "POST",
            "/task-context",
            json!({"taskId": "t", "eventType": "e", "responseTopic": long(101)}),
            "string_too_long",
            "body.responseTopic",
        ),
        (
            "POST",
            "/plan-context",
            json!({"planId": "p", "goalEvent": "g", "currentState": long(101)}),
            "string_too_long",
            "body.currentState",
        ),
        ("PUT", "/plan-context/p", json!({"correlationIds": "c"}), "list_type", "body.correlationIds"),
        ("PUT", "/working/p/k", json!({}), "missing", "body.value"),
        ("PUT", "/working/p/k", json!({"value": long(1_048_577)}), "too_long", "body.value"),
        ("PUT", "/working/p/k", json!({"value": 1, "ttlSeconds": 0}), "value_error", "body.ttlSeconds"),
        ("PUT", "/working/p/k", json!({"value": 1, "ttl_seconds": 1.5}), "value_error", "body.ttlSeconds"),
        (
            "PUT",
            "/working/p/k",
            json!({"value": 1, "ifRevision": 1, "ifAbsent": true}),
            "value_error",
            "body.ifAbsent",
        ),
        ("POST", "/working/p/k", json!({}), "missing", "body.op"),
        ("POST", "/working/p/k", json!({"op": "divide"}), "enum", "body.op"),
        ("POST", "/working/p/k", json!({"op": "increment", "by": "1"}), "float_type", "body.by"),
        ("POST", "/working/p/k", json!({"op": "append"}), "missing", "body.value"),
        ("POST", "/working/p/k", json!({"op": "extend", "value": {}}), "value_error", "body.value"),
        ("POST", "/working/p/k", json!({"op": "merge", "value": []}), "value_error", "body.value"),
        ("POST", "/working/p/k", json!({"op": "compare_and_set", "expected": 1}), "missing", "body.value"),
    ] {
        let reply = server.recall(method, path, &body).await;
        assert_eq!(fault(&reply), (rule.to_owned(), place.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn json_that_is_a_thousand_deep_is_refused_wherever_it_stands() {
    let server = Server::start().await;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1_000), close.repeat(1_000));
    let (list, object) = (deep("[", "]"), deep("{\"a\":", "}"));
    for (method, path, body, place) in [
        ("POST", "/semantic", format!(r#"{{"content": "c", "metadata": {object}}}"#), "body.metadata"),
        ("PUT", "/working/p/k", format!(r#"{{"value": {list}}}"#), "body.value"),
        ("POST", "/working/p/k", format!(r#"{{"op": "append", "value": {list}}}"#), "body.value"),
        (
            "POST",
            "/plan-context",
            format!(r#"{{"planId": "p", "goalEvent": "g", "state": {object}}}"#),
            "body.state",
        ),
    ] {
        let headers = [("content-type", "application/json")];
        let reply = server.send(method, &format!("/v1/memory{path}"), &headers, &body).await;
        assert_eq!(fault(&reply), ("value_error".to_owned(), place.to_owned()), "{path}");
        assert!(reply.detail().contains("64 deep"), "{}", reply.body);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_query_or_path_is_said_by_its_place() {
    let server = Server::start().await;
    let long = "x".repeat(101);
    for (method, path, rule, place) in [
        ("GET", "/semantic/search".to_owned(), "missing", "query.q"),
        ("GET", "/semantic/search?q=%20".to_owned(), "value_error", "query.q"),
        ("GET", format!("/semantic/search?q={}", "x".repeat(8_193)), "string_too_long", "query.q"),
        ("POST", "/semantic/query?q=x".to_owned(), "missing", "query.query"),
        ("GET", "/semantic/search?q=x&limit=0".to_owned(), "greater_than_equal", "query.limit"),
        ("GET", "/semantic/search?q=x&limit=51".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/semantic/search?q=x&limit=10000".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/semantic/search?q=x&weights=size:1".to_owned(), "value_error", "query.weights"),
        ("GET", "/semantic/search?q=x&metadata=lang".to_owned(), "value_error", "query.metadata"),
        ("GET", "/semantic?cursor=00".to_owned(), "value_error", "query.cursor"),
        ("GET", "/semantic?limit=201".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/episodic/recent?limit=5".to_owned(), "missing", "query.agent_id"),
        ("GET", "/episodic/recent?agent_id=a&limit=101".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/episodic/search?agent_id=a&q=x&limit=51".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/episodic?role=robot".to_owned(), "enum", "query.role"),
        ("GET", "/episodic?tags=a".to_owned(), "value_error", "query.tags"),
        ("GET", "/episodic/search?agent_id=a&q=x&source=s".to_owned(), "value_error", "query.source"),
        ("GET", "/semantic?session_id=s".to_owned(), "value_error", "query.session_id"),
        ("GET", "/semantic/search?q=x&role=user".to_owned(), "value_error", "query.role"),
        ("GET", "/procedural?tags=a".to_owned(), "value_error", "query.tags"),
        (
            "GET",
            "/procedural/context?agent_id=a&q=x&metadata=a:b".to_owned(),
            "value_error",
            "query.metadata",
        ),
        ("GET", "/episodic?since=yesterday".to_owned(), "datetime_parsing", "query.since"),
        ("GET", "/episodic/window?max_tokens=0".to_owned(), "greater_than_equal", "query.max_tokens"),
        ("GET", "/procedural/context?agent_id=a&q=x&limit=21".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/plans?limit=101".to_owned(), "less_than_equal", "query.limit"),
        ("GET", "/plans?status=lost".to_owned(), "enum", "query.status"),
        ("GET", "/sessions?limit=none".to_owned(), "int_parsing", "query.limit"),
        ("GET", "/stats?of=others".to_owned(), "enum", "query.of"),
        ("GET", "/working/p?watch=true&prefix=a".to_owned(), "value_error", "query.watch"),
        ("GET", "/working/p?limit=501".to_owned(), "less_than_equal", "query.limit"),
        ("GET", format!("/working/{long}/k"), "string_too_long", "path.plan_id"),
        ("GET", format!("/working/p/{}", "x".repeat(256)), "string_too_long", "path.key"),
        ("GET", "/working/p/a%2Fb".to_owned(), "value_error", "path.key"),
        ("DELETE", "/working/a%2Fb".to_owned(), "value_error", "path.plan_id"),
        ("GET", "/working/p/a%00b".to_owned(), "value_error", "path.key"),
        ("GET", "/plans/a%0Ab".to_owned(), "value_error", "path.plan_id"),
        ("GET", format!("/task-context/{long}"), "string_too_long", "path.task_id"),
        ("DELETE", format!("/sessions/{long}"), "string_too_long", "path.session_id"),
    ] {
        let reply = server.recall(method, &path, &Value::Null).await;
        assert_eq!(fault(&reply), (rule.to_owned(), place.to_owned()), "{method} {path}");
    }
    assert_eq!(server.recall("GET", "/working/p/a%FF", &Value::Null).await.status, 422);
}

#[tokio::test]
async fn a_key_may_have_whatever_is_no_slash_and_no_control() {
    let server = Server::start().await;
    for key in ["_soorma:goal:corr", "a%20b", "%3F%23%25", "caf%C3%A9", "a.b~c"] {
        let path = format!("/working/p/{key}");
        let set = server.remembers(200, "PUT", &path, json!({"value": key})).await;
        assert_eq!(server.remembers(200, "GET", &path, Value::Null).await, set);
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_with_what_is_allowed() {
    let server = Server::start().await;
    let body = json!({"content": "x".repeat(10 * 1_024 * 1_024)}).to_string();
    let headers = [("content-type", "application/json")];
    let reply = server.send("POST", "/v1/memory/semantic", &headers, &body).await;
    assert_eq!(reply.status, 413);
    assert!(
        reply.detail().contains("4194304") && reply.detail().contains("at most 1048576 bytes"),
        "{}",
        reply.body
    );
    let reply = server.send("POST", "/v1/memory/semantic", &[("content-type", "text/plain")], "c").await;
    assert_eq!(reply.status, 415);
    let reply = server.send("POST", "/v1/memory/semantic", &headers, "{\"content\"").await;
    assert_eq!(fault(&reply).0, "json_invalid");
    // As long as it may be, in the longest form that it has as JSON.
    let content = "\u{7f}\u{e9}".repeat(349_525);
    assert_eq!(content.len(), 1_048_575);
    let escaped = content.replace('\u{e9}', "\\u00e9");
    let reply = server
        .send("POST", "/v1/memory/semantic", &headers, &format!("{{\"content\": \"{escaped}\"}}"))
        .await;
    assert_eq!(reply.status, 201, "{:.300}", reply.body);
    assert_eq!(reply.json()["content"], content);
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_harms_nothing() {
    let server = Server::start().await;
    server.remembers(201, "POST", "/semantic", json!({"content": "c"})).await;
    for (call, method, path, body) in [
        (MemoryCall::Write, "POST", "/semantic", json!({"content": "d"})),
        (MemoryCall::List, "GET", "/semantic", Value::Null),
        (MemoryCall::Get, "GET", "/working/p/k", Value::Null),
        (MemoryCall::Rank, "GET", "/semantic/search?q=c", Value::Null),
    ] {
        server.kept.on(call, Fault::Fail(MemoryStoreError::Unavailable("disk".into())));
        let reply = server.recall(method, path, &body).await;
        assert_eq!((reply.status, &reply.problem()["code"]), (503, &json!("unavailable")), "{path}");
    }
    let page = server.remembers(200, "GET", "/semantic", Value::Null).await;
    assert_eq!(page["count"], 1);
}

#[tokio::test]
async fn half_of_a_character_is_kept_nowhere() {
    let server = Server::start().await;
    let headers = [("content-type", "application/json")];
    let half = r#"{"a":["\ud83d"]}"#;
    for (method, path, body, place) in [
        ("PUT", "/working/p/k", format!(r#"{{"value":{half}}}"#), "body.value"),
        ("POST", "/working/p/k", format!(r#"{{"op":"append","value":{half}}}"#), "body.value"),
        ("POST", "/semantic", format!(r#"{{"content":"c","metadata":{half}}}"#), "body.metadata"),
        ("POST", "/sessions", format!(r#"{{"sessionId":"s","metadata":{half}}}"#), "body.metadata"),
        ("POST", "/plans", format!(r#"{{"planId":"p","goalEvent":"g","goalData":{half}}}"#), "body.goalData"),
        (
            "POST",
            "/plan-context",
            format!(r#"{{"planId":"p","goalEvent":"g","state":{half}}}"#),
            "body.state",
        ),
        (
            "POST",
            "/task-context",
            format!(r#"{{"taskId":"t","eventType":"e","state":{half}}}"#),
            "body.state",
        ),
    ] {
        let reply = server.send(method, &format!("/v1/memory{path}"), &headers, &body).await;
        assert_eq!(fault(&reply), ("string_unicode".to_owned(), place.to_owned()), "{method} {path}");
    }
    let whole = r#"{"value":"\ud83d\ude00"}"#;
    let reply = server.send("PUT", "/v1/memory/working/p/k", &headers, whole).await;
    assert_eq!((reply.status, &reply.json()["value"]), (200, &json!("\u{1f600}")));
}
