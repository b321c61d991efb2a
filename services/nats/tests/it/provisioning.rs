//! The streams on the server.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, StorageType};
use soorma_core::Topic;
use soorma_nats::{NatsLog, NatsLogConfig, Retention};
use soorma_ports::{ConsumerSpec, EventLog, EventLogError, Start};
use soorma_testkit::{event, name, tenant};

use super::world::{World, config};

fn stream(world: &World, name: &str) -> String {
    format!("{}-{name}", world.config.prefix)
}

async fn settings(jetstream: &jetstream::Context, name: String) -> Config {
    jetstream.get_stream(name).await.unwrap().cached_info().config.clone()
}

async fn reopened(world: &World, config: NatsLogConfig) -> Result<(), EventLogError> {
    NatsLog::open(&NatsLogConfig { prefix: world.config.prefix.clone(), ..config }, world.clock.clone())
        .await
        .map(drop)
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    let world = World::new(config()).await;
    let jetstream = world.jetstream().await;
    for name in ["task-events", "groups", "calls"] {
        let before = settings(&jetstream, stream(&world, name)).await;
        reopened(&world, world.config.clone()).await.unwrap();
        assert_eq!(settings(&jetstream, stream(&world, name)).await, before);
    }
}

#[tokio::test]
async fn what_is_set_otherwise_is_brought_up_to_date_and_what_others_have_set_stays() {
    let world = World::new(config()).await;
    let jetstream = world.jetstream().await;
    let task_events = stream(&world, "task-events");
    let mut theirs = settings(&jetstream, task_events.clone()).await;
    theirs.description = Some("looked after by the operators".into());
    jetstream.update_stream(&theirs).await.unwrap();
    let retain = Retention { age: Duration::from_secs(60), events: Some(10), bytes: Some(1 << 20) };
    let retain_of = [(Topic::TaskEvents, retain)].into();
    reopened(&world, NatsLogConfig { retain_of, ..world.config.clone() }).await.unwrap();
    let ours = settings(&jetstream, task_events).await;
    assert_eq!((ours.max_age, ours.max_messages, ours.max_bytes), (Duration::from_secs(60), 10, 1 << 20));
    assert_eq!(ours.description.as_deref(), Some("looked after by the operators"));
    let other = settings(&jetstream, stream(&world, "plan-events")).await;
    assert_eq!(other.max_age, Retention::default().age, "only of the topic that differs");
}

#[tokio::test]
async fn calls_are_kept_for_less_than_any_of_their_events() {
    let world = World::new(config()).await;
    let jetstream = world.jetstream().await;
    let kept = async || settings(&jetstream, stream(&world, "calls")).await.max_age;
    assert_eq!(kept().await, Duration::from_secs(42 * 3_600));
    for (age, expected) in [(60, 15), (0, 72 * 3_600)] {
        let retain = Retention { age: Duration::from_secs(age), ..Retention::default() };
        let retain_of = [(Topic::TaskEvents, retain.clone())].into();
        // All of them, where nothing is dropped because it is old.
        let retain = if age == 0 { retain } else { Retention::default() };
        let changed = NatsLogConfig { retain, retain_of, ..world.config.clone() };
        for _ in 0..2 {
            reopened(&world, changed.clone()).await.unwrap();
            assert_eq!(kept().await, Duration::from_secs(expected));
        }
    }
}

#[tokio::test]
async fn a_stream_in_memory_is_refused_by_name() {
    let config = config();
    let jetstream = jetstream::new(async_nats::connect(&config.servers[0]).await.unwrap());
    let name = format!("{}-task-events", config.prefix);
    let subjects = vec![format!("{}.events.task-events.*.*", config.prefix)];
    let theirs = Config { name: name.clone(), subjects, storage: StorageType::Memory, ..Config::default() };
    jetstream.create_stream(theirs).await.unwrap();
    let error =
        NatsLog::open(&config, std::sync::Arc::new(soorma_testkit::TestClock::new())).await.unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(error, EventLogError::Invalid(_)) && said.contains(&name) && said.contains("memory"),
        "{said}"
    );
}

#[tokio::test]
async fn what_the_server_does_not_take_is_refused_in_its_words() {
    let world = World::new(config()).await;
    // One server has no three replicas.
    let error = reopened(&world, NatsLogConfig { replicas: 3, ..world.config.clone() }).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, EventLogError::Invalid(_)) && said.contains("replicas"), "{said}");
    // Subjects that another stream has.
    let config = config();
    let jetstream = world.jetstream().await;
    let subjects = vec![format!("{}.>", config.prefix)];
    let theirs = Config { name: format!("{}-other", config.prefix), subjects, ..Config::default() };
    jetstream.create_stream(theirs).await.unwrap();
    let error = NatsLog::open(&config, world.clock.clone()).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, EventLogError::Invalid(_)) && said.contains("overlap"), "{said}");
}

#[tokio::test]
async fn neither_followers_nor_groups_make_consumers_on_the_server() {
    let world = World::new(config()).await;
    let mut followers = Vec::new();
    for _ in 0..1_000 {
        followers.push(world.log.follow(Topic::TaskEvents, soorma_core::Position(0)).await.unwrap());
    }
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [Topic::TaskEvents].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(60),
        max_attempts: 3,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    };
    let member = world.log.consumer(spec).await.unwrap();
    world.log.append(&tenant("acme"), vec![event("a", Topic::TaskEvents).into()]).await.unwrap();
    for follower in &mut followers {
        assert_eq!(follower.next().await.unwrap().len(), 1);
    }
    assert_eq!(member.next(10, Duration::ZERO).await.unwrap().len(), 1);
    let jetstream = world.jetstream().await;
    for name in ["task-events", "groups"] {
        let stream = jetstream.get_stream(stream(&world, name)).await.unwrap();
        assert_eq!(stream.cached_info().state.consumer_count, 0);
    }
}
