//! Clause 4 of the store, and removal.

use soorma_core::MemoryKind;
use soorma_ports::{MemoryDone, MemoryDraft, MemoryEntry, MemoryFilter, MemoryRefused, When};

use super::MemoryStoreHarness;
use super::steps::{
    ada, at, bob, by, by_all, by_words, done, draft, embedded, find, four, id, keyed, kind, labelled, lists,
    nth, numbers, one, pointing, private_key, public, put, put_all, put_when, rank, remove, remove_group,
    remove_if, removed, saying, seen, taken, unembedded,
};
use crate::tenant;

fn whole(number: u128) -> MemoryDraft {
    MemoryDraft {
        id: id(number),
        kind: kind("episodic"),
        group: "planner".into(),
        key: Some("k".into()),
        public: false,
        text: Some(format!("said {number}")),
        body: format!("body {number}"),
        labels: vec!["z".into(), "a".into(), "m".into()],
        valid_from: Some(at(10)),
        valid_until: Some(at(20)),
        expires_at: Some(at(100_000)),
        vector: Some(embedded(0.0, &four())),
    }
}

pub(super) async fn put_where_there_is_none_it_is_made_as_it_was_said<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let put = done(&*store, put(whole(1), 5)).await;
    assert_eq!((put.id, put.made, put.created_at, put.owner), (id(1), true, at(5), ada().owner));
    let expected = MemoryEntry {
        id: id(1),
        owner: ada().owner,
        kind: kind("episodic"),
        group: "planner".into(),
        key: Some("k".into()),
        public: false,
        text: Some("said 1".into()),
        body: "body 1".into(),
        labels: vec!["a".into(), "m".into(), "z".into()],
        created_at: at(5),
        updated_at: at(5),
        valid_from: Some(at(10)),
        valid_until: Some(at(20)),
        expires_at: Some(at(100_000)),
        revision: put.revision,
    };
    assert_eq!(find(&*store, nth(1)).await, Some(expected.clone()));
    assert_eq!(seen(&*store, &ada()).await, [expected]);
}

pub(super) async fn put_again_all_but_its_id_owner_and_first_time_is_replaced<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put(public(whole(1)), 5)).await;
    let bare = MemoryDraft {
        id: id(2),
        kind: kind("episodic"),
        group: "planner".into(),
        key: Some("k".into()),
        public: true,
        body: "new".into(),
        ..MemoryDraft::default()
    };
    let put_again = done(&*store, by(bob(), put(bare, 3))).await;
    let made = (put_again.id, put_again.made, put_again.created_at, put_again.owner);
    assert_eq!(made, (id(1), false, at(5), ada().owner));
    let expected = MemoryEntry {
        id: id(1),
        owner: ada().owner,
        kind: kind("episodic"),
        group: "planner".into(),
        key: Some("k".into()),
        public: true,
        text: None,
        body: "new".into(),
        labels: vec![],
        created_at: at(5),
        // The time of the write, were it an earlier one.
        updated_at: at(3),
        valid_from: None,
        valid_until: None,
        expires_at: None,
        revision: put_again.revision,
    };
    assert_eq!(seen(&*store, &ada()).await, [expected]);
}

pub(super) async fn what_was_replaced_is_found_no_more<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let first =
        MemoryDraft { key: Some("k".into()), text: Some("old words".into()), ..labelled(1, &["a", "b"]) };
    let then =
        MemoryDraft { key: Some("k".into()), text: Some("new words".into()), ..labelled(1, &["b", "c"]) };
    put_all(&*store, [first, then]).await;
    let with = |label: &str| MemoryFilter { labels: vec![label.into()], ..MemoryFilter::default() };
    assert_eq!(taken(&*store, with("a")).await, []);
    assert_eq!(taken(&*store, with("b")).await, [1]);
    assert_eq!(taken(&*store, with("c")).await, [1]);
    assert_eq!(by_words(&*store, "old").await, []);
    assert_eq!(by_words(&*store, "new words").await, [1]);
}

pub(super) async fn put_absent_where_there_is_one_exists_already<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for (number, publicly) in [(1, false), (11, true)] {
        let draft = |number, text: &str| MemoryDraft {
            public: publicly,
            ..MemoryDraft { key: Some("k".into()), ..saying(number, text) }
        };
        assert!(done(&*store, put_when(draft(number, "first"), When::Absent, 1)).await.made);
        let refused = one(&*store, put_when(draft(number + 1, "second"), When::Absent, 2)).await;
        assert_eq!(refused, Err(MemoryRefused::AlreadyExists));
        let found = find(&*store, nth(number)).await.unwrap();
        assert_eq!((found.text.as_deref(), found.updated_at), (Some("first"), at(1)));
    }
    // Of a public one, also when another put it.
    let refused = one(&*store, by(bob(), put_when(public(keyed(21, "k")), When::Absent, 3))).await;
    assert_eq!(refused, Err(MemoryRefused::AlreadyExists));
    assert!(done(&*store, put_when(draft(31), When::Absent, 4)).await.made, "without a key it is its own");
}

pub(super) async fn put_present_where_there_is_none_is_not_found<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let refused = one(&*store, put_when(keyed(1, "k"), When::Present, 1)).await;
    assert_eq!(refused, Err(MemoryRefused::NotFound));
    assert_eq!(seen(&*store, &ada()).await, []);
    done(&*store, put(public(keyed(2, "k")), 1)).await;
    let refused = one(&*store, put_when(keyed(3, "k"), When::Present, 1)).await;
    assert_eq!(refused, Err(MemoryRefused::NotFound), "the public one is another");
    done(&*store, put(keyed(4, "k"), 2)).await;
    let put = done(&*store, put_when(keyed(5, "k"), When::Present, 3)).await;
    assert_eq!((put.id, put.made), (id(4), false));
}

pub(super) async fn put_of_a_revision_conflicts_with_another_and_says_which<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let refused = one(&*store, put_when(keyed(1, "k"), When::Revision(7), 1)).await;
    assert_eq!(refused, Err(MemoryRefused::Conflict { revision: None }));
    let first = done(&*store, put(keyed(1, "k"), 1)).await.revision;
    let second = done(&*store, put_when(keyed(2, "k"), When::Revision(first), 2)).await.revision;
    let refused = one(&*store, put_when(keyed(3, "k"), When::Revision(first), 3)).await;
    assert_eq!(refused, Err(MemoryRefused::Conflict { revision: Some(second) }));
    let found = find(&*store, private_key("k")).await.unwrap();
    assert_eq!((found.revision, found.body), (second, draft(2).body));
    assert_eq!(removed(&*store, remove(private_key("k"), 4)).await, 1);
    let refused = one(&*store, put_when(keyed(4, "k"), When::Revision(second), 5)).await;
    assert_eq!(refused, Err(MemoryRefused::Conflict { revision: None }));
}

pub(super) async fn removed_it_is_gone_by_every_road<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let first = MemoryDraft { key: Some("k".into()), labels: vec!["l".into()], ..pointing(1, 0.0) };
    put_all(&*store, [first, pointing(2, 1.0), keyed(3, "other")]).await;
    assert_eq!(removed(&*store, remove(private_key("k"), 5)).await, 1);
    assert_eq!(removed(&*store, remove(nth(3), 5)).await, 1);
    for place in [nth(1), private_key("k"), nth(3), private_key("other")] {
        assert_eq!(find(&*store, place).await, None);
    }
    assert_eq!(numbers(&seen(&*store, &ada()).await), [2]);
    let ranks = rank(&*store, &ada(), &by_all(0.0, "number 1 3")).await;
    assert_eq!(lists(&ranks), [vec![2], vec![2], vec![2]]);
    let labels = vec!["l".into()];
    assert_eq!(taken(&*store, MemoryFilter { labels, ..MemoryFilter::default() }).await, []);
    assert_eq!(unembedded(&*store, &four()).await, []);
    let count = store.count(&tenant("acme"), None, Some(&four())).await.unwrap();
    assert_eq!((count[0].entries, count[0].embedded), (1, 1));
    // Put again it is made anew, with nothing of the former.
    let put = done(&*store, put(keyed(4, "k"), 6)).await;
    assert_eq!((put.id, put.made, put.created_at), (id(4), true, at(6)));
    assert_eq!(unembedded(&*store, &four()).await, [4]);
    let found = find(&*store, private_key("k")).await.unwrap();
    assert_eq!(found.labels, Vec::<String>::new());
}

pub(super) async fn a_removal_of_nobody_is_not_found<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [keyed(1, "k")]).await;
    for place in [nth(2), private_key("j"), super::steps::public_key("k")] {
        assert_eq!(one(&*store, remove(place.clone(), 2)).await, Err(MemoryRefused::NotFound), "{place:?}");
        assert_eq!(one(&*store, remove_if(place, Some(1), 2)).await, Err(MemoryRefused::NotFound));
    }
    assert_eq!(removed(&*store, remove(nth(1), 3)).await, 1);
    assert_eq!(one(&*store, remove(nth(1), 4)).await, Err(MemoryRefused::NotFound));
}

pub(super) async fn a_removal_of_another_revision_conflicts_and_says_which<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put(keyed(1, "k"), 1)).await.revision;
    let second = done(&*store, put(keyed(2, "k"), 2)).await.revision;
    for place in [nth(1), private_key("k")] {
        let refused = one(&*store, remove_if(place, Some(first), 3)).await;
        assert_eq!(refused, Err(MemoryRefused::Conflict { revision: Some(second) }));
    }
    assert_eq!(find(&*store, nth(1)).await.unwrap().revision, second);
    assert_eq!(one(&*store, remove_if(nth(1), Some(second), 4)).await, Ok(MemoryDone::Removed(1)));
    assert_eq!(find(&*store, nth(1)).await, None);
}

pub(super) async fn a_group_is_removed_with_its_private_entries_and_no_others<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let of = |group: &str, draft: MemoryDraft| MemoryDraft { group: group.into(), ..draft };
    let other = MemoryDraft { kind: MemoryKind::WORKING, ..of("g", draft(7)) };
    let drafts = [
        of("g", draft(1)),
        of("g", keyed(2, "k")),
        of("h", draft(3)),
        public(of("g", keyed(4, "k"))),
        draft(5),
        other,
    ];
    put_all(&*store, drafts).await;
    done(&*store, by(bob(), put(of("g", keyed(6, "k")), 8))).await;
    assert_eq!(removed(&*store, remove_group("g", 9)).await, 2);
    assert_eq!(numbers(&seen(&*store, &ada()).await), [3, 4, 5, 7]);
    assert_eq!(numbers(&seen(&*store, &bob()).await), [4, 6]);
    assert_eq!(removed(&*store, remove_group("", 9)).await, 1, "those of no group are a group");
    for nobody in ["g", "G", "", "h%"] {
        assert_eq!(removed(&*store, remove_group(nobody, 9)).await, 0, "{nobody:?}");
    }
    assert_eq!(numbers(&seen(&*store, &ada()).await), [3, 4, 7]);
}
