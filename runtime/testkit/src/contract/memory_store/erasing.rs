//! Clause 14 of the store, and how much there is.

use soorma_core::{MemoryKind, MemoryScope, TenantId};
use soorma_ports::{Erased, KindCount, KindErased, MemoryDraft, MemoryEntry, MemoryStore, NewVector};

use super::MemoryStoreHarness;
use super::steps::{
    ALL, ada, at, bob, by, by_all, done, draft, embedded, four, generation, id, keyed, kind, labelled, lists,
    other_ada, public, put, rank, scope, seen, towards, unembedded,
};
use crate::tenant;

pub(super) async fn counts_are_by_kind_in_the_order_of_their_names<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let of = |name: &str, draft: MemoryDraft| MemoryDraft { kind: kind(name), ..draft };
    let said = |number, text: Option<&str>, body: &str| {
        let text = text.map(Into::into);
        MemoryDraft { text, body: body.into(), ..draft(number) }
    };
    let with_vector = |draft| MemoryDraft { vector: Some(embedded(0.0, &four())), ..draft };
    let drafts = [
        of("working", said(1, None, "four")),
        of("episodic", with_vector(said(2, Some("ü€"), "ab"))),
        of("episodic", public(said(3, Some(""), "🚀"))),
        of("semantic", public(with_vector(said(4, Some("abc"), "")))),
        of("semantic_2", said(5, None, "")),
        of("semantic2", said(6, None, "")),
    ];
    for draft in drafts {
        done(&*store, put(draft, 1)).await;
    }
    done(&*store, by(bob(), put(of("working", said(7, None, "more")), 1))).await;
    done(&*store, by(other_ada(), put(of("plan", said(8, None, "theirs")), 1))).await;
    let line = |name: &str, [entries, public, bytes, texts, embedded]: [u64; 5]| KindCount {
        kind: kind(name),
        entries,
        public,
        bytes,
        texts,
        embedded,
    };
    let all = |working, embedded| {
        vec![
            line("episodic", [2, 1, 11, 2, embedded]),
            line("semantic", [1, 1, 3, 1, embedded]),
            line("semantic2", [1, 0, 0, 0, 0]),
            line("semantic_2", [1, 0, 0, 0, 0]),
            line("working", working),
        ]
    };
    let (of_all, of_ada) = ([2, 0, 8, 0, 0], [1, 0, 4, 0, 0]);
    assert_eq!(store.count(&tenant("acme"), None, Some(&four())).await.unwrap(), all(of_all, 1));
    assert_eq!(store.count(&tenant("acme"), None, None).await.unwrap(), all(of_all, 0));
    let other = generation("other/4");
    assert_eq!(store.count(&tenant("acme"), None, Some(&other)).await.unwrap(), all(of_all, 0));
    let owner = ada().owner;
    assert_eq!(store.count(&tenant("acme"), Some(&owner), Some(&four())).await.unwrap(), all(of_ada, 1));
    let of_bob = store.count(&tenant("acme"), Some(&bob().owner), Some(&four())).await.unwrap();
    assert_eq!(of_bob, [line("working", [1, 0, 4, 0, 0])], "what is public is its owner's");
    let of_nobody = scope("acme", "other", "ada").owner;
    assert_eq!(store.count(&tenant("acme"), Some(&of_nobody), None).await, Ok(vec![]));
}

pub(super) async fn counts_follow_what_is_written<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let count = async || {
        let lines = store.count(&tenant("acme"), None, Some(&four())).await.unwrap();
        lines.first().map(|line| (line.entries, line.public, line.bytes, line.texts, line.embedded))
    };
    assert_eq!(count().await, None);
    let said = |text: Option<&str>, body: &str| MemoryDraft {
        text: text.map(Into::into),
        body: body.into(),
        ..keyed(1, "k")
    };
    done(&*store, put(said(Some("abc"), "de"), 1)).await;
    assert_eq!(count().await, Some((1, 0, 5, 1, 0)));
    done(&*store, put(said(Some("abcdef"), ""), 2)).await;
    assert_eq!(count().await, Some((1, 0, 6, 1, 0)));
    let vector = Some(embedded(0.0, &four()));
    done(&*store, put(MemoryDraft { vector, ..said(Some("abcdef"), "g") }, 3)).await;
    assert_eq!(count().await, Some((1, 0, 7, 1, 1)));
    done(&*store, put(said(None, "g"), 4)).await;
    assert_eq!(count().await, Some((1, 0, 1, 0, 0)));
    super::steps::removed(&*store, super::steps::remove(super::steps::nth(1), 5)).await;
    assert_eq!(count().await, None);
}

/// Owners of two tenants, each with the same four entries: private and public, of two kinds, of which two have two vectors.
async fn crowd(store: &dyn MemoryStore) -> Vec<MemoryScope> {
    let scopes = vec![
        ada(),
        bob(),
        scope("acme", "other", "ada"),
        scope("acme", "Shop", "ada"),
        other_ada(),
        scope("acme2", "shop", "ada"),
    ];
    let other = generation("other/3");
    for (nth, scope) in (1..).zip(&scopes) {
        let first = nth * 10;
        let with_vector = |draft| MemoryDraft { vector: Some(embedded(0.0, &four())), ..draft };
        let drafts = [
            with_vector(keyed(first, "k")),
            with_vector(public(labelled(first + 1, &["l"]))),
            MemoryDraft { kind: MemoryKind::EPISODIC, expires_at: Some(at(50)), ..draft(first + 2) },
            MemoryDraft { kind: MemoryKind::EPISODIC, ..public(keyed(first + 3, &format!("k{nth}"))) },
        ];
        for draft in drafts {
            let number = draft.id;
            let has_vector = draft.vector.is_some();
            let revision = done(store, by(scope.clone(), put(draft, 1))).await.revision;
            if has_vector {
                let vector = NewVector {
                    tenant: scope.tenant.clone(),
                    id: number,
                    revision,
                    vector: towards(0.0, &other),
                };
                assert_eq!(store.put_vectors(&other, vec![vector]).await, Ok(1));
            }
        }
    }
    scopes
}

fn receipt(owners: u64) -> Vec<KindErased> {
    let line = |kind, entries, vectors| KindErased { kind, entries, vectors };
    vec![line(MemoryKind::EPISODIC, 2 * owners, 0), line(MemoryKind::SEMANTIC, 2 * owners, 4 * owners)]
}

/// All that there is, as its owners see it while nothing has expired, and as it is counted.
async fn all(
    store: &dyn MemoryStore,
    scopes: &[MemoryScope],
) -> Vec<(MemoryScope, Vec<MemoryEntry>, Vec<KindCount>)> {
    let mut all = Vec::new();
    for scope in scopes {
        let places: Vec<_> = (0..100).map(|number| soorma_ports::MemoryPlace::Id(id(number))).collect();
        let entries = store.get(scope, at(10), &places).await.unwrap();
        let own = entries.into_iter().flatten().filter(|entry| entry.owner == scope.owner).collect();
        let count = store.count(&scope.tenant, Some(&scope.owner), Some(&four())).await.unwrap();
        all.push((scope.clone(), own, count));
    }
    all
}

/// Erases, and sees that what is to be gone is gone, and all else as it was.
async fn erases<H: MemoryStoreHarness>(
    h: H,
    of: &TenantId,
    whose: &Erased,
    is_erased: fn(&MemoryScope) -> bool,
) {
    let store = h.store();
    let scopes = crowd(&*store).await;
    let before = all(&*store, &scopes).await;
    assert!(before.iter().all(|(_, entries, count)| entries.len() == 4 && count.len() == 2));
    let gone = scopes.iter().filter(|scope| is_erased(scope)).count();
    assert_eq!(store.erase(of, whose).await.unwrap(), receipt(u64::try_from(gone).unwrap()));
    assert_eq!(store.erase(of, whose).await, Ok(vec![]), "there is nothing more");
    drop(store);
    let h = h.reopen().await;
    let store = h.store();
    for ((scope, entries, count), (_, entries_then, count_then)) in
        all(&*store, &scopes).await.iter().zip(&before)
    {
        if is_erased(scope) {
            assert_eq!((entries.len(), count.len()), (0, 0), "{scope:?}");
        } else {
            assert_eq!((entries, count), (entries_then, count_then), "{scope:?}");
        }
    }
    for scope in &scopes {
        let lost = |other: &&MemoryScope| other.tenant == scope.tenant && is_erased(other);
        let public = scopes.iter().filter(|other| other.tenant == scope.tenant).count()
            - scopes.iter().filter(lost).count();
        let own = usize::from(!is_erased(scope));
        // What has expired by now is in none of them.
        let ranks = lists(&rank(&*store, scope, &by_all(0.0, "number")).await);
        assert_eq!(
            ranks.map(|list| list.len()),
            [public + own, 2 * public + own, 2 * public + own],
            "{scope:?}"
        );
    }
    let other = generation("other/3");
    let missing = unembedded(&*store, &other).await;
    assert_eq!(missing.len(), 2 * (scopes.len() - gone), "nothing of them waits for a vector");
    let left = u64::try_from(scopes.len() - gone).unwrap();
    assert_eq!(store.expire(at(60), ALL).await, Ok(left), "what had expired was erased, too");
    assert_eq!(store.drop_vectors(None, None).await, Ok(4 * left));
    // Who was erased may begin anew.
    for (number, scope) in (500..).zip(&scopes) {
        let put = done(&*store, by(scope.clone(), put(keyed(number, "k"), 70))).await;
        assert_eq!(put.made, is_erased(scope), "{scope:?}");
    }
}

pub(super) async fn an_owner_is_erased_with_what_it_made_public<H: MemoryStoreHarness>(h: H) {
    erases(h, &tenant("acme"), &Erased::Owner(ada().owner), |scope| *scope == ada()).await;
}

pub(super) async fn a_service_tenant_is_erased_with_all_its_owners<H: MemoryStoreHarness>(h: H) {
    let whose = Erased::ServiceTenant("shop".into());
    erases(h, &tenant("acme"), &whose, |scope| *scope == ada() || *scope == bob()).await;
}

pub(super) async fn a_tenant_is_erased_and_no_other<H: MemoryStoreHarness>(h: H) {
    erases(h, &tenant("acme"), &Erased::Tenant, |scope| scope.tenant == tenant("acme")).await;
}

pub(super) async fn where_there_is_nothing_nothing_is_erased<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, by(other_ada(), put(draft(1), 1))).await;
    for whose in [Erased::Owner(ada().owner), Erased::ServiceTenant("shop".into()), Erased::Tenant] {
        assert_eq!(store.erase(&tenant("acme"), &whose).await, Ok(vec![]));
    }
    assert_eq!(store.erase(&tenant("globex"), &Erased::ServiceTenant("sho%".into())).await, Ok(vec![]));
    assert_eq!(seen(&*store, &other_ada()).await.len(), 1);
}

/// What another wrote into a public entry is its owner's.
pub(super) async fn a_public_entry_goes_with_who_put_it_first<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    done(&*store, put(public(keyed(1, "k")), 1)).await;
    done(&*store, by(bob(), put(public(keyed(2, "k")), 2))).await;
    assert_eq!(store.erase(&tenant("acme"), &Erased::Owner(bob().owner)).await, Ok(vec![]));
    assert_eq!(seen(&*store, &bob()).await.len(), 1);
    let erased = store.erase(&tenant("acme"), &Erased::Owner(ada().owner)).await.unwrap();
    assert_eq!(erased, [KindErased { kind: MemoryKind::SEMANTIC, entries: 1, vectors: 0 }]);
    assert_eq!(seen(&*store, &bob()).await, []);
}
