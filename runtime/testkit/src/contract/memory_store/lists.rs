//! Clause 9 of the store.

use soorma_core::MemoryKind;
use soorma_ports::{
    MemoryAfter, MemoryDraft, MemoryEntry, MemoryFilter, MemoryOrder, MemoryPage, MemoryQuery, MemoryStore,
};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, ada, all_done, at, both, by, done, draft, id, keyed, nth, numbers, other_ada, page, public, put,
    remove,
};

const ORDERS: [MemoryOrder; 4] =
    [MemoryOrder::Newest, MemoryOrder::Oldest, MemoryOrder::Updated, MemoryOrder::Key];

fn query(order: MemoryOrder, after: Option<MemoryAfter>, limit: usize) -> MemoryQuery {
    MemoryQuery { filter: both(), order, after, limit }
}

async fn listed(store: &dyn MemoryStore, order: MemoryOrder) -> Vec<u128> {
    let page = page(store, &ada(), query(order, None, ALL)).await;
    assert!(!page.more);
    numbers(&page.entries)
}

/// All in an order, by pages.
async fn paged(store: &dyn MemoryStore, order: MemoryOrder, limit: usize) -> Vec<MemoryEntry> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = page(store, &ada(), query(order, after, limit)).await;
        assert!(!page.more || page.entries.len() == limit, "a page with more behind it is full");
        after = page.entries.last().map(|last| MemoryAfter::of(last, order));
        all.extend(page.entries);
        if !page.more {
            return all;
        }
    }
}

pub(super) async fn lists_stand_in_each_of_four_orders<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let writes = vec![
        put(keyed(3, "b"), 10),
        put(public(keyed(1, "c")), 20),
        put(draft(4), 30),
        put(keyed(2, "a"), 40),
        // Put again, and one with an earlier time than it had.
        put(keyed(9, "b"), 50),
        put(keyed(9, "a"), 5),
    ];
    all_done(&*store, writes).await;
    assert_eq!(listed(&*store, MemoryOrder::Newest).await, [2, 4, 1, 3]);
    assert_eq!(listed(&*store, MemoryOrder::Oldest).await, [3, 1, 4, 2]);
    assert_eq!(listed(&*store, MemoryOrder::Updated).await, [3, 4, 1, 2]);
    assert_eq!(listed(&*store, MemoryOrder::Key).await, [4, 2, 3, 1]);
}

pub(super) async fn ties_are_in_the_order_of_ids<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // Ids are compared from their first byte on, without a sign.
    let ids = [5, 1, u128::MAX, 1 << 127, 1 << 64, 3];
    all_done(&*store, ids.map(|number| put(draft(number), 7)).to_vec()).await;
    let mut up = ids.to_vec();
    up.sort_unstable();
    let down: Vec<_> = up.iter().rev().copied().collect();
    assert_eq!(listed(&*store, MemoryOrder::Oldest).await, up);
    assert_eq!(listed(&*store, MemoryOrder::Key).await, up);
    assert_eq!(listed(&*store, MemoryOrder::Newest).await, down);
    assert_eq!(listed(&*store, MemoryOrder::Updated).await, down);
}

pub(super) async fn keys_are_in_the_order_of_their_bytes<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let keys = [
        "Z",
        "a",
        "a b",
        "a-b",
        "a/b",
        "a0",
        "aZ",
        "a_b",
        "aa",
        "ab",
        "z",
        "\u{e4}",
        "\u{4e16}",
        "\u{1f680}",
    ];
    let numbers: Vec<u128> = (1..).take(keys.len()).collect();
    // Not written in their order.
    let writes = numbers.iter().zip(keys).rev().map(|(number, key)| put(keyed(*number, key), 1));
    all_done(&*store, writes.collect()).await;
    assert_eq!(listed(&*store, MemoryOrder::Key).await, numbers);
    for limit in [1, 2, 5] {
        assert_eq!(super::steps::numbers(&paged(&*store, MemoryOrder::Key, limit).await), numbers);
    }
}

/// Many entries of which many share a time, some have a key, and some were put again.
async fn many(store: &dyn MemoryStore) {
    let drafts = (0..40_u128).map(|number| {
        let key = (number % 3 != 0).then(|| format!("k{}", number % 7 * 100 + number));
        put(
            MemoryDraft { key, public: number % 2 == 0, ..draft(number * 37 % 41) },
            i64::try_from(number / 6).unwrap(),
        )
    });
    all_done(store, drafts.collect()).await;
    let again = (0..40_u128).filter(|number| number % 3 != 0 && number % 4 == 0).map(|number| {
        let key = Some(format!("k{}", number % 7 * 100 + number));
        put(MemoryDraft { key, public: number % 2 == 0, ..draft(900 + number) }, 20)
    });
    all_done(store, again.collect()).await;
    done(store, by(other_ada(), put(public(keyed(800, "k")), 3))).await;
}

pub(super) async fn pages_go_through_all_in_each_order<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    many(&*store).await;
    for order in ORDERS {
        let all = page(&*store, &ada(), query(order, None, ALL)).await.entries;
        assert_eq!(all.len(), 40);
        for limit in [1, 2, 3, 7, 20, 39, 40, 41] {
            assert_eq!(paged(&*store, order, limit).await, all, "{order:?} by {limit}");
        }
    }
}

pub(super) async fn a_page_says_whether_there_are_more<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    assert!(!page(&*store, &ada(), query(MemoryOrder::Oldest, None, 1)).await.more);
    all_done(&*store, (1..=3).map(|number| put(draft(number), 1)).collect()).await;
    for order in ORDERS {
        for (limit, more) in [(1, true), (2, true), (3, false), (4, false)] {
            assert_eq!(page(&*store, &ada(), query(order, None, limit)).await.more, more, "{limit}");
        }
        let none = page(&*store, &ada(), query(order, None, 0)).await;
        assert_eq!((none.entries.len(), none.more), (0, true), "asked for none, there are more");
    }
}

pub(super) async fn who_goes_on_misses_nothing_that_stands_behind<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for order in ORDERS {
        store.erase(&ada().tenant, &soorma_ports::Erased::Tenant).await.unwrap();
        many(&*store).await;
        let all = page(&*store, &ada(), query(order, None, ALL)).await.entries;
        let first = page(&*store, &ada(), query(order, None, 10)).await.entries;
        // The last of the page goes, and so does the one that would come next.
        all_done(&*store, vec![remove(nth(all[9].id.as_u128()), 30), remove(nth(all[10].id.as_u128()), 30)])
            .await;
        let after = Some(MemoryAfter::of(&first[9], order));
        let rest = page(&*store, &ada(), query(order, after, ALL)).await.entries;
        assert_eq!(rest, all[11..], "{order:?}");
    }
}

pub(super) async fn who_goes_on_does_so_within_a_filter<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    many(&*store).await;
    for order in ORDERS {
        let filter = MemoryFilter::default();
        let all =
            page(&*store, &ada(), MemoryQuery { filter: filter.clone(), ..query(order, None, ALL) }).await;
        assert_eq!(all.entries.len(), 20);
        let after = Some(MemoryAfter::of(&all.entries[4], order));
        let rest = page(&*store, &ada(), MemoryQuery { filter, ..query(order, after, 5) }).await;
        assert_eq!((rest.entries.as_slice(), rest.more), (&all.entries[5..10], true), "{order:?}");
    }
}

pub(super) async fn behind_the_last_there_is_nothing<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    all_done(&*store, vec![put(draft(1), 1), put(keyed(2, "k"), 2)]).await;
    for order in ORDERS {
        let all = page(&*store, &ada(), query(order, None, ALL)).await.entries;
        let after = Some(MemoryAfter::of(&all[1], order));
        let page = page(&*store, &ada(), query(order, after, ALL)).await;
        assert_eq!((page.entries.len(), page.more), (0, false), "{order:?}");
    }
    let before = Some(MemoryAfter::Key(String::new(), id(0)));
    let page = page(&*store, &ada(), query(MemoryOrder::Key, before, ALL)).await;
    assert_eq!(numbers(&page.entries), [1, 2], "those without a key stand behind the empty one");
}

pub(super) async fn states_are_of_one_group_and_in_the_order_of_keys<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let of = |nth, key: &str, group: &str| MemoryDraft { group: group.into(), ..keyed(nth, key) };
    let writes = vec![
        put(of(1, "b", "g"), 10),
        put(of(2, "a", "g"), 20),
        put(of(3, "B", "g"), 20),
        put(of(4, "c", "other"), 20),
        put(public(of(5, "d", "g")), 20),
        put(MemoryDraft { group: "g".into(), ..draft(6) }, 20),
        put(MemoryDraft { kind: MemoryKind::WORKING, ..of(7, "e", "g") }, 20),
        by(other_ada(), put(of(8, "f", "g"), 20)),
        put(MemoryDraft { expires_at: Some(at(500)), ..of(9, "x", "g") }, 20),
        put(of(10, "b", "g"), 30),
    ];
    all_done(&*store, writes).await;
    let (scope, kind) = (ada(), MemoryKind::SEMANTIC);
    let states =
        async |now, after, limit| store.states(&scope, at(now), (&kind, "g"), after, limit).await.unwrap();
    let keys = |states: &[(String, u64)]| states.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let all = states(499, None, ALL).await;
    assert_eq!(keys(&all), ["B", "a", "b", "x"]);
    assert_eq!(keys(&states(500, None, ALL).await), ["B", "a", "b"]);
    assert_eq!(states(499, Some("B"), 2).await, all[1..3]);
    assert_eq!(states(499, Some("x"), 2).await, []);
    assert_eq!(states(499, None, 0).await, []);
    let entries = page(&*store, &ada(), query(MemoryOrder::Oldest, None, ALL)).await.entries;
    for (key, revision) in &all[..3] {
        let entry = entries.iter().find(|entry| {
            !entry.public && entry.key.as_ref() == Some(key) && (&entry.kind, &*entry.group) == (&kind, "g")
        });
        assert_eq!(entry.unwrap().revision, *revision, "{key}");
    }
}

pub(super) async fn a_page_ends_when_it_has_many_bytes<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let half = MemoryPage::MOST_BYTES / 4;
    let large = |nth| {
        let (text, body) = (Some("a ".repeat(half / 2)), format!("{nth}").repeat(half));
        MemoryDraft { text, body, ..draft(nth) }
    };
    for nth in 1..=5 {
        done(&*store, put(large(nth), i64::try_from(nth).unwrap())).await;
    }
    let first = page(&*store, &ada(), query(MemoryOrder::Oldest, None, ALL)).await;
    assert_eq!((numbers(&first.entries), first.more), (vec![1, 2], true));
    let after = first.entries.last().map(|last| MemoryAfter::of(last, MemoryOrder::Oldest));
    let second = page(&*store, &ada(), query(MemoryOrder::Oldest, after, ALL)).await;
    assert_eq!((numbers(&second.entries), second.more), (vec![3, 4], true));
    let after = second.entries.last().map(|last| MemoryAfter::of(last, MemoryOrder::Oldest));
    let last = page(&*store, &ada(), query(MemoryOrder::Oldest, after, ALL)).await;
    assert_eq!((numbers(&last.entries), last.more), (vec![5], false));
}
