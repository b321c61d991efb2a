//! Two nodes on one database.

use std::time::Duration;

use soorma_ports::{RegistryStore, RegistryStoreError};
use soorma_postgres::PostgresRegistry;
use soorma_testkit::servers::PostgresDatabase;
use tokio::time::{Instant, timeout};

use super::world::{agents, define, open, put, schema, world};

const SOON: Duration = Duration::from_secs(1);

/// Waits until a store tells of so many agents; returns how long that took.
async fn sees(store: &PostgresRegistry, count: usize) -> Duration {
    let began = Instant::now();
    loop {
        let page = store.changes(0.into(), usize::MAX).await.unwrap();
        if page.changes.len() >= count {
            return began.elapsed();
        }
        store.changed(page.upto).await.unwrap();
    }
}

#[tokio::test]
async fn two_stores_see_each_others_changes_within_a_second() {
    let (database, one) = world().await;
    let other = open(&database).await;
    let mut slowest = Duration::ZERO;
    for nth in 0..50 {
        let (writes, reads) = if nth % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let write = writes.write(vec![put("acme", &format!("a{nth}"))]);
        let (took, written) = tokio::join!(timeout(SOON, sees(reads, nth + 1)), write);
        written.unwrap();
        slowest = slowest.max(took.expect("within a second"));
    }
    println!("the slowest of 50 changes was seen after {slowest:?}");
}

/// Where nothing is told, the table is looked at.
#[tokio::test]
async fn what_was_not_announced_is_seen_within_a_second() {
    let (database, store) = world().await;
    store.write(vec![put("acme", "a")]).await.unwrap();
    let upto = store.changes(0.into(), 10).await.unwrap().upto;
    let waits = async {
        let began = Instant::now();
        store.changed(upto).await.unwrap();
        began.elapsed()
    };
    let counts = async {
        database.execute("UPDATE soorma.registry_revision SET revision = revision + 1");
    };
    let (took, ()) = tokio::join!(timeout(SOON, waits), counts);
    took.expect("within a second");
}

#[tokio::test]
async fn who_listens_goes_on_when_its_connections_are_ended() {
    let (database, one) = world().await;
    let other = open(&database).await;
    for nth in 0..5 {
        let ends = async {
            // What listens and what works, of both.
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
            one.write(vec![put("acme", &format!("a{nth}"))]).await.unwrap();
        };
        let waits = async {
            // Who waits may be told that its connection was lost, and asks again.
            loop {
                let Ok(page) = other.changes(0.into(), 10).await else { continue };
                if page.changes.len() > nth {
                    break;
                }
                let _lost_or_woken = other.changed(page.upto).await;
            }
        };
        let (seen, ()) = tokio::join!(timeout(2 * SOON, waits), ends);
        seen.expect("soon");
    }
}

/// Waits until somebody listens; returns which connections do.
async fn who_listens(database: &PostgresDatabase) -> String {
    // What such a connection does in between.
    let listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                     AND query = 'SELECT revision FROM registry_revision' AND state = 'idle' ORDER BY 1";
    let began = Instant::now();
    loop {
        let found = database.execute(listening);
        if !found.is_empty() {
            return found;
        }
        assert!(began.elapsed() < 10 * SOON, "nobody listens");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_wait_that_is_dropped_costs_no_connection() {
    let (database, store) = world().await;
    store.write(vec![put("acme", "a")]).await.unwrap();
    let upto = store.changes(0.into(), 10).await.unwrap().upto;
    let connections = "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
    // Dropped while the connection is made, too.
    let mut before = String::new();
    for nth in 0..2_000_u32 {
        let wait = Duration::from_micros(u64::from(nth % 700));
        timeout(wait, store.changed(upto)).await.unwrap_err();
        if nth == 1_000 {
            before = database.execute(connections);
        }
    }
    assert_eq!(before.split(' ').count(), 2, "one that works and one that listens: {before}");
    assert_eq!(database.execute(connections), before);
    let other = open(&database).await;
    let (woken, written) =
        tokio::join!(timeout(SOON, store.changed(upto)), other.write(vec![put("acme", "b")]));
    written.unwrap();
    woken.expect("within a second").unwrap();
}

#[tokio::test]
async fn all_who_wait_in_one_process_listen_on_one_connection() {
    let database = PostgresDatabase::fresh();
    let store = std::sync::Arc::new(open(&database).await);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let store = store.clone();
        waiting.spawn(async move { store.changed(0).await });
    }
    let other = open(&database).await;
    assert_eq!(who_listens(&database).await.lines().count(), 1);
    other.write(vec![put("acme", "a")]).await.unwrap();
    let woken = timeout(SOON, waiting.join_all()).await.expect("within a second");
    assert!(woken.iter().all(Result::is_ok));
    assert_eq!(agents(&*store).await, 1);
}

/// A copy of before was put in its place, or a standby that had not got all.
#[tokio::test]
async fn tables_that_went_back_wake_who_waits_and_are_read_anew() {
    let (database, store) = world().await;
    store.write((0..20).map(|nth| put("acme", &format!("a{nth}"))).collect()).await.unwrap();
    let upto = store.changes(0.into(), 100).await.unwrap().upto;
    let goes_back = async {
        who_listens(&database).await;
        database.execute(
            "DELETE FROM soorma.registry_agents WHERE revision > 5; UPDATE soorma.registry_revision SET revision = 5",
        );
    };
    let (woken, ()) = tokio::join!(timeout(2 * SOON, store.changed(upto)), goes_back);
    woken.expect("soon").unwrap();
    assert_eq!(store.changes(upto.into(), 10).await, Err(RegistryStoreError::Gone(upto)));
    let page = store.changes(0.into(), 100).await.unwrap();
    assert_eq!((page.changes.len(), page.upto), (5, 5));
    // Nothing is new, so who waits is left waiting.
    timeout(SOON, store.changed(5)).await.unwrap_err();
    let (woken, written) = tokio::join!(timeout(SOON, store.changed(5)), store.write(vec![put("acme", "b")]));
    assert_eq!(written.unwrap()[0].unwrap().revision, 6);
    woken.expect("within a second").unwrap();
}

/// A newer version writes what an older one does not know while both stand on the tables.
#[tokio::test]
async fn a_row_of_another_version_stops_nobody() {
    let (database, store) = world().await;
    for (nth, unknown) in [
        "UPDATE soorma.registry_agents SET status = 'dreaming' WHERE id = 'a'",
        "UPDATE soorma.registry_agents SET record = record || '}' WHERE id = 'a'",
        "UPDATE soorma.registry_events SET topic = 'dreams' WHERE name = 'e'",
        "UPDATE soorma.registry_schemas SET schema = '{}' WHERE name = 's'",
    ]
    .into_iter()
    .enumerate()
    {
        let of = format!("tenant-{nth}");
        let writes = vec![put(&of, "a"), define(&of, "e"), schema(&of, "s"), put(&of, "z")];
        store.write(writes).await.unwrap();
        let before = agents(&store).await;
        database.execute(&format!("{unknown} AND tenant = '{of}'"));
        let page = store.changes(0.into(), usize::MAX).await.unwrap();
        assert_eq!((page.changes.len(), page.more), (before - 1, false), "{unknown}");
    }
}
