//! Clauses 13 and 16 of the store.

use soorma_core::Topic;
use soorma_ports::{ReadFrom, RegistryStoreError};

use super::RegistryStoreHarness;
use super::follower::Follower;
use super::steps::{
    ALL, SOON, all, all_done, at, changes, define, done, find, hear, of, put, remove, schema, words,
};

pub(super) async fn what_was_removed_before_the_time_is_forgotten_and_counted<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, ["a", "b", "c", "d"].map(|id| put(id, 1)).to_vec()).await;
    let removals = vec![remove("a", 10), of("globex", put("a", 1)), remove("b", 20), remove("c", 30)];
    all_done(&*store, removals).await;
    done(&*store, of("globex", remove("a", 5))).await;
    assert_eq!(store.forget(at(5)).await, Ok(0), "at the time is not before it");
    assert_eq!(store.forget(at(20)).await, Ok(2));
    assert_eq!(store.forget(at(20)).await, Ok(0), "once");
    assert_eq!(store.forget(at(1_000)).await, Ok(2));
    let left = words(&changes(&*store, 0).await);
    assert_eq!(left, ["acme agent d"], "what stands is not touched");
}

pub(super) async fn who_stands_before_what_was_forgotten_begins_anew<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put("a", 1)).await.revision;
    all_done(&*store, vec![put("b", 1), put("c", 1)]).await;
    let mut stale = all(&*store).await;
    let removed = done(&*store, remove("a", 10)).await.revision;
    let mut fresh = all(&*store).await;
    done(&*store, put("d", 20)).await;
    // Told until it is forgotten.
    assert_eq!(words(&changes(&*store, stale.upto).await), ["acme removed a", "acme agent d"]);
    assert_eq!(store.forget(at(11)).await, Ok(1));
    for after in [first, stale.upto] {
        assert_eq!(store.changes(after.into(), 10).await, Err(RegistryStoreError::Gone(after)));
    }
    let gone = stale.follow(&*store, 10).await;
    assert_eq!(gone, Err(RegistryStoreError::Gone(stale.upto)));
    // Who has seen the removal goes on; who begins is told what stands.
    assert_eq!(words(&changes(&*store, removed).await), ["acme agent d"]);
    fresh.follow(&*store, 1).await.unwrap();
    let anew = all(&*store).await;
    assert_eq!(anew.agents().keys().copied().collect::<Vec<_>>(), ["b", "c", "d"]);
    assert_eq!(fresh.rows, anew.rows);
}

pub(super) async fn forgetting_nothing_sends_nobody_back<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put("a", 1)).await.revision;
    all_done(&*store, vec![put("b", 1), remove("a", 50)]).await;
    assert_eq!(store.forget(at(50)).await, Ok(0));
    assert_eq!(words(&changes(&*store, first).await), ["acme agent b", "acme removed a"]);
}

pub(super) async fn an_agent_that_was_put_again_is_not_forgotten<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put("a", 1)).await.revision;
    all_done(&*store, vec![remove("a", 2), put("a", 3)]).await;
    assert_eq!(store.forget(at(1_000)).await, Ok(0));
    assert_eq!(find(&*store, "a").await.unwrap().registered_at, at(3));
    assert_eq!(
        words(&changes(&*store, first).await),
        ["acme agent a"],
        "nothing is missing, so nobody is sent back"
    );
}

pub(super) async fn what_was_forgotten_stays_so_after_reopening<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put("a", 1)).await.revision;
    all_done(&*store, vec![put("b", 1), put("c", 1), remove("a", 2), remove("b", 200)]).await;
    let removed = all(&*store).await.upto;
    assert_eq!(store.forget(at(100)).await, Ok(1));
    drop(store);
    let h = h.reopen().await;
    assert_eq!(h.store().changes(first.into(), 10).await, Err(RegistryStoreError::Gone(first)));
    assert_eq!(changes(&*h.store(), removed).await, []);
    assert_eq!(h.store().forget(at(1_000)).await, Ok(1), "what was not forgotten is still known");
    assert_eq!(words(&changes(&*h.store(), 0).await), ["acme agent c"]);
}

/// What was forgotten lies behind many rows that stand. Who begins anew and pages through those stands before it, and has still not to
/// begin anew, else he would never get past; nor is his first page to be as large as all that lies before it.
pub(super) async fn who_begins_anew_by_small_pages_gets_to_the_end<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut writes: Vec<_> = (0..30).map(|nth| put(&format!("a{nth}"), 1)).collect();
    writes.extend((0..10).map(|nth| schema("s", &nth.to_string(), "{}", 1)));
    writes.push(define("e", Topic::BusinessFacts, "", 1));
    writes.extend([put("gone", 1), remove("gone", 2)]);
    writes.extend((0..30).map(|nth| put(&format!("b{nth}"), 1)));
    writes.extend((0..15).map(|nth| hear(&format!("a{nth}"), 3)));
    all_done(&*store, writes).await;
    assert_eq!(store.forget(at(100)).await, Ok(1));
    let expected = Follower::from_zero(&*store, ALL).await.rows;
    assert_eq!(expected.len(), 71);
    for limit in [1, 2, 10] {
        // `follow` fails where a page is larger.
        assert_eq!(Follower::from_zero(&*store, limit).await.rows, expected, "by {limit}");
    }
}

/// What was removed before he began he was never told of; what was removed since he may have been told of.
pub(super) async fn who_pages_is_sent_back_when_something_was_forgotten_since_he_began<
    H: RegistryStoreHarness,
>(
    h: H,
) {
    let store = h.store();
    all_done(&*store, ["a", "b", "c", "d"].map(|id| put(id, 1)).to_vec()).await;
    done(&*store, remove("d", 2)).await;
    let mut follower = Follower::default();
    follower.page(&*store, 1).await.unwrap();
    assert_eq!(store.forget(at(3)).await, Ok(1));
    follower.page(&*store, 1).await.unwrap();
    assert_eq!(follower.rows.len(), 2, "d was removed before he began");
    done(&*store, remove("a", 4)).await;
    assert_eq!(store.forget(at(5)).await, Ok(1));
    assert_eq!(follower.page(&*store, 1).await, Err(RegistryStoreError::Gone(follower.upto)));
    assert_eq!(Follower::from_zero(&*store, 1).await.rows, all(&*store).await.rows);
}

pub(super) async fn who_stands_past_the_last_revision_begins_anew<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put("a", 1), put("b", 1)]).await;
    let upto = all(&*store).await.upto;
    for after in [upto + 1, u64::MAX / 4] {
        // He is not left waiting until others have got so far.
        assert_eq!(tokio::time::timeout(SOON, store.changed(after)).await, Ok(Ok(())));
        assert_eq!(store.changes(after.into(), 10).await, Err(RegistryStoreError::Gone(after)));
    }
    // So also, who was paging.
    let began = ReadFrom { after: 1, began: upto + 1 };
    assert_eq!(store.changes(began, 10).await, Err(RegistryStoreError::Gone(1)));
    // Who has begun anew waits for what is new.
    let upto = all(&*store).await.upto;
    let (woken, _) =
        tokio::join!(tokio::time::timeout(SOON, store.changed(upto)), done(&*store, put("c", 2)));
    assert_eq!(woken, Ok(Ok(())));
    assert_eq!(words(&changes(&*store, upto).await), ["acme agent c"]);
}
