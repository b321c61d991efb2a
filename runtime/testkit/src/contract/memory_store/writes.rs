//! Clauses 1 and 2 of the store.

use soorma_ports::{MemoryDraft, MemoryFilter, MemoryRefused, When};
use tokio::task::JoinSet;

use super::MemoryStoreHarness;
use super::steps::{
    ada, all_done, by_all, by_meaning, done, draft, find, four, handles, keyed, labelled, lists, new_vector,
    nth, numbers, one, private_key, public, public_key, put, put_when, rank, remove, seen, taken, unembedded,
    write,
};

pub(super) async fn what_was_answered_is_there_after_reopening<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let whole = MemoryDraft { labels: vec!["l".into()], ..super::steps::pointing(1, 10.0) };
    let writes = vec![put(whole, 1), put(public(keyed(2, "k")), 2), put(draft(3), 3), remove(nth(3), 4)];
    all_done(&*store, writes).await;
    let before = seen(&*store, &ada()).await;
    let ranks = rank(&*store, &ada(), &by_all(0.0, "number")).await;
    drop(store);
    let h = h.reopen().await;
    let store = h.store();
    assert_eq!(numbers(&before), [1, 2]);
    assert_eq!(seen(&*store, &ada()).await, before);
    let again = rank(&*store, &ada(), &by_all(0.0, "number")).await;
    for ranks in [ranks, again] {
        let [meaning, mut words, time] = lists(&ranks);
        words.sort_unstable();
        assert_eq!((meaning, words, time), (vec![1], vec![1, 2], vec![2, 1]));
    }
    let labels = vec!["l".into()];
    assert_eq!(taken(&*store, MemoryFilter { labels, ..MemoryFilter::default() }).await, [1]);
    assert_eq!(find(&*store, public_key("k")).await.as_ref(), before.get(1));
}

pub(super) async fn vectors_that_were_answered_are_there_after_reopening<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let revision = done(&*store, put(draft(1), 1)).await.revision;
    done(&*store, put(draft(2), 2)).await;
    let vectors = vec![new_vector(1, revision, 10.0, &four())];
    assert_eq!(store.put_vectors(&four(), vectors).await, Ok(1));
    drop(store);
    let h = h.reopen().await;
    assert_eq!(by_meaning(&*h.store(), 10.0, &four()).await, [1]);
    assert_eq!(unembedded(&*h.store(), &four()).await, [2]);
}

pub(super) async fn a_working_store_says_so<H: MemoryStoreHarness>(h: H) {
    assert_eq!(h.store().check().await, Ok(()));
}

pub(super) async fn a_call_of_nothing_answers_nothing<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    assert_eq!(write(&*store, vec![]).await, []);
    assert_eq!(store.get(&ada(), super::steps::at(1), &[]).await, Ok(vec![]));
    assert_eq!(store.put_vectors(&four(), vec![]).await, Ok(0));
    assert_eq!(store.unembedded(&four(), None, 10).await, Ok(vec![]));
    assert_eq!(seen(&*store, &ada()).await, []);
}

pub(super) async fn each_write_has_its_answer_in_the_order_of_the_call<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let answers =
        write(&*store, vec![put(draft(2), 1), remove(nth(7), 2), put(draft(1), 3), remove(nth(2), 4)]).await;
    let words: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(soorma_ports::MemoryDone::Put { id, .. }) => format!("put {}", id.as_u128()),
            Ok(soorma_ports::MemoryDone::Removed(count)) => format!("removed {count}"),
            Err(refused) => refused.to_string(),
        })
        .collect();
    assert_eq!(words, ["put 2", "there is no such entry", "put 1", "removed 1"]);
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1]);
}

pub(super) async fn what_is_refused_undoes_none_of_its_neighbours<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let refused = MemoryDraft {
        key: Some("k".into()),
        vector: super::steps::pointing(2, 0.0).vector,
        ..labelled(2, &["l"])
    };
    let answers = write(
        &*store,
        vec![
            put(keyed(1, "k"), 1),
            put_when(refused.clone(), When::Absent, 2),
            put(draft(3), 3),
            put_when(MemoryDraft { key: Some("other".into()), ..refused }, When::Present, 4),
            put(draft(4), 5),
        ],
    )
    .await;
    assert_eq!(answers[1], Err(MemoryRefused::AlreadyExists));
    assert_eq!(answers[3], Err(MemoryRefused::NotFound));
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert_eq!(numbers(&seen(&*store, &ada()).await), [1, 3, 4]);
    // Nothing of what was refused is left behind.
    let ranks = rank(&*store, &ada(), &by_all(0.0, "2")).await;
    assert_eq!(lists(&ranks), [vec![], vec![], vec![4, 3, 1]]);
    let labels = vec!["l".into()];
    assert_eq!(taken(&*store, MemoryFilter { labels, ..MemoryFilter::default() }).await, []);
}

pub(super) async fn a_write_sees_those_before_it<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let answers = write(
        &*store,
        vec![
            put_when(keyed(1, "k"), When::Absent, 1),
            put_when(keyed(2, "k"), When::Absent, 2),
            put_when(keyed(3, "k"), When::Present, 3),
            remove(private_key("k"), 4),
            put_when(keyed(4, "k"), When::Present, 5),
            put_when(keyed(5, "k"), When::Absent, 6),
        ],
    )
    .await;
    let done: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().copied()).collect();
    let (there, nothing) = (Some(MemoryRefused::AlreadyExists), Some(MemoryRefused::NotFound));
    assert_eq!(done, [None, there, None, None, nothing, None]);
    assert_eq!(numbers(&seen(&*store, &ada()).await), [5]);
}

pub(super) async fn a_large_call_is_carried_out<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let draft =
        |nth| MemoryDraft { labels: vec![format!("l{}", nth % 10)], ..keyed(nth, &format!("k{nth}")) };
    all_done(&*store, (0..2_000).map(|nth| put(draft(nth), 1)).collect()).await;
    assert_eq!(seen(&*store, &ada()).await.len(), 2_000);
    let labels = vec!["l7".into()];
    assert_eq!(taken(&*store, MemoryFilter { labels, ..MemoryFilter::default() }).await.len(), 200);
    all_done(&*store, (0..2_000).map(|n| remove(nth(n), 2)).collect()).await;
    assert_eq!(seen(&*store, &ada()).await, []);
}

pub(super) async fn calls_that_cross_are_both_carried_out<H: MemoryStoreHarness>(h: H) {
    let (handles, mut calls) = (handles(&h).await, JoinSet::new());
    for call in 0..10_u128 {
        let store = handles[usize::try_from(call % 2).unwrap()].clone();
        // Some put the same keys, in two orders.
        let own = (0..20).map(|n| put(draft(call * 100 + n), 1));
        let mut shared: Vec<_> =
            (0..20).map(|n| put(public(keyed(10_000 + call * 100 + n, &format!("k{n}"))), 2)).collect();
        if call % 2 == 0 {
            shared.reverse();
        }
        let writes = own.chain(shared).collect();
        calls.spawn(async move { all_done(&*store, writes).await });
    }
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().len(), 40);
    }
    let entries = seen(&*handles[0], &ada()).await;
    assert_eq!(entries.len(), 10 * 20 + 20);
    assert_eq!(seen(&*handles[1], &ada()).await, entries, "who opened the same data sees the same");
}

pub(super) async fn a_key_put_by_many_at_once_is_made_once<H: MemoryStoreHarness>(h: H) {
    let (handles, mut calls) = (handles(&h).await, JoinSet::new());
    for n in 0..20_u128 {
        let store = handles[usize::try_from(n % 2).unwrap()].clone();
        let when = if n % 4 < 2 { When::Absent } else { When::Any };
        calls.spawn(async move { one(&*store, put_when(keyed(n, "k"), when, 1)).await });
    }
    let mut made = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(soorma_ports::MemoryDone::Put { made: true, .. }) => made += 1,
            Ok(_) | Err(MemoryRefused::AlreadyExists) => {}
            Err(refused) => panic!("{refused}"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(seen(&*handles[0], &ada()).await.len(), 1);
}

pub(super) async fn of_many_who_compare_and_set_one_wins<H: MemoryStoreHarness>(h: H) {
    let handles = handles(&h).await;
    let mut revision = done(&*handles[0], put(keyed(1, "k"), 1)).await.revision;
    for round in 0..5 {
        let mut calls = JoinSet::new();
        for n in 0..10_u128 {
            let store = handles[usize::try_from(n % 2).unwrap()].clone();
            let write = put_when(keyed(n + 2, "k"), When::Revision(revision), round + 2);
            calls.spawn(async move { one(&*store, write).await });
        }
        let mut won = Vec::new();
        let mut lost = Vec::new();
        while let Some(answer) = calls.join_next().await {
            match answer.unwrap() {
                Ok(soorma_ports::MemoryDone::Put { revision, .. }) => won.push(revision),
                Err(MemoryRefused::Conflict { revision }) => lost.extend(revision),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((won.len(), lost.len()), (1, 9), "one wins, and the others are told whom they lost to");
        assert!(lost.iter().all(|told| *told == won[0]));
        revision = won[0];
    }
}
