//! Memory over HTTP: what is ours beside what was recorded.

use std::time::Duration;

use serde_json::{Value, json};
use soorma_edge::{Access, Tokens};
use soorma_ports::EmbedderError;
use soorma_testkit::{EmbedderFault, token, token_of};

use super::http::Reply;
use super::server::{MEMORY_KEY, Server, guarded};

impl Server {
    /// Asks of memory as the user `ann` of the tenant `one`; a moment later than what was asked before.
    pub(crate) async fn recall(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.clock.jump(Duration::from_millis(10));
        self.recall_as(("one", "st", "ann"), method, path, body).await
    }

    pub(crate) async fn recall_as(
        &self,
        (tenant, service_tenant, user): (&str, &str, &str),
        method: &str,
        path: &str,
        body: &Value,
    ) -> Reply {
        let mut headers =
            vec![("x-tenant-id", tenant), ("x-service-tenant-id", service_tenant), ("x-user-id", user)];
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, &format!("/v1/memory{path}"), &headers, &body).await
    }

    /// Asks, and looks that it was answered so.
    pub(crate) async fn remembers(&self, status: u16, method: &str, path: &str, body: Value) -> Value {
        let reply = self.recall(method, path, &body).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// Asks for a list page by page, and returns a field of each entry, in order.
    async fn paged(&self, path: &str, field: &str) -> Vec<String> {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.remembers(200, "GET", &format!("{path}{cursor}"), Value::Null).await;
            let items = page["items"].as_array().expect("items");
            assert_eq!(page["count"], items.len());
            seen.extend(texts(&page["items"], field));
            let Some(next) = page["nextCursor"].as_str() else { return seen };
            cursor = format!("&cursor={next}");
        }
    }
}

/// A field of each entry of a list.
fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("a list, not {list}"));
    items.iter().map(|item| item[field].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn what_is_known_is_stored_in_either_case_listed_shown_and_removed() {
    let server = Server::start().await;
    let first = json!({"content": "c0", "external_id": "e", "is_public": true, "tags": ["a"], "source": "s",
        "valid_from": "2026-01-01T00:00:00Z", "metadata": {"lang": "rust"}});
    let stored = server.remembers(201, "POST", "/semantic", first).await;
    assert_eq!(
        (&stored["externalId"], &stored["isPublic"], &stored["userId"]),
        (&json!("e"), &json!(true), &json!("ann"))
    );
    assert_eq!(stored["metadata"], json!({"lang": "rust", "tags": ["a"], "source": "s"}));
    assert_eq!(stored["validFrom"], "2026-01-01T00:00:00.000000Z");
    for n in 1..5 {
        server.remembers(201, "POST", "/semantic", json!({"content": format!("c{n}")})).await;
    }
    assert_eq!(server.paged("/semantic?limit=2", "content").await, ["c4", "c3", "c2", "c1", "c0"]);
    for (query, expect) in [
        ("tags=a", vec!["c0"]),
        ("tags=a,b", vec![]),
        ("source=s", vec!["c0"]),
        ("metadata=lang:rust", vec!["c0"]),
        ("metadata=lang:go", vec![]),
        ("include_public=false&limit=1", vec!["c4", "c3", "c2", "c1"]),
        ("valid_at=2025-01-01T00:00:00Z", vec!["c4", "c3", "c2", "c1"]),
    ] {
        assert_eq!(server.paged(&format!("/semantic?{query}"), "content").await, expect, "{query}");
    }
    let path = format!("/semantic/{}", stored["id"].as_str().expect("an id"));
    assert_eq!(server.remembers(200, "GET", &path, Value::Null).await, stored);
    assert_eq!(server.remembers(204, "DELETE", &path, Value::Null).await, Value::Null);
    for method in ["GET", "DELETE"] {
        for id in [stored["id"].as_str().expect("an id"), "none"] {
            let reply = server.recall(method, &format!("/semantic/{id}"), &Value::Null).await;
            assert_eq!((reply.status, reply.detail()), (404, format!("Semantic memory not found: {id}")));
        }
    }
}

#[tokio::test]
async fn what_is_private_is_its_owners_and_what_is_public_the_tenants() {
    let server = Server::start().await;
    server.remembers(201, "POST", "/semantic", json!({"content": "mine"})).await;
    server.remembers(201, "POST", "/semantic", json!({"content": "ours", "isPublic": true})).await;
    for (who, expect) in [
        (("one", "st", "ann"), vec!["ours", "mine"]),
        (("one", "st", "bob"), vec!["ours"]),
        (("one", "other", "ann"), vec!["ours"]),
        (("two", "st", "ann"), vec![]),
    ] {
        let page = server.recall_as(who, "GET", "/semantic", &Value::Null).await.json();
        assert_eq!(texts(&page["items"], "content"), expect, "{who:?}");
        let found = server.recall_as(who, "GET", "/semantic/search?q=mine+ours", &Value::Null).await.json();
        let mut found = texts(&found, "content");
        found.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(found, expect, "{who:?}");
    }
}

#[tokio::test]
async fn a_search_says_by_what_it_is_in_order_and_explains_itself_when_asked() {
    let server = Server::start().await;
    server.embedder.say("which language", &[1.0]);
    for (text, vector) in [("rust", [0.6, 0.8]), ("go", [0.8, 0.6]), ("zig language", [0.0, 1.0])] {
        server.embedder.say(text, &vector);
        server.remembers(201, "POST", "/semantic", json!({"content": text})).await;
    }
    let reply = server.recall("POST", "/semantic/query?query=which+language", &Value::Null).await;
    assert_eq!((reply.status, reply.header("x-ranked-by")), (200, Some("meaning")));
    assert_eq!(texts(&reply.json(), "content"), ["go", "rust", "zig language"]);
    assert!((reply.json()[0]["score"].as_f64().expect("a score") - 0.8).abs() < 1e-6, "{}", reply.body);
    assert_eq!(reply.json()[0].get("explanation"), None);

    let path = "/semantic/search?q=which+language&limit=1&weights=words:1&explain=true";
    let found = server.remembers(200, "GET", path, Value::Null).await;
    assert_eq!(texts(&found, "content"), ["zig language"]);
    assert_eq!(found[0]["explanation"]["words"]["rank"], 1);

    // Another question, since the answer to the one before may be remembered.
    server.embedder.on_next(EmbedderFault::Fail(EmbedderError::Unavailable("net".into())));
    let reply = server.recall("GET", "/semantic/search?q=what+language", &Value::Null).await;
    assert_eq!((reply.status, reply.header("x-ranked-by")), (200, Some("words")));
    assert_eq!(texts(&reply.json(), "content")[0], "zig language");
    assert_eq!(reply.json().as_array().map(Vec::len), Some(3), "there are as many as there are");
}

#[tokio::test]
async fn what_the_published_service_fails_at_is_answered() {
    let server = Server::start().await;
    // One text under two names, and under none.
    for external in [json!("a"), json!("b"), json!(null)] {
        server.remembers(201, "POST", "/semantic", json!({"content": "same", "externalId": external})).await;
    }
    // Stored again, it is the row that it was, with the metadata that came last.
    let again = json!({"content": "same", "metadata": {"n": 2}});
    let again = server.remembers(201, "POST", "/semantic", again).await;
    assert_eq!((&again["metadata"], &again["externalId"]), (&json!({"n": 2}), &json!(null)));
    assert_ne!(again["createdAt"], again["updatedAt"]);
    server.remembers(201, "POST", "/semantic", json!({"content": ""})).await;
    server.remembers(201, "POST", "/semantic", json!({"content": "same", "isPublic": true})).await;
    let found = server.remembers(200, "GET", "/semantic/search?q=same&limit=50", Value::Null).await;
    assert_eq!(texts(&found, "content"), ["same", "same", "same", "same", ""]);
    assert!(found[3]["score"].is_number() && found[4]["score"].is_null(), "{found}");
    let private =
        server.remembers(200, "POST", "/semantic/query?query=same&include_public=false", Value::Null).await;
    assert_eq!(private.as_array().map(Vec::len), Some(4));
    // A value that is set again says so.
    let first = server.remembers(200, "PUT", "/working/p/k", json!({"value": 1})).await;
    let second = server.remembers(200, "PUT", "/working/p/k", json!({"value": 1})).await;
    assert_eq!(first["id"], second["id"]);
    assert_ne!(first["updatedAt"], second["updatedAt"]);
}

#[tokio::test]
async fn what_happened_is_listed_by_agent_session_and_role_and_ends_in_a_window() {
    let server = Server::start().await;
    for (n, role) in ["user", "assistant", "user", "tool", "system"].into_iter().enumerate() {
        let session = if n < 2 { "s1" } else { "s2" };
        let episode =
            json!({"agent_id": "a", "role": role, "content": format!("e{n}"), "session_id": session});
        let logged = server.remembers(201, "POST", "/episodic", episode).await;
        assert_eq!(
            (&logged["agentId"], &logged["role"], &logged["sessionId"]),
            (&json!("a"), &json!(role), &json!(session))
        );
    }
    server
        .remembers(201, "POST", "/episodic", json!({"agentId": "b", "role": "user", "content": "b0"}))
        .await;
    let recent = server.remembers(200, "GET", "/episodic/recent?agent_id=a&limit=3", Value::Null).await;
    assert_eq!(texts(&recent, "content"), ["e4", "e3", "e2"]);
    let since = recent[1]["createdAt"].as_str().expect("a time").to_owned();
    for (query, expect) in [
        ("limit=4", vec!["b0", "e4", "e3", "e2", "e1", "e0"]),
        ("agent_id=a&limit=2", vec!["e4", "e3", "e2", "e1", "e0"]),
        ("session_id=s1", vec!["e1", "e0"]),
        ("agent_id=a&role=user", vec!["e2", "e0"]),
        (&format!("since={since}"), vec!["b0", "e4", "e3"]),
        (&format!("before={since}&limit=1"), vec!["e2", "e1", "e0"]),
    ] {
        assert_eq!(server.paged(&format!("/episodic?{query}"), "content").await, expect, "{query}");
    }
    let window = server.remembers(200, "GET", "/episodic/window?agent_id=a&session_id=s2", Value::Null).await;
    assert_eq!(
        (texts(&window["episodes"], "content"), &window["cut"]),
        (vec!["e2".into(), "e3".into(), "e4".into()], &json!(false))
    );
    let whole = window["tokens"].as_u64().expect("a number");
    let path = format!("/episodic/window?agent_id=a&session_id=s2&max_tokens={}", whole - 1);
    let window = server.remembers(200, "GET", &path, Value::Null).await;
    assert_eq!(
        (texts(&window["episodes"], "content"), &window["cut"]),
        (vec!["e3".into(), "e4".into()], &json!(true))
    );
    let found = server.recall("GET", "/episodic/search?agent_id=a&q=e3&role=tool", &Value::Null).await;
    assert_eq!(
        (texts(&found.json(), "content"), found.header("x-ranked-by")),
        (vec!["e3".into()], Some("meaning"))
    );
}

#[tokio::test]
async fn a_skill_is_stored_found_by_its_trigger_and_stored_again_as_another_version() {
    let server = Server::start().await;
    let skill = |content: &str| json!({"agentId": "a", "name": "greet", "trigger_condition": "somebody comes", "procedureType": "skill", "content": content});
    let first = server.remembers(201, "POST", "/procedural", skill("say hello")).await;
    assert_eq!((&first["version"], &first["triggerCondition"]), (&json!(1), &json!("somebody comes")));
    let second = server.remembers(200, "POST", "/procedural", skill("say hi")).await;
    assert_eq!((&second["version"], &second["id"]), (&json!(2), &first["id"]));
    let path = format!("/procedural/{}", first["id"].as_str().expect("an id"));
    let third = server.remembers(200, "PUT", &path, skill("wave")).await;
    assert_eq!((&third["version"], &third["content"]), (&json!(3), &json!("wave")));
    let rule = json!({"agentId": "a", "procedureType": "rule", "content": "be kind"});
    server.remembers(201, "POST", "/procedural", rule).await;
    let found =
        server.recall("GET", "/procedural/context?agent_id=a&q=somebody+comes&limit=1", &Value::Null).await;
    assert_eq!(
        (texts(&found.json(), "content"), found.header("x-ranked-by")),
        (vec!["wave".into()], Some("meaning"))
    );
    assert_eq!(server.paged("/procedural?agent_id=a&limit=1", "content").await.len(), 2);
    assert_eq!(server.paged("/procedural?procedure_type=rule", "content").await, ["be kind"]);
    assert_eq!(server.remembers(200, "GET", &path, Value::Null).await["content"], "wave");
    assert_eq!(server.remembers(204, "DELETE", &path, Value::Null).await, Value::Null);
    for (method, body) in [("GET", Value::Null), ("PUT", skill("gone")), ("DELETE", Value::Null)] {
        let reply = server.recall(method, &path, &body).await;
        assert_eq!(reply.status, 404, "{method}: {}", reply.body);
        assert!(reply.detail().starts_with("Procedural memory not found: "));
    }
}

#[tokio::test]
async fn plans_and_sessions_are_made_once_and_listed_page_by_page() {
    let server = Server::start().await;
    for n in 0..3 {
        let plan = json!({"plan_id": format!("p{n}"), "goal_event": "g", "session_id": "s"});
        server.remembers(201, "POST", "/plans", plan).await;
        server.remembers(201, "POST", "/sessions", json!({"sessionId": format!("s{n}")})).await;
    }
    for (path, body, detail) in [
        ("/plans", json!({"planId": "p0", "goalEvent": "g"}), "Plan already exists: p0"),
        ("/sessions", json!({"session_id": "s0"}), "Session already exists: s0"),
    ] {
        let reply = server.recall("POST", path, &body).await;
        assert_eq!((reply.status, reply.detail()), (409, detail.to_owned()));
        assert_eq!(reply.problem()["code"], "already_exists");
    }
    server.remembers(200, "PUT", "/plans/p0", json!({"status": "paused"})).await;
    for (path, field, expect) in
        [("/plans", "planId", ["p0", "p2", "p1"]), ("/sessions", "sessionId", ["s2", "s1", "s0"])]
    {
        let first = server.recall("GET", &format!("{path}?limit=2"), &Value::Null).await;
        let cursor = first.header("x-next-cursor").expect("there are more");
        let second = server.recall("GET", &format!("{path}?limit=2&cursor={cursor}"), &Value::Null).await;
        assert_eq!(second.header("x-next-cursor"), None);
        assert_eq!([texts(&first.json(), field), texts(&second.json(), field)].concat(), expect);
    }
    let paused = server.remembers(200, "GET", "/plans?status=paused&session_id=s", Value::Null).await;
    assert_eq!(texts(&paused, "planId"), ["p0"]);
    // What is said in a session uses it.
    let said = json!({"agentId": "a", "role": "user", "content": "c", "sessionId": "s0"});
    server.remembers(201, "POST", "/episodic", said).await;
    let sessions = server.remembers(200, "GET", "/sessions?limit=1", Value::Null).await;
    assert_eq!(texts(&sessions, "sessionId"), ["s0"]);
}

#[tokio::test]
async fn of_several_contexts_that_wait_for_one_answer_the_one_stored_last_is_found() {
    let server = Server::start().await;
    for n in ["1", "2"] {
        let plan =
            json!({"planId": format!("p{n}"), "goalEvent": "g", "correlationIds": ["c"], "state": {"n": 1}});
        server.remembers(200, "POST", "/plan-context", plan).await;
        let task = json!({"taskId": format!("t{n}"), "eventType": "e", "sub_tasks": ["s"]});
        let task = server.remembers(200, "POST", "/task-context", task).await;
        assert_eq!(task["responseTopic"], "action-results");
    }
    let plan = server.remembers(200, "GET", "/plan-context/by-correlation/c", Value::Null).await;
    assert_eq!(plan["planId"], "p2");
    let task = server.remembers(200, "GET", "/task-context/by-subtask/s", Value::Null).await;
    assert_eq!(task["taskId"], "t2");
    // What is not said stays.
    let changed = server.remembers(200, "PUT", "/plan-context/p2", json!({"correlation_ids": []})).await;
    assert_eq!((&changed["state"], &changed["correlationIds"]), (&json!({"n": 1}), &json!([])));
    let plan = server.remembers(200, "GET", "/plan-context/by-correlation/c", Value::Null).await;
    assert_eq!(plan["planId"], "p1");
    for (path, detail) in [
        ("/plan-context/by-correlation/x", "Plan not found for correlation ID: x"),
        ("/plan-context/x", "Plan context not found: x"),
        ("/task-context/by-subtask/x", "Parent task not found for sub-task: x"),
        ("/task-context/x", "Task context not found: x"),
        ("/sessions/x", "Session not found: x"),
        ("/plans/x", "Plan not found: x"),
    ] {
        let reply = server.recall("GET", path, &Value::Null).await;
        assert_eq!((reply.status, reply.detail().as_str()), (404, detail));
    }
}

#[tokio::test]
async fn how_much_there_is_is_counted_and_what_is_erased_is_gone_with_a_receipt() {
    let server =
        Server::letting_in(|clock| Access { tokens: Tokens::Optional, loopback: true, ..guarded(clock) })
            .await;
    for who in ["ann", "bob"] {
        for body in [json!({"content": "c"}), json!({"content": "d", "isPublic": true})] {
            let reply = server.recall_as(("one", "st", who), "POST", "/semantic", &body).await;
            assert_eq!(reply.status, 201, "{}", reply.body);
        }
    }
    let stats = server.remembers(200, "GET", "/stats", Value::Null).await;
    assert_eq!(stats["tenantId"], "one");
    assert_eq!(stats["embedding"]["generation"], "scripted/8");
    let entries = |stats: &Value| {
        let kinds = stats["kinds"].as_array().expect("kinds").iter();
        kinds
            .filter(|line| line["kind"] == "semantic")
            .map(|line| line["entries"].as_u64().expect("a number"))
            .sum::<u64>()
    };
    // The public one is one of the tenant, whoever stored it again.
    assert_eq!(entries(&server.remembers(200, "GET", "/stats?of=tenant", Value::Null).await), 3);
    let dropped = server.remembers(200, "POST", "/reembed", Value::Null).await;
    assert_eq!(dropped, json!({"dropped": 3}));

    let erase = |key: Option<&'static str>, path: &'static str| {
        let server = &server;
        async move {
            let headers: Vec<_> = key.map(|key| ("x-memory-admin-key", key)).into_iter().collect();
            server.send("DELETE", &format!("/v1/memory/admin{path}"), &headers, "").await
        }
    };
    for key in [None, Some(""), Some("the keeper"), Some("the keeper's ")] {
        let reply = erase(key, "/user/one/st/bob").await;
        // White space around a header's value is no part of it.
        if key == Some("the keeper's ") {
            assert_eq!(reply.status, 200, "{}", reply.body);
        } else {
            assert_eq!(
                (reply.status, reply.detail().as_str()),
                (403, "Admin authorization required"),
                "{key:?}"
            );
        }
    }
    let key = Some(MEMORY_KEY);
    assert_eq!(erase(key, "/user/one/st/bob").await.json()["entries"], 0, "they are gone");
    assert_eq!(entries(&server.remembers(200, "GET", "/stats?of=tenant", Value::Null).await), 2);
    let receipt = erase(key, "/tenant/one/st").await.json();
    let said =
        (&receipt["tenantId"], &receipt["serviceTenantId"], receipt.get("userId"), &receipt["entries"]);
    assert_eq!(said, (&json!("one"), &json!("st"), None, &json!(2)), "{receipt}");
    assert_eq!(erase(key, "/platform/one").await.json()["entries"], 0);
    assert_eq!(server.paged("/semantic?limit=9", "content").await, [""; 0]);
    for path in ["/user/one/st/%20", "/tenant/one/%00", "/platform/%20"] {
        assert_eq!(erase(key, path).await.status, 422, "{path}");
    }
}

#[tokio::test]
async fn a_token_says_whose_memory_it_is_and_without_a_user_there_is_none() {
    let server = Server::letting_in(guarded).await;
    let ask =
        |method: &'static str, path: &'static str, token: String, more: Vec<(&'static str, &'static str)>| {
            let server = &server;
            async move {
                let bearer = format!("Bearer {token}");
                let headers = [vec![("authorization", bearer.as_str())], more].concat();
                server.send(method, &format!("/v1/memory{path}"), &headers, "").await
            }
        };
    let ann = || token_of("one", "ann");
    let nobody =
        token(soorma_testkit::SECRET, &json!({"exp": 4_102_444_800_u64, "platform_tenant_id": "one"}));
    for path in ["/semantic", "/plans", "/stats", "/working/p/k"] {
        let reply = ask("GET", path, nobody.clone(), vec![]).await;
        assert_eq!(
            (reply.status, reply.detail().as_str()),
            (401, "Missing required user identity context"),
            "{path}"
        );
    }
    assert_eq!(ask("GET", "/semantic", ann(), vec![]).await.status, 200);
    // The key of the node's keeper does not make a token one of another tenant.
    let key = ("x-memory-admin-key", MEMORY_KEY);
    let reply = ask("DELETE", "/admin/platform/two", ann(), vec![key]).await;
    assert_eq!((reply.status, reply.detail().as_str()), (403, "the token is of another tenant"));
    assert_eq!(ask("DELETE", "/admin/platform/one", ann(), vec![key]).await.status, 200);
    for (method, path) in
        [("GET", "/stats?of=tenant"), ("POST", "/reembed"), ("DELETE", "/admin/platform/one")]
    {
        let reply = ask(method, path, ann(), vec![]).await;
        assert_eq!((reply.status, reply.detail().as_str()), (403, "Admin authorization required"), "{path}");
        assert_eq!(ask(method, path, ann(), vec![key]).await.status, 200, "{path}");
    }
}
