//! Which files are opened, and what becomes of a log that is closed.

use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::{Position, Topic};
use soorma_ports::{ConsumerSpec, EventLog, EventLogError, Reach, Start};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{TestClock, event, name, tenant};
use tempfile::TempDir;

use super::world::World;

const TOPIC: Topic = Topic::PlanEvents;

fn open(path: &Path) -> Result<Arc<SqliteLog>, EventLogError> {
    SqliteLog::open(path, SqliteLogConfig::default(), Arc::new(TestClock::new()))
}

fn refused(path: &Path) -> EventLogError {
    open(path).expect_err("it is refused")
}

async fn append(log: &SqliteLog, id: &str) {
    log.append(&tenant("acme"), vec![Arc::new(event(id, TOPIC))]).await.unwrap();
}

async fn count(log: &SqliteLog) -> usize {
    log.read(&Reach::Platform, TOPIC, Position(0), 1_000).await.unwrap().entries.len()
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let world = World::new(SqliteLogConfig::default());
    append(&world.log, "a").await;
    world.log.close().await;
    Connection::open(world.path()).unwrap().pragma_update(None, "user_version", 1_000).unwrap();
    let before = std::fs::read(world.path()).unwrap();
    let error = refused(&world.path());
    assert!(
        matches!(&error, EventLogError::Invalid(message) if message.contains("newer version")),
        "{error}"
    );
    assert_eq!(std::fs::read(world.path()).unwrap(), before);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE recipes(name TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = refused(&path);
    assert!(
        matches!(&error, EventLogError::Invalid(message) if message.contains("another program")),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_as_corrupt() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.db");
    std::fs::write(&path, "not a database, but long enough to be taken for one".repeat(100)).unwrap();
    assert!(matches!(refused(&path), EventLogError::Corrupt(_)));
}

#[tokio::test]
async fn a_file_with_damaged_tables_is_refused_as_corrupt() {
    let world = World::new(SqliteLogConfig::default());
    append(&world.log, "a").await;
    world.log.close().await;
    let mut bytes = std::fs::read(world.path()).unwrap();
    // The header stays; the first page's cells, where the tables are described, do not.
    bytes[100..4_096].fill(0x5a);
    std::fs::write(world.path(), bytes).unwrap();
    assert!(matches!(refused(&world.path()), EventLogError::Corrupt(_)));
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nowhere").join("log.db");
    let error = refused(&path);
    assert!(matches!(error, EventLogError::Unavailable(_)));
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn memory_is_refused() {
    assert!(matches!(refused(Path::new(":memory:")), EventLogError::Invalid(_)));
    assert!(matches!(refused(Path::new("")), EventLogError::Invalid(_)));
}

#[tokio::test]
async fn a_closed_log_has_kept_all_and_answers_that_it_is_closed() {
    let world = World::new(SqliteLogConfig::default());
    let acme = tenant("acme");
    let mut follower = world.log.follow(TOPIC, Position(0)).await.unwrap();
    append(&world.log, "a").await;
    follower.next().await.unwrap();
    // The follower waits for more when the log is closed.
    let (followed, ()) = tokio::join!(follower.next(), world.log.close());
    let closed = |error| matches!(error, EventLogError::Unavailable(_));
    assert!(closed(followed.unwrap_err()));
    assert!(closed(world.log.append(&acme, vec![Arc::new(event("b", TOPIC))]).await.unwrap_err()));
    assert!(closed(world.log.read(&Reach::Platform, TOPIC, Position(0), 1).await.unwrap_err()));
    assert!(closed(world.log.bounds(TOPIC).await.unwrap_err()));
    assert!(closed(world.log.check().await.unwrap_err()));
    world.log.close().await;
    assert!(!world.path().with_extension("db-wal").exists(), "the write-ahead log is gone");
    assert_eq!(count(&open(&world.path()).unwrap()).await, 1);
}

#[tokio::test]
async fn what_was_accepted_before_a_close_is_answered() {
    let world = World::new(SqliteLogConfig::default());
    let mut appends = tokio::task::JoinSet::new();
    for nth in 0..200 {
        let log = world.log.clone();
        appends.spawn(async move {
            log.append(&tenant("acme"), vec![Arc::new(event(&format!("e{nth}"), TOPIC))]).await.is_ok()
        });
    }
    tokio::task::yield_now().await;
    world.log.close().await;
    let answered = appends.join_all().await.into_iter().filter(|is_ok| *is_ok).count();
    assert!(answered > 0, "those that were accepted before are done");
    assert_eq!(count(&open(&world.path()).unwrap()).await, answered);
}

#[tokio::test]
async fn a_log_that_was_dropped_keeps_what_it_accepted() {
    let World { log, folder, .. } = World::new(SqliteLogConfig::default());
    for nth in 0..10 {
        append(&log, &format!("e{nth}")).await;
    }
    let head = log.bounds(TOPIC).await.unwrap().head;
    let mut follower = log.follow(TOPIC, head).await.unwrap();
    // On its way when the last handle goes.
    let (last, acme) = (vec![Arc::new(event("last", TOPIC))], tenant("acme"));
    let mut append = log.append(&acme, last);
    let _sent = std::future::poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx).is_ready())).await;
    drop(append);
    drop(log);
    assert_eq!(follower.next().await.unwrap()[0].event.id.as_str(), "last");
    let ended = follower.next().await;
    assert!(
        matches!(ended, Err(EventLogError::Unavailable(_))),
        "a follower does not keep it open: {ended:?}"
    );
    assert_eq!(count(&open(&folder.path().join("log.db")).unwrap()).await, 11);
}

#[tokio::test]
async fn what_was_in_hand_is_due_at_once_and_keeps_its_attempts() {
    let world = World::new(SqliteLogConfig::default());
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(3_600),
        max_attempts: 3,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    };
    append(&world.log, "a").await;
    let member = world.log.consumer(spec.clone()).await.unwrap();
    assert_eq!(member.next(1, Duration::ZERO).await.unwrap()[0].id.attempt, 1);
    let world = world.reopen().await;
    let member = world.log.consumer(spec).await.unwrap();
    assert_eq!(member.next(1, Duration::ZERO).await.unwrap()[0].id.attempt, 2);
}

#[tokio::test]
async fn two_logs_on_one_file_do_each_other_no_harm() {
    let world = World::new(SqliteLogConfig::default());
    let other = open(&world.path()).unwrap();
    let mut positions = std::collections::BTreeSet::new();
    for nth in 0..20 {
        let log = if nth % 3 == 0 { &other } else { &world.log };
        let batch = vec![Arc::new(event(&format!("e{nth}"), TOPIC))];
        let appended = log.append(&tenant("acme"), batch.clone()).await.unwrap();
        assert!(!appended[0].duplicate && positions.insert(appended[0].position));
        let again = if nth % 2 == 0 { &other } else { &world.log };
        assert!(again.append(&tenant("acme"), batch).await.unwrap()[0].duplicate);
    }
    assert_eq!((count(&world.log).await, count(&other).await), (20, 20));
}

/// A process that ends over and over makes no dead letters of what it merely had in hand.
#[tokio::test]
async fn quick_ends_of_the_process_blame_the_oldest_event_in_hand_alone() {
    let folder = TempDir::new().unwrap();
    let open = || open(&folder.path().join("log.db")).unwrap();
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [Topic::ActionRequests].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(30),
        max_attempts: 3,
        max_unsettled: 100,
        key: None,
        expire_after: None,
    };
    let log = open();
    let events = (0..10).map(|n| Arc::new(event(&format!("e{n}"), Topic::ActionRequests)));
    log.append(&spec.tenant, events.collect()).await.unwrap();
    log.close().await;
    drop(log);
    let mut handed = Vec::new();
    for _ in 0..4 {
        let log = open();
        let member = log.consumer(spec.clone()).await.unwrap();
        handed.push(member.next(100, Duration::ZERO).await.unwrap().len());
        drop(member);
        log.close().await;
    }
    assert_eq!(handed, [10, 10, 10, 9], "three attempts for the oldest, and then the next one is the oldest");
    let filter = soorma_ports::DeadLetterFilter::default();
    let dead = open().dead_letters(&spec.tenant, &filter, 0, 100).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.event.id.as_str()).collect::<Vec<_>>(), ["e0"]);
}
