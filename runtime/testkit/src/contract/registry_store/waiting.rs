//! Clause 12 of the store.

use std::sync::Arc;

use soorma_core::Topic;
use soorma_ports::RegistryStore;
use tokio::task::JoinSet;

use super::RegistryStoreHarness;
use super::follower::Follower;
use super::steps::{SOON, all, define, done, handles, hear, put, remove, schema};

/// Waits until there is a change after a revision; what wakes for nothing waits on.
async fn news(store: &dyn RegistryStore, after: u64) -> u64 {
    loop {
        store.changed(after).await.unwrap();
        let page = store.changes(after.into(), 10).await.unwrap();
        if !page.changes.is_empty() {
            return page.upto;
        }
        // It may have been woken for nothing; who wrote goes first.
        tokio::task::yield_now().await;
    }
}

/// Starts one who waits, and sees to it that he does.
async fn wait(waiting: &mut JoinSet<u64>, store: &Arc<dyn RegistryStore>, after: u64) {
    let store = store.clone();
    waiting.spawn(async move { news(&*store, after).await });
    tokio::task::yield_now().await;
}

async fn woken(waiting: &mut JoinSet<u64>) -> u64 {
    let woken = tokio::time::timeout(SOON, waiting.join_next()).await;
    woken.expect("who waits is woken soon").unwrap().unwrap()
}

pub(super) async fn who_waits_is_woken_by_a_write<H: RegistryStoreHarness>(h: H) {
    let (store, mut waiting) = (h.store(), JoinSet::new());
    for round in 0..5 {
        let upto = all(&*store).await.upto;
        wait(&mut waiting, &store, upto).await;
        let written = done(&*store, put("a", round)).await;
        assert!(woken(&mut waiting).await >= written.revision);
    }
}

pub(super) async fn who_waits_is_woken_by_a_write_of_another<H: RegistryStoreHarness>(h: H) {
    let ([one, other], mut waiting) = (handles(&h).await, JoinSet::new());
    for round in 0..5 {
        let (waits, writes) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let upto = all(&**waits).await.upto;
        wait(&mut waiting, waits, upto).await;
        let written = done(&**writes, put("a", round)).await;
        assert!(woken(&mut waiting).await >= written.revision);
    }
}

pub(super) async fn who_waits_is_woken_by_every_kind_of_write<H: RegistryStoreHarness>(h: H) {
    let (store, mut waiting) = (h.store(), JoinSet::new());
    for write in [
        put("a", 1),
        hear("a", 2),
        define("e", Topic::BusinessFacts, "", 3),
        schema("s", "1", "{}", 4),
        remove("a", 5),
    ] {
        // Past nothing, so that a removal is news.
        let upto = all(&*store).await.upto;
        wait(&mut waiting, &store, upto).await;
        let written = done(&*store, write).await;
        if upto == 0 {
            assert!(woken(&mut waiting).await > 0);
        } else {
            assert!(woken(&mut waiting).await >= written.revision);
        }
    }
}

pub(super) async fn all_who_wait_are_woken<H: RegistryStoreHarness>(h: H) {
    let (handles, mut waiting) = (handles(&h).await, JoinSet::new());
    done(&*handles[0], put("a", 1)).await;
    let upto = all(&*handles[0]).await.upto;
    for nth in 0..20 {
        wait(&mut waiting, &handles[nth % 2], upto).await;
    }
    let written = done(&*handles[0], put("b", 2)).await;
    for _ in 0..20 {
        assert!(woken(&mut waiting).await >= written.revision);
    }
}

pub(super) async fn what_was_written_before_needs_no_waiting<H: RegistryStoreHarness>(h: H) {
    let [one, other] = handles(&h).await;
    let first = done(&*one, put("a", 1)).await.revision;
    done(&*one, put("b", 1)).await;
    for (store, after) in [(&one, 0), (&one, first), (&other, 0), (&other, first)] {
        let answer = tokio::time::timeout(SOON, store.changed(after)).await;
        assert_eq!(answer, Ok(Ok(())), "there is something past {after}");
    }
    // Also in a process that was not there when it was written.
    drop((one, other));
    let h = h.reopen().await;
    assert_eq!(tokio::time::timeout(SOON, h.store().changed(first)).await, Ok(Ok(())));
}

pub(super) async fn a_wait_that_is_dropped_loses_nothing<H: RegistryStoreHarness>(h: H) {
    let (store, mut follower) = (h.store(), Follower::default());
    for round in 0..10 {
        let mut waiting = JoinSet::new();
        wait(&mut waiting, &store, follower.upto).await;
        if round % 2 == 0 {
            waiting.shutdown().await;
            done(&*store, put(&format!("a{round}"), round)).await;
        } else {
            // Dropped when it may have been woken already.
            done(&*store, put(&format!("a{round}"), round)).await;
            waiting.shutdown().await;
        }
        assert_eq!(tokio::time::timeout(SOON, store.changed(follower.upto)).await, Ok(Ok(())));
        follower.follow(&*store, 1).await.unwrap();
        assert_eq!(follower.rows.len(), usize::try_from(round + 1).unwrap());
    }
}
