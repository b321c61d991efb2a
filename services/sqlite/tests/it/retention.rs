//! What is too old or too much goes, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::{Event, Position, Topic};
use soorma_ports::{ConsumerSpec, EventLog, EventLogError, Reach, Settle, Start};
use soorma_sqlite::{Retention, SqliteLog, SqliteLogConfig};
use soorma_testkit::{event, name, tenant};

use super::world::World;

const TOPIC: Topic = Topic::TaskEvents;
const HOUR: Duration = Duration::from_secs(3_600);

async fn append(log: &SqliteLog, ids: std::ops::Range<usize>) -> Position {
    let batch: Vec<Arc<Event>> = ids.map(|nth| Arc::new(event(&format!("e{nth}"), TOPIC))).collect();
    log.append(&tenant("acme"), batch).await.unwrap().last().unwrap().position
}

async fn ids(log: &SqliteLog) -> Vec<String> {
    let after = log.bounds(TOPIC).await.unwrap().before_first;
    let page = log.read(&Reach::Tenant(tenant("acme")), TOPIC, after, 10_000).await.unwrap();
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

fn rows(world: &World) -> i64 {
    let connection = Connection::open(world.path()).unwrap();
    connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

fn spec() -> ConsumerSpec {
    ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: HOUR * 100,
        max_attempts: 3,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    }
}

#[tokio::test]
async fn at_most_so_many_events_of_a_topic_are_kept() {
    let world = World::new(SqliteLogConfig { retain_events: 100, ..SqliteLogConfig::default() });
    append(&world.log, 0..1_500).await;
    world.log.append(&tenant("acme"), vec![Arc::new(event("other", Topic::PlanEvents))]).await.unwrap();
    // More than one slice: it goes on with the pieces of work that follow.
    world.elapse(HOUR).await;
    for _ in 0..4 {
        world.log.check().await.unwrap();
    }
    let expected: Vec<_> = (1_400..1_500).map(|nth| format!("e{nth}")).collect();
    assert_eq!(ids(&world.log).await, expected);
    assert_eq!(rows(&world), 101, "the other topic has its own count");
    let world = world.reopen().await;
    append(&world.log, 1_500..1_510).await;
    world.elapse(HOUR).await;
    world.log.check().await.unwrap();
    assert_eq!(ids(&world.log).await.len(), 100, "the count survives");
}

#[tokio::test]
async fn it_is_looked_for_at_most_once_a_minute() {
    let world = World::new(SqliteLogConfig { retain_events: 10, ..SqliteLogConfig::default() });
    world.log.check().await.unwrap();
    append(&world.log, 0..20).await;
    world.elapse(Duration::from_secs(30)).await;
    world.log.check().await.unwrap();
    assert_eq!(ids(&world.log).await.len(), 20);
    world.elapse(Duration::from_secs(40)).await;
    world.log.check().await.unwrap();
    assert_eq!(ids(&world.log).await.len(), 10);
}

#[tokio::test]
async fn the_head_never_goes_back_when_all_is_gone() {
    let world = World::new(SqliteLogConfig { retain_for: HOUR, ..SqliteLogConfig::default() });
    let last = append(&world.log, 0..10).await;
    world.elapse(HOUR * 2).await;
    world.log.check().await.unwrap();
    let bounds = world.log.bounds(TOPIC).await.unwrap();
    assert_eq!((bounds.before_first, bounds.head), (last, last));
    let world = world.reopen().await;
    assert_eq!(world.log.bounds(TOPIC).await.unwrap(), bounds);
    assert_eq!(world.log.read(&Reach::Platform, TOPIC, last, 10).await.unwrap().next, last);
    assert!(append(&world.log, 10..11).await > last);
}

#[tokio::test]
async fn what_a_group_has_open_is_kept_until_it_is_settled() {
    let world = World::new(SqliteLogConfig { retain_for: HOUR, ..SqliteLogConfig::default() });
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world.log, 0..20).await;
    let in_hand = member.next(2, Duration::ZERO).await.unwrap();
    let retry = Settle::Retry { after: HOUR * 5, cause: "later".into() };
    assert_eq!(member.settle(vec![(in_hand[0].id, retry)]).await.unwrap(), [true]);
    world.elapse(HOUR * 6).await;
    append(&world.log, 20..21).await;
    let first = in_hand[0].id.position;
    let gone = world.log.read(&Reach::Platform, TOPIC, Position(0), 1).await;
    assert!(matches!(gone, Err(EventLogError::Gone { .. })), "readers do not see it any more");
    assert_eq!(rows(&world), 3, "the two that are open, and the new one");

    let again = member.next(10, Duration::ZERO).await.unwrap();
    let again: Vec<_> =
        again.iter().map(|delivery| (delivery.id.position >= first, delivery.event.id.as_str())).collect();
    assert_eq!(again, [(true, "e0"), (true, "e20")], "what it had not seen yet is gone for it, too");
    for delivery in &in_hand {
        assert_eq!(member.settle(vec![(delivery.id, Settle::Ack)]).await.unwrap(), [true]);
    }
    world.elapse(HOUR * 2).await;
    world.log.check().await.unwrap();
    world.elapse(HOUR).await;
    world.log.check().await.unwrap();
    assert_eq!(rows(&world), 1, "only what is in hand");
}

#[tokio::test]
async fn a_topic_may_keep_more_or_less_than_the_others() {
    let other = Topic::BillingEvents;
    let world = World::new(SqliteLogConfig {
        retain_for: HOUR,
        retain_events: 5,
        retain_of: [(TOPIC, Retention { age: HOUR * 5, events: 50 })].into(),
        ..SqliteLogConfig::default()
    });
    append(&world.log, 0..60).await;
    let batch = (0..60).map(|nth| Arc::new(event(&format!("o{nth}"), other)));
    world.log.append(&tenant("acme"), batch.collect()).await.unwrap();
    let kept = async |world: &World| {
        world.log.check().await.unwrap();
        let after = world.log.bounds(other).await.unwrap().before_first;
        let others = world.log.read(&Reach::Platform, other, after, 100).await.unwrap().entries.len();
        (ids(&world.log).await.len(), others)
    };
    world.elapse(HOUR / 2).await;
    assert_eq!(kept(&world).await, (50, 5), "each by its own count");
    world.elapse(HOUR).await;
    assert_eq!(kept(&world).await, (50, 0), "each by its own age");
    let world = world.reopen().await;
    world.elapse(HOUR * 4).await;
    assert_eq!(kept(&world).await, (0, 0));
}
