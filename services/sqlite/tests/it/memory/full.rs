//! A memory in a file without room says so, goes on removing, and harms nobody beside it.

use soorma_core::Topic;
use soorma_ports::{Erased, EventLog as _, MemoryDraft, MemoryStore as _, MemoryStoreError};
use soorma_sqlite::{SqliteLogConfig, SqliteMemory};
use soorma_testkit::{event, tenant};

use super::steps::{all, done, draft, embedded, near, nth, one, put, remove, saying};
use crate::it::world::World;

fn small() -> SqliteLogConfig {
    SqliteLogConfig { max_bytes: Some(1_024 * 1_024), ..SqliteLogConfig::default() }
}

fn large(number: usize, size: usize) -> MemoryDraft {
    MemoryDraft { body: "x".repeat(size), vector: Some(embedded(0.0)), ..draft(number, "some words") }
}

/// Puts until there is no room; returns how many entries there are.
async fn fill(store: &SqliteMemory) -> usize {
    let mut count = 0;
    loop {
        match one(store, put("ada", large(count + 1, 8_000))).await {
            Ok(answer) => assert!(answer.is_ok()),
            Err(error) => {
                assert!(matches!(error, MemoryStoreError::Full(_)), "{error}");
                return count;
            }
        }
        count += 1;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole_and_what_was_answered_stays() {
    let world = World::new(small());
    let store = world.log.memory();
    let count = fill(&store).await;
    assert!(count > 50, "{count} entries fit into a megabyte");
    // All of a call, also that in it for which there is room.
    let batch = vec![remove("ada", 1), put("ada", large(1_000, 200_000))];
    assert!(matches!(store.write(batch).await, Err(MemoryStoreError::Full(_))));
    assert!(matches!(store.check().await, Err(MemoryStoreError::Full(_))));
    let expected: Vec<_> = (1..=count).map(nth).collect();
    assert_eq!(all(&store, "ada").await, expected);
    assert_eq!(saying(&store, "ada", "words").await, expected);
    assert_eq!(near(&store, "ada", 0.0, 10_000).await.len(), count);
    let world = world.reopen().await;
    assert_eq!(all(&world.log.memory(), "ada").await, expected);
}

#[tokio::test]
async fn a_full_store_goes_on_removing_and_has_room_after_it() {
    let world = World::new(small());
    let store = world.log.memory();
    let count = fill(&store).await;
    for number in 1..=20 {
        done(&store, remove("ada", number)).await;
    }
    for number in 1..=10 {
        done(&store, put("ada", large(1_000 + number, 8_000))).await;
    }
    assert_eq!(store.check().await, Ok(()));
    assert_eq!(all(&store, "ada").await.len(), count - 10);
    let receipt = store.erase(&tenant("acme"), &Erased::Tenant).await.unwrap();
    assert_eq!(receipt.iter().map(|kind| kind.entries).sum::<u64>(), u64::try_from(count - 10).unwrap());
    assert!(all(&store, "ada").await.is_empty());
    assert_eq!(fill(&store).await, count, "it has all of its room again");
}

/// What was undone is not in memory either.
#[tokio::test]
async fn what_did_not_fit_is_not_found() {
    let world = World::new(small());
    let store = world.log.memory();
    done(&store, put("ada", large(1, 10))).await;
    assert_eq!(near(&store, "ada", 0.0, 10).await, [nth(1)]);
    let event = std::sync::Arc::new(event("e", Topic::BusinessFacts));
    let acme = tenant("acme");
    let (appended, refused, small) = tokio::join!(
        world.log.append(&acme, vec![event]),
        one(&store, put("ada", large(2, 2_000_000))),
        one(&store, put("ada", large(3, 10))),
    );
    assert!(appended.is_ok() && small.is_ok());
    assert!(matches!(refused, Err(MemoryStoreError::Full(_))), "{refused:?}");
    assert_eq!(near(&store, "ada", 0.0, 10).await, [nth(1), nth(3)]);
    assert_eq!(saying(&store, "ada", "words").await, [nth(1), nth(3)]);
}
