//! Long texts: what of them is found, and who waits for them.

use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use soorma_core::Topic;
use soorma_ports::{Erased, EventLog as _, MemoryDraft, MemoryStore as _};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::{event, tenant};
use tokio::task::JoinSet;

use super::steps::{all, at, done, draft, nth, put, remove, saying, scope};
use crate::it::world::World;

const LONG: usize = 1_024 * 1_024;

fn long(number: usize) -> String {
    format!("beginning {number} {} end", "word ".repeat(LONG / 5))
}

#[tokio::test]
async fn a_long_text_is_found_by_its_beginning_and_kept_to_its_end() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    done(&store, put("ada", draft(1, &long(1)))).await;
    done(&store, put("ada", draft(2, &long(2)))).await;
    assert_eq!(saying(&store, "ada", "beginning").await, [nth(1), nth(2)]);
    assert!(saying(&store, "ada", "end").await.is_empty());
    done(&store, put("ada", draft(1, "short to its end"))).await;
    assert_eq!(saying(&store, "ada", "end").await, [nth(1)]);
    assert_eq!(saying(&store, "ada", "beginning word").await, [nth(2)]);
    done(&store, remove("ada", 2)).await;
    assert!(saying(&store, "ada", "beginning word").await.is_empty());
    let world = world.reopen().await;
    assert_eq!(saying(&world.log.memory(), "ada", "short").await, [nth(1)]);
}

/// They are removed in several parts, which nobody is told of.
#[tokio::test]
async fn as_many_long_texts_expire_as_were_asked_for() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    for number in 1..=5 {
        let expires_at = Some(at(1 + i64::try_from(number).unwrap()));
        done(&store, put("ada", MemoryDraft { expires_at, ..draft(number, &long(number)) })).await;
    }
    assert_eq!(store.expire(at(10), 4).await, Ok(4));
    assert_eq!(saying(&store, "ada", "beginning").await, [nth(5)]);
    assert_eq!(store.expire(at(10), 4).await, Ok(1));
    assert_eq!(store.retire(&draft(1, "").kind, at(10), 10).await, Ok(0));
}

/// They are erased in several parts, of which the receipt is the sum.
#[tokio::test]
async fn long_texts_are_erased_part_by_part() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    for number in 1..=5 {
        done(&store, put("ada", draft(number, &long(number)))).await;
    }
    let receipt = store.erase(&tenant("acme"), &Erased::Owner(scope("ada").owner)).await.unwrap();
    assert_eq!(receipt[0].entries, 5);
    assert!(all(&store, "ada").await.is_empty());
}

/// Of those who ask at the same time, who has little is answered long before the last of those who have much.
#[tokio::test]
async fn nobody_waits_for_the_long_texts_of_others() {
    const MANY: usize = 20;
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    done(&store, put("bob", draft(1_000, "known"))).await;
    // The writer cannot begin until all are sent.
    let meanwhile = Connection::open(world.path()).unwrap();
    meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answered = Arc::new(Mutex::new(Vec::new()));
    let mut writes = JoinSet::new();
    for number in 1..=MANY {
        let (store, answered) = (store.clone(), answered.clone());
        writes.spawn(async move {
            done(&store, put("ada", draft(number, &long(number)))).await;
            answered.lock().unwrap().push("long");
        });
    }
    let (other, told) = (store.clone(), answered.clone());
    writes.spawn(async move {
        done(&other, put("bob", draft(1_001, "a short one"))).await;
        told.lock().unwrap().push("short");
    });
    let (log, told) = (world.log.clone(), answered.clone());
    writes.spawn(async move {
        log.append(&tenant("acme"), vec![Arc::new(event("e", Topic::BusinessFacts))]).await.unwrap();
        told.lock().unwrap().push("event");
    });
    tokio::task::yield_now().await;
    meanwhile.execute_batch("ROLLBACK").unwrap();
    writes.join_all().await;
    let answered = answered.lock().unwrap().clone();
    for quick in ["short", "event"] {
        let place = answered.iter().position(|one| *one == quick).unwrap();
        assert!(place <= 3, "{quick} was answered after {place} others");
    }
    assert_eq!(saying(&store, "ada", "beginning").await, (1..=MANY).map(nth).collect::<Vec<_>>());
}

/// Closing loses none of what was accepted.
#[tokio::test]
async fn long_texts_that_wait_are_written_before_the_file_is_closed() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    let meanwhile = Connection::open(world.path()).unwrap();
    meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes = JoinSet::new();
    for number in 1..=10 {
        let store = store.clone();
        writes.spawn(async move {
            done(&store, put("ada", draft(number, &long(number)))).await;
        });
    }
    let log = world.log.clone();
    writes.spawn(async move { log.close().await });
    tokio::task::yield_now().await;
    meanwhile.execute_batch("ROLLBACK").unwrap();
    drop(meanwhile);
    writes.join_all().await;
    let world = world.reopen().await;
    assert_eq!(saying(&world.log.memory(), "ada", "beginning").await.len(), 10);
}
