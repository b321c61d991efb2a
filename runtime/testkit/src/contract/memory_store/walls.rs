//! Clause 7 of the store.

use soorma_core::MemoryScope;
use soorma_ports::{Erased, MemoryDraft, MemoryFilter, MemoryRefused, NewVector, RankQuery, Seen};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, NOW, ada, all_done, at, bob, both, by, by_all, done, draft, embedded, entries, find_at, four, id,
    keyed, lists, new_vector, nth, numbers, one, other_ada, private_key, public, public_key, put, put_when,
    rank, remove, remove_group, removed, saying, scope, seen,
};
use crate::tenant;

/// Tenants of which one begins like another, or differs in case.
const TENANTS: [&str; 4] = ["acme", "acme2", "ACME", "globex"];

fn whole(number: u128) -> MemoryDraft {
    let (labels, vector) = (vec!["l".into()], Some(embedded(0.0, &four())));
    MemoryDraft { group: "g".into(), labels, vector, ..draft(number) }
}

pub(super) async fn the_same_keys_in_other_tenants_are_others<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for (number, whose) in (1..).zip(TENANTS) {
        let scope = scope(whose, "shop", "ada");
        assert!(done(&*store, by(scope.clone(), put(keyed(number, "k"), 1))).await.made, "{whose}");
        assert!(done(&*store, by(scope, put(public(keyed(number + 10, "k")), 1))).await.made, "{whose}");
    }
    for (number, whose) in (1..).zip(TENANTS) {
        let scope = scope(whose, "shop", "ada");
        assert_eq!(numbers(&seen(&*store, &scope).await), [number, number + 10]);
        let found = find_at(&*store, &scope, private_key("k"), NOW).await.unwrap();
        assert_eq!((found.id, found.body), (id(number), draft(number).body));
        let found = find_at(&*store, &scope, public_key("k"), NOW).await.unwrap();
        assert_eq!(found.id, id(number + 10));
    }
}

pub(super) async fn nothing_of_another_tenant_is_read_listed_or_ranked<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let theirs = [whole(1), public(whole(2)), keyed(3, "k"), public(keyed(4, "k"))];
    for (second, draft) in (1..).zip(theirs) {
        done(&*store, by(other_ada(), put(draft, second))).await;
    }
    for place in [nth(1), nth(2), nth(3), private_key("k"), public_key("k")] {
        assert_eq!(find_at(&*store, &ada(), place, NOW).await, None);
    }
    for reach in [Seen::Private, Seen::Public, Seen::Both] {
        for labels in [vec![], vec!["l".to_owned()]] {
            let filter = MemoryFilter { reach, labels, ..MemoryFilter::default() };
            assert_eq!(entries(&*store, &ada(), filter.clone()).await, []);
            let query = RankQuery { filter, ..by_all(0.0, "number 1 2 3 4") };
            assert_eq!(lists(&rank(&*store, &ada(), &query).await), [vec![], vec![], vec![]]);
        }
    }
    assert_eq!(store.count(&tenant("acme"), None, Some(&four())).await, Ok(vec![]));
    assert_eq!(store.count(&tenant("acme"), Some(&ada().owner), None).await, Ok(vec![]));
}

pub(super) async fn nothing_of_another_tenant_is_changed_or_removed<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let theirs = [whole(1), public(whole(2)), keyed(3, "k"), public(keyed(4, "k"))];
    for (second, draft) in (1..).zip(theirs) {
        done(&*store, by(other_ada(), put(draft, second))).await;
    }
    let before = seen(&*store, &other_ada()).await;
    for place in [nth(1), nth(2), nth(3), nth(4), private_key("k"), public_key("k")] {
        assert_eq!(one(&*store, remove(place.clone(), 5)).await, Err(MemoryRefused::NotFound), "{place:?}");
        assert_eq!(one(&*store, remove_if_any(place)).await, Err(MemoryRefused::NotFound));
    }
    for group in ["", "g"] {
        assert_eq!(removed(&*store, remove_group(group, 5)).await, 0);
    }
    for draft in [keyed(11, "k"), public(keyed(12, "k"))] {
        let refused = one(&*store, put_when(draft.clone(), soorma_ports::When::Present, 5)).await;
        assert_eq!(refused, Err(MemoryRefused::NotFound));
        assert!(done(&*store, put(draft, 5)).await.made);
    }
    let vector = NewVector { tenant: tenant("acme"), ..new_vector(3, before[2].revision, 0.0, &four()) };
    assert_eq!(store.put_vectors(&four(), vec![vector]).await, Ok(0));
    assert_eq!(store.drop_vectors(Some(&tenant("acme")), None).await, Ok(0));
    for whose in [Erased::Owner(ada().owner), Erased::ServiceTenant("shop".into()), Erased::Tenant] {
        store.erase(&tenant("acme"), &whose).await.unwrap();
    }
    assert_eq!(seen(&*store, &other_ada()).await, before);
    let ranks = rank(&*store, &other_ada(), &by_all(0.0, "number")).await;
    assert_eq!(lists(&ranks).map(|list| list.len()), [2, 4, 4]);
}

fn remove_if_any(place: soorma_ports::MemoryPlace) -> soorma_ports::MemoryWrite {
    super::steps::remove_if(place, Some(1), 5)
}

pub(super) async fn an_owner_sees_private_entries_of_its_own_alone<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // The same user elsewhere is another, and so are two whose names would be one, written behind each other.
    let owners = [
        ada(),
        bob(),
        scope("acme", "other", "ada"),
        scope("acme", "sho", "pada"),
        scope("acme", "shop", "Ada"),
    ];
    for (number, scope) in (1..).zip(&owners) {
        let draft = MemoryDraft { key: Some("k".into()), ..whole(number) };
        assert!(done(&*store, by(scope.clone(), put(draft, 1))).await.made);
    }
    for (number, scope) in (1..).zip(&owners) {
        let own = MemoryFilter::default;
        assert_eq!(numbers(&entries(&*store, scope, own()).await), [number]);
        assert_eq!(numbers(&entries(&*store, scope, both()).await), [number]);
        let public = MemoryFilter { reach: Seen::Public, ..own() };
        assert_eq!(entries(&*store, scope, public).await, []);
        assert_eq!(
            lists(&rank(&*store, scope, &by_all(0.0, "number")).await).map(|list| list == [number]),
            [true; 3]
        );
        for other in 1..=5 {
            let found = find_at(&*store, scope, nth(other), NOW).await;
            assert_eq!(found.is_some(), other == number, "{other} for {scope:?}");
        }
    }
}

pub(super) async fn public_entries_are_seen_by_all_of_the_tenant<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let owners = [ada(), bob(), scope("acme", "other", "ada")];
    for (number, scope) in (1..).zip(&owners) {
        let second = i64::try_from(number).unwrap();
        done(&*store, by(scope.clone(), put(public(whole(number)), second))).await;
    }
    done(&*store, put(draft(9), 9)).await;
    for (scope, own) in owners.iter().zip([vec![9], vec![], vec![]]) {
        let public = MemoryFilter { reach: Seen::Public, ..MemoryFilter::default() };
        assert_eq!(numbers(&entries(&*store, scope, public.clone()).await), [1, 2, 3]);
        assert_eq!(numbers(&entries(&*store, scope, MemoryFilter::default()).await), own);
        let query = RankQuery { filter: public, ..by_all(0.0, "number") };
        let ranks = lists(&rank(&*store, scope, &query).await);
        assert_eq!(ranks[2], [3, 2, 1]);
        assert_eq!(ranks.map(|list| list.len()), [3, 3, 3]);
        let found = find_at(&*store, scope, nth(2), NOW).await.unwrap();
        assert_eq!(found.owner, bob().owner);
    }
}

pub(super) async fn an_owner_removes_its_own_alone<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let drafts = [keyed(1, "k"), public(keyed(2, "k")), public(draft(3))];
    all_done(&*store, drafts.map(|draft| put(draft, 1)).to_vec()).await;
    for scope in [bob(), scope("acme", "other", "ada"), other_ada()] {
        for place in [nth(1), nth(2), nth(3), private_key("k"), public_key("k")] {
            let refused = one(&*store, by(scope.clone(), remove(place.clone(), 2))).await;
            assert_eq!(refused, Err(MemoryRefused::NotFound), "{place:?} for {scope:?}");
        }
        assert_eq!(removed(&*store, by(scope, remove_group("", 2))).await, 0);
    }
    // Who replaced a public one is not its owner.
    done(&*store, by(bob(), put(public(keyed(4, "k")), 3))).await;
    assert_eq!(one(&*store, by(bob(), remove(public_key("k"), 4))).await, Err(MemoryRefused::NotFound));
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1, 2, 3]);
    assert_eq!(removed(&*store, remove(public_key("k"), 5)).await, 1);
    assert_eq!(removed(&*store, remove(nth(3), 5)).await, 1);
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1]);
}

/// What is found by words before and after others have written much that has the same words.
async fn no_score_changes<H: MemoryStoreHarness>(h: H, others: MemoryScope) {
    let store = h.store();
    let drafts = (1..).zip(["common words here", "rare words here", "common things", "common sayings"]);
    all_done(&*store, drafts.map(|(number, text)| put(saying(number, text), 1)).collect()).await;
    let query = RankQuery { words: Some("common rare".into()), depth: ALL, ..RankQuery::default() };
    let before = rank(&*store, &ada(), &query).await;
    assert_eq!(lists(&before)[1][0], 2, "the rare one counts most");
    let much = (100..300).map(|number| by(others.clone(), put(saying(number, "rare rare as it was"), 2)));
    all_done(&*store, much.collect()).await;
    let after = store.rank(&ada(), at(NOW), &query).await.unwrap();
    assert_eq!(after.words, before.words);
}

/// A score may be shown: it must not tell how often another says a word.
pub(super) async fn scores_tell_nothing_of_another_tenant<H: MemoryStoreHarness>(h: H) {
    no_score_changes(h, other_ada()).await;
}

pub(super) async fn scores_tell_nothing_of_what_another_owner_has<H: MemoryStoreHarness>(h: H) {
    no_score_changes(h, bob()).await;
}
