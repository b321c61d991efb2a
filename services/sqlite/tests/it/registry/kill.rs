//! The process is killed at random moments: what it has answered is there, and no call is there in half.
//!
//! The test starts itself as a child, which registers, gives signs of life and takes away, and says on its standard output what was answered.
//! `SOORMA_KILLS` is the number of rounds, `SOORMA_SEED` gives back a seed that was printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use soorma_core::Topic;
use soorma_ports::{RegistryRow, RegistryStore as _};
use soorma_testkit::SeededEntropy;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::super::kill::{FOLDER, ROUND, live, number, open, say};
use super::steps::{at, define, done, hear, put, remove, schema, told};

/// Who registers, and how many each: 1,000 together.
const TASKS: u64 = 8;
const EACH: u64 = 125;

fn is_taken_away(id: &str) -> bool {
    id.ends_with(['0', '3', '6'])
}

/// The child's life: does nothing unless it was started as a child.
#[tokio::test]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round = number(ROUND).unwrap();
    let log = open(Path::new(&folder));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = log.registry();
        tasks.spawn(async move {
            for nth in 0..EACH {
                let id = format!("{round}-{task}-{nth}");
                let batch = vec![put(&id, 1), define(&id, Topic::TaskEvents, 1), schema(&id, 1)];
                assert!(store.write(batch).await.unwrap().iter().all(Result::is_ok));
                say("registered", &id);
                done(&store, hear(&id, 2)).await;
                say("heard", &id);
                if is_taken_away(&id) {
                    done(&store, remove(&id, 3)).await;
                    say("removed", &id);
                }
            }
        });
    }
    tasks.join_all().await;
    // It lives until it is killed.
    std::future::pending::<()>().await;
}

#[derive(Default)]
struct Said(BTreeMap<String, BTreeSet<String>>);

impl Said {
    /// Says whether the line says something.
    fn note(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let [word @ ("registered" | "heard" | "removed"), id, "."] = words[..] else { return false };
        assert!(self.0.entry(word.into()).or_default().insert(id.into()));
        true
    }

    fn has(&self, word: &str, id: &str) -> bool {
        self.0.get(word).is_some_and(|ids| ids.contains(id))
    }
}

async fn check(folder: &Path, round: u64, said: &Said) {
    let log = open(folder);
    let store = log.registry();
    let told = told(&store, 97).await;
    let of = |what: &str, id: &str| told.get(&format!("{what} {id}"));
    let ids = (0..=round).flat_map(|round| {
        (0..TASKS).flat_map(move |task| (0..EACH).map(move |nth| format!("{round}-{task}-{nth}")))
    });
    for id in ids {
        let (agent, event, schema) = (of("agent", &id), of("event", &id), of("schema", &id));
        let (registered, heard, removed) =
            (said.has("registered", &id), said.has("heard", &id), said.has("removed", &id));
        assert_eq!(event.is_some(), schema.is_some(), "{id} is there in half");
        assert!(event.is_some() || !registered, "{id} was answered and is lost");
        // Taken away and killed before it could say so.
        let may_be_gone = heard && is_taken_away(&id);
        assert!(agent.is_some() == event.is_some() || may_be_gone, "the agent {id} is lost");
        assert!(agent.is_none() || !removed, "{id} is back");
        if let Some(RegistryRow::Agent { agent, heard_at, registered_at, .. }) = agent {
            assert_eq!((agent.description.clone(), *registered_at), (format!("is {id}"), at(1)));
            assert!(*heard_at == at(2) || !heard, "that {id} was heard is lost");
        }
    }
    let before = store.changes(0.into(), 1_000_000).await.unwrap();
    let written = done(&store, put("after", 1)).await;
    assert_eq!(written.revision, before.upto + 1, "revisions go on where they were");
}

#[tokio::test]
async fn what_was_answered_survives_being_killed() {
    let rounds = number("SOORMA_KILLS").unwrap_or(5);
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOORMA_KILLS={rounds} SOORMA_SEED={seed}");
    let (entropy, folder) = (SeededEntropy::new(seed), TempDir::new().unwrap());
    let mut said = Said::default();
    for round in 0..rounds {
        // It says some 2,400 things; at a random one, so at a random moment of the work of the other tasks.
        live("it::registry::kill::child", folder.path(), round, 1 + entropy.below(2_000), |line| {
            said.note(line)
        });
        let copy = TempDir::new().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        // On a copy, so that the next child finds the file as the last one left it.
        std::fs::remove_file(copy.path().join("log.db-shm")).ok();
        check(copy.path(), round, &said).await;
        let damage: String = Connection::open(copy.path().join("log.db"))
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(damage, "ok");
    }
    assert!(said.0.contains_key("registered"), "the children did something");
}
