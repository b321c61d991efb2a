//! Clause 3 of the store.

use soorma_core::MemoryKind;
use soorma_ports::{MemoryDraft, MemoryPlace};

use super::MemoryStoreHarness;
use super::steps::{
    NOW, ada, at, bob, by, done, draft, find, find_at, id, keyed, kind, nth, numbers, other_ada, private_key,
    public, public_key, put, put_all, scope, seen,
};

pub(super) async fn an_owner_has_one_private_entry_of_a_key<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    assert!(done(&*store, put(keyed(1, "k"), 1)).await.made);
    let again = done(&*store, put(keyed(2, "k"), 2)).await;
    assert_eq!((again.id, again.made), (id(1), false));
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1]);
    assert_eq!(find(&*store, private_key("k")).await.unwrap().id, id(1));
    assert_eq!(find(&*store, nth(2)).await, None, "the id of what was not made is nobody's");
}

pub(super) async fn a_tenant_has_one_public_entry_of_a_key_whoever_put_it<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put(public(keyed(1, "k")), 1)).await;
    for (nth, scope) in (2..).zip([bob(), scope("acme", "other", "ada"), ada()]) {
        let again = done(&*store, by(scope.clone(), put(public(keyed(nth, "k")), 2))).await;
        assert_eq!((again.id, again.made, again.owner), (id(1), false, ada().owner));
        let found = find_at(&*store, &scope, public_key("k"), NOW).await.unwrap();
        assert_eq!((found.id, found.owner, found.body), (id(1), ada().owner, draft(nth).body));
    }
    assert_eq!(numbers(&seen(&*store, &bob()).await), [1]);
}

pub(super) async fn private_and_public_entries_of_one_key_are_two<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    assert!(done(&*store, put(keyed(1, "k"), 1)).await.made);
    assert!(done(&*store, put(public(keyed(2, "k")), 2)).await.made);
    assert!(!done(&*store, put(keyed(3, "k"), 3)).await.made);
    assert!(!done(&*store, put(public(keyed(4, "k")), 4)).await.made);
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1, 2]);
    let (private, public) = (find(&*store, private_key("k")).await, find(&*store, public_key("k")).await);
    assert_eq!((private.unwrap().body, public.unwrap().body), (draft(3).body, draft(4).body));
}

pub(super) async fn a_key_in_another_kind_group_owner_or_tenant_is_another<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let scopes = [ada(), bob(), scope("acme", "other", "ada"), other_ada()];
    let mut number = 0;
    for scope in &scopes {
        for of in ["semantic", "episodic"] {
            for group in ["", "g", "h"] {
                number += 1;
                let draft = MemoryDraft { kind: kind(of), group: group.into(), ..keyed(number, "k") };
                assert!(done(&*store, by(scope.clone(), put(draft, 1))).await.made);
            }
        }
    }
    let mut number = 0;
    for scope in &scopes {
        assert_eq!(seen(&*store, scope).await.len(), 6);
        for of in ["semantic", "episodic"] {
            for group in ["", "g", "h"] {
                number += 1;
                let (kind, group, key) = (kind(of), group.into(), "k".into());
                let place = MemoryPlace::Key { kind, group, key, public: false };
                assert_eq!(find_at(&*store, scope, place, NOW).await.unwrap().id, id(number));
            }
        }
    }
}

pub(super) async fn entries_without_a_key_are_each_their_own<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for number in 1..4 {
        assert!(done(&*store, put(draft(number), 1)).await.made);
        assert!(done(&*store, put(public(draft(number + 10)), 1)).await.made);
    }
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1, 2, 3, 11, 12, 13]);
    // An empty key is one.
    assert!(done(&*store, put(keyed(4, ""), 2)).await.made);
    assert!(!done(&*store, put(keyed(5, ""), 2)).await.made);
    assert_eq!(find(&*store, private_key("")).await.unwrap().id, id(4));
}

pub(super) async fn keys_that_look_alike_are_others<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let keys = [
        "k", "K", "k ", " k", "kk", "k/", "k%", "k_", "k*", "it's", "\u{e9}", "e\u{301}", "ss", "ß", "null",
        "0", "00",
    ];
    put_all(&*store, (1..).zip(keys).map(|(number, key)| keyed(number, key))).await;
    assert_eq!(seen(&*store, &ada()).await.len(), keys.len());
    for (number, key) in (1..).zip(keys) {
        let found = find(&*store, private_key(key)).await.unwrap();
        assert_eq!((found.id, found.key.as_deref()), (id(number), Some(key)));
    }
}

pub(super) async fn places_are_answered_in_their_order<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [keyed(1, "a"), public(keyed(2, "a")), draft(3)]).await;
    let places = [
        nth(3),
        private_key("b"),
        public_key("a"),
        nth(2),
        private_key("a"),
        nth(7),
        nth(3),
        MemoryPlace::Key { kind: MemoryKind::EPISODIC, group: String::new(), key: "a".into(), public: false },
        MemoryPlace::Key { kind: MemoryKind::SEMANTIC, group: "g".into(), key: "a".into(), public: true },
    ];
    let found = store.get(&ada(), at(NOW), &places).await.unwrap();
    let found: Vec<_> = found.iter().map(|entry| entry.as_ref().map(|entry| entry.id.as_u128())).collect();
    assert_eq!(found, [Some(3), None, Some(2), Some(2), Some(1), None, Some(3), None, None]);
    // As many as a page has, and more.
    let many: Vec<_> = (0..1_000).map(|n| nth(n % 5)).collect();
    let found = store.get(&ada(), at(NOW), &many).await.unwrap();
    assert_eq!(found.iter().flatten().count(), 600);
}
