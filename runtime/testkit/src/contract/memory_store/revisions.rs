//! Clause 5 of the store.

use soorma_core::MemoryKind;
use soorma_ports::{Erased, MemoryDraft, MemoryStore};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, ada, at, by, done, draft, find, four, keyed, new_vector, nth, other_ada, private_key, public, put,
    remove, remove_group, removed,
};
use crate::tenant;

pub(super) async fn each_put_has_a_revision_past_those_before<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let mut last = 0;
    for round in 1..10 {
        // The time of a write is no order: here it goes back.
        let put = done(&*store, put(keyed(round, "k"), 100 - i64::try_from(round).unwrap())).await;
        assert!(put.revision > last, "{} is past {last}", put.revision);
        last = put.revision;
        assert_eq!(find(&*store, private_key("k")).await.unwrap().revision, last);
        // Others may come between.
        done(&*store, by(other_ada(), super::steps::put(draft(round + 100), 1))).await;
    }
}

pub(super) async fn nothing_but_a_write_changes_a_revision<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let put = done(&*store, put(keyed(1, "k"), 1)).await;
    assert_eq!(store.put_vectors(&four(), vec![new_vector(1, put.revision, 0.0, &four())]).await, Ok(1));
    assert_eq!(store.drop_vectors(None, None).await, Ok(1));
    assert_eq!(find(&*store, nth(1)).await.unwrap().revision, put.revision);
}

/// By each road on which an entry goes.
#[derive(Debug, Clone, Copy)]
enum Goes {
    Removed,
    WithItsGroup,
    Expired,
    ExpiredAndRemoved,
    Retired,
    ErasedWithItsOwner,
    ErasedWithTheTenant,
}

impl Goes {
    const ALL: [Self; 7] = [
        Self::Removed,
        Self::WithItsGroup,
        Self::Expired,
        Self::ExpiredAndRemoved,
        Self::Retired,
        Self::ErasedWithItsOwner,
        Self::ErasedWithTheTenant,
    ];

    /// Has all entries of ada go that expire at second 50, before second 60.
    async fn go(self, store: &dyn MemoryStore, is_public: bool) {
        let place = if is_public { super::steps::public_key("k") } else { private_key("k") };
        match self {
            Self::WithItsGroup if !is_public => assert_eq!(removed(store, remove_group("", 20)).await, 1),
            Self::Removed | Self::WithItsGroup => assert_eq!(removed(store, remove(place, 20)).await, 1),
            Self::Expired => {}
            Self::ExpiredAndRemoved => assert_eq!(store.expire(at(50), ALL).await, Ok(1)),
            Self::Retired => assert_eq!(store.retire(&MemoryKind::SEMANTIC, at(50), ALL).await, Ok(1)),
            Self::ErasedWithItsOwner => {
                let erased = store.erase(&tenant("acme"), &Erased::Owner(ada().owner)).await.unwrap();
                assert_eq!(erased[0].entries, 1);
            }
            Self::ErasedWithTheTenant => {
                let erased = store.erase(&tenant("acme"), &Erased::Tenant).await.unwrap();
                assert_eq!(erased[0].entries, 1);
            }
        }
    }
}

pub(super) async fn one_in_the_place_of_what_is_gone_has_a_greater_revision<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let mut number = 0;
    for goes in Goes::ALL {
        for is_public in [false, true] {
            number += 2;
            let keyed = |number| MemoryDraft { public: is_public, ..keyed(number, "k") };
            let before = MemoryDraft { expires_at: Some(at(50)), ..keyed(number) };
            done(&*store, put(before.clone(), 1)).await;
            let before = done(&*store, put(before, 2)).await;
            goes.go(&*store, is_public).await;
            let after = done(&*store, put(keyed(number + 1), 60)).await;
            assert!(after.made, "{goes:?}");
            assert!(after.revision > before.revision, "{goes:?}: {after:?} after {before:?}");
            assert_eq!(removed(&*store, remove(nth(number + 1), 70)).await, 1);
        }
    }
}

pub(super) async fn revisions_grow_after_reopening<H: MemoryStoreHarness>(mut h: H) {
    let mut last = 0;
    for round in 1..4 {
        let store = h.store();
        let private = done(&*store, put(keyed(round, "k"), 1)).await.revision;
        assert!(private > last, "{private} is past {last}");
        last = done(&*store, put(public(keyed(round + 10, "k")), 1)).await.revision.max(private);
        assert_eq!(removed(&*store, remove(private_key("k"), 2)).await, 1);
        drop(store);
        h = h.reopen().await;
        let put = done(&*h.store(), put(public(keyed(20, "k")), 3)).await;
        assert!(put.revision > last, "{} is past {last}", put.revision);
        last = put.revision;
    }
}
