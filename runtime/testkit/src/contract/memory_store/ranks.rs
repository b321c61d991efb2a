//! Clause 10 of the store.

use std::collections::BTreeSet;

use soorma_core::MemoryKind;
use soorma_ports::{Embedded, MemoryDraft, MemoryFilter, MemoryStore, RankQuery, Ranks, Seen, unit};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, ada, all_done, at, both, by, by_all, by_meaning, done, draft, embedded, four, generation, handles,
    keyed, labelled, lists, new_vector, nth, other_ada, pointing, public, put, put_all, rank, remove, saying,
    scope, towards,
};
use crate::SeededEntropy;

pub(super) async fn each_list_comes_when_it_is_asked_for<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [pointing(1, 0.0), pointing(2, 90.0)]).await;
    let all = by_all(0.0, "1");
    let none = RankQuery { meaning: None, words: None, time: false, ..all.clone() };
    assert_eq!(rank(&*store, &ada(), &none).await, Ranks::default());
    for query in [
        RankQuery { meaning: all.meaning.clone(), ..none.clone() },
        RankQuery { words: all.words.clone(), ..none.clone() },
        RankQuery { time: true, ..none.clone() },
        RankQuery { meaning: None, ..all.clone() },
        RankQuery { words: None, ..all.clone() },
        RankQuery { time: false, ..all.clone() },
        all,
    ] {
        let [meaning, words, time] = lists(&rank(&*store, &ada(), &query).await);
        assert_eq!(meaning, if query.meaning.is_some() { vec![1, 2] } else { vec![] });
        assert_eq!(words, if query.words.is_some() { vec![1] } else { vec![] });
        assert_eq!(time, if query.time { vec![2, 1] } else { vec![] });
    }
}

pub(super) async fn where_there_is_nothing_nothing_is_ranked<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    assert_eq!(rank(&*store, &ada(), &by_all(0.0, "number")).await, Ranks::default());
    put_all(&*store, [pointing(1, 0.0)]).await;
    let query = RankQuery { depth: 0, ..by_all(0.0, "number") };
    assert_eq!(rank(&*store, &ada(), &query).await, Ranks::default());
}

pub(super) async fn the_nearest_come_first_with_their_cosine<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let degrees = [(1, 10.0), (2, 100.0), (3, 350.0), (4, 190.0), (5, 45.0), (6, 280.0)];
    put_all(&*store, degrees.map(|(number, degrees)| pointing(number, degrees))).await;
    let ranks = rank(&*store, &ada(), &by_all(12.0, "")).await;
    assert_eq!(lists(&ranks)[0], [1, 3, 5, 2, 6, 4]);
    for (id, score) in &ranks.meaning {
        let (_, degrees) = degrees.iter().find(|(number, _)| id.as_u128() == *number).unwrap();
        let cosine = (degrees - 12.0_f32).to_radians().cos();
        assert!((score - cosine).abs() < 1e-3, "{id}: {score} in place of {cosine}");
    }
}

pub(super) async fn the_newest_come_first<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let writes = vec![
        put(keyed(1, "k"), 5),
        put(draft(2), 9),
        put(public(draft(3)), 7),
        put(draft(4), 1),
        // Put again it is as old as it was.
        put(keyed(9, "k"), 20),
    ];
    all_done(&*store, writes).await;
    assert_eq!(lists(&rank(&*store, &ada(), &by_all(0.0, "")).await)[2], [2, 3, 1, 4]);
}

pub(super) async fn each_list_is_as_deep_as_was_asked<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, (1..=20).map(|number| pointing(number, number as f32))).await;
    for depth in [1, 2, 7, 19, 20, 21, ALL] {
        let query = RankQuery { depth, ..by_all(0.0, "number") };
        let [meaning, words, time] = lists(&rank(&*store, &ada(), &query).await);
        let expected = depth.min(20);
        assert_eq!((meaning.len(), words.len(), time.len()), (expected, expected, expected));
        assert_eq!(meaning, (1..=20).take(expected).collect::<Vec<_>>());
        assert_eq!(time, (1..=20).rev().take(expected).collect::<Vec<_>>());
        assert_eq!(BTreeSet::from_iter(words).len(), expected, "each stands there once");
    }
}

pub(super) async fn generations_are_never_mixed<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // Two of the same length, one of another; one model's name is part of another's.
    let all = [four(), generation("testkit2/4"), generation("testkit/3"), generation("a/b c/'4'/4")];
    for (number, of) in (1..).zip(&all) {
        done(&*store, put(MemoryDraft { vector: Some(embedded(0.0, of)), ..draft(number) }, 1)).await;
    }
    let revision = done(&*store, put(draft(9), 2)).await.revision;
    for (number, of) in (0_u8..).zip(&all) {
        let vectors = vec![new_vector(9, revision, 10.0 + f32::from(number), of)];
        assert_eq!(store.put_vectors(of, vectors).await, Ok(1));
    }
    for (number, of) in (1..).zip(&all) {
        assert_eq!(by_meaning(&*store, 0.0, of).await, [number, 9], "{of}");
        assert_eq!(by_meaning(&*store, 20.0, of).await, [9, number], "{of}");
    }
    assert_eq!(by_meaning(&*store, 0.0, &generation("nobody/4")).await, []);
}

pub(super) async fn what_has_no_vector_or_text_is_in_the_other_lists<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let silent = MemoryDraft { text: None, ..draft(3) };
    put_all(&*store, [pointing(1, 0.0), draft(2), silent]).await;
    let query = RankQuery { depth: 3, ..by_all(0.0, "number") };
    let [meaning, mut words, time] = lists(&rank(&*store, &ada(), &query).await);
    words.sort_unstable();
    assert_eq!((meaning, words, time), (vec![1], vec![1, 2], vec![3, 2, 1]));
}

pub(super) async fn a_filter_is_held_before_the_depth<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // Those that fit are the oldest, the farthest and those that say least; nothing that a filter asks for is the same of the others.
    let fit = (1..=10).map(|number| MemoryDraft {
        kind: MemoryKind::EPISODIC,
        group: "g".into(),
        vector: Some(embedded(120.0 + number as f32, &four())),
        text: Some("word and many others that make it long".into()),
        ..labelled(number, &["fits"])
    });
    let others = (100..700).map(|number| MemoryDraft {
        public: true,
        valid_until: Some(at(20)),
        vector: Some(embedded(number as f32 / 100.0, &four())),
        text: Some("word word".into()),
        ..labelled(number, &["other"])
    });
    put_all(&*store, fit.chain(others)).await;
    for filter in [
        MemoryFilter { kind: Some(MemoryKind::EPISODIC), ..both() },
        MemoryFilter { group: Some("g".into()), ..both() },
        MemoryFilter { labels: vec!["fits".into()], ..both() },
        MemoryFilter { reach: Seen::Private, ..both() },
        MemoryFilter { before: Some(at(11)), ..both() },
        MemoryFilter { valid_at: Some(at(20)), ..both() },
    ] {
        let query = RankQuery { filter, depth: 10, ..by_all(0.0, "word") };
        let [meaning, mut words, time] = lists(&rank(&*store, &ada(), &query).await);
        words.sort_unstable();
        assert_eq!(meaning, (1..=10).collect::<Vec<_>>(), "{query:?}");
        assert_eq!(words, (1..=10).collect::<Vec<_>>(), "{query:?}");
        assert_eq!(time, (1..=10).rev().collect::<Vec<_>>(), "{query:?}");
    }
}

pub(super) async fn who_asks_for_k_finds_k_beside_a_great_neighbour<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    for (beginning, neighbour) in [(10_000, other_ada()), (20_000, scope("acme", "shop", "bob"))] {
        let much = (0..500).map(|number| {
            let draft = MemoryDraft { text: Some("word word".into()), ..pointing(beginning + number, 0.1) };
            by(neighbour.clone(), put(draft, 500))
        });
        all_done(&*store, much.collect()).await;
    }
    let ours = (1..=10).map(|number| MemoryDraft {
        vector: Some(embedded(120.0 + number as f32, &four())),
        ..saying(number, "a word and many others that make it long")
    });
    put_all(&*store, ours).await;
    for reach in [Seen::Private, Seen::Both] {
        let filter = MemoryFilter { reach, ..MemoryFilter::default() };
        let query = RankQuery { filter, depth: 10, ..by_all(0.0, "word") };
        let [meaning, mut words, time] = lists(&rank(&*store, &ada(), &query).await);
        words.sort_unstable();
        assert_eq!(meaning, (1..=10).collect::<Vec<_>>());
        assert_eq!(words, (1..=10).collect::<Vec<_>>());
        assert_eq!(time, (1..=10).rev().collect::<Vec<_>>());
    }
}

pub(super) async fn what_was_just_written_is_ranked_for_all<H: MemoryStoreHarness>(h: H) {
    let [one, other] = handles(&h).await;
    for (round, (writes, reads)) in (1_u128..).zip([(&one, &one), (&one, &other), (&other, &one)]) {
        done(&**writes, put(pointing(round, 0.0), 1)).await;
        let found = lists(&rank(&**reads, &ada(), &by_all(0.0, &round.to_string())).await);
        assert_eq!(found.map(|list| list.contains(&round)), [true; 3]);
        super::steps::removed(&**writes, remove(nth(round), 2)).await;
        let found = lists(&rank(&**reads, &ada(), &by_all(0.0, &round.to_string())).await);
        assert_eq!(found.map(|list| list.contains(&round)), [false; 3]);
        // Added behind, moved and dropped.
        let revision = done(&**writes, put(draft(100 + round), 3)).await.revision;
        assert_eq!(by_meaning(&**reads, 0.0, &four()).await, []);
        for degrees in [10.0, 70.0] {
            let vectors = vec![new_vector(100 + round, revision, degrees, &four())];
            assert_eq!(writes.put_vectors(&four(), vectors).await, Ok(1));
            let ranks = rank(&**reads, &ada(), &by_all(0.0, "")).await;
            assert!((ranks.meaning[0].1 - degrees.to_radians().cos()).abs() < 1e-3, "{ranks:?}");
        }
        assert_eq!(writes.drop_vectors(None, None).await, Ok(1));
        assert_eq!(by_meaning(&**reads, 0.0, &four()).await, []);
    }
}

fn number(entropy: &SeededEntropy) -> f32 {
    entropy.below(2_001) as f32 / 1_000.0 - 1.0
}

/// A place near one of twenty centres: what texts of a few subjects look like.
fn somewhere(entropy: &SeededEntropy, centres: &[Vec<f32>]) -> Vec<f32> {
    let centre = &centres[usize::try_from(entropy.below(centres.len() as u64)).unwrap()];
    unit(centre.iter().map(|at| at + 0.4 * number(entropy)).collect()).unwrap()
}

async fn near(store: &dyn MemoryStore, vector: Vec<f32>, depth: usize) -> Vec<u128> {
    let meaning = Some(Embedded { generation: generation("testkit/32"), vector });
    lists(&rank(store, &ada(), &RankQuery { meaning, depth, ..RankQuery::default() }).await)[0].clone()
}

pub(super) async fn of_the_true_first_ten_most_are_found<H: MemoryStoreHarness>(h: H) {
    let (store, of) = (h.store(), generation("testkit/32"));
    let entropy = SeededEntropy::new(5);
    let centres: Vec<Vec<f32>> = (0..20).map(|_| (0..32).map(|_| number(&entropy)).collect()).collect();
    let vectors: Vec<_> = (0..1_500).map(|_| somewhere(&entropy, &centres)).collect();
    let drafts = (0..).zip(&vectors).map(|(number, vector)| MemoryDraft {
        vector: Some(Embedded { generation: of.clone(), vector: vector.clone() }),
        ..draft(number)
    });
    put_all(&*store, drafts).await;
    let mut found = 0;
    for _ in 0..20 {
        let asked = somewhere(&entropy, &centres);
        let product = |vector: &Vec<f32>| vector.iter().zip(&asked).map(|(a, b)| a * b).sum::<f32>();
        let mut exact: Vec<_> =
            (0..).zip(&vectors).map(|(number, vector)| (product(vector), number)).collect();
        exact.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let exact: BTreeSet<u128> = exact.iter().take(10).map(|(_, number)| *number).collect();
        let first = near(&*store, asked, 10).await;
        assert_eq!(first.len(), 10);
        found += first.iter().filter(|number| exact.contains(number)).count();
    }
    assert!(found >= 190, "{found} of 200 are found");
    // As many come as there are, however far.
    assert_eq!(near(&*store, towards(0.0, &of), ALL).await.len(), 1_500);
}
