//! What is asked for is what is shown: each condition alone, all together against a filter in the fewest words, page by page.

use std::time::Duration;

use proptest::prelude::*;
use soorma_core::{AgentKind, AgentRecord, AgentStatus, EventRef, Topic};
use soorma_ports::{AgentQuery, Directory, Registered, Standing};
use soorma_registry::Config;
use soorma_testkit::name;

use super::world::{Node, World, agent, all, by_id, definition, ids, one};

async fn some_agents() -> (World, Node) {
    let world = World::new();
    let node = world.node(Config::default()).await;
    let mut planner = agent("p", "planner", "plan");
    planner.kind = Some(AgentKind::Planner);
    planner.description = "Makes PLANS of goals.".into();
    planner.capabilities[0].consumes.topic = None;
    let mut silent = agent("s", "silent", "nothing");
    silent.kind = None;
    silent.capabilities.clear();
    silent.consumes = vec![name("fact.known")];
    silent.produces.clear();
    let draining = Standing { status: AgentStatus::Draining, reason: Some("stops".into()) };
    for record in [
        agent("w2", "web:1.0.0", "search"),
        agent("w1", "web:1.0.0", "search"),
        agent("w3", "web:2.0.0", "search"),
    ] {
        node.register(record).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    node.register(planner).await;
    node.registry.register(&one(), silent, draining).await.expect("registered");
    node.registry
        .define_event(&one(), definition("fact.known", Topic::BusinessFacts))
        .await
        .expect("defined");
    (world, node)
}

#[tokio::test(start_paused = true)]
async fn each_condition_finds_those_that_fit() {
    let (_world, node) = some_agents().await;
    let text = |text: &str| AgentQuery { text: Some(text.into()), ..all() };
    let named = |name: &str| AgentQuery { name: Some(name.into()), ..all() };
    let topic = |topic: Topic| AgentQuery { topic: Some(topic), ..all() };
    let everybody: &[&str] = &["p", "s", "w1", "w2", "w3"];
    for (query, expected) in [
        (all(), everybody),
        (AgentQuery { id: Some(name("w1")), ..all() }, &["w1"]),
        (AgentQuery { id: Some(name("w1")), kind: Some(AgentKind::Planner), ..all() }, &[]),
        (named("web"), &["w1", "w2", "w3"]),
        (named("web:1.0.0"), &["w1", "w2"]),
        (named("we"), &[]),
        (AgentQuery { consumes: Some("search.requested".into()), ..all() }, &["w1", "w2", "w3"]),
        (AgentQuery { consumes: Some("search.done".into()), ..all() }, &[]),
        (AgentQuery { produces: Some("plan.done".into()), ..all() }, &["p"]),
        (AgentQuery { capability: Some("search".into()), ..all() }, &["w1", "w2", "w3"]),
        (AgentQuery { capability: Some("Search".into()), ..all() }, &[]),
        (AgentQuery { kind: Some(AgentKind::Planner), ..all() }, &["p"]),
        (AgentQuery { kind: Some(AgentKind::Tool), ..all() }, &[]),
        (AgentQuery { status: Some(AgentStatus::Draining), ..all() }, &["s"]),
        (topic(Topic::ActionRequests), &["w1", "w2", "w3"]),
        (topic(Topic::ActionResults), &["p", "w1", "w2", "w3"]),
        (topic(Topic::BusinessFacts), &["s"]),
        (topic(Topic::TaskEvents), &[]),
        (text("plans GOALS"), &["p"]),
        (text("earch web"), &["w1", "w2", "w3"]),
        (text("search plans"), &[]),
        (text("  "), everybody),
        (AgentQuery { one_of_each_name: true, ..all() }, &["p", "s", "w1", "w3"]),
        (AgentQuery { one_of_each_name: true, ..named("web") }, &["w1", "w3"]),
    ] {
        assert_eq!(node.ids(&query), expected, "{query:?}");
    }
    let words = (0..100).map(|n| format!("w{n} ")).collect();
    assert!(node.registry.agents(&one(), &AgentQuery { text: Some(words), ..all() }).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn of_each_name_the_one_that_was_heard_last_is_shown() {
    let (_world, node) = some_agents().await;
    let query = AgentQuery { one_of_each_name: true, name: Some("web:1.0.0".into()), ..all() };
    assert_eq!(node.ids(&query), ["w1"]);
    node.registry.heartbeat(&one(), &name("w2"), None).await.expect("heard");
    assert_eq!(node.ids(&query), ["w2"]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    node.registry.heartbeat(&one(), &name("w1"), None).await.expect("heard");
    assert_eq!(node.ids(&query), ["w1"]);
}

#[tokio::test(start_paused = true)]
async fn definitions_and_schemas_are_listed_in_order_page_by_page() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    let registry = &node.registry;
    for (event, topic) in [("c", Topic::PlanEvents), ("a", Topic::PlanEvents), ("b", Topic::TaskEvents)] {
        registry.define_event(&one(), definition(event, topic)).await.expect("defined");
    }
    let events = |topic, after: Option<&str>, limit| {
        let found = registry.events(&one(), topic, after.map(name).as_ref(), limit).expect("answers");
        found.iter().map(|event| event.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(events(None, None, 2), ["a", "b"]);
    assert_eq!(events(None, Some("b"), 2), ["c"]);
    assert_eq!(events(None, Some("bb"), 2), ["c"], "also after what is not there");
    assert_eq!(events(Some(Topic::PlanEvents), None, 9), ["a", "c"]);

    for (schema, version, owner) in
        [("y", "9", None), ("x", "2", Some("a")), ("x", "1", None), ("x", "3", Some("a"))]
    {
        let mut schema = super::world::schema(schema, version, &serde_json::json!({}));
        schema.owner = owner.map(name);
        registry.put_schema(&one(), schema).await.expect("put");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let schemas = |owner, after, limit| {
        let found = registry.schemas(&one(), owner, after, limit).expect("answers");
        found.iter().map(|schema| format!("{}@{}", schema.name, schema.version)).collect::<Vec<_>>()
    };
    assert_eq!(schemas(None, None, 9), ["x@2", "x@1", "x@3", "y@9"]);
    assert_eq!(schemas(None, None, 2), ["x@2", "x@1"]);
    assert_eq!(schemas(None, Some(("x", "1")), 2), ["x@3", "y@9"]);
    assert_eq!(schemas(None, Some(("x", "unheard of")), 2), ["y@9"]);
    assert_eq!(schemas(Some("a"), None, 9), ["x@2", "x@3"]);
    assert_eq!(schemas(Some("a"), Some(("x", "2")), 9), ["x@3"]);
}

/// A filter in the fewest words.
fn fits(agent: &Registered, query: &AgentQuery, topics: &[(&str, Topic)]) -> bool {
    let record = &agent.said.record;
    let is =
        |asked: &Option<String>, has: Vec<String>| asked.as_ref().is_none_or(|asked| has.contains(asked));
    let names = |names: &[soorma_core::Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let events: Vec<&EventRef> =
        record.capabilities.iter().flat_map(|one| one.produces.iter().chain([&one.consumes])).collect();
    let on = |topic: Topic| {
        let defined = |name: &soorma_core::Name| topics.contains(&(name.as_str(), topic));
        events.iter().any(|event| event.topic == Some(topic))
            || record.consumes.iter().chain(&record.produces).any(defined)
    };
    let text = |text: &String| {
        let mut all = vec![record.name.as_str(), &record.description];
        all.extend(record.capabilities.iter().flat_map(|one| [one.name.as_str(), one.description.as_str()]));
        let all = all.join("\n").to_lowercase();
        text.split_whitespace().all(|word| all.contains(&word.to_lowercase()))
    };
    let expired = agent.standing.status == AgentStatus::Expired;
    query.id.as_ref().is_none_or(|id| record.id == *id)
        && is(&query.name, vec![record.name.to_string(), record.bare_name().to_owned()])
        && is(&query.consumes, names(&record.consumes))
        && is(&query.produces, names(&record.produces))
        && is(&query.capability, record.capabilities.iter().map(|one| one.name.to_string()).collect())
        && query.topic.is_none_or(on)
        && query.kind.is_none_or(|kind| record.kind == Some(kind))
        && query.text.as_ref().is_none_or(text)
        && match query.status {
            Some(status) => agent.standing.status == status,
            None => query.expired || !expired,
        }
}

/// The ids of the agents that fit, in order.
pub(crate) fn naive(agents: &[Registered], query: &AgentQuery, topics: &[(&str, Topic)]) -> Vec<String> {
    let mut found: Vec<_> = agents.iter().filter(|agent| fits(agent, query, topics)).collect();
    found.sort_by_key(|agent| (agent.said.record.name.clone(), agent.said.record.id.clone()));
    if query.one_of_each_name {
        let mut latest: Vec<&Registered> = Vec::new();
        for agent in found {
            match latest.last_mut() {
                Some(last) if last.said.record.name == agent.said.record.name => {
                    if agent.heard_at > last.heard_at {
                        *last = agent;
                    }
                }
                _ => latest.push(agent),
            }
        }
        found = latest;
    }
    found.iter().map(|agent| agent.said.record.id.to_string()).collect()
}

const EVENTS: [&str; 4] = ["a.asked", "a.done", "b.asked", "b.done"];
pub(crate) const TOPICS: [(&str, Topic); 2] = [("a.asked", Topic::PlanEvents), ("b.done", Topic::TaskEvents)];

fn any_event() -> impl Strategy<Value = String> {
    prop::sample::select(&EVENTS[..]).prop_map(str::to_owned)
}

fn any_topic() -> impl Strategy<Value = Topic> {
    prop::sample::select(&[Topic::PlanEvents, Topic::TaskEvents, Topic::ActionRequests][..])
}

fn any_kind() -> impl Strategy<Value = AgentKind> {
    prop::sample::select(AgentKind::ALL)
}

fn any_name() -> impl Strategy<Value = String> {
    prop::sample::select(&["x", "x:1", "x:1:2", "x!", "x:", "y", "Y:1", "é"][..]).prop_map(str::to_owned)
}

prop_compose! {
    pub(crate) fn any_agent()(
        named in any_name(),
        kind in prop::option::of(any_kind()),
        consumes in prop::collection::btree_set(any_event(), 0..3),
        produces in prop::collection::btree_set(any_event(), 0..3),
        capabilities in prop::collection::vec(("[ab]", any_event(), prop::option::of(any_topic())), 0..3),
        description in "[a-cÉé ]{0,6}",
    ) -> AgentRecord {
        let mut record = agent("id", &named, "x");
        let template = record.capabilities.remove(0);
        record.kind = kind;
        record.description = description;
        record.consumes = consumes.iter().map(|event| name(event)).collect();
        record.produces = produces.iter().map(|event| name(event)).collect();
        for (called, event, topic) in capabilities {
            let mut one = template.clone();
            one.name = name(&called);
            one.consumes = EventRef { name: name(&event), topic };
            one.produces.clear();
            record.capabilities.push(one);
        }
        record
    }
}

prop_compose! {
    pub(crate) fn any_query()(
        named in prop::option::weighted(0.3, any_name()),
        consumes in prop::option::weighted(0.2, any_event()),
        produces in prop::option::weighted(0.2, any_event()),
        capability in prop::option::weighted(0.2, "[abc]"),
        topic in prop::option::weighted(0.2, any_topic()),
        kind in prop::option::weighted(0.2, any_kind()),
        status in prop::option::weighted(0.2, prop::sample::select(&[AgentStatus::Ready, AgentStatus::Expired][..])),
        text in prop::option::weighted(0.2, "[A-Cabcé ]{1,3}"),
        expired: bool,
        one_of_each_name: bool,
    ) -> AgentQuery {
        AgentQuery {
            name: named, consumes, produces, capability, topic, kind, status, text, expired, one_of_each_name, ..all()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_query_finds_what_a_plain_filter_finds_and_its_pages_are_the_whole(
        agents in prop::collection::vec((any_agent(), 0_u64..600), 0..20),
        queries in prop::collection::vec((any_query(), 1_usize..4), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let world = World::new();
            let node = world.node(Config { announce: false, ..Config::default() }).await;
            for (event, topic) in TOPICS {
                node.registry.define_event(&one(), definition(event, topic)).await.expect("defined");
            }
            let mut by_age: Vec<_> = agents.into_iter().enumerate().collect();
            by_age.sort_by_key(|(_, (_, age))| std::cmp::Reverse(*age));
            let started = tokio::time::Instant::now();
            for (nth, (mut record, age)) in by_age {
                tokio::time::sleep_until(started + Duration::from_secs(600 - age)).await;
                record.id = name(&format!("a{nth}"));
                node.register(record).await;
            }
            tokio::time::sleep_until(started + Duration::from_secs(600)).await;
            let everybody: Vec<_> = by_id(&node.registry, &one()).into_values().collect();
            for (query, page_size) in queries {
                let expected = naive(&everybody, &query, &TOPICS);
                assert_eq!(node.ids(&query), expected, "{query:?}");
                let mut paged = AgentQuery { limit: page_size, ..query };
                let mut found = Vec::new();
                loop {
                    let page = node.registry.agents(&one(), &paged).await.expect("it answers");
                    assert!(page.agents.len() <= page_size);
                    found.extend(ids(&page.agents));
                    let Some(last) = page.agents.last().filter(|_| page.more) else { break };
                    paged.after = Some((last.said.record.name.clone(), last.said.record.id.clone()));
                }
                assert_eq!(found, expected, "{paged:?}");
            }
        });
    }
}
