//! A store without room says so, loses nothing, goes on settling, and works again when there is room.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::{Data, Event, Position, Topic};
use soorma_ports::{ConsumerSpec, Delivery, EventLog, EventLogError, Reach, Settle, Start};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{event, name, tenant};
use tokio::task::JoinSet;

use super::world::World;

const TOPIC: Topic = Topic::BillingEvents;
const HOUR: Duration = Duration::from_secs(3_600);

fn small() -> SqliteLogConfig {
    SqliteLogConfig { max_bytes: Some(1_024 * 1_024), retain_for: HOUR, ..SqliteLogConfig::default() }
}

fn large_event(id: &str) -> Arc<Event> {
    let mut event = event(id, TOPIC);
    event.data = Some(Data::from_value(&serde_json::json!({ "filler": "x".repeat(2_000) })).unwrap());
    Arc::new(event)
}

/// Appends until there is no room; returns the ids that were answered.
async fn fill(log: &SqliteLog, make: impl Fn(&str) -> Arc<Event>) -> Vec<String> {
    let mut answered = Vec::new();
    loop {
        let event = make(&format!("e{}", answered.len()));
        match log.append(&tenant("acme"), vec![event.clone()]).await {
            Ok(_) => answered.push(event.id.to_string()),
            Err(error) => {
                assert!(matches!(error, EventLogError::Full(_)), "{error}");
                return answered;
            }
        }
    }
}

async fn read(log: &SqliteLog) -> Vec<String> {
    let after = log.bounds(TOPIC).await.unwrap().before_first;
    let page = log.read(&Reach::Platform, TOPIC, after, 10_000).await.unwrap();
    page.entries.iter().map(|entry| entry.event.id.to_string()).collect()
}

fn spec() -> ConsumerSpec {
    ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: HOUR,
        max_attempts: 3,
        max_unsettled: 10_000,
        key: None,
        expire_after: None,
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole_and_what_was_answered_stays() {
    let world = World::new(small());
    let answered = fill(&world.log, large_event).await;
    assert!(answered.len() > 100, "{} events fit into a megabyte", answered.len());
    let batch = (0..10).map(|nth| large_event(&format!("batch-{nth}"))).collect();
    let refused = world.log.append(&tenant("acme"), batch).await;
    assert!(matches!(refused, Err(EventLogError::Full(_))), "{refused:?}");
    assert!(matches!(world.log.check().await, Err(EventLogError::Full(_))));
    assert_eq!(read(&world.log).await, answered);
    let last = Position(u64::try_from(answered.len()).unwrap());
    assert_eq!(world.log.bounds(TOPIC).await.unwrap().head, last, "no place was given to what was refused");
    let world = world.reopen().await;
    assert_eq!(read(&world.log).await, answered);
    let size = std::fs::metadata(world.path()).unwrap().len();
    assert!(size <= 1_024 * 1_024, "{size} bytes");
}

#[tokio::test]
async fn one_that_does_not_fit_does_not_spoil_its_neighbours() {
    let world = World::new(small());
    let mut huge = event("huge", TOPIC);
    huge.data = Some(Data::from_value(&serde_json::json!({ "filler": "x".repeat(2_000_000) })).unwrap());
    let huge = Arc::new(huge);
    // The writer cannot begin until all are sent, so they stand in one batch.
    let meanwhile = Connection::open(world.path()).unwrap();
    meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut appends = JoinSet::new();
    for nth in 0..40 {
        let (log, huge) = (world.log.clone(), huge.clone());
        appends.spawn(async move {
            let (id, event) = if nth % 10 == 3 {
                ("huge".into(), huge)
            } else {
                (format!("e{nth}"), large_event(&format!("e{nth}")))
            };
            (id, log.append(&tenant("acme"), vec![event]).await)
        });
    }
    tokio::task::yield_now().await;
    meanwhile.execute_batch("ROLLBACK").unwrap();
    for (id, answer) in appends.join_all().await {
        if id == "huge" {
            assert!(matches!(answer, Err(EventLogError::Full(_))), "{answer:?}");
        } else {
            assert!(answer.is_ok(), "{id}: {answer:?}");
        }
    }
    assert_eq!(read(&world.log).await.len(), 36);
    assert_eq!(
        world.log.bounds(TOPIC).await.unwrap().head,
        Position(36),
        "no place was given to what was undone"
    );
    assert_eq!(world.log.check().await, Ok(()), "there is room for what is not huge");
}

#[tokio::test]
async fn groups_go_on_in_a_full_store() {
    let world = World::new(small());
    let member = world.log.consumer(spec()).await.unwrap();
    let mut answered = fill(&world.log, large_event).await;
    // To the last page.
    answered.extend(fill(&world.log, |id| Arc::new(event(&format!("small-{id}"), TOPIC))).await);
    let in_hand = member.next(10_000, Duration::ZERO).await.unwrap();
    let ids: Vec<_> = in_hand.iter().map(|delivery| delivery.event.id.to_string()).collect();
    assert_eq!(ids, answered);
    let half = in_hand.len() / 2;
    let reject = || Settle::Reject { cause: "x".repeat(100) };
    let settlements = in_hand
        .iter()
        .enumerate()
        .map(|(nth, one)| (one.id, if nth < half { Settle::Ack } else { reject() }));
    let settlements: Vec<_> = settlements.collect();
    assert!(member.settle(settlements[..half + 10].to_vec()).await.unwrap().iter().all(|counted| *counted));
}

#[tokio::test]
async fn it_works_again_by_itself_once_there_is_room() {
    let world = World::new(small());
    let answered = fill(&world.log, large_event).await;
    assert!(matches!(world.log.check().await, Err(EventLogError::Full(_))));
    world.elapse(HOUR * 2).await;
    // The next piece of work finds that the events are too old by now.
    assert_eq!(world.log.check().await, Ok(()));
    let head = world.log.append(&tenant("acme"), vec![large_event("new")]).await.unwrap()[0].position;
    assert_eq!(read(&world.log).await, ["new"]);
    assert_eq!(head, Position(u64::try_from(answered.len() + 1).unwrap()), "it goes on where it stood");
}

#[tokio::test]
async fn it_works_again_when_it_may_grow() {
    let mut world = World::new(small());
    let answered = fill(&world.log, large_event).await;
    world.config.max_bytes = None;
    let world = world.reopen().await;
    world.log.append(&tenant("acme"), vec![large_event("new")]).await.unwrap();
    assert_eq!(read(&world.log).await.len(), answered.len() + 1);
    assert_eq!(
        world.log.bounds(TOPIC).await.unwrap().head,
        Position(u64::try_from(answered.len() + 1).unwrap())
    );
    assert_eq!(world.log.check().await, Ok(()));
}

/// Sends so many appends that do not fit that they stand in one batch with what the others ask; returns what those were answered.
async fn in_one_batch<T: Send + 'static>(
    world: &World,
    count: usize,
    others: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let meanwhile = Connection::open(world.path()).unwrap();
    meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut tasks = JoinSet::new();
    for other in others {
        tasks.spawn(other);
    }
    let mut appends = JoinSet::new();
    for nth in 0..count {
        let log = world.log.clone();
        let batch = vec![large_event(&format!("refused-{nth}"))];
        appends.spawn(async move { log.append(&tenant("acme"), batch).await });
    }
    tokio::task::yield_now().await;
    meanwhile.execute_batch("ROLLBACK").unwrap();
    for answer in appends.join_all().await {
        assert!(matches!(answer, Err(EventLogError::Full(_))), "{answer:?}");
    }
    tasks.join_all().await
}

#[tokio::test]
async fn what_is_asked_beside_appends_that_do_not_fit_is_done() {
    let world = World::new(small());
    let member = world.log.consumer(spec()).await.unwrap();
    let mut answered = fill(&world.log, large_event).await;
    let held = member.next(10, Duration::ZERO).await.unwrap();
    let mut head = world.log.bounds(TOPIC).await.unwrap().head;
    // The first of it finds out that the store is full, the second knows it.
    for (nth, held) in held.iter().enumerate().take(2) {
        let (member, id) = (member.clone(), held.id);
        let group = async move {
            let next = member.next(1, Duration::ZERO).await.unwrap();
            assert_eq!(member.settle(vec![(id, Settle::Ack)]).await, Ok(vec![true]));
            next.into_iter().map(|delivery: Delivery| delivery.event.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(in_one_batch(&world, 20, vec![group]).await, [[answered[10 + nth].clone()]]);
        // One that is small may fit where large ones did not.
        let event = Arc::new(event(&format!("small-{nth}"), TOPIC));
        let log = world.log.clone();
        let append = async move { log.append(&tenant("acme"), vec![event]).await.unwrap()[0].position };
        head = Position(head.0 + 1);
        assert_eq!(in_one_batch(&world, 20, vec![append]).await, [head], "no place was given to others");
        answered.push(format!("small-{nth}"));
        assert_eq!(read(&world.log).await, answered);
    }
    let world = world.reopen().await;
    assert_eq!(read(&world.log).await, answered);
}

#[tokio::test]
async fn what_is_known_of_groups_is_not_read_anew_for_appends_that_do_not_fit() {
    let world = World::new(small());
    let spec = ConsumerSpec { expire_after: Some(Duration::from_secs(400)), ..spec() };
    let _member = world.log.consumer(spec).await.unwrap();
    fill(&world.log, large_event).await;
    world.elapse(Duration::from_secs(100)).await;
    in_one_batch(&world, 20, Vec::<std::future::Ready<()>>::new()).await;
    world.elapse(Duration::from_secs(310)).await;
    // Who reads a group anew has to take it for used as late as it can have been.
    assert_eq!(world.log.expire_groups().await.unwrap().len(), 1);
}
