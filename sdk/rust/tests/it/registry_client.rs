//! The client and the registry: names of every kind, pages, and each form in which agents are shown.

use soorma::api::registry::{
    AgentItem, AgentQuery, CapabilityItem, EventItem, EventQuery, Heartbeat, NewAgent, SchemaItem,
    SchemaQuery,
};
use soorma::{AgentKind, AgentStatus, Data, ErrorCode, RankedBy, Topic};

use super::world::World;

fn agent(id: &str, name: &str) -> NewAgent {
    let mut asks = EventItem::new("sum.requested", Topic::PlanEvents, "asks for a sum");
    // What is sent with a capability is read; it is kept where events are defined.
    asks.payload_schema = Some(Data::from_json(r#"{"type":"object"}"#).unwrap());
    let answers = EventItem::new("sum.done", Topic::ActionResults, "");
    let capability = CapabilityItem {
        task_name: "sum".to_owned(),
        description: "adds".to_owned(),
        consumed_event: asks,
        produced_events: vec![answers],
    };
    let agent = AgentItem {
        agent_id: id.to_owned(),
        name: name.to_owned(),
        description: "counts".to_owned(),
        capabilities: vec![capability],
        ..AgentItem::default()
    };
    let (kind, version) = (Some(AgentKind::Tool), Some("3".to_owned()));
    NewAgent {
        agent,
        kind,
        version,
        status: Some(AgentStatus::Starting),
        reason: Some("warms up".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_with_any_name_come_are_heard_and_leave() {
    let world = World::embedded().start().await;
    let client = world.client();
    for id in ["plain", "a/b", "50 %?#&", "Gr\u{fc}\u{df}e \u{1F600}", "discover", "heartbeat"] {
        let made = client.register_agent(agent(id, id)).await.unwrap();
        assert_eq!((made.agent_id.as_str(), made.success), (id, true));
        assert!(made.message.ends_with("registered successfully."), "{made:?}");
        let heard = client.heartbeat(id, &Heartbeat::default()).await.unwrap();
        assert_eq!(heard.message, format!("Agent '{id}' heartbeat refreshed successfully."));
        let query = AgentQuery { agent_id: Some(id.to_owned()), ..AgentQuery::default() };
        let views = client.agents_in_full(&query).await.unwrap().agents;
        let state = &views[0].state;
        assert_eq!((state.status, state.reason.as_deref()), (AgentStatus::Starting, Some("warms up")));
        assert_eq!((state.kind, state.version.as_deref()), (Some(AgentKind::Tool), Some("3")));
        let shown = &views[0].agent;
        assert_eq!(
            (shown.agent_id.as_str(), shown.consumed_events.as_slice()),
            (id, &["sum.requested".to_owned()][..])
        );
        let asked = &shown.capabilities[0].consumed_event;
        assert_eq!((asked.topic, &asked.payload_schema), (Topic::PlanEvents, &None));
        assert_eq!(client.agent(id).await.unwrap(), views[0]);
        client.deregister(id).await.unwrap();
        assert_eq!(client.deregister(id).await.unwrap_err().code, ErrorCode::NotFound);
    }
    for nobody in ["nobody", "", ".", "..", "discover"] {
        let none = client.agent(nobody).await.unwrap_err();
        assert_eq!((none.code, none.message), (ErrorCode::NotFound, format!("Agent '{nobody}' not found")));
    }
    for name in [".", "..", "a/../b"] {
        client.register_agent(agent(name, name)).await.unwrap();
        assert_eq!(client.agent(name).await.unwrap().agent.agent_id, name);
    }
    assert_eq!(client.agent("").await.unwrap_err().code, ErrorCode::NotFound, "nobody has no id");
    for way_up in [".", ".."] {
        assert_eq!(client.deregister(way_up).await.unwrap_err().code, ErrorCode::Invalid);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_is_given_page_by_page_whole_or_in_few_words() {
    let hashing = Some(soorma::config::EmbedderKind::Hashing);
    let world = World::embedded().with(|config| config.models.embedder = hashing).start().await;
    let client = world.client();
    for n in 0..5 {
        client.register_agent(agent(&format!("a{n}"), &format!("adder-{}:1", n / 2))).await.unwrap();
    }
    let ids = |agents: Vec<AgentItem>| agents.into_iter().map(|agent| agent.name).collect::<Vec<_>>();
    let query = AgentQuery { capability: Some("sum".to_owned()), ..AgentQuery::default() };
    assert_eq!(ids(client.discover(&query).await.unwrap()), ["adder-0:1", "adder-1:1", "adder-2:1"]);
    let two = AgentQuery { limit: Some(2), ..query.clone() };
    let first = client.agents(&two).await.unwrap();
    assert_eq!((first.count, ids(client.discover(&two).await.unwrap()).len()), (2, 2));
    let rest = AgentQuery { cursor: first.next_cursor, ..query.clone() };
    assert_eq!(ids(client.agents(&rest).await.unwrap().agents), ["adder-2:1"]);
    assert_eq!(client.agents_in_full(&query).await.unwrap().count, 5, "every instance");
    let words = client.discover_in_words(&query).await.unwrap();
    assert_eq!((words.agents.len(), words.left_out), (3, 0));
    let adds = &words.agents[0].capabilities[0];
    assert_eq!(
        (adds.event.as_str(), adds.topic, adds.answers.len()),
        ("sum.requested", Some(Topic::PlanEvents), 1)
    );
    // In a sentence: best first, with scores where all is shown.
    let asked = AgentQuery { query: Some("an adder, the second".to_owned()), ..query.clone() };
    let ranked = client.discover_in_full(&asked).await.unwrap();
    assert_eq!((ranked.count, ranked.ranking), (5, Some(RankedBy::Meaning)));
    assert!(ranked.agents.is_sorted_by(|a, b| a.score.unwrap() >= b.score.unwrap()));
    assert_eq!(client.discover(&asked).await.unwrap().len(), 3, "of each name one");
    assert_eq!(client.discover_in_words(&asked).await.unwrap().ranking, Some(RankedBy::Meaning));
    let unranked = client.discover_in_full(&query).await.unwrap();
    assert_eq!((unranked.count, unranked.ranking, unranked.agents[0].score), (5, None, None));
    let nobody = AgentQuery { text: Some("counts nothing".to_owned()), ..query };
    assert!(client.discover(&nobody).await.unwrap().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_schemas_come_back_as_they_were_said() {
    let world = World::embedded().start().await;
    let client = world.client();
    let text = r#"{"properties":{"z":{"maximum":1.0},"a":{}}}"#;
    let mut publish = EventItem::new("publish", Topic::BusinessFacts, "is also the name of a path");
    publish.payload_schema = Some(Data::from_json(text).unwrap());
    publish.response_schema_name = Some("n/m".to_owned());
    client.define_event(publish.clone()).await.unwrap();
    assert_eq!(client.event("publish").await.unwrap(), publish);
    for nothing in ["nothing", ""] {
        assert_eq!(client.event(nothing).await.unwrap_err().code, ErrorCode::NotFound);
    }
    let of_topic = EventQuery { topic: Some("plan-events".to_owned()), ..EventQuery::default() };
    assert_eq!(client.events(&of_topic).await.unwrap().count, 0);
    for version in ["1/0", "2 \u{e9}"] {
        let schema = SchemaItem {
            schema_name: "n/m".to_owned(),
            version: version.to_owned(),
            json_schema: Data::from_json(text).unwrap(),
            description: Some("said".to_owned()),
            owner_agent_id: Some("a".to_owned()),
            created_at: None,
            updated_at: None,
        };
        client.put_schema(schema.clone()).await.unwrap();
        let kept = client.schema("n/m", Some(version)).await.unwrap();
        assert!(kept.created_at.is_some() && kept.created_at == kept.updated_at);
        assert_eq!(SchemaItem { created_at: None, updated_at: None, ..kept }, schema);
    }
    let versions = client.schema_versions("n/m").await.unwrap();
    assert_eq!((versions.count, versions.schemas[1].version.as_str()), (2, "2 \u{e9}"));
    assert_eq!(client.schema("n/m", None).await.unwrap(), versions.schemas[1]);
    let of = |owner: &str| SchemaQuery { owner_agent_id: Some(owner.to_owned()), ..SchemaQuery::default() };
    assert_eq!(client.schemas(&of("a")).await.unwrap().count, 2);
    assert_eq!(client.schemas(&of("b")).await.unwrap().count, 0);
    assert_eq!(client.schema("n", None).await.unwrap_err().code, ErrorCode::NotFound);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_versions_of_a_schema_are_read_though_no_answer_holds_them() {
    let world = World::embedded().start().await;
    let client = world.client();
    let text = format!(r#"{{"description":"{}"}}"#, "x".repeat(250_000));
    let json_schema = Data::from_json(&text).unwrap();
    // More than 16 MiB.
    let versions: Vec<_> = (1..=70).map(|version| version.to_string()).collect();
    for version in &versions {
        let schema = SchemaItem {
            schema_name: "large".to_owned(),
            version: version.clone(),
            json_schema: json_schema.clone(),
            description: None,
            owner_agent_id: None,
            created_at: None,
            updated_at: None,
        };
        client.put_schema(schema).await.unwrap();
    }
    assert!(client.schemas(&SchemaQuery::default()).await.unwrap().count < versions.len());
    let found = client.schema_versions("large").await.unwrap();
    let read: Vec<_> = found.schemas.iter().map(|schema| schema.version.clone()).collect();
    assert_eq!((read, found.count, found.next_cursor), (versions, 70, None));
    world.stop().await;
}
