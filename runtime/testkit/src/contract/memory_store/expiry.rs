//! Clause 8 of the store, and what is too old.

use soorma_core::MemoryKind;
use soorma_ports::{MemoryDraft, MemoryOrder, MemoryQuery, MemoryRefused, When};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, ada, at, both, by, by_all, by_meaning, by_words, done, draft, embedded, find_at, four, id, keyed,
    labelled, lists, nth, numbers, one, other_ada, private_key, public, put, put_all, put_when, rank_at,
    remove, remove_group, removed, seen, taken,
};

/// An entry that expires at second 50.
fn passing(draft: MemoryDraft) -> MemoryDraft {
    MemoryDraft { expires_at: Some(at(50)), ..draft }
}

pub(super) async fn an_entry_is_there_until_the_moment_it_expires<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let whole = MemoryDraft { key: Some("k".into()), vector: Some(embedded(0.0, &four())), ..draft(1) };
    put_all(&*store, [passing(whole), draft(2)]).await;
    let moment = at(50);
    let before = soorma_core::Timestamp::from_micros(moment.micros() - 1);
    for (now, is_there) in [(before, true), (moment, false), (at(51), false)] {
        let found = store.get(&ada(), now, &[nth(1), private_key("k")]).await.unwrap();
        assert_eq!(found.iter().flatten().count(), if is_there { 2 } else { 0 }, "{now}");
        let query = MemoryQuery { filter: both(), order: MemoryOrder::Oldest, after: None, limit: ALL };
        let page = store.list(&ada(), now, &query).await.unwrap();
        assert_eq!(numbers(&page.entries), if is_there { vec![1, 2] } else { vec![2] }, "{now}");
        let ranks = lists(&store.rank(&ada(), now, &by_all(0.0, "1 2")).await.unwrap());
        assert_eq!(ranks.map(|list| list.contains(&1)), [is_there; 3], "{now}");
    }
}

pub(super) async fn what_has_expired_is_there_for_no_write<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put(passing(keyed(1, "k")), 1)).await;
    for place in [nth(1), private_key("k")] {
        assert_eq!(one(&*store, remove(place, 50)).await, Err(MemoryRefused::NotFound));
    }
    assert_eq!(removed(&*store, remove_group("", 50)).await, 0);
    let refused = one(&*store, put_when(keyed(2, "k"), When::Present, 50)).await;
    assert_eq!(refused, Err(MemoryRefused::NotFound));
    let refused = one(&*store, put_when(keyed(2, "k"), When::Revision(first.revision), 50)).await;
    assert_eq!(refused, Err(MemoryRefused::Conflict { revision: None }));
    // A write of an earlier time finds it.
    let refused = one(&*store, put_when(keyed(2, "k"), When::Absent, 49)).await;
    assert_eq!(refused, Err(MemoryRefused::AlreadyExists));
}

pub(super) async fn what_has_expired_makes_room_for_another<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for (number, is_public) in [(1, false), (11, true)] {
        let old = MemoryDraft {
            key: Some("k".into()),
            public: is_public,
            text: Some("old words".into()),
            vector: Some(embedded(0.0, &four())),
            ..labelled(number, &["old"])
        };
        done(&*store, put(passing(old), 1)).await;
        let new = MemoryDraft { public: is_public, text: Some("old news".into()), ..keyed(number + 1, "k") };
        let scope = if is_public { super::steps::bob() } else { ada() };
        let put = done(&*store, by(scope.clone(), put_when(new, When::Absent, 50))).await;
        assert_eq!((put.id, put.made, put.created_at), (id(number + 1), true, at(50)));
        assert_eq!(put.owner, scope.owner, "it has nothing of the former");
        assert_eq!(find_at(&*store, &ada(), nth(number), 10).await, None);
        let found = find_at(&*store, &ada(), nth(number + 1), 60).await.unwrap();
        assert_eq!((found.labels, found.expires_at), (vec![], None));
    }
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, []);
    assert_eq!(by_words(&*store, "words").await, []);
    assert_eq!(by_words(&*store, "old").await, [2]);
    let labels = vec!["old".into()];
    assert_eq!(taken(&*store, soorma_ports::MemoryFilter { labels, ..both() }).await, []);
    assert_eq!(store.expire(at(60), ALL).await, Ok(0), "what had expired is gone");
}

pub(super) async fn a_put_says_anew_when_it_expires<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put(passing(keyed(1, "k")), 1)).await;
    done(&*store, put(MemoryDraft { expires_at: Some(at(70)), ..keyed(1, "k") }, 2)).await;
    assert!(find_at(&*store, &ada(), nth(1), 60).await.is_some());
    assert_eq!(find_at(&*store, &ada(), nth(1), 70).await, None);
    done(&*store, put(keyed(1, "k"), 3)).await;
    assert!(find_at(&*store, &ada(), nth(1), 100_000).await.is_some());
    assert_eq!(store.expire(at(100_000), ALL).await, Ok(0));
}

pub(super) async fn what_has_expired_is_removed_of_all_tenants_some_at_once<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for number in 1..=7 {
        let scope = if number % 2 == 0 { ada() } else { other_ada() };
        let draft = MemoryDraft { vector: Some(embedded(0.0, &four())), ..labelled(number, &["l"]) };
        done(&*store, by(scope, put(passing(draft), 1))).await;
    }
    done(&*store, put(MemoryDraft { expires_at: Some(at(51)), ..draft(8) }, 1)).await;
    done(&*store, put(public(draft(9)), 2)).await;
    let before = soorma_core::Timestamp::from_micros(at(50).micros() - 1);
    assert_eq!(store.expire(before, ALL).await, Ok(0));
    assert_eq!(store.expire(at(50), 3).await, Ok(3));
    assert_eq!(store.expire(at(50), 3).await, Ok(3));
    assert_eq!(store.expire(at(50), 3).await, Ok(1));
    assert_eq!(store.expire(at(50), 3).await, Ok(0));
    // They are gone, also for one who asks as of a time when they were there.
    let query = MemoryQuery { filter: both(), order: MemoryOrder::Oldest, after: None, limit: ALL };
    assert_eq!(numbers(&store.list(&ada(), at(5), &query).await.unwrap().entries), [8, 9]);
    assert_eq!(store.list(&other_ada(), at(5), &query).await.unwrap().entries, []);
    assert_eq!(lists(&rank_at(&*store, &ada(), &by_all(0.0, "number"), 5).await)[0], Vec::<u128>::new());
    assert_eq!(super::steps::unembedded(&*store, &four()).await, [8, 9]);
}

pub(super) async fn what_is_too_old_is_retired_by_kind_some_at_once<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for number in 1..=6_u128 {
        let scope = if number % 2 == 0 { ada() } else { other_ada() };
        let draft = MemoryDraft { kind: MemoryKind::EPISODIC, ..draft(number) };
        done(&*store, by(scope, put(draft, i64::try_from(number).unwrap()))).await;
    }
    done(&*store, put(draft(7), 1)).await;
    // Put again later it is as old as it was.
    let kept = |number| MemoryDraft { kind: MemoryKind::EPISODIC, ..keyed(number, "k") };
    done(&*store, put(kept(8), 2)).await;
    done(&*store, put(kept(8), 90)).await;
    assert_eq!(store.retire(&MemoryKind::EPISODIC, at(1), ALL).await, Ok(0));
    assert_eq!(store.retire(&MemoryKind::PROCEDURAL, at(100), ALL).await, Ok(0));
    assert_eq!(store.retire(&MemoryKind::EPISODIC, at(5), 2).await, Ok(2));
    assert_eq!(store.retire(&MemoryKind::EPISODIC, at(5), 2).await, Ok(2));
    assert_eq!(store.retire(&MemoryKind::EPISODIC, at(5), 2).await, Ok(1));
    assert_eq!(store.retire(&MemoryKind::EPISODIC, at(5), 2).await, Ok(0));
    assert_eq!(numbers(&seen(&*store, &ada()).await), [7, 6]);
    assert_eq!(numbers(&seen(&*store, &other_ada()).await), [5]);
}
