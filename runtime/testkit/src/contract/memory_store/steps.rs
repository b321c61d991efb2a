//! What the cases do over and over.

use std::sync::Arc;

use soorma_core::{MemoryKind, MemoryScope, Owner, Timestamp};
use soorma_ports::{
    Embedded, Generation, MemoryAct, MemoryDone, MemoryDraft, MemoryEntry, MemoryFilter, MemoryOrder,
    MemoryPage, MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore, MemoryWrite, NewVector, RankQuery,
    Ranks, Seen, When, unit,
};
use uuid::Uuid;

use super::MemoryStoreHarness;
use crate::tenant;

/// More than there is.
pub(crate) const ALL: usize = 100_000;
/// When nothing has expired and all is written.
pub(super) const NOW: i64 = 1_000;

/// So many seconds after 2026-01-01T00:00:00Z.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + seconds * 1_000_000)
}

pub(crate) fn id(nth: u128) -> Uuid {
    Uuid::from_u128(nth)
}

pub(crate) fn owner(service_tenant: &str, user: &str) -> Owner {
    Owner::new(service_tenant, user).unwrap()
}

pub(crate) fn scope(whose: &str, service_tenant: &str, user: &str) -> MemoryScope {
    MemoryScope { tenant: tenant(whose), owner: owner(service_tenant, user) }
}

/// Whose entries are, where nobody else is named.
pub(crate) fn ada() -> MemoryScope {
    scope("acme", "shop", "ada")
}

/// Another of the same service tenant.
pub(super) fn bob() -> MemoryScope {
    scope("acme", "shop", "bob")
}

/// One of the same name in another tenant.
pub(super) fn other_ada() -> MemoryScope {
    scope("globex", "shop", "ada")
}

pub(crate) fn generation(text: &str) -> Generation {
    text.parse().unwrap()
}

/// The generation of vectors, where no other is named.
pub(super) fn four() -> Generation {
    generation("testkit/4")
}

/// A direction in the plane, in degrees; as many numbers as the generation has.
pub(crate) fn towards(degrees: f32, generation: &Generation) -> Vec<f32> {
    let mut vector = generation.nothing();
    vector[0] = degrees.to_radians().cos();
    vector[1] = degrees.to_radians().sin();
    unit(vector).unwrap()
}

pub(crate) fn embedded(degrees: f32, generation: &Generation) -> Embedded {
    Embedded { generation: generation.clone(), vector: towards(degrees, generation) }
}

/// An entry without a key.
pub(crate) fn draft(nth: u128) -> MemoryDraft {
    let (text, body) = (Some(format!("number {nth}")), format!(r#"{{"nth":{nth}}}"#));
    MemoryDraft { id: id(nth), text, body, ..MemoryDraft::default() }
}

pub(super) fn keyed(nth: u128, key: &str) -> MemoryDraft {
    MemoryDraft { key: Some(key.into()), ..draft(nth) }
}

pub(super) fn public(draft: MemoryDraft) -> MemoryDraft {
    MemoryDraft { public: true, ..draft }
}

pub(super) fn saying(nth: u128, text: &str) -> MemoryDraft {
    MemoryDraft { text: Some(text.into()), ..draft(nth) }
}

pub(super) fn labelled(nth: u128, labels: &[&str]) -> MemoryDraft {
    MemoryDraft { labels: labels.iter().map(|&label| label.into()).collect(), ..draft(nth) }
}

pub(super) fn pointing(nth: u128, degrees: f32) -> MemoryDraft {
    MemoryDraft { vector: Some(embedded(degrees, &four())), ..draft(nth) }
}

pub(super) fn kind(text: &str) -> MemoryKind {
    MemoryKind::new(text).unwrap()
}

fn act(act: MemoryAct, seconds: i64) -> MemoryWrite {
    MemoryWrite { scope: ada(), at: at(seconds), act }
}

/// The same for another.
pub(super) fn by(scope: MemoryScope, write: MemoryWrite) -> MemoryWrite {
    MemoryWrite { scope, ..write }
}

pub(super) fn put_when(draft: MemoryDraft, when: When, seconds: i64) -> MemoryWrite {
    act(MemoryAct::Put { draft: Box::new(draft), when }, seconds)
}

pub(super) fn put(draft: MemoryDraft, seconds: i64) -> MemoryWrite {
    put_when(draft, When::Any, seconds)
}

pub(super) fn remove_if(place: MemoryPlace, revision: Option<u64>, seconds: i64) -> MemoryWrite {
    act(MemoryAct::Remove { place, revision }, seconds)
}

pub(super) fn remove(place: MemoryPlace, seconds: i64) -> MemoryWrite {
    remove_if(place, None, seconds)
}

pub(super) fn remove_group(group: &str, seconds: i64) -> MemoryWrite {
    act(MemoryAct::RemoveGroup { kind: MemoryKind::SEMANTIC, group: group.into() }, seconds)
}

pub(super) fn nth(nth: u128) -> MemoryPlace {
    MemoryPlace::Id(id(nth))
}

fn key_place(key: &str, public: bool) -> MemoryPlace {
    MemoryPlace::Key { kind: MemoryKind::SEMANTIC, group: String::new(), key: key.into(), public }
}

pub(super) fn private_key(key: &str) -> MemoryPlace {
    key_place(key, false)
}

pub(super) fn public_key(key: &str) -> MemoryPlace {
    key_place(key, true)
}

/// What came of a put.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Put {
    pub id: Uuid,
    pub revision: u64,
    pub made: bool,
    pub created_at: Timestamp,
    pub owner: Owner,
}

pub(crate) async fn write(
    store: &dyn MemoryStore,
    writes: Vec<MemoryWrite>,
) -> Vec<Result<MemoryDone, MemoryRefused>> {
    let asked = writes.len();
    let answers = store.write(writes).await.unwrap();
    assert_eq!(answers.len(), asked, "one write has one answer");
    answers
}

/// Does one write.
pub(super) async fn one(store: &dyn MemoryStore, what: MemoryWrite) -> Result<MemoryDone, MemoryRefused> {
    write(store, vec![what]).await.remove(0)
}

/// Puts one entry.
pub(super) async fn done(store: &dyn MemoryStore, what: MemoryWrite) -> Put {
    match one(store, what).await {
        Ok(MemoryDone::Put { id, revision, made, created_at, owner }) => {
            Put { id, revision, made, created_at, owner }
        }
        other => panic!("an entry is put: {other:?}"),
    }
}

/// Removes; returns how many.
pub(super) async fn removed(store: &dyn MemoryStore, what: MemoryWrite) -> u64 {
    match one(store, what).await {
        Ok(MemoryDone::Removed(count)) => count,
        other => panic!("something is removed: {other:?}"),
    }
}

/// Does all in one call; none is refused.
pub(super) async fn all_done(store: &dyn MemoryStore, writes: Vec<MemoryWrite>) -> Vec<MemoryDone> {
    write(store, writes).await.into_iter().collect::<Result<_, _>>().unwrap()
}

/// Puts all in one call, a second apart.
pub(super) async fn put_all(store: &dyn MemoryStore, drafts: impl IntoIterator<Item = MemoryDraft>) {
    let writes = (1..).zip(drafts).map(|(second, draft)| put(draft, second)).collect();
    all_done(store, writes).await;
}

/// What stands at a place, for one at a time.
pub(super) async fn find_at(
    store: &dyn MemoryStore,
    scope: &MemoryScope,
    place: MemoryPlace,
    seconds: i64,
) -> Option<MemoryEntry> {
    let mut found = store.get(scope, at(seconds), &[place]).await.unwrap();
    assert_eq!(found.len(), 1, "one place has one answer");
    found.remove(0)
}

/// What stands at a place of ada.
pub(super) async fn find(store: &dyn MemoryStore, place: MemoryPlace) -> Option<MemoryEntry> {
    find_at(store, &ada(), place, NOW).await
}

pub(crate) async fn page(store: &dyn MemoryStore, scope: &MemoryScope, query: MemoryQuery) -> MemoryPage {
    let page = store.list(scope, at(NOW), &query).await.unwrap();
    assert!(page.entries.len() <= query.limit, "a page has at most what was asked for");
    page
}

/// All that a filter takes, oldest first.
pub(crate) async fn entries(
    store: &dyn MemoryStore,
    scope: &MemoryScope,
    filter: MemoryFilter,
) -> Vec<MemoryEntry> {
    let query = MemoryQuery { filter, order: MemoryOrder::Oldest, after: None, limit: ALL };
    let page = page(store, scope, query).await;
    assert!(!page.more, "one page holds it all");
    page.entries
}

/// All that one sees.
pub(super) async fn seen(store: &dyn MemoryStore, scope: &MemoryScope) -> Vec<MemoryEntry> {
    entries(store, scope, both()).await
}

/// A filter that takes private and public entries.
pub(crate) fn both() -> MemoryFilter {
    MemoryFilter { reach: Seen::Both, ..MemoryFilter::default() }
}

/// The numbers of the entries that a filter takes of ada's, oldest first.
pub(super) async fn taken(store: &dyn MemoryStore, filter: MemoryFilter) -> Vec<u128> {
    numbers(&entries(store, &ada(), filter).await)
}

pub(super) fn numbers(entries: &[MemoryEntry]) -> Vec<u128> {
    entries.iter().map(|entry| entry.id.as_u128()).collect()
}

pub(super) async fn rank_at(
    store: &dyn MemoryStore,
    scope: &MemoryScope,
    query: &RankQuery,
    seconds: i64,
) -> Ranks {
    let ranks = store.rank(scope, at(seconds), query).await.unwrap();
    for scored in [&ranks.meaning, &ranks.words] {
        assert!(scored.is_sorted_by(|(_, one), (_, other)| one >= other), "the best come first: {scored:?}");
        assert!(scored.iter().all(|(_, score)| score.is_finite()), "a score is a number: {scored:?}");
    }
    for length in [ranks.meaning.len(), ranks.words.len(), ranks.time.len()] {
        assert!(length <= query.depth, "a list is at most as deep as asked: {ranks:?}");
    }
    ranks
}

pub(super) async fn rank(store: &dyn MemoryStore, scope: &MemoryScope, query: &RankQuery) -> Ranks {
    rank_at(store, scope, query, NOW).await
}

/// Asks for all three lists, as deep as they go.
pub(super) fn by_all(degrees: f32, words: &str) -> RankQuery {
    RankQuery {
        filter: both(),
        meaning: Some(embedded(degrees, &four())),
        words: Some(words.into()),
        time: true,
        depth: ALL,
    }
}

fn scored(list: &[(Uuid, f32)]) -> Vec<u128> {
    list.iter().map(|(id, _)| id.as_u128()).collect()
}

/// The numbers in the three lists.
pub(super) fn lists(ranks: &Ranks) -> [Vec<u128>; 3] {
    let time = ranks.time.iter().map(Uuid::as_u128).collect();
    [scored(&ranks.meaning), scored(&ranks.words), time]
}

/// The numbers of what ada finds by words, best first.
pub(super) async fn by_words(store: &dyn MemoryStore, words: &str) -> Vec<u128> {
    let query = RankQuery { words: Some(words.into()), depth: ALL, ..RankQuery::default() };
    let [meaning, words, time] = lists(&rank(store, &ada(), &query).await);
    assert!(meaning.is_empty() && time.is_empty(), "what is not asked for does not come");
    words
}

/// The numbers of what ada finds by a direction, nearest first.
pub(super) async fn by_meaning(store: &dyn MemoryStore, degrees: f32, of: &Generation) -> Vec<u128> {
    let meaning = Some(embedded(degrees, of));
    let query = RankQuery { meaning, depth: ALL, ..RankQuery::default() };
    let [meaning, words, time] = lists(&rank(store, &ada(), &query).await);
    assert!(words.is_empty() && time.is_empty(), "what is not asked for does not come");
    meaning
}

/// A vector for an entry of `acme`.
pub(super) fn new_vector(nth: u128, revision: u64, degrees: f32, of: &Generation) -> NewVector {
    NewVector { tenant: tenant("acme"), id: id(nth), revision, vector: towards(degrees, of) }
}

/// The numbers of what has a text and no vector of a generation.
pub(super) async fn unembedded(store: &dyn MemoryStore, of: &Generation) -> Vec<u128> {
    let missing = store.unembedded(of, None, ALL).await.unwrap();
    missing.iter().map(|one| one.id.as_u128()).collect()
}

/// The store and the other handle on the same data; the store twice where there is none.
pub(super) async fn handles<H: MemoryStoreHarness>(h: &H) -> [Arc<dyn MemoryStore>; 2] {
    let second = h.second().await.unwrap_or_else(|| h.store());
    [h.store(), second]
}
