//! What the tests put, and how they look at what is there.

use soorma_core::{MemoryScope, Owner, Timestamp};
use soorma_ports::{
    Embedded, Generation, MemoryAct, MemoryDone, MemoryDraft, MemoryFilter, MemoryPlace, MemoryQuery,
    MemoryRefused, MemoryStore as _, MemoryStoreError, MemoryWrite, RankQuery, Ranks, Seen, When,
};
use soorma_sqlite::SqliteMemory;
use soorma_testkit::tenant;
use uuid::Uuid;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + second * 1_000_000)
}

pub(super) fn scope(user: &str) -> MemoryScope {
    MemoryScope { tenant: tenant("acme"), owner: Owner::new("shop", user).unwrap() }
}

pub(super) fn nth(number: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap())
}

pub(super) fn generation() -> Generation {
    Generation::new("circle", 8).unwrap()
}

/// A vector of length 1: on a circle, at a number of degrees.
pub(super) fn vector(degrees: f32) -> Vec<f32> {
    let mut vector = vec![0.0; 8];
    vector[0] = degrees.to_radians().cos();
    vector[5] = degrees.to_radians().sin();
    vector
}

pub(super) fn embedded(degrees: f32) -> Embedded {
    Embedded { generation: generation(), vector: vector(degrees) }
}

pub(super) fn draft(number: usize, text: &str) -> MemoryDraft {
    MemoryDraft {
        id: nth(number),
        key: Some(format!("k{number}")),
        text: Some(text.into()),
        body: format!("body {number}"),
        ..MemoryDraft::default()
    }
}

pub(super) fn put(user: &str, draft: MemoryDraft) -> MemoryWrite {
    MemoryWrite {
        scope: scope(user),
        at: at(1),
        act: MemoryAct::Put { draft: Box::new(draft), when: When::Any },
    }
}

pub(super) fn remove(user: &str, number: usize) -> MemoryWrite {
    let act = MemoryAct::Remove { place: MemoryPlace::Id(nth(number)), revision: None };
    MemoryWrite { scope: scope(user), at: at(1), act }
}

pub(super) async fn one(
    store: &SqliteMemory,
    write: MemoryWrite,
) -> Result<Result<MemoryDone, MemoryRefused>, MemoryStoreError> {
    Ok(store.write(vec![write]).await?.remove(0))
}

pub(super) async fn done(store: &SqliteMemory, write: MemoryWrite) -> MemoryDone {
    one(store, write).await.unwrap().unwrap()
}

/// All that a user sees, private and public, by ids in their order.
pub(super) async fn all(store: &SqliteMemory, user: &str) -> Vec<Uuid> {
    let filter = MemoryFilter { reach: Seen::Both, ..MemoryFilter::default() };
    let query = MemoryQuery { filter, limit: 100_000, ..MemoryQuery::default() };
    let mut ids: Vec<_> =
        store.list(&scope(user), at(2), &query).await.unwrap().entries.iter().map(|entry| entry.id).collect();
    ids.sort_unstable();
    ids
}

pub(super) async fn rank(store: &SqliteMemory, user: &str, query: RankQuery) -> Ranks {
    store.rank(&scope(user), at(2), &query).await.unwrap()
}

/// Those that have one of the words, by ids in their order.
pub(super) async fn saying(store: &SqliteMemory, user: &str, words: &str) -> Vec<Uuid> {
    let query = RankQuery { words: Some(words.into()), depth: 100_000, ..RankQuery::default() };
    let mut ids: Vec<_> = rank(store, user, query).await.words.into_iter().map(|(id, _)| id).collect();
    ids.sort_unstable();
    ids
}

/// The nearest to a number of degrees, best first.
pub(super) async fn near(store: &SqliteMemory, user: &str, degrees: f32, depth: usize) -> Vec<Uuid> {
    let query = RankQuery { meaning: Some(embedded(degrees)), depth, ..RankQuery::default() };
    rank(store, user, query).await.meaning.into_iter().map(|(id, _)| id).collect()
}
