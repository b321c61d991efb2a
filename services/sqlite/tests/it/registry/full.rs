//! A registry in a file without room says so, goes on hearing and removing, and harms nobody beside it.

use std::sync::Arc;

use rusqlite::Connection;
use soorma_core::Topic;
use soorma_ports::{EventLog as _, RegistryRow, RegistryStore as _, RegistryStoreError};
use soorma_sqlite::{SqliteLogConfig, SqliteRegistry};
use soorma_testkit::{event, tenant};
use tokio::task::JoinSet;

use super::steps::{at, done, hear, names, one, put, put_with, remove, told};
use crate::it::world::World;

fn small() -> SqliteLogConfig {
    SqliteLogConfig { max_bytes: Some(1_024 * 1_024), ..SqliteLogConfig::default() }
}

/// Registers until there is no room; returns how many agents there are.
async fn fill(store: &SqliteRegistry) -> usize {
    let mut count = 0;
    loop {
        match one(store, put_with(&format!("a{count:04}"), &"x".repeat(4_000), 1)).await {
            Ok(answer) => assert!(answer.unwrap().made),
            Err(error) => {
                assert!(matches!(error, RegistryStoreError::Full(_)), "{error}");
                return count;
            }
        }
        count += 1;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole_and_what_was_answered_stays() {
    let world = World::new(small());
    let store = world.log.registry();
    let count = fill(&store).await;
    assert!(count > 50, "{count} agents fit into a megabyte");
    // All of a call, also that in it for which there is room.
    let batch = vec![hear("a0000", 50), remove("a0001", 50), put_with("new", &"x".repeat(40_000), 50)];
    assert!(matches!(store.write(batch).await, Err(RegistryStoreError::Full(_))));
    assert!(matches!(store.check().await, Err(RegistryStoreError::Full(_))));
    let told = told(&store, 100).await;
    assert_eq!(told.len(), count);
    let heard = |id: &str| match &told[&format!("agent {id}")] {
        RegistryRow::Agent { heard_at, .. } => *heard_at,
        other => panic!("{other:?}"),
    };
    assert_eq!((heard("a0000"), heard("a0001")), (at(1), at(1)));
    let world = world.reopen().await;
    assert_eq!(names(&world.log.registry()).await.len(), count);
}

#[tokio::test]
async fn a_full_store_goes_on_hearing_and_has_room_after_removals() {
    let world = World::new(small());
    let store = world.log.registry();
    let count = fill(&store).await;
    for second in 10..20 {
        let heard = store.write((0..count).map(|nth| hear(&format!("a{nth:04}"), second)).collect()).await;
        assert!(heard.unwrap().iter().all(Result::is_ok));
    }
    for nth in 0..20 {
        done(&store, remove(&format!("a{nth:04}"), 20)).await;
    }
    assert_eq!(store.forget(at(100)).await, Ok(20));
    for nth in 0..10 {
        done(&store, put_with(&format!("new-{nth}"), &"x".repeat(4_000), 30)).await;
    }
    assert_eq!(store.check().await, Ok(()));
    assert_eq!(names(&store).await.len(), count - 10);
}

/// Of a batch that is undone, nothing was told and no revision is missing; the log's part in it is done, too.
#[tokio::test]
async fn one_that_does_not_fit_does_not_spoil_its_neighbours() {
    let world = World::new(small());
    let store = world.log.registry();
    done(&store, put("first", 1)).await;
    // The writer cannot begin until all are sent, so they stand in one batch.
    let meanwhile = Connection::open(world.path()).unwrap();
    meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes = JoinSet::new();
    for nth in 0..40 {
        let (store, log) = (store.clone(), world.log.clone());
        writes.spawn(async move {
            if nth % 10 == 3 {
                let huge = one(&store, put_with("huge", &"x".repeat(2_000_000), 1)).await;
                assert!(matches!(huge, Err(RegistryStoreError::Full(_))), "{huge:?}");
            } else if nth % 10 == 5 {
                let event = Arc::new(event(&format!("e{nth}"), Topic::BusinessFacts));
                log.append(&tenant("acme"), vec![event]).await.unwrap();
            } else {
                done(&store, put(&format!("a{nth:02}"), 1)).await;
            }
        });
    }
    tokio::task::yield_now().await;
    let waits = store.clone();
    writes.spawn(async move {
        waits.changed(1).await.unwrap();
        let page = waits.changes(1.into(), 100).await.unwrap();
        assert!(!page.changes.is_empty(), "what was told is there");
    });
    tokio::task::yield_now().await;
    meanwhile.execute_batch("ROLLBACK").unwrap();
    writes.join_all().await;
    let page = store.changes(0.into(), 100).await.unwrap();
    let revisions: Vec<u64> = page.changes.iter().map(|change| change.revision).collect();
    assert_eq!(revisions, (1..=33).collect::<Vec<_>>());
    let head = world.log.bounds(Topic::BusinessFacts).await.unwrap().head;
    assert_eq!(head.0, 4);
}
