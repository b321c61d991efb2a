//! Clauses 1, 2, 4 and 5 of the directory: what is answered, and what happens when the store is slow, full or away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use soorma_core::{AgentRecord, AgentStatus, Data, ErrorCode, Topic};
use soorma_ports::{AgentQuery, Directory, RegistryStoreError, Standing};
use soorma_registry::Config;
use soorma_testkit::{name, tenant};
use tokio::time::{Instant, timeout};

use super::world::{Refuses, World, agent, all, definition, one, schema, settle};

#[tokio::test(start_paused = true)]
async fn who_was_answered_reads_what_was_written() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    let registry = &node.registry;
    assert!(node.register(agent("a", "worker:1.0.0", "web")).await);
    assert!(!node.register(agent("a", "worker:1.0.1", "web")).await);
    let query = AgentQuery { name: Some("worker".into()), ..all() };
    assert_eq!(node.ids(&query), ["a"]);
    assert_eq!(node.ids(&AgentQuery { name: Some("worker:1.0.0".into()), ..all() }), Vec::<String>::new());

    assert_eq!(registry.define_event(&one(), definition("x", Topic::BusinessFacts)).await, Ok(true));
    assert_eq!(registry.define_event(&one(), definition("x", Topic::PlanEvents)).await, Ok(false));
    let event = registry.event(&one(), &name("x")).expect("answers").expect("there");
    assert_eq!(event.topic, Topic::BusinessFacts, "the first topic stays");

    for version in ["2", "1"] {
        registry.put_schema(&one(), schema("s", version, &json!({ "title": version }))).await.expect("put");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let again = registry.put_schema(&one(), schema("s", "2", &json!({}))).await.expect_err("it is there");
    assert_eq!(
        (again.code, again.message.as_str()),
        (ErrorCode::AlreadyExists, "Schema 's@2' already exists for this tenant")
    );
    let newest = registry.schema(&one(), &name("s"), None).expect("answers").expect("there");
    assert_eq!(newest.version.as_str(), "1", "the one that was registered last");
    let second = registry.schema(&one(), &name("s"), Some("2")).expect("answers").expect("there");
    assert_eq!(second.schema.as_str(), r#"{"title":"2"}"#);

    assert_eq!(registry.deregister(&one(), &name("a")).await, Ok(true));
    assert_eq!(registry.deregister(&one(), &name("a")).await, Ok(false));
    assert_eq!(node.ids(&all()), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_one_node_was_answered_another_reads_within_a_second() {
    let world = World::new();
    let (here, there) = (world.node(Config::default()).await, world.node(Config::default()).await);
    here.register(agent("a", "worker", "web")).await;
    here.registry.define_event(&one(), definition("x", Topic::BusinessFacts)).await.expect("defined");
    here.registry.put_schema(&one(), schema("s", "1", &json!({}))).await.expect("put");
    settle().await;
    assert_eq!(there.ids(&all()), ["a"]);
    assert!(there.registry.event(&one(), &name("x")).expect("answers").is_some());
    assert!(there.registry.schema(&one(), &name("s"), None).expect("answers").is_some());
    there.registry.deregister(&one(), &name("a")).await.expect("removed");
    settle().await;
    assert_eq!(here.ids(&all()), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn who_is_answered_does_not_wait_until_the_store_tells_that_something_changed() {
    let world = World::new();
    world.store.tell_late(Duration::from_secs(1));
    let (here, there) = (world.node(Config::default()).await, world.node(Config::default()).await);
    let started = Instant::now();
    for n in 0..100 {
        here.register(agent(&format!("a{n}"), "worker", "web")).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(there.ids(&all()).len(), 100);
}

#[tokio::test(start_paused = true)]
async fn the_newest_schema_is_the_one_with_the_newest_time_whatever_the_clock_did() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.registry.put_schema(&one(), schema("s", "later", &json!({}))).await.expect("put");
    world.clock.jump_back(Duration::from_secs(60));
    node.registry.put_schema(&one(), schema("s", "earlier", &json!({}))).await.expect("put");
    let newest = node.registry.schema(&one(), &name("s"), None).expect("answers").expect("there");
    assert_eq!(newest.version.as_str(), "later");
    let all = node.registry.schemas(&one(), None, None, 9).expect("answers");
    assert_eq!(all.iter().map(|schema| schema.version.as_str()).collect::<Vec<_>>(), ["earlier", "later"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_written_together() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    let puts = (0..500).map(|n| node.register(agent(&format!("a{n}"), "worker", "web")));
    // The first is on its way alone, the others gather behind it.
    assert!(join_all(puts).await.into_iter().all(|made| made));
    assert!(world.store.writes.load(Ordering::SeqCst) <= 2);
    assert_eq!(node.registry.tally().agents, 500);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_has_taken_nothing() {
    let world = World::new();
    let node = world.node(Config { max_waiting: 2, ..Config::default() }).await;
    world.store.hold(true);
    let put = |id: &str| node.put(agent(id, "worker", "web"));
    let (first, others) = tokio::join!(put("in hand"), async {
        settle().await;
        let (second, third, refused) = tokio::join!(put("waits 1"), put("waits 2"), async {
            settle().await;
            let refused = put("refused").await.expect_err("full");
            world.store.hold(false);
            refused
        });
        (second.is_ok() && third.is_ok()).then_some(refused)
    });
    let refused = others.expect("those that waited were taken");
    assert!(first.is_ok());
    assert_eq!(refused.code, ErrorCode::Overloaded);
    assert!(refused.retry_after.is_some());
    assert_eq!(node.ids(&all()), ["in hand", "waits 1", "waits 2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_very_large_fills_the_queue_sooner() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    world.store.hold(true);
    let mut large = agent("large", "worker", "web");
    large.capabilities = vec![large.capabilities[0].clone(); 7];
    for capability in &mut large.capabilities {
        capability.description = "x".repeat(AgentRecord::MAX_DESCRIPTION_BYTES);
    }
    let most = 900;
    let puts = (0..most).map(|_| node.put(large.clone()));
    let (outcomes, ()) = tokio::join!(join_all(puts), async {
        settle().await;
        world.store.hold(false);
    });
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(!refused.is_empty() && refused.len() < most, "{} of {most}", refused.len());
    assert!(refused.iter().all(|error| error.code == ErrorCode::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_not_asked_again_by_every_caller_and_reading_goes_on() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    world.store.away(true);
    let before = world.store.writes.load(Ordering::SeqCst);
    let started = Instant::now();
    for _ in 0..1_000 {
        let refused = node.registry.heartbeat(&one(), &name("a"), None).await.expect_err("away");
        assert_eq!(refused.code, ErrorCode::Unavailable);
        assert!(refused.retry_after.is_some());
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(world.store.writes.load(Ordering::SeqCst), before + 1);
    assert_eq!(node.ids(&all()), ["a"]);
    assert!(node.registry.check().await.is_err());
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.store.away(false);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(node.registry.check().await, Ok(()));
    assert_eq!(node.registry.heartbeat(&one(), &name("a"), None).await, Ok(true));
    assert!(node.register(agent("b", "worker", "web")).await);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_waited_for_so_long_and_no_longer() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    world.store.hold(true);
    let started = Instant::now();
    let refused = node.put(agent("a", "worker", "web")).await;
    let refused = refused.expect_err("no answer");
    assert!(matches!(refused.code, ErrorCode::Timeout | ErrorCode::Unavailable), "{refused:?}");
    assert!(started.elapsed() <= Duration::from_secs(11));
    world.store.hold(false);
    tokio::time::sleep(Duration::from_secs(6)).await;
    node.register(agent("a", "worker", "web")).await;
    assert_eq!(node.ids(&all()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn before_all_was_read_nothing_is_answered() {
    let world = World::new();
    let first = world.node(Config::default()).await;
    first.register(agent("a", "worker", "web")).await;
    world.store.away(true);
    let node = world.start(Config::default(), world.clock.clone()).await;
    assert!(timeout(Duration::from_secs(60), node.registry.loaded()).await.is_err());
    let errors = [
        node.registry.agents(&one(), &all()).await.map(drop),
        node.registry.agent(&one(), &name("a")).map(drop),
        node.registry.heartbeat(&one(), &name("a"), None).await.map(drop),
        node.registry.events(&one(), None, None, 1).map(drop),
        node.registry.schema(&one(), &name("s"), None).map(drop),
        node.registry.check().await,
    ];
    for error in errors {
        assert_eq!(error.expect_err("it knows nothing").code, ErrorCode::Unavailable);
    }
    world.store.away(false);
    node.registry.loaded().await;
    assert_eq!(node.ids(&all()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn on_a_full_store_agents_that_are_there_stay_there() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    world.store.refuse(Some((Refuses::Growing, RegistryStoreError::Full("disk".into()))));
    world.store.hold(true);
    let (put, heard, other, ()) = tokio::join!(
        node.put(agent("b", "worker", "web")),
        node.hear("a"),
        async { node.registry.define_event(&one(), definition("x", Topic::BusinessFacts)).await },
        async {
            settle().await;
            world.store.hold(false);
        }
    );
    assert_eq!(put.expect_err("no room").code, ErrorCode::Unavailable);
    assert_eq!(other.expect_err("no room").code, ErrorCode::Unavailable);
    assert_eq!(heard, Ok(true));
    assert_eq!(node.registry.heartbeat(&one(), &name("a"), None).await, Ok(true), "the store is not away");
    world.store.refuse(None);
    assert!(node.register(agent("b", "worker", "web")).await);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_of_one_harms_no_other_that_waits_with_it() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    world.store.refuse(Some((Refuses::Of("bad"), RegistryStoreError::Invalid("it does not like it".into()))));
    let put = |id: &'static str| node.put(agent(id, "worker", "web"));
    let outcomes = join_all(["a", "b", "bad", "c"].map(put)).await;
    let codes: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().map(|error| error.code)).collect();
    assert_eq!(codes, [None, None, Some(ErrorCode::Invalid), None]);
    assert_eq!(node.ids(&all()), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_too_many_is_refused_with_its_bound() {
    let world = World::new();
    let config = Config {
        max_agents_per_tenant: 2,
        max_agents: 3,
        max_events_per_tenant: 1,
        max_schemas_per_tenant: 1,
        ..Config::default()
    };
    let node = world.node(config).await;
    let put = |agent: AgentRecord| node.put(agent);
    let sized = |change: &dyn Fn(&mut AgentRecord)| {
        let mut agent = agent("large", "worker", "web");
        change(&mut agent);
        agent
    };
    let long = "x".repeat(AgentRecord::MAX_DESCRIPTION_BYTES + 1);
    let names = |n: usize| (0..=n).map(|n| name(&n.to_string())).collect::<Vec<_>>();
    for (large, says) in [
        (
            sized(&|agent| agent.capabilities = vec![agent.capabilities[0].clone(); 10_000]),
            "1000 capabilities; this one has 10000",
        ),
        (sized(&|agent| agent.consumes = names(AgentRecord::MAX_EVENTS)), "1000 consumed events"),
        (sized(&|agent| agent.produces = names(AgentRecord::MAX_EVENTS)), "1000 produced events"),
        (sized(&|agent| agent.description.clone_from(&long)), "8192 bytes of description"),
        (sized(&|agent| agent.capabilities[0].description.clone_from(&long)), "of capability 'web'"),
        (sized(&|agent| agent.version = Some("1".repeat(51))), "50 bytes of version"),
        (
            sized(&|agent| {
                agent.capabilities[0].description = "x".repeat(AgentRecord::MAX_DESCRIPTION_BYTES);
                agent.capabilities = vec![agent.capabilities[0].clone(); 8];
            }),
            "65536 bytes of all that it says of itself",
        ),
    ] {
        let refused = put(large).await.expect_err(says);
        assert_eq!(refused.code, ErrorCode::Invalid);
        assert!(refused.message.contains(says), "{refused}");
    }
    let expired = Standing { status: AgentStatus::Expired, reason: None };
    let refused = node.registry.register(&one(), agent("a", "worker", "web"), expired.clone()).await;
    assert_eq!(refused.expect_err("nobody says so of itself").code, ErrorCode::Invalid);

    for id in ["a", "b"] {
        node.register(agent(id, "worker", "web")).await;
    }
    let refused = node.registry.heartbeat(&one(), &name("a"), Some(expired)).await;
    assert_eq!(refused.expect_err("nobody says so of itself").code, ErrorCode::Invalid);
    let refused = put(agent("c", "worker", "web")).await.expect_err("one too many");
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.message.contains("2 of at most 2"), "{refused}");
    assert!(!node.register(agent("a", "again", "web")).await, "who is there may say something else");
    let elsewhere = async |id: &str| {
        node.registry.register(&tenant("two"), agent(id, "worker", "web"), Standing::READY).await
    };
    assert_eq!(elsewhere("a").await, Ok(true));
    assert_eq!(elsewhere("b").await.expect_err("one too many of all").code, ErrorCode::Overloaded);

    let facts = Topic::BusinessFacts;
    assert_eq!(node.registry.define_event(&one(), definition("x", facts)).await, Ok(true));
    assert_eq!(node.registry.define_event(&one(), definition("x", facts)).await, Ok(false));
    let refused = node.registry.define_event(&one(), definition("y", facts)).await;
    assert_eq!(refused.expect_err("one too many").code, ErrorCode::RateLimited);
    node.registry.put_schema(&one(), schema("s", "1", &json!({}))).await.expect("put");
    let refused = node.registry.put_schema(&one(), schema("s", "2", &json!({}))).await;
    assert_eq!(refused.expect_err("one too many").code, ErrorCode::RateLimited);
    let refused = node.registry.put_schema(&one(), schema("s", "1", &json!({}))).await;
    assert_eq!(refused.expect_err("it is there").code, ErrorCode::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_schema_is_refused_with_the_place_and_what_is_wrong() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    for (bad, place) in [
        (json!({ "type": "strnig" }), "#/type"),
        (
            json!({ "properties": { "a": { "$ref": "https://example.org/schema.json" } } }),
            "#/properties/a/$ref",
        ),
    ] {
        let refused = node.registry.put_schema(&one(), schema("s", "1", &bad)).await.expect_err(place);
        assert_eq!(refused.code, ErrorCode::Invalid);
        assert!(refused.message.contains("schema 's@1'") && refused.message.contains(place), "{refused}");
        for of_answer in [false, true] {
            let mut event = definition("x", Topic::BusinessFacts);
            let inline = if of_answer { &mut event.response_schema } else { &mut event.payload_schema };
            *inline = Some(Data::from_value(&bad).expect("an object"));
            let refused = node.registry.define_event(&one(), event).await.expect_err(place);
            assert_eq!(refused.code, ErrorCode::Invalid);
            assert!(refused.message.contains("of 'x'") && refused.message.contains(place), "{refused}");
        }
    }
    let huge = soorma_core::PayloadSchema {
        schema: Data::from_json(r#"{"maximum":1e999}"#).expect("an object"),
        ..schema("s", "1", &json!({}))
    };
    assert_eq!(node.registry.put_schema(&one(), huge).await.expect_err("no number").code, ErrorCode::Invalid);
    assert_eq!(world.store.all().await.changes, []);
}

#[tokio::test(start_paused = true)]
async fn tenants_do_not_meet() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    let (registry, two) = (&node.registry, tenant("two"));
    node.register(agent("a", "worker", "web")).await;
    registry.define_event(&one(), definition("x", Topic::BusinessFacts)).await.expect("defined");
    registry.put_schema(&one(), schema("s", "1", &json!({}))).await.expect("put");
    assert_eq!(registry.heartbeat(&two, &name("a"), None).await, Ok(false));
    assert_eq!(registry.deregister(&two, &name("a")).await, Ok(false));
    assert!(registry.agent(&two, &name("a")).expect("answers").is_none());
    let page = registry.agents(&two, &AgentQuery { expired: true, ..all() }).await.expect("answers");
    assert!(page.agents.is_empty());
    assert!(registry.event(&two, &name("x")).expect("answers").is_none());
    assert!(registry.events(&two, None, None, 9).expect("answers").is_empty());
    assert!(registry.schema(&two, &name("s"), None).expect("answers").is_none());
    assert!(registry.schemas(&two, None, None, 9).expect("answers").is_empty());
    assert_eq!(registry.define_event(&two, definition("x", Topic::PlanEvents)).await, Ok(true));
    assert_eq!(registry.put_schema(&two, schema("s", "1", &json!({ "title": "two" }))).await, Ok(()));
    assert_eq!(registry.register(&two, agent("a", "other", "web"), Standing::READY).await, Ok(true));
    assert_eq!(node.ids(&AgentQuery { name: Some("worker".into()), ..all() }), ["a"]);
    let event = registry.event(&one(), &name("x")).expect("answers").expect("there");
    assert_eq!(event.topic, Topic::BusinessFacts);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_when_it_comes_back_hears_at_once() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    world.store.away(true);
    assert_eq!(node.hear("a").await.expect_err("it is away").code, ErrorCode::Unavailable);
    world.store.refuse(Some((Refuses::Growing, RegistryStoreError::Full("disk".into()))));
    world.store.away(false);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(node.hear("a").await, Ok(true));
    let refused = node.put(agent("b", "worker", "web")).await.expect_err("no room");
    assert!(refused.message.contains("room"), "{refused}");
}
