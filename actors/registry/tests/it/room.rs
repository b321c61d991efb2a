//! How much may be registered, in bytes: by a tenant, by all of them, and what a query over much of it leaves to others.

use futures_util::FutureExt as _;
use serde_json::json;
use soorma_core::{AgentRecord, AgentStatus, Data, Error, ErrorCode, EventDefinition, Topic};
use soorma_ports::{AgentQuery, Directory, Standing};
use soorma_registry::Config;
use soorma_testkit::{name, tenant};

use super::world::{Node, World, agent, all, by_id, definition, one, schema, settle};

const KIB: usize = 1_024;

fn large(id: &str, kib: usize) -> AgentRecord {
    AgentRecord { description: "d".repeat(kib * KIB), ..agent(id, "worker", "web") }
}

fn described(named: &str, kib: usize) -> EventDefinition {
    EventDefinition { description: "d".repeat(kib * KIB), ..definition(named, Topic::BusinessFacts) }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, code: ErrorCode, says: &str) {
    let error = outcome.expect_err(says);
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(says), "{error}");
}

/// What an agent says counts twice: three of 8 KiB are about 50 KiB.
async fn nearly_full(world: &World, config: Config) -> Node {
    let node = world.node(config).await;
    for id in ["a", "b", "c"] {
        node.register(large(id, 8)).await;
    }
    node
}

fn one_of(kib: usize) -> Config {
    Config { max_bytes_per_tenant: kib * KIB, ..Config::default() }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_room_for_so_many_bytes_of_agents_events_and_schemas_together() {
    let world = World::new();
    let node = nearly_full(&world, one_of(64)).await;
    let registry = &node.registry;
    assert_eq!(registry.define_event(&one(), described("x", 8)).await, Ok(true));
    let busy = ErrorCode::RateLimited;
    refused(node.put(large("d", 8)).await, busy, "no room for agent 'd'");
    refused(registry.define_event(&one(), described("y", 8)).await, busy, "no room for event 'y'");
    let wide = schema("s", "1", &json!({ "title": "t".repeat(8 * KIB) }));
    refused(registry.put_schema(&one(), wide.clone()).await, busy, "no room for schema 's'");
    let inline = Data::from_value(&json!({ "title": "t".repeat(8 * KIB) })).ok();
    let event = EventDefinition { payload_schema: inline, ..definition("z", Topic::BusinessFacts) };
    refused(registry.define_event(&one(), event).await, busy, "of at most 65536");
    // What does not grow always has room; what grows has none.
    assert_eq!(node.put(large("a", 8)).await, Ok(false));
    refused(node.put(large("a", 16)).await, ErrorCode::Invalid, "bytes of description");
    assert_eq!(registry.define_event(&one(), described("x", 8)).await, Ok(false));
    refused(registry.define_event(&one(), described("x", 16)).await, busy, "no room for event 'x'");
    // What goes, or says less, makes room.
    assert_eq!(registry.deregister(&one(), &name("b")).await, Ok(true));
    assert_eq!(registry.put_schema(&one(), wide).await, Ok(()));
    refused(node.put(large("d", 6)).await, busy, "no room for agent 'd'");
    assert_eq!(node.put(large("a", 1)).await, Ok(false));
    assert_eq!(node.put(large("d", 6)).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn all_tenants_have_room_for_so_many_bytes_and_are_not_told_how_many() {
    let world = World::new();
    let node = nearly_full(&world, Config { max_bytes: 56 * KIB, ..Config::default() }).await;
    let (registry, two) = (&node.registry, tenant("two"));
    let put = registry.register(&two, large("a", 8), Standing::READY).await;
    refused(put, ErrorCode::Overloaded, "no room for more in the registry of this platform");
    let defined = registry.define_event(&two, described("x", 8)).await;
    refused(defined, ErrorCode::Overloaded, "no room for more in the registry of this platform");
    assert_eq!(registry.register(&two, large("a", 1), Standing::READY).await, Ok(true));
    assert_eq!(registry.deregister(&one(), &name("a")).await, Ok(true));
    assert_eq!(registry.register(&two, large("b", 7), Standing::READY).await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn who_says_why_it_is_so_in_few_words_is_always_heard_and_in_many_where_there_is_room() {
    let world = World::new();
    let node = nearly_full(&world, one_of(56)).await;
    let hear = async |id: &str, bytes: usize| {
        let standing = Standing { status: AgentStatus::Degraded, reason: Some("r".repeat(bytes)) };
        node.registry.heartbeat(&one(), &name(id), Some(standing)).await
    };
    for id in ["a", "b", "c"] {
        assert_eq!(hear(id, 256).await, Ok(true));
    }
    let mut room = 0;
    while hear("a", 256 + (room + 1) * 64).await.is_ok() {
        room += 1;
    }
    assert!(room > 1, "{room}");
    refused(hear("b", 320).await, ErrorCode::RateLimited, "no room for the reason of agent 'b'");
    assert_eq!(node.hear("b").await, Ok(true), "to be alive takes no room");
    assert_eq!(hear("a", 256).await, Ok(true));
    assert_eq!(hear("b", 320).await, Ok(true), "what another does not say any more makes room");
    // A registration counts for what it says of how it is, too.
    let standing = Standing { status: AgentStatus::Degraded, reason: Some("r".repeat(8 * KIB)) };
    let put = node.registry.register(&one(), large("c", 8), standing).await;
    refused(put, ErrorCode::RateLimited, "no room for agent 'c'");
}

#[tokio::test(start_paused = true)]
async fn what_is_registered_already_is_read_whatever_the_bounds_are_now() {
    let world = World::new();
    let before = nearly_full(&world, Config::default()).await;
    let after = world.node(Config { max_bytes: KIB, ..one_of(1) }).await;
    assert_eq!(by_id(&after.registry, &one()).len(), 3);
    assert_eq!(after.put(large("a", 8)).await, Ok(false));
    assert_eq!(after.hear("b").await, Ok(true));
    refused(after.put(large("d", 0)).await, ErrorCode::RateLimited, "no room for agent 'd'");
    // What one node writes counts on the other, however often it is read.
    world.store.forget_once();
    before.register(large("e", 8)).await;
    settle().await;
    for id in ["a", "b", "c", "e"] {
        assert_eq!(after.registry.deregister(&one(), &name(id)).await, Ok(true));
    }
    settle().await;
    let small = world.node(one_of(3)).await;
    assert_eq!(small.put(large("x", 0)).await, Ok(true), "nothing is left");
    settle().await;
    refused(after.put(large("y", 0)).await, ErrorCode::RateLimited, "no room for agent 'y'");
}

#[tokio::test(start_paused = true)]
async fn a_query_over_much_lets_others_do_something_in_between_and_finds_all() {
    let world = World::new();
    let node = world.node(Config { announce: false, ..Config::default() }).await;
    let ids: Vec<_> = (0..100).map(|nth| format!("a{nth:02}")).collect();
    for id in &ids {
        node.register(large(id, 8)).await;
    }
    let asks = |text: &str| AgentQuery { text: Some(text.into()), ..all() };
    let at_once = |query: AgentQuery| node.registry.agents(&one(), &query).now_or_never().is_some();
    assert!(!at_once(asks("worker")), "a megabyte was looked through in one go");
    assert!(!at_once(asks("nobody has this")));
    assert!(at_once(AgentQuery { id: Some(name("a50")), ..all() }));
    for (text, found) in [("worker", 100), ("worker does dd", 0), ("WEB d", 100), ("nobody", 0)] {
        let page = node.registry.agents(&one(), &asks(text)).await.expect("it answers");
        assert_eq!((page.agents.len(), page.more), (found, false), "{text}");
    }
    let page =
        node.registry.agents(&one(), &AgentQuery { limit: 60, ..asks("d") }).await.expect("it answers");
    let found: Vec<_> = page.agents.iter().map(|agent| agent.said.record.id.to_string()).collect();
    assert_eq!((found.as_slice(), page.more), (&ids[..60], true));
}
