//! The store lives as long as somebody has it, and ends with the file.

use std::time::Duration;

use soorma_core::Topic;
use soorma_ports::{EventLog as _, RegistryStore as _, RegistryStoreError};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{event, tenant};

use super::steps::{at, done, names, one, put};
use crate::it::world::World;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn it_goes_on_when_the_handle_of_the_log_is_dropped() {
    let World { clock, log, config, folder } = World::new(SqliteLogConfig::default());
    let store = log.registry();
    drop(log);
    done(&store, put("a", 1)).await;
    assert_eq!(names(&store).await, ["agent a"]);
    drop(store);
    let log = SqliteLog::open(&folder.path().join("log.db"), config, clock).unwrap();
    assert_eq!(names(&log.registry()).await, ["agent a"]);
}

#[tokio::test]
async fn all_its_handles_are_one_store() {
    let world = World::new(SqliteLogConfig::default());
    let (one, other) = (world.log.registry(), world.log.registry());
    let written = done(&one, put("a", 1)).await;
    assert_eq!(tokio::time::timeout(SOON, other.changed(written.revision - 1)).await, Ok(Ok(())));
    assert_eq!(names(&other).await, ["agent a"]);
}

#[tokio::test]
async fn closed_it_answers_that_it_is_away() {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.registry();
    let written = done(&store, put("a", 1)).await;
    let waits = {
        let store = store.clone();
        async move { store.changed(written.revision).await }
    };
    let (waited, ()) = tokio::join!(tokio::time::timeout(SOON, waits), world.log.close());
    let away = |answer: Result<(), RegistryStoreError>| {
        assert!(matches!(answer, Err(RegistryStoreError::Unavailable(_))), "{answer:?}");
    };
    away(waited.expect("who waits hears of it"));
    away(one(&store, put("b", 2)).await.map(|_| ()));
    away(store.changes(0.into(), 10).await.map(|_| ()));
    away(store.forget(at(0)).await.map(|_| ()));
    away(store.check().await);
    away(store.changed(written.revision).await);
    let world = world.reopen().await;
    assert_eq!(names(&world.log.registry()).await, ["agent a"]);
}

/// A tenant has one number for both.
#[tokio::test]
async fn the_log_and_the_registry_of_a_tenant_share_a_file() {
    let world = World::new(SqliteLogConfig::default());
    let (store, acme) = (world.log.registry(), tenant("acme"));
    for nth in 0..10 {
        let event = std::sync::Arc::new(event(&format!("e{nth}"), Topic::TaskEvents));
        let append = world.log.append(&acme, vec![event]);
        let (appended, written) = tokio::join!(append, one(&store, put(&format!("a{nth}"), 1)));
        assert!(appended.is_ok() && written.is_ok_and(|answer| answer.is_ok()));
    }
    let world = world.reopen().await;
    assert_eq!(names(&world.log.registry()).await.len(), 10);
    assert_eq!(world.log.bounds(Topic::TaskEvents).await.unwrap().head.0, 10);
    let connection = rusqlite::Connection::open(world.path()).unwrap();
    let tenants: i64 = connection.query_row("SELECT count(*) FROM tenants", [], |row| row.get(0)).unwrap();
    assert_eq!(tenants, 1);
}
