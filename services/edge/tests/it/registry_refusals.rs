//! What the registry is asked wrongly: a problem that says what is wrong, where, and all of it at once.

use serde_json::{Value, json};

use super::http::Reply;
use super::registry::agent;
use super::server::Server;

/// Looks that a request was refused as one that is wrong, in words that hold all the given ones; returns the faults.
#[track_caller]
fn refused(reply: &Reply, words: &[&str]) -> Vec<Value> {
    let problem = reply.problem();
    assert_eq!((reply.status, &problem["code"]), (422, &json!("invalid")), "{problem}");
    let detail = problem["detail"].as_str().expect("a detail");
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in {detail:?}");
    }
    problem["errors"].as_array().cloned().unwrap_or_default()
}

/// The one fault that there is: its rule and its place.
#[track_caller]
fn only(faults: &[Value]) -> (&str, &Value) {
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0]["type"].as_str().expect("a rule"), &faults[0]["loc"])
}

async fn register(server: &Server, change: impl FnOnce(&mut Value)) -> Reply {
    let mut agent = agent("a");
    change(&mut agent);
    server.ask("POST", "/v1/agents", &json!({ "agent": agent })).await
}

async fn put_schema(server: &Server, schema: &Value) -> Reply {
    let schema = json!({"schemaName": "s", "version": "1", "jsonSchema": schema});
    server.ask("POST", "/v1/schemas", &json!({ "schema": schema })).await
}

#[tokio::test]
async fn each_limit_of_an_agent_is_said_with_its_place() {
    let server = Server::start().await;
    let long = "n".repeat(256);
    for (field, value, rule, words) in [
        ("agentId", json!(long), "string_too_long", "agent.agentId has 256 bytes; at most 255 are allowed"),
        ("agentId", json!(" "), "string_too_short", "agent.agentId is empty"),
        ("agentId", json!("a\nb"), "value_error", "agent.agentId contains a control character"),
        ("agentId", json!(7), "string_type", "agent.agentId must be text"),
        ("agentId", Value::Null, "string_type", "agent.agentId must be text"),
        ("name", json!(long), "string_too_long", "agent.name has 256 bytes"),
        ("name", json!("\u{e9}".repeat(128)), "string_too_long", "agent.name has 256 bytes"),
        ("description", json!("d".repeat(8_193)), "string_too_long", "at most 8192 are allowed"),
        ("version", json!("v".repeat(51)), "string_too_long", "agent.version has 51 bytes; at most 50"),
        ("kind", json!("robot"), "enum", "say one of tool, worker, planner"),
        ("status", json!("asleep"), "enum", "'asleep' is no status"),
        ("status", json!("expired"), "value_error", "cannot say so itself"),
        ("reason", json!("r".repeat(8_193)), "string_too_long", "agent.reason has 8193 bytes"),
        ("capabilities", json!("research"), "list_type", "agent.capabilities must be a list"),
        ("consumedEvents", json!({}), "list_type", "agent.consumedEvents must be a list"),
        ("producedEvents", json!(vec!["e"; 1_001]), "too_long", "has 1001 entries; at most 1000"),
    ] {
        let reply = register(&server, |agent| agent[field] = value).await;
        let faults = refused(&reply, &[words]);
        assert_eq!(only(&faults), (rule, &json!(["body", "agent", field])), "{field}");
    }
    let reply = register(&server, |agent| agent["consumedEvents"] = json!(["fine", long, 7])).await;
    let faults =
        refused(&reply, &["agent.consumedEvents[1] has 256 bytes", "agent.consumedEvents[2] must be text"]);
    assert_eq!(faults[1]["loc"], json!(["body", "agent", "consumedEvents", 2]));
    // All that it says of itself: two letters of its own, two of each capability, the event once more, and descriptions.
    let large = |bytes: usize| {
        let capability = |described: usize| {
            let event = json!({"eventName": "e", "topic": "plan-events", "description": ""});
            json!({"taskName": "t", "description": "d".repeat(described), "consumedEvent": event, "producedEvents": []})
        };
        let mut capabilities = vec![capability(8_192); 7];
        capabilities.push(capability(bytes - 7 * 8_192 - 2 - 8 * 2 - 1));
        let agent = json!({"agentId": "a", "name": "n", "description": "", "capabilities": capabilities});
        register(&server, |sent| *sent = agent)
    };
    assert_eq!(large(65_536).await.status, 200);
    let reply = large(65_537).await;
    let words =
        "agent says 65537 bytes of itself in names, descriptions and events; at most 65536 are allowed";
    assert_eq!(only(&refused(&reply, &[words])), ("too_long", &json!(["body", "agent"])));
    // At the limit, all is well.
    let reply = register(&server, |agent| {
        agent["name"] = json!("n".repeat(255));
        agent["description"] = json!("d".repeat(8_192));
        agent["version"] = json!("v".repeat(50));
    });
    assert_eq!(reply.await.status, 200);
}

#[tokio::test]
async fn a_capability_whose_event_is_no_event_is_named() {
    let server = Server::start().await;
    let place = |more: &[Value]| {
        let mut loc = vec![json!("body"), json!("agent"), json!("capabilities"), json!(0)];
        loc.extend_from_slice(more);
        Value::Array(loc)
    };
    for (field, value, rule, words, loc) in [
        (
            "consumedEvent",
            json!("research.requested"),
            "model_type",
            "agent.capabilities[0].consumedEvent must be an object",
            place(&[json!("consumedEvent")]),
        ),
        (
            "consumedEvent",
            json!({"eventName": "e", "topic": "orders", "description": ""}),
            "enum",
            "unknown topic 'orders'; the topics are business-facts",
            place(&[json!("consumedEvent"), json!("topic")]),
        ),
        (
            "consumedEvent",
            json!({"eventName": "e", "description": ""}),
            "missing",
            "agent.capabilities[0].consumedEvent.topic is required",
            place(&[json!("consumedEvent"), json!("topic")]),
        ),
        (
            "producedEvents",
            json!([{"eventName": "e".repeat(256), "topic": "plan-events", "description": ""}]),
            "string_too_long",
            "producedEvents[0].eventName has 256 bytes",
            place(&[json!("producedEvents"), json!(0), json!("eventName")]),
        ),
        ("producedEvents", Value::Null, "list_type", "must be a list", place(&[json!("producedEvents")])),
        ("taskName", json!(["x"]), "string_type", "taskName must be text", place(&[json!("taskName")])),
    ] {
        let reply = register(&server, |agent| agent["capabilities"][0][field] = value).await;
        let faults = refused(&reply, &[words]);
        assert_eq!(only(&faults), (rule, &loc), "{field}");
    }
    let reply = register(&server, |agent| agent["capabilities"][0] = json!("research")).await;
    assert_eq!(
        only(&refused(&reply, &["agent.capabilities[0] must be an object"])),
        ("model_type", &place(&[]))
    );
}

#[tokio::test]
async fn all_faults_are_said_at_once_and_the_list_is_bounded() {
    let server = Server::start().await;
    let reply = server.ask("POST", "/v1/agents", &json!({"agent": {}})).await;
    let faults = refused(
        &reply,
        &["agent.agentId is required; agent.name is required", "agent.capabilities is required"],
    );
    assert_eq!(faults.len(), 4);
    assert_eq!(faults[0]["msg"], "Field required");
    let many = json!({"agent": {"agentId": "a", "name": "a", "description": "", "capabilities": vec![json!({}); 1_000]}});
    let faults = refused(
        &server.ask("POST", "/v1/agents", &many).await,
        &[
            "agent.capabilities[0].taskName is required",
            "; and 3995 more, see errors, which has the first 50",
        ],
    );
    assert_eq!(faults.len(), 50);
    for (body, words) in [
        (json!({}), "agent is required"),
        (json!({"agent": "a"}), "agent must be an object"),
        (json!({"agent": null}), "agent must be an object"),
        (json!([1]), "body must be an object"),
        (json!("agent"), "body must be an object"),
    ] {
        refused(&server.ask("POST", "/v1/agents", &body).await, &[words]);
    }
}

#[tokio::test]
async fn ten_thousand_capabilities_are_one_fault() {
    let server = Server::start().await;
    let reply =
        register(&server, |agent| agent["capabilities"] = vec![json!({"taskName": "t"}); 10_000].into());
    let faults = refused(&reply.await, &["agent.capabilities has 10000 entries; at most 1000 are allowed"]);
    assert_eq!(only(&faults), ("too_long", &json!(["body", "agent", "capabilities"])));
    let whole = agent("a")["capabilities"][0].clone();
    let reply = register(&server, |agent| agent["capabilities"] = vec![whole; 10_000].into()).await;
    assert_eq!(reply.status, 413, "{}", reply.body);
    assert!(
        reply.detail().contains("more than 1048576 bytes") && reply.detail().contains("1000 capabilities")
    );
    // The events of a thousand capabilities may be more than an agent has.
    let event = |n: usize| json!({"eventName": format!("e{n}"), "topic": "plan-events", "description": ""});
    let capability = |n: usize| {
        json!({"taskName": format!("t{n}"), "description": "", "consumedEvent": event(0),
        "producedEvents": (0..11).map(|m| event(n * 11 + m)).collect::<Vec<_>>()})
    };
    let reply = register(&server, |agent| {
        agent["capabilities"] = (0..100).map(capability).collect::<Vec<_>>().into();
    });
    let faults =
        refused(&reply.await, &["agent.producedEvents would be the 1100 events of the capabilities"]);
    assert_eq!(only(&faults), ("too_long", &json!(["body", "agent", "producedEvents"])));
}

#[tokio::test]
async fn what_is_no_schema_is_refused_with_the_place_in_it() {
    let server = Server::start().await;
    for (schema, words) in [
        (json!("string"), &["schema.jsonSchema must be a JSON object"][..]),
        (json!(true), &["schema.jsonSchema must be a JSON object"]),
        (json!({"type": "nonsense"}), &["/type"]),
        (json!({"properties": {"a": {"minimum": "1"}}}), &["/properties/a/minimum"]),
        (json!({"$ref": "https://example.com/schema.json"}), &["remote references are never fetched"]),
        (
            json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
            &["remote references are never fetched"],
        ),
        (json!({"$ref": "#"}), &["leads back to itself"]),
        (
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            &["leads back to itself"],
        ),
    ] {
        let faults = refused(&put_schema(&server, &schema).await, words);
        assert_eq!(only(&faults).1, &json!(["body", "schema", "jsonSchema"]), "{schema}");
    }
    // Each level asks for the one below it twice: 2 to the 40th at one place.
    let mut bomb = json!({});
    for n in 0..40 {
        let below = json!({"$ref": format!("#/$defs/l{}", n + 1)});
        bomb[format!("l{n}")] = json!({"allOf": [below, below]});
    }
    bomb["l40"] = json!({"type": "object"});
    refused(&put_schema(&server, &json!({"$defs": bomb, "$ref": "#/$defs/l0"})).await, &["times"]);
    // Deeper than is read, and what is no JSON at all.
    let deep = format!("{}{}", r#"{"not":"#.repeat(70), "{}".to_owned() + &"}".repeat(70));
    let deep: Value = serde_json::from_str(&deep).expect("JSON");
    refused(&put_schema(&server, &deep).await, &["schema.jsonSchema is nested more than 64 deep"]);
    let headers = [("content-type", "application/json"), ("x-tenant-id", "one")];
    let brackets = format!(r#"{{"schema":{{"jsonSchema":{}"#, "[".repeat(500_000));
    refused(&server.send("POST", "/v1/schemas", &headers, &brackets).await, &["not JSON"]);
    assert_eq!(server.read("/v1/schemas").await["count"], 0, "nothing of it is there");
    // The schema of an event is looked at likewise.
    let event = json!({"event": {"eventName": "e", "topic": "plan-events", "description": "",
        "payloadSchema": {"$ref": "http://example.com"}}});
    refused(&server.ask("POST", "/v1/events", &event).await, &["remote references are never fetched"]);
    assert_eq!(server.read("/v1/events").await["count"], 0);
}

#[tokio::test]
async fn a_version_that_is_there_is_never_replaced() {
    let server = Server::start().await;
    assert_eq!(put_schema(&server, &json!({"type": "object"})).await.status, 200);
    let reply = put_schema(&server, &json!({"type": "string"})).await;
    let problem = reply.problem();
    assert_eq!((reply.status, &problem["code"]), (409, &json!("already_exists")));
    assert_eq!(problem["detail"], "Schema 's@1' already exists for this tenant");
    assert_eq!(server.read("/v1/schemas/s/versions/1").await["jsonSchema"], json!({"type": "object"}));
}

#[tokio::test]
async fn wrong_events_and_schemas_are_refused_with_the_place() {
    let server = Server::start().await;
    let event = json!({"event": {"eventName": "e", "topic": "orders", "payloadSchema": 7}});
    let faults = refused(
        &server.ask("POST", "/v1/events", &event).await,
        &[
            "event.topic is wrong: unknown topic 'orders'",
            "event.description is required",
            "event.payloadSchema must be",
        ],
    );
    let rules: Vec<_> = faults.iter().map(|fault| fault["type"].as_str().expect("a rule")).collect();
    assert_eq!(rules, ["enum", "missing", "dict_type"]);
    let schema = json!({"schema": {"schemaName": "s", "version": "v".repeat(51), "ownerAgentId": ""}});
    let faults = refused(
        &server.ask("POST", "/v1/schemas", &schema).await,
        &[
            "schema.version has 51 bytes; at most 50",
            "schema.jsonSchema is required",
            "schema.ownerAgentId is empty",
        ],
    );
    assert_eq!(faults[1]["input"]["schemaName"], "s", "what it is missing from");
}

#[tokio::test]
async fn wrong_heartbeats_and_media_are_refused() {
    let server = Server::start().await;
    server.register(agent("a")).await;
    for (body, words) in [
        (json!({"status": "expired"}), "cannot say so itself"),
        (json!({"status": "asleep"}), "'asleep' is no status"),
        (json!({"reason": "slow"}), "status is required"),
        (json!([]), "body must be an object"),
    ] {
        refused(&server.ask("PUT", "/v1/agents/a/heartbeat", &body).await, &[words]);
    }
    for (method, path) in [
        ("POST", "/v1/agents"),
        ("POST", "/v1/events"),
        ("POST", "/v1/schemas"),
        ("PUT", "/v1/agents/a/heartbeat"),
    ] {
        let reply = server.send(method, path, &[("content-type", "text/plain")], "{}").await;
        assert_eq!(reply.status, 415, "{method} {path}");
    }
}

#[tokio::test]
async fn wrong_queries_are_refused_by_the_name_of_the_parameter() {
    let server = Server::start().await;
    for (path, name, words) in [
        ("agents?include_expired=maybe", "include_expired", "must be true or false"),
        ("agents?topic=orders", "topic", "unknown topic 'orders'"),
        ("agents?kind=robot", "kind", "say one of tool, worker, planner"),
        ("agents?status=asleep", "status", "'asleep' is no status"),
        ("agents?limit=0", "limit", "must be a number from 1 to 10000"),
        ("agents?limit=many", "limit", "must be a number from 1 to 10000"),
        ("agents?cursor=zz", "cursor", "send back the nextCursor of an answer unchanged"),
        ("agents?view=half", "view", "must be short or full"),
        ("agents?format=xml", "format", "must be json or llm"),
        ("agents?format=llm&max_chars=0", "max_chars", "must be a number from 1"),
        ("agents/discover?status=expired", "status", "GET /v1/agents?status=expired"),
        ("agents?query=x", "query", "is for GET /v1/agents/discover"),
        ("agents/discover?query=x&cursor=610062", "cursor", "has one page"),
        ("agents/discover?query=x&limit=0", "limit", "must be a number from 1 to 100"),
        ("events?limit=-1", "limit", "must be a number"),
        ("events?cursor=61", "cursor", ""),
        ("schemas?cursor=61", "cursor", "unchanged"),
    ] {
        let reply = server.ask("GET", &format!("/v1/{path}"), &Value::Null).await;
        if path == "events?cursor=61" {
            assert_eq!(reply.status, 200, "one name is what the cursor of events has");
            continue;
        }
        let faults = refused(&reply, &[name, words]);
        assert_eq!(only(&faults).1, &json!(["query", name]), "{path}");
    }
    let reply = server.ask("GET", "/v1/agents?limit=x&kind=y&topic=z", &Value::Null).await;
    assert_eq!(refused(&reply, &[]).len(), 3, "all at once");
}
