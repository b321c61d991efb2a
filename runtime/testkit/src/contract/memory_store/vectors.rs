//! Clauses 6 and 13 of the store.

use soorma_ports::{MemoryDraft, NewVector, Unembedded};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, ada, by, by_meaning, by_words, done, draft, embedded, four, generation, id, keyed, new_vector, nth,
    other_ada, pointing, public, put, put_all, remove, removed, saying, towards, unembedded,
};
use crate::tenant;

pub(super) async fn a_draft_brings_its_vector<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [pointing(1, 90.0), pointing(2, 0.0), draft(3)]).await;
    assert_eq!(by_meaning(&*store, 10.0, &four()).await, [2, 1]);
    assert_eq!(by_meaning(&*store, 80.0, &four()).await, [1, 2]);
    assert_eq!(unembedded(&*store, &four()).await, [3]);
}

pub(super) async fn a_put_that_changes_the_text_drops_the_vectors_but_the_one_it_brings<
    H: MemoryStoreHarness,
>(
    h: H,
) {
    let (store, of_four, other) = (h.store(), four(), generation("other/4"));
    let said = |text: &str| MemoryDraft { key: Some("k".into()), ..saying(1, text) };
    let with = |draft, of| MemoryDraft { vector: Some(embedded(0.0, of)), ..draft };
    let put_first = done(&*store, put(with(said("first"), &of_four), 1)).await;
    assert_eq!(store.put_vectors(&other, vec![new_vector(1, put_first.revision, 0.0, &other)]).await, Ok(1));
    done(&*store, put(with(said("second"), &other), 2)).await;
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, []);
    assert_eq!(by_meaning(&*store, 0.0, &other).await, [1]);
    done(&*store, put(said("third"), 3)).await;
    assert_eq!(by_meaning(&*store, 0.0, &other).await, []);
    assert_eq!((unembedded(&*store, &four()).await, unembedded(&*store, &other).await), (vec![1], vec![1]));
}

pub(super) async fn a_put_that_leaves_the_text_as_it_is_keeps_the_vectors<H: MemoryStoreHarness>(h: H) {
    let (store, other) = (h.store(), generation("other/3"));
    let said = MemoryDraft { key: Some("k".into()), ..pointing(1, 0.0) };
    let put_first = done(&*store, put(said.clone(), 1)).await;
    assert_eq!(store.put_vectors(&other, vec![new_vector(1, put_first.revision, 0.0, &other)]).await, Ok(1));
    let body = "another".into();
    let again = done(&*store, put(MemoryDraft { body, vector: None, ..said.clone() }, 2)).await;
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, [1]);
    assert_eq!(by_meaning(&*store, 0.0, &other).await, [1]);
    assert_eq!(unembedded(&*store, &four()).await, []);
    // One that brings a vector of one generation replaces that one.
    done(&*store, put(MemoryDraft { vector: Some(embedded(90.0, &four())), ..said }, 3)).await;
    done(&*store, put(pointing(2, 45.0), 4)).await;
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, [2, 1]);
    assert_eq!(by_meaning(&*store, 90.0, &four()).await, [1, 2]);
    assert_eq!(by_meaning(&*store, 0.0, &other).await, [1]);
    // Kept or not, what was made of an earlier revision is passed over.
    assert_eq!(store.put_vectors(&four(), vec![new_vector(1, again.revision, 0.0, &four())]).await, Ok(0));
}

pub(super) async fn a_text_that_is_taken_away_takes_its_vectors_along<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let said = MemoryDraft { key: Some("k".into()), ..pointing(1, 0.0) };
    put_all(&*store, [said.clone(), MemoryDraft { text: None, vector: None, ..said.clone() }]).await;
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, []);
    assert_eq!(unembedded(&*store, &four()).await, [], "what says nothing needs no vector");
    done(&*store, put(MemoryDraft { vector: None, ..said }, 3)).await;
    assert_eq!(unembedded(&*store, &four()).await, [1]);
}

pub(super) async fn vectors_are_added_to_the_revision_that_they_were_made_of<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let first = done(&*store, put(keyed(1, "k"), 1)).await.revision;
    let others = done(&*store, put(public(draft(2)), 1)).await.revision;
    let second =
        done(&*store, put(MemoryDraft { text: Some("new".into()), ..keyed(1, "k") }, 2)).await.revision;
    let vectors = vec![new_vector(1, first, 0.0, &four()), new_vector(2, others, 0.0, &four())];
    assert_eq!(store.put_vectors(&four(), vectors).await, Ok(1));
    assert_eq!(unembedded(&*store, &four()).await, [1]);
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, []);
    assert_eq!(store.put_vectors(&four(), vec![new_vector(1, second, 0.0, &four())]).await, Ok(1));
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, [1]);
    assert_eq!(unembedded(&*store, &four()).await, []);
}

pub(super) async fn vectors_of_what_is_gone_or_elsewhere_are_passed_over<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let gone = done(&*store, put(draft(1), 1)).await.revision;
    let ours = done(&*store, put(draft(2), 1)).await.revision;
    assert_eq!(removed(&*store, remove(nth(1), 2)).await, 1);
    let elsewhere = NewVector { tenant: tenant("globex"), ..new_vector(2, ours, 0.0, &four()) };
    let vectors = vec![new_vector(1, gone, 0.0, &four()), new_vector(7, gone, 0.0, &four()), elsewhere];
    assert_eq!(store.put_vectors(&four(), vectors).await, Ok(0));
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, []);
    assert_eq!(unembedded(&*store, &four()).await, [2]);
    // One that has come in its place is another.
    done(&*store, put(draft(1), 3)).await;
    assert_eq!(store.put_vectors(&four(), vec![new_vector(1, gone, 0.0, &four())]).await, Ok(0));
}

pub(super) async fn a_vector_that_is_added_again_takes_the_place_of_the_first<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let revision = done(&*store, put(draft(1), 1)).await.revision;
    done(&*store, put(pointing(2, 45.0), 2)).await;
    for (degrees, expected) in [(0.0, [1, 2]), (90.0, [2, 1]), (0.0, [1, 2])] {
        let vectors = vec![new_vector(1, revision, degrees, &four())];
        assert_eq!(store.put_vectors(&four(), vectors).await, Ok(1));
        assert_eq!(by_meaning(&*store, 0.0, &four()).await, expected, "{degrees}");
    }
    let count = store.count(&tenant("acme"), None, Some(&four())).await.unwrap();
    assert_eq!(count[0].embedded, 2);
}

pub(super) async fn what_has_no_vector_is_told_of_all_tenants_by_id_in_pages<H: MemoryStoreHarness>(h: H) {
    let (store, other) = (h.store(), generation("other/4"));
    let mut expected = Vec::new();
    for number in 1..=9_u128 {
        let scope = if number % 2 == 0 { ada() } else { other_ada() };
        // Written in another order than that of their ids; some are told of one generation alone, some have no text.
        let (number, draft) = match number % 4 {
            1 => (100 - number, pointing(100 - number, 0.0)),
            2 => (100 - number, MemoryDraft { text: None, ..draft(100 - number) }),
            _ => (100 - number, draft(100 - number)),
        };
        let text = draft.text.clone();
        let has_vector = draft.vector.is_some();
        let put = done(&*store, by(scope.clone(), put(draft, 1))).await;
        if let Some(text) = text {
            let missing = Unembedded { tenant: scope.tenant, id: id(number), revision: put.revision, text };
            expected.push((missing, has_vector));
        }
    }
    expected.sort_by_key(|(missing, _)| missing.id);
    let of_four: Vec<_> =
        expected.iter().filter(|(_, has)| !has).map(|(missing, _)| missing.clone()).collect();
    let of_other: Vec<_> = expected.iter().map(|(missing, _)| missing.clone()).collect();
    assert!(of_four.len() >= 4 && of_other.len() > of_four.len());
    for (generation, expected) in [(four(), of_four), (other, of_other)] {
        assert_eq!(store.unembedded(&generation, None, ALL).await.unwrap(), expected);
        for limit in 1..4 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = store.unembedded(&generation, after, limit).await.unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                found.extend(page);
            }
            assert_eq!(found, expected, "by {limit}");
        }
    }
}

pub(super) async fn what_has_no_vector_is_told_some_of_its_texts_at_once<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    // More than some MiB, of few words: a page ends where there is enough, and goes on behind.
    let text = format!("much{}", ".".repeat(1 << 20));
    put_all(&*store, (0..20).map(|number| saying(number, &text))).await;
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store.unembedded(&four(), after, ALL).await.unwrap();
        assert!(page.len() <= 16, "{} MiB are too much for one page", page.len());
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page.iter().map(|one| one.id.as_u128()));
        pages += 1;
    }
    assert_eq!(found, (0..20).collect::<Vec<_>>());
    assert!(pages > 1);
}

pub(super) async fn vectors_are_dropped_of_a_tenant_or_a_generation<H: MemoryStoreHarness>(h: H) {
    let (store, other) = (h.store(), generation("other/3"));
    for (number, scope) in [(1, ada()), (2, ada()), (3, other_ada())] {
        let revision = done(&*store, by(scope.clone(), put(pointing(number, 0.0), 1))).await.revision;
        let vector =
            NewVector { tenant: scope.tenant, id: id(number), revision, vector: towards(0.0, &other) };
        assert_eq!(store.put_vectors(&other, vec![vector]).await, Ok(1));
    }
    let missing = async || (unembedded(&*store, &four()).await, unembedded(&*store, &other).await);
    assert_eq!(store.drop_vectors(Some(&tenant("nobody")), None).await, Ok(0));
    assert_eq!(missing().await, (vec![], vec![]));
    assert_eq!(store.drop_vectors(Some(&tenant("acme")), Some(&four())).await, Ok(2));
    assert_eq!(missing().await, (vec![], vec![1, 2]));
    assert_eq!(by_meaning(&*store, 0.0, &four()).await.len(), 2);
    assert_eq!(by_meaning(&*store, 0.0, &other).await, []);
    assert_eq!(store.drop_vectors(None, Some(&four())).await, Ok(1));
    assert_eq!(missing().await, (vec![], vec![1, 2, 3]));
    assert_eq!(store.drop_vectors(Some(&tenant("acme")), None).await, Ok(2));
    assert_eq!(missing().await, (vec![1, 2], vec![1, 2, 3]));
    assert_eq!(store.drop_vectors(None, None).await, Ok(1));
    assert_eq!(missing().await, (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(by_meaning(&*store, 0.0, &four()).await, []);
    assert_eq!(by_words(&*store, "number").await.len(), 2, "the entries stay");
}

pub(super) async fn a_damaged_vector_is_as_if_it_were_not_there<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    put_all(&*store, [pointing(1, 0.0), pointing(2, 10.0), pointing(3, 20.0)]).await;
    let revision = super::steps::find(&*store, nth(2)).await.unwrap().revision;
    drop(store);
    h.damage_vectors(id(2)).await;
    let h = h.reopen().await;
    let store = h.store();
    assert_eq!(by_meaning(&*store, 10.0, &four()).await.len(), 2);
    assert!(!by_meaning(&*store, 10.0, &four()).await.contains(&2));
    assert_eq!(unembedded(&*store, &four()).await, [2]);
    assert_eq!(by_words(&*store, "2").await, [2], "its words are found");
    assert_eq!(super::steps::find(&*store, nth(2)).await.unwrap().revision, revision);
    // Made anew it is found again.
    assert_eq!(store.put_vectors(&four(), vec![new_vector(2, revision, 10.0, &four())]).await, Ok(1));
    assert_eq!(by_meaning(&*store, 10.0, &four()).await[0], 2);
    assert_eq!(unembedded(&*store, &four()).await, []);
}
