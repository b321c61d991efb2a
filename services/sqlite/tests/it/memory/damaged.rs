//! What is damaged in the file is not trusted: vectors are left out and told of, the index of words is made anew.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rusqlite::Connection;
use soorma_core::{MemoryKind, Topic};
use soorma_ports::{
    EventLog as _, MemoryDraft, MemoryFilter, MemoryPlace, MemoryQuery, MemoryStore as _, MemoryStoreError,
};
use soorma_sqlite::{SqliteLogConfig, SqliteMemory};
use soorma_testkit::{event, tenant};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::steps::{all, at, done, draft, embedded, generation, near, nth, put, remove, saying, scope};
use crate::it::world::World;

async fn filled() -> World {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.memory();
    for number in 1..=9 {
        let text = if number % 2 == 0 { "even thing" } else { "odd thing" };
        let vector = Some(embedded(10.0 * f32::from(u8::try_from(number).unwrap())));
        let labels = vec!["kept".into()];
        done(&store, put("ada", MemoryDraft { vector, labels, ..draft(number, text) })).await;
        done(&store, put("bob", draft(100 + number, text))).await;
    }
    world
}

fn damage(world: &World, sql: &str) {
    let connection = Connection::open(world.path()).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

/// What a disk may leave of a vector, and what a program that is not ours may write.
const VECTORS: [&str; 6] = [
    "vector = x'00'",
    "vector = substr(vector, 1, 28)",
    "vector = vector || x'00000000'",
    "vector = zeroblob(32)",
    "vector = substr(vector, 1, 31) || x'40'",
    "checksum = checksum + 1",
];

#[tokio::test]
async fn a_damaged_vector_is_left_out_and_told_of_until_it_is_made_again() {
    for damaged in VECTORS {
        for reopened in [false, true] {
            let mut world = filled().await;
            let of_fifth = "(SELECT key FROM memory_entries WHERE name = 'k5')";
            damage(&world, &format!("UPDATE memory_vectors SET {damaged} WHERE entry = {of_fifth}"));
            if reopened {
                world = world.reopen().await;
            }
            let store = world.log.memory();
            assert_eq!(near(&store, "ada", 51.0, 3).await, [nth(6), nth(4), nth(7)], "{damaged}");
            let missing = store.unembedded(&generation(), None, 100).await.unwrap();
            let missing: Vec<_> = missing.iter().map(|one| one.id).filter(|id| *id < nth(100)).collect();
            assert_eq!(missing, [nth(5)], "{damaged}");
            assert_eq!(all(&store, "ada").await.len(), 9, "{damaged}");
            done(&store, put("ada", MemoryDraft { vector: Some(embedded(50.0)), ..draft(5, "odd thing") }))
                .await;
            assert_eq!(near(&store, "ada", 50.0, 1).await, [nth(5)], "{damaged}");
        }
    }
}

/// Also what is in memory is not trusted when another program has been at the file.
#[tokio::test]
async fn damage_that_comes_while_the_vectors_are_in_memory_is_noticed_by_who_asks_for_what_is_missing() {
    for damaged in VECTORS {
        let world = filled().await;
        let store = world.log.memory();
        assert_eq!(near(&store, "ada", 50.0, 1).await, [nth(5)]);
        assert_eq!(store.unembedded(&generation(), None, 100).await.unwrap().len(), 9);
        damage(&world, &format!("UPDATE memory_vectors SET {damaged}"));
        assert_eq!(store.unembedded(&generation(), None, 100).await.unwrap().len(), 18, "{damaged}");
        assert!(near(&store, "ada", 50.0, 1).await.is_empty(), "{damaged}");
    }
}

/// What may be left of the index of words: nothing, some of it, what cannot be read, that of other entries.
const WORDS: [&str; 6] = [
    "DELETE FROM memory_words_data WHERE id > 10",
    "DELETE FROM memory_words_data",
    "UPDATE memory_words_data SET block = x'00'",
    "UPDATE memory_words_data SET block = x'ffffffffffff' WHERE id > 10",
    "DELETE FROM memory_words_idx",
    "INSERT INTO memory_words(rowid, words) VALUES (1, '1_odd')",
];

#[tokio::test]
async fn a_damaged_index_of_words_is_made_anew_from_the_texts() {
    for damaged in WORDS {
        let world = filled().await;
        damage(&world, damaged);
        let world = world.reopen().await;
        let store = world.log.memory();
        let odd: Vec<_> = (1..=9).step_by(2).map(nth).collect();
        assert_eq!(saying(&store, "ada", "odd").await, odd, "{damaged}");
        assert_eq!(saying(&store, "ada", "thing").await.len(), 9, "{damaged}");
        assert_eq!(saying(&store, "bob", "even").await.len(), 4, "{damaged}");
        done(&store, put("ada", draft(1, "even now"))).await;
        assert_eq!(saying(&store, "ada", "odd").await, odd[1..], "{damaged}");
        assert_eq!(saying(&store, "ada", "now").await, [nth(1)], "{damaged}");
    }
}

/// A write that meets the damage first has it mended, too.
#[tokio::test]
async fn a_damaged_index_of_words_is_in_nobodys_way() {
    for damaged in WORDS {
        let world = filled().await;
        damage(&world, damaged);
        let world = world.reopen().await;
        let store = world.log.memory();
        done(&store, put("ada", draft(10, "odd newcomer"))).await;
        done(&store, put("ada", draft(3, "changed"))).await;
        done(&store, remove("ada", 1)).await;
        assert_eq!(saying(&store, "ada", "odd").await, [5, 7, 9, 10].map(nth), "{damaged}");
        assert_eq!(saying(&store, "ada", "changed newcomer").await, [3, 10].map(nth), "{damaged}");
    }
}

/// What was cut by the tables of another version cannot be taken out again word by word.
#[tokio::test]
async fn an_index_that_was_made_by_other_tables_of_letters_is_made_anew() {
    let world = filled().await;
    world.log.close().await;
    damage(&world, "UPDATE memory SET letters = '1.0.0'");
    damage(&world, "INSERT INTO memory_words(memory_words) VALUES ('delete-all')");
    let world = world.reopen().await;
    assert_eq!(saying(&world.log.memory(), "ada", "even").await, [2, 4, 6, 8].map(nth));
}

/// The index is written with the commit, and a commit is shared.
#[tokio::test]
async fn a_damaged_index_of_words_spoils_no_neighbour_in_its_commit() {
    for damaged in WORDS {
        let world = filled().await;
        damage(&world, damaged);
        let world = world.reopen().await;
        let store = world.log.memory();
        // The writer cannot begin until all are sent, so they stand in one batch.
        let meanwhile = Connection::open(world.path()).unwrap();
        meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut writes = JoinSet::new();
        for number in 1..=20 {
            let (store, log) = (store.clone(), world.log.clone());
            writes.spawn(async move {
                if number % 4 == 0 {
                    done(&store, put("ada", draft(100_000 + number, "newcomer"))).await;
                } else {
                    let event = Arc::new(event(&format!("e{number}"), Topic::BusinessFacts));
                    log.append(&tenant("acme"), vec![event]).await.unwrap();
                }
            });
        }
        tokio::task::yield_now().await;
        meanwhile.execute_batch("ROLLBACK").unwrap();
        writes.join_all().await;
        assert_eq!(world.log.bounds(Topic::BusinessFacts).await.unwrap().head.0, 15, "{damaged}");
        assert_eq!(saying(&store, "ada", "newcomer").await.len(), 5, "{damaged}");
    }
}

/// Writes over the first page of a table or an index.
fn damage_page(world: &World, name: &str) {
    let connection = Connection::open(world.path()).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let root: u32 = connection.query_row(root, [name], |row| row.get(0)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let file = std::fs::OpenOptions::new().write(true).open(world.path()).unwrap();
    file.write_all_at(&[0x5a; 4_096], u64::from(root - 1) * 4_096).unwrap();
}

/// All that can be made from the entries, and the vectors, which their model makes again.
const PAGES: [&str; 12] = [
    "memory_words_data",
    "memory_words_idx",
    "memory_words_config",
    "memory_vectors",
    "memory_vectors_of_scope",
    "memory_vectors_of_entry",
    "memory_labels",
    "memory_entries_id",
    "memory_entries_name",
    "memory_entries_created",
    "memory_entries_bundle",
    "memory_scopes_of_kind",
];

#[tokio::test]
async fn a_damaged_page_of_what_can_be_made_anew_is_in_nobodys_way() {
    for damaged in PAGES {
        for searches_first in [true, false] {
            let world = filled().await;
            world.log.close().await;
            damage_page(&world, damaged);
            let world = world.reopen().await;
            let store = world.log.memory();
            let odd: Vec<_> = (1..=9).step_by(2).map(nth).collect();
            if searches_first {
                assert_eq!(saying(&store, "ada", "odd").await, odd, "{damaged}");
                near(&store, "ada", 50.0, 3).await;
            }
            let labelled = MemoryDraft {
                labels: vec!["new".into()],
                vector: Some(embedded(95.0)),
                ..draft(10, "even newcomer")
            };
            done(&store, put("ada", labelled)).await;
            done(&store, remove("ada", 1)).await;
            assert_eq!(saying(&store, "ada", "odd").await, odd[1..], "{damaged}");
            assert_eq!(all(&store, "ada").await, (2..=10).map(nth).collect::<Vec<_>>(), "{damaged}");
            assert_eq!(near(&store, "ada", 95.0, 1).await, [nth(10)], "{damaged}");
            let missing = store.unembedded(&generation(), None, 100).await.unwrap().len();
            assert_eq!(missing, if damaged == "memory_vectors" { 17 } else { 9 }, "{damaged}");
            assert_eq!(
                labelled_with(&store, "kept").await,
                (2..=9).map(nth).collect::<Vec<_>>(),
                "{damaged}"
            );
            assert_eq!(labelled_with(&store, "new").await, [nth(10)], "{damaged}");
            assert_eq!(store.check().await, Ok(()), "{damaged}");
            let world = world.reopen().await;
            let store = world.log.memory();
            assert_eq!(saying(&store, "ada", "newcomer").await, [nth(10)], "{damaged}");
            assert_eq!(near(&store, "ada", 95.0, 1).await, [nth(10)], "{damaged}");
        }
    }
}

/// Nothing else has what the entries have.
#[tokio::test]
async fn entries_that_cannot_be_read_are_told_of_and_the_log_goes_on() {
    let world = filled().await;
    world.log.close().await;
    damage_page(&world, "memory_entries");
    let world = world.reopen().await;
    let store = world.log.memory();
    let query = MemoryQuery { limit: 10, ..MemoryQuery::default() };
    let listed = store.list(&scope("ada"), at(2), &query).await;
    assert!(matches!(listed, Err(MemoryStoreError::Corrupt(_))), "{listed:?}");
    let checked = store.check().await;
    assert!(
        matches!(&checked, Err(MemoryStoreError::Corrupt(what)) if what.contains("memory_entries")),
        "{checked:?}"
    );
    let event = Arc::new(event("e", Topic::BusinessFacts));
    world.log.append(&tenant("acme"), vec![event]).await.unwrap();
}

/// Who meets the damage of something else does not have the words of all made anew.
#[tokio::test]
async fn only_what_is_damaged_is_made_anew() {
    let world = filled().await;
    world.log.close().await;
    let segments = |world: &World| -> Vec<Vec<u8>> {
        let connection = Connection::open(world.path()).unwrap();
        let mut select = connection.prepare("SELECT block FROM memory_words_data ORDER BY id").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let before = segments(&world);
    damage_page(&world, "memory_entries_name");
    let world = world.reopen().await;
    let place = MemoryPlace::Key {
        kind: MemoryKind::default(),
        group: String::new(),
        key: "k3".into(),
        public: false,
    };
    let found = world.log.memory().get(&scope("ada"), at(2), &[place]).await.unwrap();
    assert_eq!(found[0].as_ref().map(|entry| entry.id), Some(nth(3)));
    assert_eq!(segments(&world), before);
}

/// Those of a user with a label, by ids in their order.
async fn labelled_with(store: &SqliteMemory, label: &str) -> Vec<Uuid> {
    let filter = MemoryFilter { labels: vec![label.into()], ..MemoryFilter::default() };
    let query = MemoryQuery { filter, limit: 100, ..MemoryQuery::default() };
    let page = store.list(&scope("ada"), at(2), &query).await.unwrap();
    let mut ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    ids
}
