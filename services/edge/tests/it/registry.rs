//! Agents, events and schemas over HTTP: what is ours beside what was recorded.

use serde_json::{Value, json};
use soorma_core::{AgentRecord, AgentStatus, Name, TenantId};
use soorma_ports::{Clock as _, RegistryAct, RegistryStore as _, RegistryWrite, Standing};

use super::http::Reply;
use super::server::{HOUR, Server};

/// An agent as the published clients send it.
pub(crate) fn agent(id: &str) -> Value {
    json!({
        "agentId": id, "name": format!("{id}:1.0.0"), "description": "Finds sources", "capabilities": [{
            "taskName": "web_research", "description": "Searches the web",
            "consumedEvent": {"eventName": "research.requested", "topic": "action-requests", "description": "d"},
            "producedEvents": [
                {"eventName": "research.completed", "topic": "business-facts", "description": "d"},
                {"eventName": "research.failed", "topic": "action-results", "description": "d"},
            ],
        }],
    })
}

fn with(mut agent: Value, field: &str, value: Value) -> Value {
    agent[field] = value;
    agent
}

impl Server {
    /// Registers an agent of the tenant `one`, and looks that it went well.
    pub(crate) async fn register(&self, agent: Value) -> Reply {
        let reply = self.ask("POST", "/v1/agents", &json!({ "agent": agent })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    }

    /// Asks as the tenant `one`; an answer that is no success fails the test.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let reply = self.ask("GET", path, &Value::Null).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{path}");
        reply.json()
    }

    /// The ids of the agents that an answer holds.
    pub(crate) async fn ids(&self, path: &str) -> Vec<String> {
        let answer = self.read(path).await;
        let agents = answer["agents"].as_array().expect("agents");
        assert_eq!(answer["count"], agents.len(), "{answer}");
        agents.iter().map(|agent| agent["agentId"].as_str().expect("an id").to_owned()).collect()
    }
}

#[tokio::test]
async fn requests_may_have_either_case_and_answers_have_one() {
    let server = Server::start().await;
    let snake = json!({"agent": {
        "agent_id": "snake", "name": "snake", "description": "", "unheard_of": {"x": [1]}, "capabilities": [{
            "task_name": "hiss", "description": "",
            "consumed_event": {"event_name": "hiss.requested", "topic": "plan-events", "description": ""},
            "produced_events": [],
        }],
    }});
    assert_eq!(server.ask("POST", "/v1/agents", &snake).await.json()["agentId"], "snake");
    let shown = server.read("/v1/agents?agent_id=snake").await;
    let hiss = &shown["agents"][0]["capabilities"][0];
    assert_eq!((&hiss["taskName"], &hiss["consumedEvent"]["topic"]), (&json!("hiss"), &json!("plan-events")));
    let event = json!({"event": {"event_name": "a.b", "topic": "plan-events", "description": "d",
        "payload_schema": {"type": "object"}, "response_schema_name": "r"}});
    assert_eq!(server.ask("POST", "/v1/events", &event).await.status, 200);
    let expect = json!({"eventName": "a.b", "topic": "plan-events", "description": "d", "payloadSchemaName": null,
        "responseSchemaName": "r", "payloadSchema": {"type": "object"}, "responseSchema": null});
    assert_eq!(server.read("/v1/events/a.b").await, expect);
    let schema = json!({"payload_schema": {"schema_name": "s", "version": "1", "json_schema": {}, "owner_agent_id": "o"}});
    assert_eq!(server.ask("POST", "/v1/schemas", &schema).await.status, 200);
    assert_eq!(server.read("/v1/schemas/s").await["ownerAgentId"], "o");
}

#[tokio::test]
async fn the_events_of_an_agent_are_those_of_its_capabilities_where_it_names_none() {
    let server = Server::start().await;
    for (sent, consumed, produced) in [
        (Value::Null, json!(["research.requested"]), json!(["research.completed", "research.failed"])),
        (json!([]), json!(["research.requested"]), json!(["research.completed", "research.failed"])),
        (json!(["x", "y", "x"]), json!(["x", "y"]), json!(["x", "y"])),
    ] {
        let agent = with(with(agent("a"), "consumedEvents", sent.clone()), "producedEvents", sent);
        server.register(agent).await;
        let shown = server.read("/v1/agents?agent_id=a").await;
        assert_eq!(shown["agents"][0]["consumedEvents"], consumed);
        assert_eq!(shown["agents"][0]["producedEvents"], produced);
    }
    server.register(with(agent("b"), "capabilities", json!([]))).await;
    assert_eq!(server.read("/v1/agents?agent_id=b").await["agents"][0]["consumedEvents"], json!([]));
}

#[tokio::test]
async fn one_agent_is_shown_with_how_it_is() {
    let server = Server::start().await;
    let extended = with(with(agent("r"), "kind", json!("worker")), "status", json!("starting"));
    server.register(extended).await;
    let shown = server.read("/v1/agents/r").await;
    assert_eq!(
        (&shown["kind"], &shown["version"], &shown["status"], &shown["reason"]),
        (&json!("worker"), &json!("1.0.0"), &json!("starting"), &Value::Null)
    );
    for time in ["registeredAt", "lastHeartbeat", "expiresAt"] {
        assert!(shown[time].as_str().is_some_and(|time| time.starts_with("2026-01-01T00:")), "{shown}");
    }
    let degraded = json!({"status": "degraded", "reason": "the model \"answers\" late"});
    for (method, body, status, reason) in [
        ("PUT", &degraded, "degraded", &degraded["reason"]),
        ("POST", &Value::Null, "degraded", &degraded["reason"]),
        ("POST", &json!({}), "degraded", &degraded["reason"]),
        ("PUT", &json!({"status": "ready"}), "ready", &Value::Null),
    ] {
        let reply = server.ask(method, "/v1/agents/r/heartbeat", body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let shown = server.read("/v1/agents/r").await;
        assert_eq!((&shown["status"], &shown["reason"]), (&json!(status), reason));
    }
    // A version of its own comes before the one in the name.
    server.register(with(agent("r"), "version", json!("2.0.0"))).await;
    assert_eq!(server.read("/v1/agents/r").await["version"], "2.0.0");
    let (full, short) = (server.read("/v1/agents?view=full").await, server.read("/v1/agents").await);
    assert_eq!(full["agents"][0], server.read("/v1/agents/r").await);
    assert_eq!(short["agents"][0].as_object().map(serde_json::Map::len), Some(6), "{short}");
}

#[tokio::test]
async fn who_is_not_there_is_not_found_in_the_recorded_words() {
    let server = Server::start().await;
    server.register(agent("here")).await;
    let long = "x".repeat(256);
    for id in ["nobody", "%20", "a%0Ab", "n%2Fo", &long] {
        let text = id.replace("%20", " ").replace("%0A", "\n").replace("%2F", "/");
        let text = if id == long { format!("{}…", "x".repeat(255)) } else { text };
        for (method, path, detail) in [
            ("GET", format!("/v1/agents/{id}"), format!("Agent '{text}' not found")),
            ("DELETE", format!("/v1/agents/{id}"), format!("Agent '{text}' not found")),
            ("PUT", format!("/v1/agents/{id}/heartbeat"), format!("Agent '{text}' not found.")),
            ("GET", format!("/v1/events/{id}"), format!("Event '{text}' not found")),
            ("GET", format!("/v1/schemas/{id}"), format!("Schema '{text}' not found")),
            ("GET", format!("/v1/schemas/{id}/versions"), format!("Schema '{text}' not found")),
        ] {
            let reply = server.ask(method, &path, &Value::Null).await;
            assert_eq!((reply.status, reply.detail()), (404, detail), "{method} {path}");
        }
    }
    let reply = server.ask("GET", "/v1/schemas/n/versions/1", &Value::Null).await;
    assert_eq!((reply.status, reply.detail()), (404, "Schema 'n@1' not found".to_owned()));
    // What is asked for by a query is an empty list.
    for query in
        ["agents?agent_id=%20", "agents?name=x", "agents?agent_id=x", "agents/discover?consumed_event=x"]
    {
        assert_eq!(server.ids(&format!("/v1/{query}")).await, [""; 0], "{query}");
    }
    for query in ["event_name=x", "event_name=%0A", "topic=orders"] {
        let answer = server.read(&format!("/v1/events?{query}")).await;
        assert_eq!(answer, json!({"events": [], "count": 0}), "{query}");
    }
}

#[tokio::test]
async fn names_with_anything_in_them_are_reached_by_their_path() {
    let server = Server::start().await;
    for (id, path) in [("a/b", "a%2Fb"), ("Gr\u{fc}\u{df}e", "Gr%C3%BC%C3%9Fe"), ("a\"b\\", "a%22b%5C")] {
        server.register(agent(id)).await;
        let shown = server.read(&format!("/v1/agents/{path}")).await;
        assert_eq!(shown["agentId"], id);
        assert_eq!(
            server.ask("PUT", &format!("/v1/agents/{path}/heartbeat"), &Value::Null).await.status,
            200
        );
        assert_eq!(server.ask("DELETE", &format!("/v1/agents/{path}"), &Value::Null).await.status, 204);
    }
    // What is also a path of ours is reached by a query.
    server.register(agent("discover")).await;
    assert_eq!(server.ids("/v1/agents?agent_id=discover").await, ["discover"]);
    for status in [204, 404] {
        assert_eq!(server.ask("DELETE", "/v1/agents/discover", &Value::Null).await.status, status);
    }
}

#[tokio::test]
async fn the_first_parameter_of_the_recorded_ones_counts_and_ours_are_further_conditions() {
    let server = Server::start().await;
    server.register(with(agent("a"), "kind", json!("worker"))).await;
    let other = json!({"agentId": "b", "name": "b", "description": "Writes reports", "kind": "tool", "capabilities": [{
        "taskName": "write", "description": "",
        "consumedEvent": {"eventName": "write.requested", "topic": "plan-events", "description": ""},
        "producedEvents": [],
    }]});
    server.register(other).await;
    for (query, expect) in [
        ("", &["a", "b"][..]),
        ("?agent_id=a&name=b&consumed_event=write.requested", &["a"]),
        ("?agent_id=&name=b", &["b"]),
        ("?name=b&consumed_event=research.requested", &["b"]),
        ("?name=a", &["a"]),
        ("?name=a:1.0.0", &["a"]),
        ("?consumed_event=write.requested&produced_event=research.failed", &["b"]),
        ("?produced_event=research.failed", &["a"]),
        ("?capability=write", &["b"]),
        ("?capability=write&agent_id=a", &[]),
        ("?topic=plan-events", &["b"]),
        ("?topic=business-facts", &["a"]),
        ("?kind=worker", &["a"]),
        ("?status=ready", &["a", "b"]),
        ("?status=degraded", &[]),
        ("?text=REPORTS", &["b"]),
        ("?text=web+finds", &["a"]),
        ("?unheard_of=1", &["a", "b"]),
        ("?limit=1", &["a"]),
    ] {
        assert_eq!(server.ids(&format!("/v1/agents{query}")).await, expect, "{query}");
        assert_eq!(server.ids(&format!("/v1/agents/discover{query}")).await, expect, "{query}");
    }
}

#[tokio::test]
async fn of_each_name_one_is_listed_and_every_instance_is_there_in_full() {
    let server = Server::start().await;
    for id in ["r-1", "r-2", "r-3"] {
        server.register(with(agent(id), "name", json!("researcher:1.0.0"))).await;
        server.clock.jump(std::time::Duration::from_secs(1));
    }
    assert_eq!(server.ask("PUT", "/v1/agents/r-2/heartbeat", &Value::Null).await.status, 200);
    assert_eq!(server.ids("/v1/agents").await, ["r-2"], "the one that was heard last");
    assert_eq!(server.ids("/v1/agents?agent_id=r-1").await, ["r-1"]);
    assert_eq!(server.ids("/v1/agents?view=full").await, ["r-1", "r-2", "r-3"]);
}

#[tokio::test]
async fn who_is_not_heard_is_shown_to_who_asks_for_it_alone() {
    let server = Server::start().await;
    server.register(agent("new")).await;
    let old = AgentRecord {
        id: Name::new("old").expect("a name"),
        name: Name::new("old").expect("a name"),
        description: String::new(),
        kind: None,
        version: None,
        capabilities: vec![],
        consumes: vec![],
        produces: vec![],
    };
    let write = RegistryWrite {
        tenant: TenantId::new("one").expect("a tenant"),
        at: server.clock.now(),
        what: RegistryAct::PutAgent { agent: old, standing: Standing::READY },
    };
    // Another node heard it, long ago; this one hears of its own by a clock that does not jump.
    server.store.write(vec![write]).await.expect("written")[0].expect("put");
    server.clock.jump(HOUR);
    server.until(async || server.ids("/v1/agents?include_expired=true").await.len() == 2).await;
    for (query, expect) in [
        ("agents", &["new"][..]),
        ("agents?include_expired=false", &["new"]),
        ("agents?include_expired=TRUE", &["new", "old"]),
        ("agents?include_expired=1&status=ready", &["new"]),
        ("agents?status=expired", &["old"]),
        ("agents/discover", &["new"]),
        ("agents/discover?include_expired=true", &["new"]),
    ] {
        assert_eq!(server.ids(&format!("/v1/{query}")).await, expect, "{query}");
    }
    assert_eq!(server.read("/v1/agents/old").await["status"], json!(AgentStatus::Expired.as_str()));
    assert_eq!(server.ask("POST", "/v1/agents/old/heartbeat", &Value::Null).await.status, 200);
    assert_eq!(server.ids("/v1/agents/discover").await, ["new", "old"], "one that is heard again is back");
}

#[tokio::test]
async fn long_lists_are_read_page_by_page() {
    let server = Server::start().await;
    for n in 0..7 {
        server.register(agent(&format!("a{n}"))).await;
        let event =
            json!({"event": {"eventName": format!("e{n}"), "topic": "plan-events", "description": ""}});
        assert_eq!(server.ask("POST", "/v1/events", &event).await.status, 200);
        let schema = json!({"schema": {"schemaName": format!("s{}", n / 4), "version": format!("v{n}"), "jsonSchema": {}}});
        assert_eq!(server.ask("POST", "/v1/schemas", &schema).await.status, 200);
    }
    for (path, list, name, begin) in [
        ("agents", "agents", "agentId", "a"),
        ("agents/discover", "agents", "agentId", "a"),
        ("events", "events", "eventName", "e"),
        ("schemas", "schemas", "version", "v"),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        let mut pages = 0;
        loop {
            let answer = server.read(&format!("/v1/{path}?limit=3{cursor}")).await;
            pages += 1;
            let rows = answer[list].as_array().expect("rows");
            seen.extend(rows.iter().map(|row| row[name].as_str().expect("a name").to_owned()));
            match answer.get("nextCursor") {
                Some(next) => cursor = format!("&cursor={}", next.as_str().expect("a cursor")),
                None => break,
            }
        }
        let all: Vec<_> = (0..7).map(|n| format!("{begin}{n}")).collect();
        assert_eq!((seen, pages), (all, 3), "{path}");
        let whole = server.read(&format!("/v1/{path}?limit=7")).await;
        assert!(whole.get("nextCursor").is_none(), "there are no more: {whole}");
    }
    let versions = server.read("/v1/schemas/s0/versions").await;
    assert_eq!((&versions["count"], &versions["schemas"][3]["version"]), (&json!(4), &json!("v3")));
    assert_eq!(server.read("/v1/schemas/s0").await["version"], "v3", "the one that came last");
    let path = "/v1/schemas/s0/versions?limit=3";
    let first = server.read(path).await;
    let cursor = first["nextCursor"].as_str().expect("there is one more");
    let rest = server.read(&format!("{path}&cursor={cursor}")).await;
    assert_eq!((&first["count"], &rest["count"], rest.get("nextCursor")), (&json!(3), &json!(1), None));
    assert_eq!(rest["schemas"][0]["version"], "v3");
    let other = format!("/v1/schemas/s1/versions?cursor={cursor}");
    assert_eq!(server.ask("GET", &other, &Value::Null).await.status, 422, "a cursor of another schema");
}

#[tokio::test]
async fn a_schema_comes_back_with_its_order_and_its_digits() {
    let server = Server::start().await;
    let schema =
        r#"{"type":"object","properties":{"z":{"maximum":1.0},"a":{"minimum":12345678901234567890123}}}"#;
    let body = format!(r#"{{"schema":{{"schemaName":"s","version":"1","jsonSchema":{schema}}}}}"#);
    let headers = [("content-type", "application/json"), ("x-tenant-id", "one")];
    let reply = server.send("POST", "/v1/schemas", &headers, &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let shown = server.ask("GET", "/v1/schemas/s", &Value::Null).await.body;
    assert!(shown.contains(&format!("\"jsonSchema\":{schema},")), "{shown}");
}

#[tokio::test]
async fn the_first_topic_of_an_event_stays() {
    let server = Server::start().await;
    for (topic, says) in [("action-requests", "registered"), ("action-results", "updated")] {
        let event = json!({"event": {"eventName": "e", "topic": topic, "description": topic}});
        let reply = server.ask("POST", "/v1/events", &event).await;
        assert_eq!(reply.json()["message"], format!("Event 'e' {says} successfully."));
    }
    let shown = server.read("/v1/events?event_name=e&topic=plan-events").await;
    assert_eq!(shown["events"][0]["topic"], "action-requests");
    assert_eq!(shown["events"][0]["description"], "action-results");
}

#[tokio::test]
async fn a_planner_is_told_in_few_words() {
    let server = Server::start().await;
    server.register(with(agent("researcher"), "kind", json!("worker"))).await;
    let schema = json!({"schema": {"schemaName": "ask", "version": "1", "jsonSchema": {
        "type": "object", "required": ["query"], "properties": {"query": {"type": "string", "description": "what"}}}}});
    assert_eq!(server.ask("POST", "/v1/schemas", &schema).await.status, 200);
    let event = json!({"event": {"eventName": "research.requested", "topic": "action-requests", "description": "",
        "payloadSchemaName": "ask"}});
    assert_eq!(server.ask("POST", "/v1/events", &event).await.status, 200);
    let path = "/v1/agents/discover?format=llm";
    for accept in ["*/*", "text/plain", "text/plain, application/json", "nonsense"] {
        let reply = server.send("GET", path, &[("x-tenant-id", "one"), ("accept", accept)], "").await;
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"), "{accept}");
        assert!(reply.body.starts_with("researcher (worker): Finds sources\n"), "{}", reply.body);
        assert!(reply.body.contains("query: string"), "{}", reply.body);
    }
    let headers = [("x-tenant-id", "one"), ("accept", "application/json;q=1, text/plain;q=0.1")];
    let told = server.send("GET", path, &headers, "").await.json();
    let capability = &told["agents"][0]["capabilities"][0];
    assert_eq!((&told["leftOut"], &told["agents"][0]["kind"]), (&json!(0), &json!("worker")));
    assert_eq!(
        (&capability["event"], &capability["topic"], &capability["answers"]),
        (
            &json!("research.requested"),
            &json!("action-requests"),
            &json!(["research.completed", "research.failed"])
        )
    );
    assert_eq!(capability["required"], json!([{"name": "query", "type": "string", "description": "what"}]));
    assert!(capability["example"]["query"].is_string(), "{told}");
    let short = server.send("GET", &format!("{path}&max_chars=1"), &headers, "").await.json();
    assert_eq!((&short["leftOut"], short.get("more")), (&json!(1), None), "{short}");
    for id in ["second", "third"] {
        server.register(agent(id)).await;
    }
    let limited = server.send("GET", &format!("{path}&limit=2"), &headers, "").await.json();
    assert_eq!(limited["agents"].as_array().expect("agents").len(), 2);
    assert_eq!((&limited["leftOut"], &limited["more"]), (&json!(0), &json!(true)), "there is a third");
    let text = server.send("GET", &format!("{path}&limit=2"), &[("x-tenant-id", "one")], "").await.body;
    assert!(text.ends_with("\nand more\n"), "{text}");
}

#[tokio::test]
async fn a_tenant_sees_and_changes_its_own_alone() {
    let server = Server::start().await;
    server.register(agent("shared")).await;
    let as_two = |method, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = path.to_owned();
        let server = &server;
        async move {
            let headers = [("x-tenant-id", "two"), ("content-type", "application/json")];
            server.send(method, &path, &headers, &body).await
        }
    };
    for (method, path) in [
        ("GET", "/v1/agents/shared"),
        ("DELETE", "/v1/agents/shared"),
        ("PUT", "/v1/agents/shared/heartbeat"),
    ] {
        assert_eq!(as_two(method, path, Value::Null).await.status, 404, "{method} {path}");
    }
    assert_eq!(
        as_two("GET", "/v1/agents?view=full&include_expired=true", Value::Null).await.json()["count"],
        0
    );
    let reply =
        as_two("POST", "/v1/agents", json!({ "agent": with(agent("shared"), "name", json!("two")) })).await;
    assert_eq!(
        reply.json()["message"],
        "Agent 'shared' registered successfully.",
        "it is new to this tenant"
    );
    assert_eq!(server.read("/v1/agents/shared").await["name"], "shared:1.0.0");
}

#[tokio::test]
async fn while_the_store_is_away_the_registry_is_read_and_not_written() {
    let server = Server::start().await;
    server.register(agent("a")).await;
    server.store.away(true);
    server.until(async || server.get("/readyz").await.status == 503).await;
    assert_eq!(server.ids("/v1/agents/discover").await, ["a"]);
    for (method, path, body) in [
        ("POST", "/v1/agents", json!({ "agent": agent("b") })),
        ("PUT", "/v1/agents/a/heartbeat", Value::Null),
        ("DELETE", "/v1/agents/a", Value::Null),
    ] {
        let reply = server.ask(method, path, &body).await;
        assert_eq!(
            (reply.status, reply.problem()["code"].as_str()),
            (503, Some("unavailable")),
            "{method} {path}"
        );
    }
    assert_eq!(server.get("/livez").await.status, 200);
    server.store.away(false);
    server
        .until(async || server.ask("PUT", "/v1/agents/a/heartbeat", &Value::Null).await.status == 200)
        .await;
    server.until(async || server.get("/readyz").await.status == 200).await;
}

#[tokio::test]
async fn before_the_store_was_read_once_nothing_is_answered() {
    let server = Server::unloaded().await;
    for path in
        ["/readyz", "/v1/agents", "/v1/agents/a", "/v1/events", "/v1/schemas/s", "/v1/agents?format=llm"]
    {
        let reply = server.ask("GET", path, &Value::Null).await;
        assert_eq!((reply.status, reply.problem()["code"].as_str()), (503, Some("unavailable")), "{path}");
    }
    server.store.away(false);
    server.until(async || server.get("/readyz").await.status == 200).await;
    assert_eq!(server.ids("/v1/agents").await, [""; 0]);
}
