//! What a filter takes.

use soorma_core::MemoryKind;
use soorma_ports::{MemoryDraft, MemoryFilter, MemoryStore, RankQuery, Seen};

use super::MemoryStoreHarness;
use super::steps::{
    ada, at, both, by_all, draft, embedded, four, kind, labelled, lists, public, put_all, rank, taken,
};

/// What a filter takes is the same in a list and in all ranks.
async fn takes(store: &dyn MemoryStore, filter: MemoryFilter, expected: &[u128]) {
    assert_eq!(taken(store, filter.clone()).await, expected, "{filter:?}");
    let query = RankQuery { filter: filter.clone(), ..by_all(0.0, "number") };
    for mut list in lists(&rank(store, &ada(), &query).await) {
        list.sort_unstable();
        assert_eq!(list, expected, "{filter:?}");
    }
}

fn with_vector(draft: MemoryDraft) -> MemoryDraft {
    MemoryDraft { vector: Some(embedded(0.0, &four())), ..draft }
}

pub(super) async fn a_filter_takes_a_kind_and_a_group<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let of = |number, of: &str, group: &str| {
        with_vector(MemoryDraft { kind: kind(of), group: group.into(), ..draft(number) })
    };
    let drafts = [
        of(1, "semantic", ""),
        of(2, "semantic", "g"),
        of(3, "episodic", "g"),
        of(4, "semantic", "G"),
        of(5, "semantic2", ""),
    ];
    put_all(&*store, drafts).await;
    let filter = |kind: Option<&str>, group: Option<&str>| MemoryFilter {
        kind: kind.map(super::steps::kind),
        group: group.map(Into::into),
        ..MemoryFilter::default()
    };
    takes(&*store, filter(None, None), &[1, 2, 3, 4, 5]).await;
    takes(&*store, filter(Some("semantic"), None), &[1, 2, 4]).await;
    takes(&*store, filter(None, Some("g")), &[2, 3]).await;
    takes(&*store, filter(None, Some("")), &[1, 5]).await;
    takes(&*store, filter(Some("semantic"), Some("g")), &[2]).await;
    takes(&*store, filter(Some("episodic"), Some("")), &[]).await;
    takes(&*store, filter(Some("nothing"), None), &[]).await;
    takes(&*store, filter(Some("semantic"), Some("%")), &[]).await;
}

pub(super) async fn a_filter_takes_those_with_all_of_its_labels<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let odd = ["it's", "a\"b", "100%", "{a,b}", "a b", "\u{fc}", "k=v:w", "\\", "null", ""];
    let drafts = [
        labelled(1, &["a"]),
        labelled(2, &["b", "a"]),
        labelled(3, &["A", "c"]),
        labelled(4, &[]),
        labelled(5, &odd),
    ];
    put_all(&*store, drafts.map(with_vector)).await;
    let with = |labels: &[&str]| MemoryFilter {
        labels: labels.iter().map(|&label| label.into()).collect(),
        ..MemoryFilter::default()
    };
    takes(&*store, with(&[]), &[1, 2, 3, 4, 5]).await;
    takes(&*store, with(&["a"]), &[1, 2]).await;
    takes(&*store, with(&["a", "b"]), &[2]).await;
    takes(&*store, with(&["b", "a"]), &[2]).await;
    takes(&*store, with(&["a", "a"]), &[1, 2]).await;
    takes(&*store, with(&["A"]), &[3]).await;
    takes(&*store, with(&["a", "c"]), &[]).await;
    takes(&*store, with(&["a", "nobody has it"]), &[]).await;
    takes(&*store, with(&["%"]), &[]).await;
    for label in odd {
        takes(&*store, with(&[label]), &[5]).await;
    }
    takes(&*store, with(&odd), &[5]).await;
}

pub(super) async fn a_filter_takes_from_one_time_to_before_another<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // Written at seconds 1, 2, 3.
    put_all(&*store, (1..=3).map(|number| with_vector(draft(number)))).await;
    let micro = |seconds: i64, more| soorma_core::Timestamp::from_micros(at(seconds).micros() + more);
    let between = |since, before| MemoryFilter { since, before, ..MemoryFilter::default() };
    takes(&*store, between(Some(at(2)), None), &[2, 3]).await;
    takes(&*store, between(Some(micro(2, 1)), None), &[3]).await;
    takes(&*store, between(None, Some(at(2))), &[1]).await;
    takes(&*store, between(None, Some(micro(2, 1))), &[1, 2]).await;
    takes(&*store, between(Some(at(2)), Some(at(3))), &[2]).await;
    takes(&*store, between(Some(at(2)), Some(at(2))), &[]).await;
    takes(&*store, between(Some(at(3)), Some(at(1))), &[]).await;
    let (first, last) = (soorma_core::Timestamp::MIN, soorma_core::Timestamp::MAX);
    takes(&*store, between(Some(first), Some(last)), &[1, 2, 3]).await;
}

pub(super) async fn a_filter_takes_what_holds_at_a_time<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let holds = |number, from: Option<i64>, until: Option<i64>| {
        let (valid_from, valid_until) = (from.map(at), until.map(at));
        with_vector(MemoryDraft { valid_from, valid_until, ..draft(number) })
    };
    let drafts = [
        holds(1, None, None),
        holds(2, Some(10), None),
        holds(3, None, Some(20)),
        holds(4, Some(10), Some(20)),
        holds(5, Some(20), Some(20)),
    ];
    put_all(&*store, drafts).await;
    let then = |micros: i64| {
        let valid_at = Some(soorma_core::Timestamp::from_micros(at(0).micros() + micros));
        MemoryFilter { valid_at, ..MemoryFilter::default() }
    };
    takes(&*store, MemoryFilter::default(), &[1, 2, 3, 4, 5]).await;
    takes(&*store, then(9_999_999), &[1, 3]).await;
    takes(&*store, then(10_000_000), &[1, 2, 3, 4]).await;
    takes(&*store, then(19_999_999), &[1, 2, 3, 4]).await;
    takes(&*store, then(20_000_000), &[1, 2]).await;
}

pub(super) async fn a_filter_takes_private_or_public_entries_or_both<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [with_vector(draft(1)), with_vector(public(draft(2)))]).await;
    let reach = |reach| MemoryFilter { reach, ..MemoryFilter::default() };
    takes(&*store, reach(Seen::Private), &[1]).await;
    takes(&*store, reach(Seen::Public), &[2]).await;
    takes(&*store, reach(Seen::Both), &[1, 2]).await;
}

pub(super) async fn what_a_filter_says_counts_together<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let fits = with_vector(MemoryDraft {
        kind: MemoryKind::EPISODIC,
        group: "g".into(),
        valid_from: Some(at(10)),
        ..labelled(1, &["a", "b"])
    });
    let but = |number: u128, change: fn(&mut MemoryDraft)| {
        let mut draft = MemoryDraft { id: super::steps::id(number), ..fits.clone() };
        change(&mut draft);
        draft
    };
    let drafts = [
        fits.clone(),
        but(2, |draft| draft.kind = MemoryKind::SEMANTIC),
        but(3, |draft| draft.group = "h".into()),
        but(4, |draft| draft.labels = vec!["a".into()]),
        but(5, |draft| draft.valid_from = Some(at(100))),
        but(6, |draft| draft.public = true),
        but(7, |_| {}),
        but(8, |_| {}),
    ];
    put_all(&*store, drafts).await;
    let filter = MemoryFilter {
        kind: Some(MemoryKind::EPISODIC),
        group: Some("g".into()),
        labels: vec!["a".into(), "b".into()],
        reach: Seen::Private,
        since: None,
        before: Some(at(8)),
        valid_at: Some(at(50)),
    };
    takes(&*store, filter.clone(), &[1, 7]).await;
    takes(&*store, MemoryFilter { reach: Seen::Both, ..filter.clone() }, &[1, 6, 7]).await;
    takes(&*store, MemoryFilter { since: Some(at(2)), ..filter }, &[7]).await;
    takes(&*store, both(), &[1, 2, 3, 4, 5, 6, 7, 8]).await;
}
