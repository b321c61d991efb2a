//! What is said on `system-events` of agents that come and go.

use std::time::Duration;

use soorma_core::{Data, Topic};
use soorma_ports::{Directory, EventLogError, Standing};
use soorma_registry::{Config, Payloads};
use soorma_testkit::{Call, Fault, name, tenant};

use super::world::{LEASE, SWEEP, World, agent, definition, one, settle};

fn said(kinds: &[&str]) -> Vec<(String, String)> {
    kinds.iter().map(|kind| (format!("agent.{kind}"), "a".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn who_comes_goes_expires_and_returns_is_said_once_though_two_registries_see_it() {
    let world = World::new();
    let nodes = [world.node(Config::default()).await, world.node(Config::default()).await];
    nodes[0].register(agent("a", "worker", "web")).await;
    nodes[1].register(agent("a", "worker", "other")).await;
    nodes[0].registry.heartbeat(&one(), &name("a"), None).await.expect("heard");
    settle().await;
    assert_eq!(world.said().await, said(&["registered"]));
    tokio::time::sleep(LEASE + 2 * SWEEP).await;
    assert_eq!(world.said().await, said(&["registered", "expired"]));
    nodes[1].registry.heartbeat(&one(), &name("a"), None).await.expect("heard");
    tokio::time::sleep(LEASE + 2 * SWEEP).await;
    assert_eq!(world.said().await, said(&["registered", "expired", "returned", "expired"]));
    nodes[0].register(agent("a", "worker", "web")).await;
    assert_eq!(nodes[1].registry.deregister(&one(), &name("a")).await, Ok(true));
    assert_eq!(nodes[0].registry.deregister(&one(), &name("a")).await, Ok(false));
    tokio::time::sleep(LEASE + 2 * SWEEP).await;
    let all = ["registered", "expired", "returned", "expired", "returned", "deregistered"];
    assert_eq!(world.said().await, said(&all));
    for entry in world.announcements().await {
        assert_eq!((entry.tenant, entry.event.topic), (one(), Topic::SystemEvents));
        let data: serde_json::Value = entry.event.data.as_ref().expect("data").parse().expect("JSON");
        assert_eq!((&data["agent_id"], &data["name"]), (&"a".into(), &"worker".into()));
        assert!(data["last_heard"].is_string(), "{data}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_said_once_however_often_leases_crash_and_nodes_start_anew() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    for _ in 0..20 {
        tokio::time::sleep(SWEEP / 2).await;
        assert!(node.root.kill("registry/leases"));
    }
    assert_eq!(world.said().await, said(&["registered", "expired"]));
    node.root.stop().await.expect("it stops");
    let _anew = world.node(Config::default()).await;
    tokio::time::sleep(2 * SWEEP).await;
    assert_eq!(world.said().await, said(&["registered", "expired"]));
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_the_log_does_not_take_is_said_at_a_later_sweep() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    settle().await;
    world.log.fail_next_append(3, EventLogError::Unavailable("net".into()));
    tokio::time::sleep(LEASE + 2 * SWEEP + SWEEP / 2).await;
    assert_eq!(world.said().await, said(&["registered"]));
    tokio::time::sleep(SWEEP).await;
    assert_eq!(world.said().await, said(&["registered", "expired"]));
    assert_eq!(world.log.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_heard_while_its_expiry_is_being_said_has_a_new_lease() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    node.register(agent("a", "worker", "web")).await;
    settle().await;
    world.log.delay(1, Call::Append, SWEEP / 2);
    tokio::time::sleep(LEASE).await;
    assert_eq!(node.status("a").as_deref(), Some("expired"));
    assert_eq!(node.hear("a").await, Ok(true));
    tokio::time::sleep(SWEEP).await;
    assert_eq!(node.status("a").as_deref(), Some("ready"));
    tokio::time::sleep(LEASE + SWEEP).await;
    let mut kinds = world.said().await;
    // That it returned is on the bus before that it was away, which took longer.
    kinds.sort();
    assert_eq!(kinds, said(&["expired", "expired", "registered", "returned"]));
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_said_before_does_not_expire_when_it_says_something_else() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    for n in 0..10 {
        node.register(agent("a", "worker", &format!("web{n}"))).await;
        tokio::time::sleep(LEASE / 2).await;
    }
    assert_eq!(world.said().await, said(&["registered"]));
    tokio::time::sleep(LEASE + SWEEP).await;
    assert_eq!(world.said().await, said(&["registered", "expired"]));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_slow_or_away_holds_up_no_registration() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    world.log.delay(1, Call::Append, Duration::from_secs(3_600));
    world.log.on(Call::Append, Fault::Fail(EventLogError::Unavailable("net".into())));
    let started = tokio::time::Instant::now();
    for n in 0..3_000 {
        let id = format!("a{n}");
        node.register(agent(&id, "worker", "web")).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_tenant_has_forbidden_to_be_said_is_not_tried_for_ever_and_harms_no_other() {
    let world = World::new();
    let config = Config { payloads: Payloads::Enforce, ..Config::default() };
    let node = world.node(config).await;
    world.bus.checked_by(node.registry.clone());
    let mut forbidden = definition("agent.expired", Topic::SystemEvents);
    let schema = r#"{"properties":{"agent_id":{"const":"loud"}}}"#;
    forbidden.payload_schema = Some(Data::from_json(schema).expect("an object"));
    node.registry.define_event(&one(), forbidden).await.expect("defined");
    for id in ["quiet", "loud"] {
        node.register(agent(id, "worker", "web")).await;
        let elsewhere = agent(id, "worker", "web");
        node.registry.register(&tenant("two"), elsewhere, Standing::READY).await.expect("registered");
    }
    tokio::time::sleep(LEASE + 10 * SWEEP).await;
    let mut expired: Vec<_> = world.announcements().await;
    expired.retain(|entry| entry.event.kind == "agent.expired");
    let mut expired: Vec<_> = expired
        .iter()
        .map(|entry| (entry.tenant.to_string(), entry.event.subject.clone().unwrap_or_default()))
        .collect();
    expired.sort();
    let pair = |tenant: &str, id: &str| (tenant.to_owned(), id.to_owned());
    assert_eq!(expired, [pair("one", "loud"), pair("two", "loud"), pair("two", "quiet")]);
    let tries = node.registry.payload_faults();
    tokio::time::sleep(10 * SWEEP).await;
    assert_eq!(node.registry.payload_faults(), tries);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_where_nothing_is_to_be_said() {
    let world = World::new();
    let node = world.node(Config { announce: false, forget_after: SWEEP, ..Config::default() }).await;
    node.register(agent("a", "worker", "web")).await;
    tokio::time::sleep(LEASE / 2).await;
    node.register(agent("b", "worker", "web")).await;
    tokio::time::sleep(LEASE / 2 + SWEEP / 2).await;
    assert_eq!(node.status("a").as_deref(), Some("expired"));
    tokio::time::sleep(3 * SWEEP).await;
    assert_eq!((node.status("a"), node.status("b")), (None, Some("expired".into())));
    assert_eq!(world.said().await, []);
}
