//! A bare SQLite loop: the peer of the embedded log.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::load::Rate;

/// As few words as SQLite takes: threads that wait for their row to be on disk, one that commits all that wait.
/// The ids are of the kind that ours are: an index takes those that grow with time better than others.
pub(crate) fn run(path: &Path, writers: usize, take: Duration, id: fn(u64) -> String) -> Rate {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE events(position INTEGER PRIMARY KEY, tenant INTEGER, topic INTEGER, id TEXT, at INTEGER, envelope TEXT);
             CREATE UNIQUE INDEX once ON events(tenant, topic, id);
             CREATE INDEX of_tenant ON events(tenant, topic);
             CREATE INDEX of_topic ON events(topic);",
        )
        .unwrap();
    type Row = (String, tokio::sync::oneshot::Sender<()>);
    let (sender, mut rows) = mpsc::channel::<Row>(4_096);
    let commits = std::thread::spawn(move || {
        let envelope = format!("{{\"text\":\"{}\"}}", "x".repeat(420));
        while let Some(first) = rows.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < 1_024
                && let Ok(next) = rows.try_recv()
            {
                batch.push(next);
            }
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            {
                let mut insert = connection
                    .prepare_cached(
                        "INSERT INTO events(tenant, topic, id, at, envelope) VALUES (1, 0, ?1, 1, ?2)",
                    )
                    .unwrap();
                for (id, _) in &batch {
                    insert.execute((id, &envelope)).unwrap();
                }
            }
            connection.execute_batch("COMMIT").unwrap();
            for (_, done) in batch {
                let _gone = done.send(());
            }
        }
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let times = runtime.block_on(async {
        let until = Instant::now() + take;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            let sender = sender.clone();
            tasks.spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < until {
                    let begun = Instant::now();
                    let (done, on_disk) = tokio::sync::oneshot::channel();
                    let row = (id(u64::try_from(writer << 32 | times.len()).unwrap()), done);
                    sender.send(row).await.unwrap();
                    on_disk.await.unwrap();
                    times.push(begun.elapsed());
                }
                times
            });
        }
        tasks.join_all().await.concat()
    });
    drop(sender);
    commits.join().unwrap();
    Rate::of(times, take)
}
