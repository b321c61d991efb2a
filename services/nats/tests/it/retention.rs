//! What the server drops by itself.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Event, Position, Topic};
use soorma_nats::{NatsLogConfig, Retention};
use soorma_ports::{ConsumerSpec, EventLog, EventLogError, Reach, Settle, Start};
use soorma_testkit::{event, name, tenant};

use super::world::{World, config};

const TOPIC: Topic = Topic::TaskEvents;

async fn append(world: &World, ids: std::ops::Range<usize>) -> Position {
    let batch: Vec<Arc<Event>> = ids.map(|nth| Arc::new(event(&format!("e{nth}"), TOPIC))).collect();
    world.log.append(&tenant("acme"), batch).await.unwrap().last().unwrap().position
}

async fn ids(world: &World) -> Vec<String> {
    let after = world.log.bounds(TOPIC).await.unwrap().before_first;
    let page = world.log.read(&Reach::Tenant(tenant("acme")), TOPIC, after, 10_000).await.unwrap();
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

fn keeping(retain: Retention) -> NatsLogConfig {
    NatsLogConfig { retain, ..config() }
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_head_stays() {
    let world =
        World::new(keeping(Retention { age: Duration::from_secs(1), events: None, bytes: None })).await;
    let last = append(&world, 0..5).await;
    // The server's clock cannot be moved, so the test asks until its second is over.
    while world.log.bounds(TOPIC).await.unwrap().before_first < last {
        tokio::task::yield_now().await;
    }
    let bounds = world.log.bounds(TOPIC).await.unwrap();
    assert_eq!((bounds.before_first, bounds.head), (last, last));
    let gone = world.log.read(&Reach::Platform, TOPIC, Position(0), 1).await;
    assert_eq!(gone, Err(EventLogError::Gone { topic: TOPIC, after: Position(0), before_first: last }));
    let again = append(&world, 0..1).await;
    assert!(again > last, "an id that is gone is taken again, at a new place");
}

#[tokio::test]
async fn at_most_so_many_events_of_a_topic_are_kept() {
    let world = World::new(keeping(Retention { events: Some(100), ..Retention::default() })).await;
    append(&world, 0..900).await;
    append(&world, 900..1_000).await;
    world.log.append(&tenant("acme"), vec![Arc::new(event("other", Topic::PlanEvents))]).await.unwrap();
    let expected: Vec<_> = (900..1_000).map(|nth| format!("e{nth}")).collect();
    assert_eq!(ids(&world).await, expected);
}

#[tokio::test]
async fn at_most_so_many_bytes_of_a_topic_are_kept() {
    let world = World::new(keeping(Retention { bytes: Some(100_000), ..Retention::default() })).await;
    for thousand in 0..3 {
        append(&world, thousand * 1_000..(thousand + 1) * 1_000).await;
    }
    let kept = ids(&world).await;
    assert!(!kept.is_empty() && kept.len() < 1_000, "{} are kept", kept.len());
    assert_eq!(kept.last().unwrap(), "e2999", "the oldest go first");
}

#[tokio::test]
async fn a_follower_that_retention_has_passed_is_told_so() {
    let world = World::new(config()).await;
    let mut follower = world.log.follow(TOPIC, Position(0)).await.unwrap();
    let last = append(&world, 0..5).await;
    world.retention_passes().await;
    append(&world, 5..6).await;
    let gone = EventLogError::Gone { topic: TOPIC, after: Position(0), before_first: last };
    assert_eq!(follower.next().await, Err(gone));
}

/// The log that holds it has the event in memory; one that has to read it again has nothing to read.
#[tokio::test]
async fn a_group_goes_on_without_an_open_event_that_is_gone() {
    let world = World::new(config()).await;
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(60),
        max_attempts: 3,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    };
    let member = world.log.consumer(spec.clone()).await.unwrap();
    append(&world, 0..2).await;
    let in_hand = member.next(2, Duration::ZERO).await.unwrap();
    world.retention_passes().await;
    append(&world, 2..3).await;
    let retry = Settle::Retry { after: Duration::ZERO, cause: "again".into() };
    assert_eq!(member.settle(vec![(in_hand[0].id, retry)]).await.unwrap(), [true]);
    let again = member.next(1, Duration::ZERO).await.unwrap();
    assert_eq!(again[0].event.id.as_str(), "e0", "it is still in memory");
    drop(member);
    let world = world.reopen().await;
    let member = world.log.consumer(spec).await.unwrap();
    world.elapse(Duration::from_secs(61)).await;
    let rest = member.next(10, Duration::ZERO).await.unwrap();
    let rest: Vec<_> = rest.iter().map(|delivery| delivery.event.id.as_str()).collect();
    assert_eq!(rest, ["e2"]);
}
