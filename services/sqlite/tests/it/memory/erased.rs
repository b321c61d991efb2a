//! What was erased is not in the file any more.

use std::time::Duration;

use rusqlite::Connection;
use soorma_ports::{Erased, MemoryDraft, MemoryStore as _};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::tenant;
use tokio::time::timeout;

use super::steps::{at, done, draft, embedded, nth, put, remove, saying, scope};
use crate::it::world::World;

const USER: &str = "hyacinthine";
const TEXT: &str = "the quetzalcoatlus weighed two hundred kilograms";

fn has(file: &[u8], what: &str) -> bool {
    file.windows(what.len()).any(|bytes| bytes == what.as_bytes())
}

/// Waits until the index of words has forgotten what was erased.
async fn forgotten(world: &World) {
    let connection = Connection::open(world.path()).unwrap();
    let store = world.log.memory();
    let wait = async {
        while connection.query_row("SELECT forgetting FROM memory", [], |row| row.get::<_, i64>(0)).unwrap()
            != 0
        {
            // The writer answers between two steps.
            store.expire(at(0), 1).await.unwrap();
        }
    };
    timeout(Duration::from_secs(60), wait).await.unwrap();
    // The first is answered before the write-ahead log is emptied, which the look above may have been in the way of.
    for _ in 0..2 {
        store.expire(at(0), 1).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_erased_cannot_be_read_in_the_file() {
    for in_one_sitting in [true, false] {
        let mut world = World::new(SqliteLogConfig::default());
        let store = world.log.memory();
        for number in 1..=300 {
            let text = format!("{TEXT} {number}");
            let labels = vec!["archaeopteryx".into()];
            let vector = Some(embedded(10.0));
            done(&store, put(USER, MemoryDraft { labels, vector, ..draft(number, &text) })).await;
            done(&store, put("bob", draft(1_000 + number, "plain words of another"))).await;
        }
        // Also what was replaced or removed before.
        done(&store, put(USER, draft(1, "otherwise"))).await;
        done(&store, remove(USER, 2)).await;
        let secrets = [USER, "quetzalcoatlus", "archaeopteryx", "otherwise"];
        world = world.reopen().await;
        let file = std::fs::read(world.path()).unwrap();
        assert!(secrets.iter().all(|secret| has(&file, secret)), "it is looked for in the right way");
        let store = world.log.memory();
        let receipt = store.erase(&tenant("acme"), &Erased::Owner(scope(USER).owner)).await.unwrap();
        assert_eq!(receipt.iter().map(|kind| kind.entries).sum::<u64>(), 299);
        if !in_one_sitting {
            world = world.reopen().await;
        }
        forgotten(&world).await;
        let log = std::fs::read(world.path().with_extension("db-wal")).unwrap();
        for secret in secrets {
            assert!(!has(&log, secret), "{secret}");
        }
        assert_eq!(saying(&world.log.memory(), "bob", "another").await.len(), 300);
        world = world.reopen().await;
        let file = std::fs::read(world.path()).unwrap();
        for secret in secrets {
            assert!(!has(&file, secret), "{secret}");
        }
        assert_eq!(saying(&world.log.memory(), "bob", "another").await[0], nth(1_001));
    }
}

/// It is done beside the work of others, and not before the answer.
#[tokio::test]
async fn erasures_that_come_together_are_forgotten_together() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    for user in 0..20 {
        let text = format!("{TEXT} {user}");
        done(&store, put(&format!("{USER}{user}"), draft(user + 1, &text))).await;
    }
    done(&store, put("bob", draft(100, "plain words"))).await;
    for user in 0..20 {
        let owner = scope(&format!("{USER}{user}")).owner;
        let receipt = store.erase(&tenant("acme"), &Erased::Owner(owner)).await.unwrap();
        assert_eq!(receipt.len(), 1);
    }
    forgotten(&world).await;
    assert_eq!(saying(&store, "bob", "plain").await, [nth(100)]);
    let world = world.reopen().await;
    let file = std::fs::read(world.path()).unwrap();
    assert!(!has(&file, USER) && !has(&file, "quetzalcoatlus"));
}
