//! Vectors in memory and in the file: the same answers, whatever has room, and what was written is found by the next who asks.

use std::collections::BTreeSet;

use rusqlite::Connection;
use soorma_ports::{Erased, MemoryDraft, MemoryFilter, MemoryStore as _, NewVector, RankQuery, Seen};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::{SeededEntropy, tenant};
use tokio::task::JoinSet;

use super::steps::{done, draft, embedded, generation, near, nth, put, rank, remove, saying};
use crate::it::world::World;

fn config(vectors_kib: usize) -> SqliteLogConfig {
    SqliteLogConfig { vectors_kib, ..SqliteLogConfig::default() }
}

fn degrees(number: usize) -> f32 {
    f32::from(u16::try_from(number * 37 % 3_600).unwrap()) / 10.0
}

fn entry(number: usize) -> MemoryDraft {
    let group = if number.is_multiple_of(3) { "third" } else { "" };
    MemoryDraft {
        vector: Some(embedded(degrees(number))),
        group: group.into(),
        ..draft(number, "some words")
    }
}

/// No room at all, room for one scope and not for two, room for all: what is found is the same.
#[tokio::test]
async fn what_has_no_room_in_memory_is_found_in_the_file() {
    let mut answers = BTreeSet::new();
    for kib in [0, 1_500, 1_000_000] {
        let world = World::new(config(kib));
        let store = world.log.memory();
        for user in ["ada", "bob"] {
            let offset = if user == "ada" { 0 } else { 100_000 };
            let writes = (1..=5_000)
                .map(|number| put(user, MemoryDraft { id: nth(offset + number), ..entry(number) }));
            assert!(store.write(writes.collect()).await.unwrap().iter().all(Result::is_ok));
        }
        let mut found = Vec::new();
        for user in ["ada", "bob", "ada", "bob"] {
            for group in [None, Some("third"), Some("")] {
                let filter = MemoryFilter { group: group.map(Into::into), ..MemoryFilter::default() };
                let query =
                    RankQuery { filter, meaning: Some(embedded(123.4)), depth: 7, ..RankQuery::default() };
                let meaning = rank(&store, user, query).await.meaning;
                assert_eq!(meaning.len(), 7, "{kib} KiB");
                found.push(meaning.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
            }
            // And a change is seen, whether it is in memory or not.
            let number = if user == "ada" { 4_321 } else { 104_321 };
            done(&store, remove(user, number)).await;
            done(&store, put(user, MemoryDraft { id: nth(number), ..entry(4_321) })).await;
        }
        answers.insert(found);
    }
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn a_group_has_as_many_as_are_asked_for_beside_a_large_one() {
    let world = World::new(config(100_000));
    let store = world.log.memory();
    let writes = (1..=3_000).map(|number| {
        let group = if number % 300 == 0 { "few" } else { "many" };
        put("ada", MemoryDraft { group: group.into(), ..entry(number) })
    });
    assert!(store.write(writes.collect()).await.unwrap().iter().all(Result::is_ok));
    let filter = MemoryFilter { group: Some("few".into()), ..MemoryFilter::default() };
    let query = RankQuery {
        filter,
        meaning: Some(embedded(7.0)),
        words: Some("words".into()),
        time: true,
        depth: 10,
    };
    let ranks = rank(&store, "ada", query).await;
    let few: BTreeSet<_> = (1..=10).map(|number| nth(number * 300)).collect();
    assert_eq!(ranks.meaning.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), few);
    assert_eq!(ranks.words.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), few);
    assert_eq!(ranks.time.into_iter().collect::<BTreeSet<_>>(), few);
}

/// Many write, change and remove in one scope while it is asked, loaded and let go: each finds what it has just written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_written_finds_it_whatever_others_do() {
    let world = World::new(config(64));
    let mut tasks = JoinSet::new();
    for task in 0..8_usize {
        let store = world.log.memory();
        tasks.spawn(async move {
            for count in 0..60_usize {
                let number = 1 + task * 1_000 + count;
                // Each has a direction that no other has: half a degree between neighbours.
                let own = f32::from(u16::try_from(task * 60 + count).unwrap()) * 0.5;
                let made = MemoryDraft { vector: Some(embedded(own)), ..draft(number, "some words") };
                done(&store, put("ada", made.clone())).await;
                assert_eq!(near(&store, "ada", own, 1).await, [nth(number)], "what was put is found");
                done(&store, put("ada", MemoryDraft { text: Some("others".into()), vector: None, ..made }))
                    .await;
                assert_ne!(near(&store, "ada", own, 1).await, [nth(number)], "it has no vector any more");
                if count % 2 == 0 {
                    done(&store, remove("ada", number)).await;
                } else {
                    done(
                        &store,
                        put("ada", MemoryDraft { vector: Some(embedded(own)), ..draft(number, "again") }),
                    )
                    .await;
                    assert_eq!(near(&store, "ada", own, 1).await, [nth(number)], "it has one again");
                }
                if count % 20 == 19 {
                    // Another scope, which takes the room of this one.
                    let other = format!("user-{task}-{count}");
                    let writes = (0..400).map(|nth_of| {
                        put(
                            &other,
                            MemoryDraft { id: nth(1_000_000 + number * 1_000 + nth_of), ..entry(nth_of) },
                        )
                    });
                    store.write(writes.collect()).await.unwrap();
                    assert_eq!(near(&store, &other, 1.0, 5).await.len(), 5);
                }
            }
        });
    }
    tasks.join_all().await;
    let store = world.log.memory();
    assert_eq!(near(&store, "ada", 0.0, 10_000).await.len(), 8 * 30);
    let world = world.reopen().await;
    assert_eq!(near(&world.log.memory(), "ada", 0.0, 10_000).await.len(), 8 * 30);
}

/// More than goes in one transaction, of rows and of vectors.
#[tokio::test]
async fn a_large_erasure_leaves_nothing_and_spares_the_others() {
    let world = World::new(config(100_000));
    let store = world.log.memory();
    for user in ["ada", "bob"] {
        let offset = if user == "ada" { 0 } else { 100_000 };
        let writes = (1..=1_500).map(|number| {
            let labels = vec!["secretlabel".to_owned()];
            let text = format!("{user}sword number{number}");
            let public = number % 4 == 0;
            put(
                user,
                MemoryDraft {
                    id: nth(offset + number),
                    text: Some(text),
                    key: None,
                    public,
                    labels,
                    ..entry(number)
                },
            )
        });
        assert!(store.write(writes.collect()).await.unwrap().iter().all(Result::is_ok));
    }
    assert_eq!(near(&store, "ada", 1.0, 10).await.len(), 10);
    let owner = super::steps::scope("ada").owner;
    let receipt = store.erase(&tenant("acme"), &Erased::Owner(owner)).await.unwrap();
    let [kind] = &receipt[..] else { panic!("one kind is expected: {receipt:?}") };
    assert_eq!((kind.entries, kind.vectors), (1_500, 1_500));
    let filter = MemoryFilter { reach: Seen::Both, ..MemoryFilter::default() };
    let query = RankQuery {
        filter,
        meaning: Some(embedded(1.0)),
        words: Some("adasword bobsword".into()),
        time: true,
        depth: 10_000,
    };
    let ranks = rank(&store, "ada", query.clone()).await;
    assert_eq!(
        (ranks.meaning.len(), ranks.words.len(), ranks.time.len()),
        (375, 375, 375),
        "what bob made public"
    );
    assert_eq!(rank(&store, "bob", query).await.meaning.len(), 1_500);
    assert_eq!(saying(&store, "bob", "bobsword").await.len(), 1_125);
    // Also nothing that cannot be asked for any more.
    let connection = Connection::open(world.path()).unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM memory_entries", 1_500),
        ("SELECT count(*) FROM memory_labels", 1_500),
        ("SELECT count(*) FROM memory_vectors", 1_500),
        ("SELECT count(*) FROM memory_owners", 1),
        ("SELECT count(*) FROM memory_scopes", 2),
        ("SELECT count(*) FROM memory_words_data WHERE instr(block, CAST('adasword' AS BLOB)) > 0", 0),
    ] {
        let found: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, expected, "{sql}");
    }
    let dropped = store.drop_vectors(Some(&tenant("acme")), Some(&generation())).await;
    assert_eq!(dropped, Ok(0));
    assert_eq!(store.drop_vectors(None, None).await, Ok(1_500));
    assert!(near(&store, "bob", 1.0, 10).await.is_empty());
}

/// Half of them are replaced at random, by put and by what comes late: what is in memory has the last of each.
#[tokio::test]
async fn the_last_vector_of_an_entry_counts() {
    let world = World::new(config(100_000));
    let store = world.log.memory();
    let entropy = SeededEntropy::new(7);
    for number in 1..=300 {
        done(&store, put("ada", entry(number))).await;
    }
    assert_eq!(near(&store, "ada", 1.0, 10).await.len(), 10);
    for number in (1..=300).filter(|_| entropy.below(2) == 0) {
        let other = embedded(degrees(number) + 180.0);
        let changed = MemoryDraft { vector: Some(other), ..entry(number) };
        let made = done(&store, put("ada", changed)).await;
        let soorma_ports::MemoryDone::Put { revision, .. } = made else { panic!("it was put: {made:?}") };
        if number % 2 == 0 {
            let vector = embedded(degrees(number) + 90.0).vector;
            let late = NewVector { tenant: tenant("acme"), id: nth(number), revision, vector };
            assert_eq!(store.put_vectors(&generation(), vec![late]).await, Ok(1));
        }
    }
    let query = RankQuery { meaning: Some(embedded(1.0)), depth: 1_000, ..RankQuery::default() };
    let from_memory = rank(&store, "ada", query.clone()).await.meaning;
    let world = world.reopen().await;
    let from_file = rank(&world.log.memory(), "ada", query).await.meaning;
    assert_eq!(from_memory, from_file);
    assert_eq!(from_memory.len(), 300);
}
