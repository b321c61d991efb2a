use std::sync::Arc;
use std::time::Duration;

use soorma_core::{MemoryScope, Owner, Timestamp};
use soorma_ports::{MemoryAct, MemoryDraft, MemoryStore, MemoryStoreError, MemoryWrite, When};
use soorma_testkit::{FaultyMemory, MapMemory, MemoryCall, tenant};
use tokio::task::JoinSet;
use tokio::time::Instant;

fn away() -> MemoryStoreError {
    MemoryStoreError::Unavailable("planned".into())
}

fn scope() -> MemoryScope {
    MemoryScope { tenant: tenant("acme"), owner: Owner::new("shop", "ada").unwrap() }
}

async fn put(store: &FaultyMemory) -> Result<bool, MemoryStoreError> {
    let draft = Box::new(MemoryDraft { key: Some("k".into()), ..MemoryDraft::default() });
    let act = MemoryAct::Put { draft, when: When::Absent };
    let answers = store.write(vec![MemoryWrite { scope: scope(), at: Timestamp::MIN, act }]).await?;
    Ok(answers[0].is_ok())
}

async fn count(store: &FaultyMemory) -> usize {
    store.count(&tenant("acme"), None, None).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_writes_nothing_and_the_next_goes_through() {
    let store = FaultyMemory::new(MapMemory::new());
    store.fail_next(2, MemoryCall::Write, &away());
    assert_eq!(put(&store).await, Err(away()));
    assert_eq!(store.pending(), 1);
    assert_eq!(put(&store).await, Err(away()));
    assert_eq!(count(&store).await, 0);
    assert_eq!(put(&store).await, Ok(true));
    assert_eq!((store.pending(), store.calls(MemoryCall::Write)), (0, 3));
    assert_eq!((store.calls(MemoryCall::Count), store.calls(MemoryCall::Rank)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_not_answered_is_there() {
    let store = FaultyMemory::new(MapMemory::new());
    store.commit_then_fail(1, MemoryCall::Write, &away());
    assert_eq!(put(&store).await, Err(away()));
    assert_eq!(count(&store).await, 1);
    assert_eq!(put(&store).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time_and_no_more() {
    let store = FaultyMemory::new(MapMemory::new());
    store.delay(1, MemoryCall::Count, Duration::from_secs(60));
    let started = Instant::now();
    count(&store).await;
    count(&store).await;
    assert_eq!(started.elapsed(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn calls_wait_before_a_closed_gate_and_are_counted() {
    let store = FaultyMemory::new(MapMemory::new());
    store.close();
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let store: Arc<FaultyMemory> = store.clone();
        calls.spawn(async move { put(&store).await });
    }
    store.until_in_flight(3).await;
    assert_eq!((store.in_flight(), store.calls(MemoryCall::Write)), (3, 3));
    assert!(calls.try_join_next().is_none());
    store.open();
    let made = calls.join_all().await.into_iter().filter(|made| *made == Ok(true)).count();
    assert_eq!((made, store.in_flight()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_no_longer_in_flight_and_has_done_nothing() {
    let store = FaultyMemory::new(MapMemory::new());
    store.close();
    let waited = tokio::time::timeout(Duration::from_secs(1), put(&store)).await;
    assert!(waited.is_err());
    assert_eq!(store.in_flight(), 0);
    store.open();
    assert_eq!(count(&store).await, 0);
}
