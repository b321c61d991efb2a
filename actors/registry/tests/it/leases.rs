//! Clause 3 of the directory: leases, and what the clocks do to them.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{AgentStatus, ErrorCode};
use soorma_ports::{AgentQuery, Directory, RegistryStore, RegistryStoreError, Standing};
use soorma_registry::Config;
use soorma_testkit::{TestClock, name, tenant};
use tokio::time::advance;

use super::world::{LEASE, SWEEP, World, agent, all, one, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_agent_is_shown_until_its_lease_runs_out_and_then_to_those_who_ask_for_it() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    let expires_at = node.registry.agent(&one(), &name("a")).expect("answers").expect("there").expires_at;
    tokio::time::sleep(LEASE - SECOND).await;
    assert_eq!(node.ids(&all()), ["a"]);
    tokio::time::sleep(SECOND).await;
    assert_eq!(node.ids(&all()), Vec::<String>::new());
    assert_eq!(node.ids(&AgentQuery { id: Some(name("a")), ..all() }), Vec::<String>::new());
    assert_eq!(node.ids(&AgentQuery { expired: true, ..all() }), ["a"]);
    assert_eq!(node.ids(&AgentQuery { status: Some(AgentStatus::Expired), ..all() }), ["a"]);
    assert_eq!(
        node.ids(&AgentQuery { status: Some(AgentStatus::Ready), expired: true, ..all() }),
        Vec::<String>::new()
    );
    let shown = node.registry.agent(&one(), &name("a")).expect("answers").expect("there");
    assert_eq!((shown.standing.status, shown.expires_at), (AgentStatus::Expired, expires_at));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_renews_the_lease_and_one_that_comes_late_brings_the_agent_back() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    for _ in 0..20 {
        tokio::time::sleep(LEASE / 10).await;
        assert_eq!(node.registry.heartbeat(&one(), &name("a"), None).await, Ok(true));
    }
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(node.status("a").as_deref(), Some("expired"));
    let draining = Standing { status: AgentStatus::Draining, reason: Some("stops".into()) };
    assert_eq!(node.registry.heartbeat(&one(), &name("a"), Some(draining)).await, Ok(true));
    let shown = node.registry.agent(&one(), &name("a")).expect("answers").expect("there");
    assert_eq!(
        (shown.standing.status, shown.standing.reason.as_deref()),
        (AgentStatus::Draining, Some("stops"))
    );
    tokio::time::sleep(LEASE).await;
    assert!(!node.register(agent("a", "worker", "web")).await, "it is known");
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    assert_eq!(node.registry.heartbeat(&one(), &name("nobody"), None).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_nobody_hears_for_long_is_forgotten() {
    let world = World::new();
    let config = Config { forget_after: 10 * LEASE, ..Config::default() };
    let nodes = [world.node(config.clone()).await, world.node(config).await];
    nodes[0].register(agent("gone", "worker", "web")).await;
    nodes[0].register(agent("heard", "worker", "web")).await;
    tokio::time::sleep(11 * LEASE - SECOND).await;
    settle().await;
    assert_eq!(nodes[1].ids(&AgentQuery { expired: true, ..all() }), ["gone", "heard"]);
    assert_eq!(nodes[1].registry.heartbeat(&one(), &name("heard"), None).await, Ok(true));
    tokio::time::sleep(2 * SWEEP).await;
    for node in &nodes {
        assert_eq!(node.ids(&AgentQuery { expired: true, ..all() }), ["heard"]);
    }
    let said = world.said().await;
    assert!(!said.iter().any(|(kind, _)| kind == "agent.deregistered"), "nobody took it out: {said:?}");
    // It is told for an hour, and then forgotten that it was there.
    for _ in 0..24 {
        tokio::time::sleep(LEASE).await;
        assert_eq!(nodes[0].hear("heard").await, Ok(true));
    }
    assert_eq!(world.store.all().await.changes.len(), 1);
    assert_eq!(world.store.changes(1.into(), 1).await, Err(RegistryStoreError::Gone(1)));
    assert!(nodes[0].register(agent("gone", "worker", "web")).await, "it is made anew");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_ends_no_lease_of_an_agent_that_was_heard_here() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    // Its clock is its own, and it hears of the agent through the store alone.
    let clock = Arc::new(TestClock::new());
    let other = world.start(Config::default(), Arc::clone(&clock)).await;
    other.registry.loaded().await;
    node.register(agent("a", "worker", "web")).await;
    settle().await;
    world.clock.jump(24 * 12 * LEASE);
    clock.jump(24 * 12 * LEASE);
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    assert_eq!(other.status("a").as_deref(), Some("expired"));
    // Nor when all is read anew.
    world.store.forget_once();
    let elsewhere = agent("b", "worker", "web");
    node.registry.register(&tenant("two"), elsewhere, Standing::READY).await.expect("registered");
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    tokio::time::sleep(SWEEP * 2).await;
    assert_eq!(node.ids(&AgentQuery { expired: true, ..all() }), ["a"], "nobody forgot it");
    // Its heartbeats carry the new time.
    assert_eq!(node.registry.heartbeat(&one(), &name("a"), None).await, Ok(true));
    settle().await;
    assert_eq!(other.status("a").as_deref(), Some("ready"));
    tokio::time::sleep(LEASE + SECOND).await;
    assert_eq!((node.status("a"), other.status("a")), (Some("expired".into()), Some("expired".into())));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_heard_in_the_last_moment_is_not_forgotten_by_who_has_not_heard_of_it() {
    let world = World::new();
    let config = Config { forget_after: 10 * LEASE, ..Config::default() };
    let node = world.node(config).await;
    node.register(agent("a", "worker", "web")).await;
    tokio::time::sleep(11 * LEASE - SWEEP / 2).await;
    assert_eq!(node.status("a").as_deref(), Some("expired"));
    world.store.mute(true);
    let error = node.hear("a").await.expect_err("it is written, and cannot be read back");
    assert_eq!(error.code, ErrorCode::Timeout);
    tokio::time::sleep(3 * SWEEP).await;
    assert_eq!(node.status("a").as_deref(), Some("expired"));
    world.store.mute(false);
    settle().await;
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    tokio::time::sleep(LEASE + SWEEP).await;
    let expired = world.said().await.iter().filter(|(kind, _)| kind == "agent.expired").count();
    assert_eq!((node.status("a").as_deref(), expired), (Some("expired"), 2));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_ends_no_lease() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    world.clock.jump_back(LEASE * 3);
    assert_eq!(node.registry.heartbeat(&one(), &name("a"), None).await, Ok(true));
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    advance(LEASE).await;
    assert_eq!(node.status("a").as_deref(), Some("ready"), "it was heard three leases ahead of that clock");
    tokio::time::sleep(LEASE * 3).await;
    assert_eq!(node.status("a").as_deref(), Some("expired"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_forgets_nobody_holds_up_no_announcement() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    world.store.hold(true);
    tokio::time::sleep(LEASE + 2 * SWEEP).await;
    assert!(world.said().await.iter().any(|(kind, _)| kind == "agent.expired"));
}
