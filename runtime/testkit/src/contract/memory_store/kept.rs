//! Clause 12 of the store. A NUL is in none of the texts: who writes refuses it, since not every store can keep it.

use soorma_core::{MemoryKind, MemoryScope, Owner, Timestamp};
use soorma_ports::{MemoryDraft, MemoryEntry, MemoryPlace, MemoryWrite};

use super::MemoryStoreHarness;
use super::steps::{
    NOW, ada, all_done, at, by, done, draft, find, find_at, id, keyed, nth, put, scope, seen,
};
use crate::tenant;

/// What some database or some format takes for its own, or folds into another.
const TEXTS: [&str; 11] = [
    "",
    " ",
    " before and behind \n",
    "it's \"quoted\" \\ and `this`; DROP TABLE memory; --",
    "%s ${x} {{y}} <b>&amp;</b> $1 :name @p ?",
    "line\r\nbreak\ttab\u{b}\u{7f}\u{1}",
    "\u{fffd}\u{feff}\u{2028}\u{85}\u{202e}reversed",
    "Grüße, 世界, مرحبا, 👩\u{200d}🚀",
    // One letter in two ways: they look alike and differ.
    "\u{e9} e\u{301}",
    "null",
    r#"{"z":1,"a":1.0,"a":10E-1,"u":"\u00e9\/"}"#,
];

pub(super) async fn texts_come_back_as_they_were<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let mut labels: Vec<String> = TEXTS.iter().map(|&text| text.into()).collect();
    let draft = |number, text: &str| MemoryDraft {
        id: id(number),
        group: text.into(),
        key: Some(text.into()),
        text: Some(text.into()),
        body: text.into(),
        labels: labels.clone(),
        ..MemoryDraft::default()
    };
    let writes = (0..).zip(TEXTS).map(|(number, text)| put(draft(number, text), 1));
    all_done(&*store, writes.collect()).await;
    drop(store);
    let h = h.reopen().await;
    let store = h.store();
    labels.sort_unstable();
    for (number, text) in (0..).zip(TEXTS) {
        let (kind, key, group) = (MemoryKind::SEMANTIC, text.to_owned(), text.to_owned());
        let entry = find(&*store, MemoryPlace::Key { kind, group, key, public: false }).await.unwrap();
        assert_eq!((entry.id, entry.group.as_str(), entry.key.as_deref()), (id(number), text, Some(text)));
        assert_eq!((entry.text.as_deref(), entry.body.as_str(), &entry.labels), (Some(text), text, &labels));
    }
    assert_eq!(seen(&*store, &ada()).await.len(), TEXTS.len());
}

pub(super) async fn what_was_not_said_stays_unsaid<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let nothing = MemoryDraft { id: id(1), ..MemoryDraft::default() };
    let empty =
        MemoryDraft { id: id(2), key: Some(String::new()), text: Some(String::new()), ..nothing.clone() };
    all_done(&*store, vec![put(nothing, 1), put(empty, 2)]).await;
    let (nothing, empty) = (find(&*store, nth(1)).await.unwrap(), find(&*store, nth(2)).await.unwrap());
    let said = |entry: MemoryEntry| (entry.key, entry.text, entry.body, entry.labels);
    assert_eq!(said(nothing.clone()), (None, None, String::new(), vec![]));
    assert_eq!((nothing.valid_from, nothing.valid_until, nothing.expires_at), (None, None, None));
    assert_eq!(said(empty), (Some(String::new()), Some(String::new()), String::new(), vec![]));
}

pub(super) async fn times_from_first_to_last_come_back<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let times = [Timestamp::MIN, Timestamp::from_micros(-1), Timestamp::default(), at(0), Timestamp::MAX];
    for (number, time) in (0..).zip(times) {
        let holds = MemoryDraft { valid_from: Some(time), valid_until: Some(time), ..draft(number) };
        done(&*store, MemoryWrite { at: time, ..put(holds, 0) }).await;
    }
    let lasts = MemoryDraft { expires_at: Some(Timestamp::MAX), ..draft(9) };
    done(&*store, put(lasts, 1)).await;
    for (number, time) in (0..).zip(times) {
        let entry = find(&*store, nth(number)).await.unwrap();
        assert_eq!((entry.created_at, entry.updated_at), (time, time));
        assert_eq!((entry.valid_from, entry.valid_until), (Some(time), Some(time)));
    }
    assert_eq!(find(&*store, nth(9)).await.unwrap().expires_at, Some(Timestamp::MAX));
    assert_eq!(super::steps::numbers(&seen(&*store, &ada()).await), [0, 1, 2, 3, 9, 4]);
}

pub(super) async fn owners_and_kinds_of_all_lengths_come_back<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let long = |letter: &str| letter.repeat(Owner::MAX_CHARS);
    let names = [long("x"), long("ü"), long("世"), long("🚀"), "it's \"one\" \\ %".into(), "null".into()];
    let mut scopes: Vec<MemoryScope> =
        names.iter().flat_map(|name| [scope("acme", name, "u"), scope("acme", "s", name)]).collect();
    scopes.extend(
        ["t".repeat(64), "ü".repeat(32), "it's".into()]
            .map(|whose| MemoryScope { tenant: tenant(&whose), owner: ada().owner }),
    );
    let kinds = MemoryKind::ALL
        .into_iter()
        .chain(["x".repeat(32), "0_".into()].map(|text| MemoryKind::new(text).unwrap()));
    let kinds: Vec<_> = kinds.collect();
    let mut number = 0;
    for scope in &scopes {
        for kind in &kinds {
            number += 1;
            let draft = MemoryDraft { kind: kind.clone(), ..keyed(number, "k") };
            assert!(done(&*store, by(scope.clone(), put(draft, 1))).await.made);
        }
    }
    for scope in &scopes {
        let entries = seen(&*store, scope).await;
        assert_eq!(entries.len(), kinds.len(), "{scope:?}");
        for (entry, kind) in entries.iter().zip(&kinds) {
            assert_eq!((&entry.owner, &entry.kind), (&scope.owner, kind));
        }
        let count = store.count(&scope.tenant, Some(&scope.owner), None).await.unwrap();
        assert_eq!(count.len(), kinds.len());
    }
}

/// As large as the bounds allow.
pub(super) async fn large_entries_come_back<H: MemoryStoreHarness>(h: H) {
    let store = h.store();
    let labels: Vec<_> = (0..1_024).map(|nth| format!("{nth:04}{}", "x".repeat(508))).collect();
    let large = MemoryDraft {
        id: id(1),
        kind: MemoryKind::new("k".repeat(32)).unwrap(),
        group: random_text(255),
        key: Some(random_text(512)),
        body: format!(r#"{{"v":"{}"}}"#, "0123456789ü".repeat(90_000)),
        labels: labels.clone(),
        ..MemoryDraft::default()
    };
    let long = |letter: &str| letter.repeat(Owner::MAX_CHARS);
    let scope = MemoryScope {
        tenant: tenant(&"t".repeat(64)),
        owner: Owner::new(&long("世"), &long("界")).unwrap(),
    };
    for draft in [large.clone(), MemoryDraft { id: id(2), public: true, ..large.clone() }] {
        assert!(done(&*store, by(scope.clone(), put(draft, 1))).await.made);
    }
    for public in [false, true] {
        let (kind, group) = (large.kind.clone(), large.group.clone());
        let place = MemoryPlace::Key { kind, group, key: large.key.clone().unwrap(), public };
        let entry = find_at(&*store, &scope, place, NOW).await.unwrap();
        assert!(entry.body == large.body && entry.labels == labels && entry.key == large.key);
    }
    let filter = soorma_ports::MemoryFilter { labels, ..super::steps::both() };
    assert_eq!(super::steps::entries(&*store, &scope, filter).await.len(), 2);
}

/// Letters that no store can make shorter, so that what does not fit into an index does not.
fn random_text(bytes: u64) -> String {
    let entropy = crate::SeededEntropy::new(bytes);
    (0..bytes).map(|_| char::from(b'!' + u8::try_from(entropy.below(94)).unwrap())).collect()
}
