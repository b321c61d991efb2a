//! The process is killed at random moments: what it has answered is there, nothing is half there, groups go on, and one that has
//! a key keeps its order.
//!
//! The test starts itself as a child, which appends and works off, and says on its standard output what was answered.
//! `SOORMA_KILLS` is the number of rounds, `SOORMA_SEED` gives back a seed that was printed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::{Event, Position, Topic};
use soorma_ports::{Consumer, ConsumerSpec, Entry, EventLog, Reach, Settle, Start};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{SeededEntropy, TestClock, event, name, tenant};
use tempfile::TempDir;
use tokio::task::JoinSet;

const TOPIC: Topic = Topic::ActionRequests;
/// The child's folder.
pub(crate) const FOLDER: &str = "SOORMA_KILL_FOLDER";
/// Which life of the child it is; ids begin with it.
pub(crate) const ROUND: &str = "SOORMA_KILL_ROUND";
const WORKERS: &str = "workers";
const PLANNERS: &str = "planners";
const PRODUCERS: usize = 8;
const PARTS: usize = 3;

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

pub(crate) fn open(folder: &Path) -> Arc<SqliteLog> {
    SqliteLog::open(&folder.join("log.db"), SqliteLogConfig::default(), Arc::new(TestClock::new())).unwrap()
}

/// A group, the second one with the plan as its key: each producer has one.
async fn join(log: &SqliteLog, group: &str) -> Arc<dyn Consumer> {
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name(group),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(3_600),
        max_attempts: u32::MAX,
        max_unsettled: 100,
        key: (group == PLANNERS).then(|| "plan_id".parse().unwrap()),
        expire_after: None,
    };
    log.consumer(spec).await.unwrap()
}

fn event_of(producer: usize, id: &str) -> Arc<Event> {
    let mut event = event(id, TOPIC);
    event.plan_id = Some(producer.to_string());
    Arc::new(event)
}

/// One line in one write, so that the parent never sees half of one taken for a whole.
pub(crate) fn say(word: &str, id: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{word} {id} .\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The child's life: does nothing unless it was started as a child.
#[tokio::test]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round = number(ROUND).unwrap();
    let log = open(Path::new(&folder));
    let mut tasks = JoinSet::new();
    for producer in 0..PRODUCERS {
        let log = log.clone();
        tasks.spawn(async move {
            for nth in 0.. {
                let batch = format!("{round}-{producer}-{nth}");
                let parts = (0..PARTS).map(|part| event_of(producer, &format!("{batch}-{part}")));
                log.append(&tenant("acme"), parts.collect()).await.unwrap();
                say("appended", &batch);
            }
        });
    }
    for _ in 0..2 {
        let member = join(&log, WORKERS).await;
        tasks.spawn(async move {
            loop {
                for delivery in member.next(5, Duration::from_secs(60)).await.unwrap() {
                    assert_eq!(member.settle(vec![(delivery.id, Settle::Ack)]).await.unwrap(), [true]);
                    say("acked", delivery.event.id.as_str());
                }
            }
        });
        let member = join(&log, PLANNERS).await;
        tasks.spawn(async move {
            loop {
                for delivery in member.next(5, Duration::from_secs(60)).await.unwrap() {
                    say("dealt", delivery.event.id.as_str());
                    assert_eq!(member.settle(vec![(delivery.id, Settle::Ack)]).await.unwrap(), [true]);
                }
            }
        });
    }
    tasks.join_next().await.unwrap().unwrap();
}

/// Lets a child (the path of a test) say so many things that are noted, kills it, and goes on to the end of what it has said.
pub(crate) fn live(
    child: &str,
    folder: &Path,
    round: u64,
    until_killed: u64,
    mut note: impl FnMut(&str) -> bool,
) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([child, "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut left = until_killed;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if note(&line) {
            left = left.saturating_sub(1);
            if left == 0 {
                child.kill().unwrap();
            }
        }
    }
    assert!(!child.wait().unwrap().success(), "the child lives until it is killed");
}

#[derive(Default)]
struct Said {
    appended: BTreeSet<String>,
    acked: BTreeSet<String>,
    /// What the group with a key has dealt with, and how often, in that order.
    dealt: Vec<String>,
}

impl Said {
    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        if let (Some(word), Some(id), Some("."), None) =
            (words.next(), words.next(), words.next(), words.next())
        {
            match word {
                "appended" => assert!(self.appended.insert(id.to_owned())),
                "dealt" => self.dealt.push(id.to_owned()),
                "acked" => assert!(self.acked.insert(id.to_owned()), "{id} was acknowledged before"),
                _ => {}
            }
        }
    }
}

async fn check(folder: &Path, round: usize, said: &Said) {
    let log = open(folder);
    let page = log.read(&Reach::Platform, TOPIC, Position(0), 10_000_000).await.unwrap();
    let batch_of = |id: &str| id.rsplit_once('-').unwrap().0.to_owned();
    let mut there = BTreeSet::new();
    for batch in page.entries.chunks(PARTS) {
        let ids: Vec<_> = batch.iter().map(|entry| entry.event.id.as_str()).collect();
        let of = batch_of(ids[0]);
        let whole: Vec<_> = (0..PARTS).map(|part| format!("{of}-{part}")).collect();
        assert_eq!(ids, whole, "batches are whole and stand together");
        there.insert(of);
    }
    let lost: Vec<_> = said.appended.difference(&there).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");

    // What was acknowledged does not come again; all else does, and nothing else.
    let member = join(&log, WORKERS).await;
    let mut open = BTreeSet::new();
    loop {
        let some = member.next(100, Duration::ZERO).await.unwrap();
        if some.is_empty() {
            break;
        }
        member.settle(some.iter().map(|delivery| (delivery.id, Settle::Ack)).collect()).await.unwrap();
        open.extend(some.iter().map(|delivery| delivery.event.id.to_string()));
    }
    let again: Vec<_> = open.intersection(&said.acked).collect();
    assert!(again.is_empty(), "acknowledged and handed out again: {again:?}");
    // Acknowledged, and killed before it could say so: at most what two members had in hand in each round.
    let unsaid = page.entries.len() - open.len() - said.acked.len();
    assert!(unsaid <= (round + 1) * 2 * 5, "{unsaid} are neither open nor acknowledged");

    // Of each plan in the order of the log, none left out; what was dealt with and not acknowledged in time comes again.
    let mut plans: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Entry { event, .. } in &page.entries {
        plans.entry(event.plan_id.as_deref().unwrap()).or_default().push(event.id.as_str());
    }
    for (plan, ids) in plans {
        let mut dealt = said.dealt.iter().filter(|id| id.split('-').nth(1) == Some(plan)).peekable();
        let mut expected = ids.into_iter();
        while let Some(id) = dealt.next() {
            assert_eq!(expected.next(), Some(id.as_str()), "plan {plan} is in order");
            while dealt.peek().is_some_and(|next| *next == id) {
                dealt.next();
            }
        }
    }
    drop((member, log));
}

#[tokio::test]
async fn what_was_answered_survives_being_killed() {
    let rounds = number("SOORMA_KILLS").unwrap_or(10);
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOORMA_KILLS={rounds} SOORMA_SEED={seed}");
    let (entropy, folder) = (SeededEntropy::new(seed), TempDir::new().unwrap());
    let mut said = Said::default();
    for round in 0..rounds {
        // At a random line, so at a random moment of the work of others that the line says nothing about.
        live("it::kill::child", folder.path(), round, entropy.below(400), |line| {
            said.note(line);
            true
        });
        let copy = TempDir::new().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        // On a copy, so that the next child finds the file as the last one left it.
        std::fs::remove_file(copy.path().join("log.db-shm")).ok();
        check(copy.path(), usize::try_from(round).unwrap(), &said).await;
        let damage: String = Connection::open(copy.path().join("log.db"))
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(damage, "ok");
    }
    assert!(!said.appended.is_empty() && !said.acked.is_empty(), "the children did something");
    assert!(!said.dealt.is_empty());
}
