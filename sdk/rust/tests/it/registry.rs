//! The registry over HTTP: all in the file, and on servers with two nodes.

use std::time::Duration;

use soorma::api::registry::{
    AgentItem, AgentQuery, CapabilityItem, EventItem, EventQuery, Heartbeat, NewAgent, SchemaItem,
};
use soorma::config::Payloads;
use soorma::{AgentStatus, Client, Data, Error, ErrorCode, Topic};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::time::Instant;

use super::world::{PATIENCE, World, event, next, on_all, open, watcher};

on_all!(
    what_is_registered_is_found_and_is_there_after_a_restart,
    an_agent_that_is_silent_expires_is_told_of_once_and_comes_back_when_it_is_heard,
    a_payload_that_does_not_fit_is_refused_with_the_path_and_the_rule,
);

fn agent(id: &str, capability: &str) -> NewAgent {
    let asks = EventItem::new(format!("{capability}.requested"), Topic::ActionRequests, "asks for it");
    let agent = AgentItem {
        agent_id: id.to_owned(),
        name: format!("{id}:1.0.0"),
        description: "does what it can".to_owned(),
        capabilities: vec![CapabilityItem {
            task_name: capability.to_owned(),
            description: "does it".to_owned(),
            consumed_event: asks,
            produced_events: Vec::new(),
        }],
        ..AgentItem::default()
    };
    NewAgent { agent, ..NewAgent::default() }
}

fn schema(name: &str, version: &str, text: &str) -> SchemaItem {
    SchemaItem {
        schema_name: name.to_owned(),
        version: version.to_owned(),
        json_schema: Data::from_json(text).unwrap(),
        description: None,
        owner_agent_id: None,
        created_at: None,
        updated_at: None,
    }
}

async fn status(client: &Client, id: &str) -> Result<AgentStatus, Error> {
    client.agent(id).await.map(|agent| agent.state.status)
}

async fn found(client: &Client, capability: &str) -> Vec<String> {
    let query = AgentQuery { capability: Some(capability.to_owned()), ..AgentQuery::default() };
    client.discover(&query).await.unwrap().into_iter().map(|agent| agent.agent_id).collect()
}

/// Waits until something is so, and returns how long that took.
async fn until(what: &str, is: impl AsyncFn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    begun.elapsed()
}

async fn what_is_registered_is_found_and_is_there_after_a_restart(world: World) {
    let mut world = world.start().await;
    let client = world.client();
    client.register_agent(agent("a", "translate")).await.unwrap();
    client.register_agent(agent("b", "translate")).await.unwrap();
    client.register_agent(agent("c", "sum")).await.unwrap();
    client.define_event(EventItem::new("translate.requested", Topic::ActionRequests, "asks")).await.unwrap();
    client.put_schema(schema("text", "1", r#"{"type":"object","maxProperties":3}"#)).await.unwrap();
    let again = client.put_schema(schema("text", "1", r#"{"type":"object"}"#)).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::AlreadyExists);
    for _ in 0..2 {
        let client = world.client();
        assert_eq!(found(&client, "translate").await, ["a", "b"]);
        assert_eq!(found(&client, "sum").await, ["c"]);
        assert_eq!(client.event("translate.requested").await.unwrap().description, "asks");
        let kept = client.schema("text", None).await.unwrap();
        assert_eq!(kept.json_schema.as_str(), r#"{"type":"object","maxProperties":3}"#);
        world.restart().await;
    }
    let client = world.client();
    client.deregister("a").await.unwrap();
    assert_eq!(found(&client, "translate").await, ["b"]);
    assert_eq!(client.deregister("a").await.unwrap_err().code, ErrorCode::NotFound);
    world.stop().await;
}

async fn an_agent_that_is_silent_expires_is_told_of_once_and_comes_back_when_it_is_heard(world: World) {
    let short = |config: &mut soorma::config::Config| {
        config.registry.lease = Duration::from_secs(1);
        config.registry.sweep_every = Duration::from_millis(100);
    };
    let world = world.with(short).start().await;
    let client = world.client();
    let mut told = open(&client, &watcher(Topic::SystemEvents)).await;
    client.register_agent(agent("a", "translate")).await.unwrap();
    assert_eq!(next(&mut told).await.kind, "agent.registered");
    until("a is gone", async || found(&client, "translate").await.is_empty()).await;
    assert_eq!(status(&client, "a").await, Ok(AgentStatus::Expired));
    let expired = next(&mut told).await;
    assert_eq!((expired.kind.as_str(), expired.subject.as_deref()), ("agent.expired", Some("a")));
    let tired = Heartbeat { status: Some(AgentStatus::Degraded), reason: Some("was away".to_owned()) };
    client.heartbeat("a", &tired).await.unwrap();
    let back = client.agent("a").await.unwrap().state;
    assert_eq!((back.status, back.reason.as_deref()), (AgentStatus::Degraded, Some("was away")));
    assert_eq!(found(&client, "translate").await, ["a"]);
    assert_eq!(next(&mut told).await.kind, "agent.returned");
    assert_eq!(client.heartbeat("nobody", &tired).await.unwrap_err().code, ErrorCode::NotFound);
    world.stop().await;
}

async fn a_payload_that_does_not_fit_is_refused_with_the_path_and_the_rule(world: World) {
    let world = world.with(|config| config.registry.payloads = Payloads::Enforce).start().await;
    let client = world.client();
    client
        .put_schema(schema("work", "1", r#"{"properties":{"n":{"type":"integer"}},"required":["n"]}"#))
        .await
        .unwrap();
    let mut definition = EventItem::new("work.requested", Topic::ActionRequests, "asks for work");
    definition.payload_schema_name = Some("work".to_owned());
    client.define_event(definition).await.unwrap();
    let refused = client.publish(&event("e1", Topic::ActionRequests)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    assert!(refused.message.contains("work@1") && refused.message.contains("required"), "{refused}");
    let mut fits = event("e2", Topic::ActionRequests);
    fits.data = Some(Data::from_json(r#"{"n":1}"#).unwrap());
    client.publish(&fits).await.unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_database_agree_within_a_second_of_each_change() {
    let one = World::servers().start().await;
    let other = one.beside().start().await;
    let (here, there) = (one.client(), other.client());
    let mut longest = Duration::ZERO;
    for n in 0..20 {
        let (id, skill) = (format!("agent-{n}"), format!("skill-{n}"));
        let (here, there) = if n % 2 == 0 { (&here, &there) } else { (&there, &here) };
        here.register_agent(agent(&id, &skill)).await.unwrap();
        assert_eq!(found(here, &skill).await, [id.as_str()], "who was answered reads it");
        longest =
            longest.max(until("registered", async || found(there, &skill).await == [id.as_str()]).await);
        let tired = Heartbeat { status: Some(AgentStatus::Degraded), reason: Some("slow".to_owned()) };
        there.heartbeat(&id, &tired).await.unwrap();
        let degraded = async || status(here, &id).await == Ok(AgentStatus::Degraded);
        longest = longest.max(until("degraded", degraded).await);
        here.define_event(EventItem::new(&skill, Topic::BusinessFacts, "means it")).await.unwrap();
        let query = EventQuery { event_name: Some(skill.clone()), ..EventQuery::default() };
        let defined = async || there.events(&query).await.unwrap().count == 1;
        longest = longest.max(until("defined", defined).await);
        there.put_schema(schema(&skill, "1", "{}")).await.unwrap();
        longest = longest.max(until("schema", async || here.schema(&skill, None).await.is_ok()).await);
        there.deregister(&id).await.unwrap();
        longest = longest.max(until("gone", async || here.agent(&id).await.is_err()).await);
    }
    println!("the longest that one node was behind the other: {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    other.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_tell_of_one_expiry_once() {
    let short = |config: &mut soorma::config::Config| {
        config.registry.lease = Duration::from_millis(1_000);
        config.registry.sweep_every = Duration::from_millis(100);
    };
    let one = World::servers().with(short).start().await;
    let other = one.beside().start().await;
    let mut told = open(&other.client(), &watcher(Topic::SystemEvents)).await;
    one.client().register_agent(agent("a", "translate")).await.unwrap();
    assert_eq!(next(&mut told).await.kind, "agent.registered");
    assert_eq!(next(&mut told).await.kind, "agent.expired");
    // Until the next one has come and expired, both have looked again and again.
    for id in ["b", "c"] {
        other.client().register_agent(agent(id, "translate")).await.unwrap();
        for kind in ["agent.registered", "agent.expired"] {
            let after = next(&mut told).await;
            assert_eq!((after.kind.as_str(), after.subject.as_deref()), (kind, Some(id)));
        }
    }
    other.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_reads_go_on_and_writes_say_when_to_come_back() {
    let mut server = PostgresServer::start(&["fsync=on"]);
    let database = PostgresDatabase::on(&server.url());
    let url = database.url().to_owned();
    let world = World::embedded().with(|config| config.postgres.url = url).start().await;
    let client = world.client();
    client.register_agent(agent("a", "translate")).await.unwrap();
    server.kill();
    assert_eq!(found(&client, "translate").await, ["a"]);
    let refused = client.register_agent(agent("b", "translate")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable, "{refused}");
    assert!(refused.retry_after.is_some(), "{refused:?}");
    // Events do not need it.
    client.publish(&event("e1", Topic::BusinessFacts)).await.unwrap();
    server.restart();
    until("writes go on", async || client.register_agent(agent("b", "translate")).await.is_ok()).await;
    assert_eq!(found(&client, "translate").await, ["a", "b"]);
    world.stop().await;
    drop(database);
}
