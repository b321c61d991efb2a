//! Memory's part of it: every route, kind, filter, order and cursor.

use serde_json::{Value, json};
use soorma::Watched;
use soorma::api::header;
use soorma::api::routes::memory as routes;

use super::{Ask, Caller, Draw, KEY, MARK, Names, PATIENCE, PRIVATE};

/// Ids and places that memory gives out.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    private: String,
    public: String,
    skill: String,
    cursor: String,
}

impl Ids {
    /// Such that nobody has.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        let mut uuid = || {
            let bits = u128::from(draw.next()) << 64 | u128::from(draw.next());
            uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
        };
        let (private, public, skill) = (uuid(), uuid(), uuid());
        // The beginning of 2001: no entry is so old.
        let place = format!("978307200000000\0{}", uuid());
        let cursor = place.bytes().map(|byte| format!("{byte:02x}")).collect();
        Self { private, public, skill, cursor }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        [&self.private, &self.public, &self.skill, &self.cursor].into_iter()
    }
}

/// A request for each route of memory, and more where one takes names in several places.
pub(super) fn asks(names: &Names) -> Vec<Ask> {
    let Names { agent, event, plan, task, session, key, memory, .. } = names;
    let Ids { private, public, skill, cursor } = memory;
    let mut asks = Vec::new();
    let mut get =
        |route: &'static str, path: String| asks.push(Ask { method: "GET", route, path, body: None });
    for id in [private, public] {
        get(routes::FACT, format!("{}/{id}", routes::SEMANTIC));
    }
    for conditions in [
        String::new(),
        "?include_public=false".into(),
        "?limit=1".into(),
        format!("?cursor={cursor}"),
        format!("?tags={MARK}"),
        format!("?source={MARK}"),
        format!("?metadata=said:{MARK}"),
        "?since=2001-01-01T00:00:00Z&before=2100-01-01T00:00:00Z".into(),
        "?valid_at=2100-01-01T00:00:00Z&also_invalid=true".into(),
    ] {
        get(routes::SEMANTIC, format!("{}{conditions}", routes::SEMANTIC));
    }
    for conditions in [
        "",
        "&limit=50",
        "&weights=words:1&explain=true",
        "&weights=recency:1",
        "&weights=meaning:1,words:1,recency:1&explain=true",
        "&include_public=false",
        "&tags=only-for-our-eyes",
        "&metadata=said:only-for-our-eyes&source=only-for-our-eyes",
    ] {
        get(routes::SEMANTIC_SEARCH, format!("{}?q={MARK}{conditions}", routes::SEMANTIC_SEARCH));
    }
    for conditions in [
        format!("?agent_id={agent}"),
        format!("?session_id={session}"),
        "?role=user&limit=1".into(),
        format!("?cursor={cursor}"),
    ] {
        get(routes::EPISODIC, format!("{}{conditions}", routes::EPISODIC));
    }
    get(routes::EPISODIC_RECENT, format!("{}?agent_id={agent}&limit=100", routes::EPISODIC_RECENT));
    get(routes::EPISODIC_SEARCH, format!("{}?agent_id={agent}&q={MARK}", routes::EPISODIC_SEARCH));
    get(
        routes::EPISODIC_SEARCH,
        format!("{}?agent_id={agent}&q={MARK}&session_id={session}&weights=words:1", routes::EPISODIC_SEARCH),
    );
    get(
        routes::EPISODIC_WINDOW,
        format!("{}?agent_id={agent}&session_id={session}", routes::EPISODIC_WINDOW),
    );
    get(routes::EPISODIC_WINDOW, routes::EPISODIC_WINDOW.into());
    get(routes::PROCEDURAL, routes::PROCEDURAL.into());
    get(
        routes::PROCEDURAL,
        format!("{}?agent_id={agent}&procedure_type=rule&cursor={cursor}", routes::PROCEDURAL),
    );
    get(routes::PROCEDURAL_CONTEXT, format!("{}?agent_id={agent}&q={MARK}", routes::PROCEDURAL_CONTEXT));
    get(routes::SKILL, format!("{}/{skill}", routes::PROCEDURAL));
    get(routes::WORKING, format!("/v1/memory/working/{plan}"));
    get(routes::WORKING, format!("/v1/memory/working/{plan}?prefix={key}&limit=1"));
    get(routes::VALUE, format!("/v1/memory/working/{plan}/{key}"));
    get(routes::TASK_CONTEXT, format!("{}/{task}", routes::TASK_CONTEXTS));
    get(routes::TASK_CONTEXT_OF, format!("{}/by-subtask/{key}", routes::TASK_CONTEXTS));
    get(routes::PLAN_CONTEXT, format!("{}/{plan}", routes::PLAN_CONTEXTS));
    get(routes::PLAN_CONTEXT_OF, format!("{}/by-correlation/{key}", routes::PLAN_CONTEXTS));
    for conditions in [
        String::new(),
        format!("?session_id={session}"),
        "?status=running&limit=1".into(),
        format!("?cursor={cursor}"),
    ] {
        get(routes::PLANS, format!("{}{conditions}", routes::PLANS));
    }
    get(routes::PLAN, format!("{}/{plan}", routes::PLANS));
    get(routes::SESSIONS, routes::SESSIONS.into());
    get(routes::SESSIONS, format!("{}?limit=1&cursor={cursor}", routes::SESSIONS));
    get(routes::SESSION, format!("{}/{session}", routes::SESSIONS));
    get(routes::STATS, routes::STATS.into());
    get(routes::STATS, format!("{}?of=tenant", routes::STATS));

    let mut bare =
        |method, route: &'static str, path: String| asks.push(Ask { method, route, path, body: None });
    bare("POST", routes::SEMANTIC_QUERY, format!("{}?query={MARK}&limit=50", routes::SEMANTIC_QUERY));
    for id in [private, public] {
        bare("DELETE", routes::FACT, format!("{}/{id}", routes::SEMANTIC));
    }
    bare("DELETE", routes::SKILL, format!("{}/{skill}", routes::PROCEDURAL));
    bare("DELETE", routes::VALUE, format!("/v1/memory/working/{plan}/{key}"));
    bare("DELETE", routes::WORKING, format!("/v1/memory/working/{plan}"));
    bare("DELETE", routes::TASK_CONTEXT, format!("{}/{task}", routes::TASK_CONTEXTS));
    bare("DELETE", routes::PLAN_CONTEXT, format!("{}/{plan}", routes::PLAN_CONTEXTS));
    bare("DELETE", routes::PLAN, format!("{}/{plan}", routes::PLANS));
    bare("DELETE", routes::SESSION, format!("{}/{session}", routes::SESSIONS));
    bare("POST", routes::REEMBED, routes::REEMBED.into());
    bare("DELETE", routes::ERASE_TENANT, format!("/v1/memory/admin/platform/{agent}"));
    bare("DELETE", routes::ERASE_SERVICE_TENANT, format!("/v1/memory/admin/tenant/{agent}/{agent}"));
    bare("DELETE", routes::ERASE_USER, format!("/v1/memory/admin/user/{agent}/{agent}/ann"));

    let mut send = |method, route: &'static str, path: String, body: Value| {
        asks.push(Ask { method, route, path, body: Some(body) });
    };
    send("POST", routes::SEMANTIC, routes::SEMANTIC.into(), json!({ "content": "mine", "externalId": key }));
    send(
        "POST",
        routes::EPISODIC,
        routes::EPISODIC.into(),
        json!({ "agentId": agent, "role": "user", "content": "mine", "sessionId": session }),
    );
    let rule = json!({ "agentId": agent, "name": key, "procedureType": "rule", "triggerCondition": "mine", "content": "mine" });
    send("POST", routes::PROCEDURAL, routes::PROCEDURAL.into(), rule.clone());
    send("PUT", routes::SKILL, format!("{}/{skill}", routes::PROCEDURAL), rule);
    send("PUT", routes::VALUE, format!("/v1/memory/working/{plan}/{key}"), json!({ "value": "mine" }));
    send(
        "POST",
        routes::VALUE,
        format!("/v1/memory/working/{plan}/{key}-2"),
        json!({ "op": "append", "value": "mine" }),
    );
    send(
        "POST",
        routes::VALUE,
        format!("/v1/memory/working/{plan}/{key}"),
        json!({ "op": "compare_and_set", "expected": MARK, "value": "mine" }),
    );
    send(
        "POST",
        routes::TASK_CONTEXTS,
        routes::TASK_CONTEXTS.into(),
        json!({ "taskId": task, "eventType": event, "subTasks": [key] }),
    );
    send("PUT", routes::TASK_CONTEXT, format!("{}/{task}", routes::TASK_CONTEXTS), json!({ "state": {} }));
    send(
        "POST",
        routes::PLAN_CONTEXTS,
        routes::PLAN_CONTEXTS.into(),
        json!({ "planId": plan, "goalEvent": event, "correlationIds": [key] }),
    );
    send("PUT", routes::PLAN_CONTEXT, format!("{}/{plan}", routes::PLAN_CONTEXTS), json!({ "state": {} }));
    send(
        "POST",
        routes::PLANS,
        routes::PLANS.into(),
        json!({ "planId": plan, "goalEvent": event, "sessionId": session }),
    );
    send("PUT", routes::PLAN, format!("{}/{plan}", routes::PLANS), json!({ "status": "paused" }));
    send("POST", routes::SESSIONS, routes::SESSIONS.into(), json!({ "sessionId": session }));
    asks
}

impl Caller {
    /// Has memory hold one of everything.
    pub(super) async fn remember(&self, names: &mut Names) {
        let Names { agent, event, plan, task, session, key, .. } = names.clone();
        let said = json!({ "said": MARK });
        let fact = |public: bool, content: &str| json!({ "content": content, "externalId": key, "isPublic": public, "metadata": said, "tags": [MARK], "source": MARK });
        names.memory.private = self.made(routes::SEMANTIC, fact(false, PRIVATE)).await;
        names.memory.public = self.made(routes::SEMANTIC, fact(true, MARK)).await;
        for role in ["user", "assistant"] {
            let episode = json!({ "agentId": agent, "role": role, "content": PRIVATE, "sessionId": session, "metadata": said });
            self.made(routes::EPISODIC, episode).await;
        }
        let skill = json!({ "agentId": agent, "name": key, "procedureType": "rule", "triggerCondition": MARK, "content": PRIVATE });
        names.memory.skill = self.made(routes::PROCEDURAL, skill).await;
        let state = json!({ "said": PRIVATE });
        self.made(routes::SESSIONS, json!({ "sessionId": session, "name": PRIVATE })).await;
        self.made(
            routes::PLANS,
            json!({ "planId": plan, "goalEvent": event, "goalData": state, "sessionId": session }),
        )
        .await;
        self.made(
            routes::PLAN_CONTEXTS,
            json!({ "planId": plan, "goalEvent": event, "state": state, "correlationIds": [key] }),
        )
        .await;
        self.made(
            routes::TASK_CONTEXTS,
            json!({ "taskId": task, "eventType": event, "state": state, "subTasks": [key] }),
        )
        .await;
        self.done("PUT", &format!("/v1/memory/working/{plan}/{key}"), json!({ "value": PRIVATE })).await;
        let first =
            Ask { method: "GET", route: "", path: format!("{}?limit=1", routes::SEMANTIC), body: None };
        let page: Value = serde_json::from_str(&self.ask(&first).await.1).unwrap();
        names.memory.cursor = page["nextCursor"].as_str().expect("there are two").to_owned();
    }

    /// Makes something, and returns its id where it has one of ours.
    async fn made(&self, route: &'static str, body: Value) -> String {
        let ask = Ask { method: "POST", route, path: route.to_owned(), body: Some(body) };
        let (status, answer) = self.ask(&ask).await;
        assert!(status == 200 || status == 201, "{route}: {status} {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["id"].as_str().unwrap_or_default().to_owned()
    }

    /// All that it is shown of a plan when it begins to watch it.
    pub(super) async fn is_shown_by_watching(&self, plan: &str) -> String {
        let mut watch = self.client.memory().watch_plan(plan).await.unwrap();
        let mut shown = String::new();
        loop {
            let next = tokio::time::timeout(PATIENCE, watch.next()).await.expect("it is shown").unwrap();
            if let Some(Watched::Snapshot(changes, complete)) = next {
                shown.push_str(&format!("{changes:?}"));
                if complete {
                    return shown;
                }
            }
        }
    }

    /// Shows the key of the node, and erases: nothing of another tenant, and all of its own.
    pub(super) async fn erases_all_it_may(&self, another: &str, own: &str) {
        for (path, status) in [
            (format!("/v1/memory/admin/platform/{another}"), 403),
            (format!("/v1/memory/admin/tenant/{another}/{another}"), 403),
            (format!("/v1/memory/admin/user/{another}/{another}/ann"), 403),
            (format!("/v1/memory/admin/platform/{own}"), 200),
        ] {
            let ask = Ask { method: "DELETE", route: "", path, body: None };
            let (answered, body) =
                self.ask_with(&ask, &format!("{}: {KEY}\r\n", header::MEMORY_ADMIN_KEY)).await;
            assert_eq!(answered, status, "{}: {body}", ask.path);
        }
        let left =
            self.ask(&Ask { method: "GET", route: "", path: routes::STATS.into(), body: None }).await.1;
        let left: Value = serde_json::from_str(&left).unwrap();
        let entries =
            left["kinds"].as_array().expect("kinds").iter().map(|kind| kind["entries"].as_u64().unwrap());
        assert_eq!(entries.sum::<u64>(), 0, "{left}");
    }
}
