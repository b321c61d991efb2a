//! The process is killed at random moments: what it has answered is there, no entry is there in half, and words, vectors and rows agree.
//!
//! The test starts itself as a child, which puts, changes and removes, and says on its standard output what was answered. `SOORMA_KILLS` is the number
//! of rounds, `SOORMA_SEED` gives back a seed that was printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use soorma_ports::{MemoryDraft, MemoryFilter, MemoryStore as _, NewVector, RankQuery};
use soorma_testkit::{SeededEntropy, tenant};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::super::kill::{FOLDER, ROUND, live, number, open, say};
use super::steps::{
    all, at, done, draft, embedded, generation, nth, put, rank, remove, saying, scope, vector,
};

/// Who puts, and how many each.
const TASKS: usize = 8;
const EACH: usize = 250;
const USER: &str = "ada";

/// The number of an entry, from which all else of it follows.
fn entry_of(round: usize, task: usize, count: usize) -> usize {
    1 + (round * TASKS + task) * EACH + count
}

/// In eight directions that are told apart.
fn degrees(number: usize) -> f32 {
    45.0 * f32::from(u8::try_from(number % 8).unwrap())
}

fn is_removed(number: usize) -> bool {
    number % 5 == 2
}

/// Some bring their vector, others get it later.
fn first(number: usize) -> MemoryDraft {
    let vector = number.is_multiple_of(2).then(|| embedded(degrees(number)));
    let labels = vec![format!("l{}", number % 3)];
    MemoryDraft { vector, labels, ..draft(number, &format!("first all n{number}")) }
}

fn second(number: usize) -> MemoryDraft {
    MemoryDraft { vector: Some(embedded(degrees(number))), ..draft(number, &format!("second all n{number}")) }
}

/// The child's life: does nothing unless it was started as a child.
#[tokio::test]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round = usize::try_from(number(ROUND).unwrap()).unwrap();
    let log = open(Path::new(&folder));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = log.memory();
        tasks.spawn(async move {
            for count in 0..EACH {
                let number = entry_of(round, task, count);
                let made = done(&store, put(USER, first(number))).await;
                say("put", &number.to_string());
                let soorma_ports::MemoryDone::Put { revision, .. } = made else {
                    panic!("it was put: {made:?}")
                };
                let late = NewVector {
                    tenant: tenant("acme"),
                    id: nth(number),
                    revision,
                    vector: vector(degrees(number)),
                };
                assert_eq!(store.put_vectors(&generation(), vec![late]).await, Ok(1));
                say("embedded", &number.to_string());
                if number.is_multiple_of(3) {
                    done(&store, put(USER, second(number))).await;
                    say("changed", &number.to_string());
                }
                if is_removed(number) {
                    done(&store, remove(USER, number)).await;
                    say("removed", &number.to_string());
                }
                if count % 50 == 7 {
                    // Vectors come into memory and follow; whatever they are, they are of entries that are there.
                    let query = RankQuery { meaning: Some(embedded(0.0)), depth: 10, ..RankQuery::default() };
                    rank(&store, USER, query).await;
                }
            }
        });
    }
    tasks.join_all().await;
    // It lives until it is killed.
    std::future::pending::<()>().await;
}

#[derive(Default)]
struct Said(BTreeMap<String, BTreeSet<usize>>);

impl Said {
    /// Says whether the line says something.
    fn note(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let [word @ ("put" | "embedded" | "changed" | "removed"), id, "."] = words[..] else { return false };
        assert!(self.0.entry(word.into()).or_default().insert(id.parse().unwrap()));
        true
    }

    fn has(&self, word: &str, number: usize) -> bool {
        self.0.get(word).is_some_and(|numbers| numbers.contains(&number))
    }
}

async fn check(folder: &Path, rounds: usize, said: &Said) {
    let log = open(folder);
    let store = log.memory();
    let there: BTreeSet<_> = all(&store, USER).await.into_iter().collect();
    let ids = |ids: Vec<uuid::Uuid>| ids.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(ids(saying(&store, USER, "all").await), there, "the index has the words of what is there");
    let (as_first, as_second) =
        (ids(saying(&store, USER, "first").await), ids(saying(&store, USER, "second").await));
    assert!(as_first.is_disjoint(&as_second), "no text is there in half");
    let query = RankQuery { meaning: Some(embedded(0.0)), depth: 100_000, ..RankQuery::default() };
    let near = rank(&store, USER, query).await.meaning;
    for (id, cosine) in &near {
        let number = usize::try_from(id.as_u128()).unwrap();
        assert!((cosine - degrees(number).to_radians().cos()).abs() < 1e-5, "{number} has its own vector");
    }
    let embedded = ids(near.into_iter().map(|(id, _)| id).collect());
    let missing = store.unembedded(&generation(), None, 100_000).await.unwrap();
    let missing = ids(missing.into_iter().map(|one| one.id).collect());
    assert!(embedded.is_disjoint(&missing));
    assert_eq!(&embedded | &missing, there, "each has a vector or is told of");
    let mut labelled = BTreeSet::new();
    for label in 0..3 {
        let filter = MemoryFilter { labels: vec![format!("l{label}")], ..MemoryFilter::default() };
        let query = RankQuery { filter, time: true, depth: 100_000, ..RankQuery::default() };
        labelled.extend(rank(&store, USER, query).await.time);
    }
    assert_eq!(labelled, as_first, "the labels are those of the text that is there");
    for number in 1..=rounds * TASKS * EACH {
        let id = nth(number);
        let (was_put, removed) = (said.has("put", number), said.has("removed", number));
        // Removed and killed before it could say so.
        let may_be_gone = is_removed(number) && said.has("embedded", number);
        assert!(there.contains(&id) || !was_put || may_be_gone, "{number} was answered and is lost");
        assert!(!there.contains(&id) || !removed, "{number} is back");
        if there.contains(&id) {
            assert!(
                embedded.contains(&id) || !said.has("embedded", number),
                "the vector of {number} is lost"
            );
            assert!(
                as_second.contains(&id) || !said.has("changed", number),
                "the change of {number} is lost"
            );
        }
    }
    let kinds = store.count(&tenant("acme"), Some(&scope(USER).owner), Some(&generation())).await.unwrap();
    let counted: u64 = kinds.iter().map(|kind| kind.entries).sum();
    assert_eq!(usize::try_from(counted).unwrap(), there.len(), "what is counted is there");
    assert_eq!(kinds.iter().map(|kind| kind.embedded).sum::<u64>(), u64::try_from(embedded.len()).unwrap());
    assert_eq!(store.expire(at(1_000_000), 10).await, Ok(0));
}

#[tokio::test]
async fn what_was_answered_survives_being_killed() {
    let rounds = number("SOORMA_KILLS").unwrap_or(5);
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOORMA_KILLS={rounds} SOORMA_SEED={seed}");
    let (entropy, folder) = (SeededEntropy::new(seed), TempDir::new().unwrap());
    let mut said = Said::default();
    for round in 0..rounds {
        // It says some 5,000 things; at a random one, so at a random moment of the work of the other tasks.
        live("it::memory::kill::child", folder.path(), round, 1 + entropy.below(2_000), |line| {
            said.note(line)
        });
        let copy = TempDir::new().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        // On a copy, so that the next child finds the file as the last one left it.
        std::fs::remove_file(copy.path().join("log.db-shm")).ok();
        check(copy.path(), usize::try_from(round).unwrap() + 1, &said).await;
        let damage: String = Connection::open(copy.path().join("log.db"))
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(damage, "ok");
    }
    for word in ["put", "embedded", "changed", "removed"] {
        assert!(said.0.contains_key(word), "the children did something: {word}");
    }
}
