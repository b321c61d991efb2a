//! The index of vectors: when it is asked, and what it finds.

use std::collections::BTreeSet;

use soorma_core::{MemoryKind, MemoryScope, Owner, Timestamp};
use soorma_ports::{
    Embedded, Generation, MemoryAct, MemoryDraft, MemoryFilter, MemoryPlace, MemoryStore, MemoryWrite,
    RankQuery, When, unit,
};
use soorma_postgres::{Postgres, PostgresMemory};
use soorma_testkit::servers::PostgresDatabase;
use soorma_testkit::tenant;
use uuid::Uuid;

use super::world::config;

const NOW: Timestamp = Timestamp::MIN;

fn generation() -> Generation {
    Generation::new("near", 8).unwrap()
}

fn scope(user: &str) -> MemoryScope {
    MemoryScope { tenant: tenant("acme"), owner: Owner::new("shop", user).unwrap() }
}

/// A direction that is another for each number, near to those of the same remainder.
fn towards(nth: u32) -> Vec<f32> {
    let turn = |by: u32| f32::from(u16::try_from(nth.wrapping_mul(by) >> 16 & 0xfff).unwrap()) / 4_096.0;
    let mut vector: Vec<f32> =
        [7_919, 104_729, 1_299_709, 15_485_863, 179_424_673, 86_028_121, 2_750_159, 49_979_687]
            .into_iter()
            .map(|by| 0.4 * (turn(by) - 0.5))
            .collect();
    let centre = usize::try_from(nth % 8).unwrap();
    vector[centre] += 1.0;
    unit(vector).unwrap()
}

/// A few are in a group that nobody asks for.
fn group(nth: u32) -> &'static str {
    if nth.is_multiple_of(40) { "other" } else { "asked" }
}

async fn fill(store: &PostgresMemory, user: &str, numbers: std::ops::Range<u32>) {
    let scope = scope(user);
    let numbers: Vec<u32> = numbers.collect();
    for some in numbers.chunks(2_000) {
        let writes = some.iter().map(|nth| {
            let vector = Embedded { generation: generation(), vector: towards(*nth) };
            let id = Uuid::from_u128(u128::from(*nth));
            let group = group(*nth).to_owned();
            let draft = MemoryDraft { id, group, vector: Some(vector), ..MemoryDraft::default() };
            let act = MemoryAct::Put { draft: Box::new(draft), when: When::Any };
            MemoryWrite { scope: scope.clone(), at: NOW, act }
        });
        let answers = store.write(writes.collect()).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
}

async fn nearest(store: &PostgresMemory, user: &str, to: u32, depth: usize) -> Vec<Uuid> {
    let meaning = Embedded { generation: generation(), vector: towards(to) };
    let (kind, group) = (Some(MemoryKind::SEMANTIC), Some("asked".to_owned()));
    let filter = MemoryFilter { kind, group, ..MemoryFilter::default() };
    let query = RankQuery { filter, meaning: Some(meaning), depth, ..RankQuery::default() };
    let ranks = store.rank(&scope(user), NOW, &query).await.unwrap();
    assert!(ranks.meaning.is_sorted_by(|(_, one), (_, other)| one >= other), "best first");
    ranks.meaning.into_iter().map(|(id, _)| id).collect()
}

/// Removes some, of those that are asked for and others.
async fn remove(store: &PostgresMemory, user: &str, numbers: impl Iterator<Item = u32>) {
    let writes = numbers.map(|nth| {
        let place = MemoryPlace::Id(Uuid::from_u128(u128::from(nth)));
        MemoryWrite { scope: scope(user), at: NOW, act: MemoryAct::Remove { place, revision: None } }
    });
    let answers = store.write(writes.collect()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
}

fn true_nearest(numbers: impl Iterator<Item = u32>, to: u32, depth: usize) -> BTreeSet<Uuid> {
    let asked = towards(to);
    let product = |nth: u32| -> f32 { towards(nth).iter().zip(&asked).map(|(one, other)| one * other).sum() };
    let mut scored: Vec<(f32, u32)> =
        numbers.filter(|nth| group(*nth) == "asked").map(|nth| (product(nth), nth)).collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0));
    scored.into_iter().take(depth).map(|(_, nth)| Uuid::from_u128(u128::from(nth))).collect()
}

#[tokio::test]
async fn in_a_great_scope_the_index_is_asked_and_finds_nearly_all() {
    let database = PostgresDatabase::fresh();
    let postgres = Postgres::open(config(database.url())).await.unwrap();
    postgres.prepare_vectors(&generation()).await.unwrap();
    // Another node does the same.
    postgres.prepare_vectors(&generation()).await.unwrap();
    let store = postgres.memory();
    fill(&store, "ada", 0..22_000).await;
    fill(&store, "bob", 22_000..22_040).await;
    let is_removed = |nth: &u32| nth % 33 == 7;
    remove(&store, "ada", (0..22_000).filter(is_removed)).await;
    let asked: BTreeSet<u32> = (0..22_000).filter(|nth| !is_removed(nth) && group(*nth) == "asked").collect();
    assert!(asked.len() > 20_000, "so many that the index is asked");
    let mut found = 0;
    for to in 50_000..50_020 {
        let ten = nearest(&store, "ada", to, 10).await;
        assert_eq!(ten.len(), 10);
        assert!(
            ten.iter().all(|id| asked.contains(&u32::try_from(id.as_u128()).unwrap())),
            "none that is gone or not asked for"
        );
        found += true_nearest(asked.iter().copied(), to, 10).intersection(&ten.into_iter().collect()).count();
    }
    assert!(found >= 190, "{found} of 200");
    // Beside the many, who has few gets all of them, in the right order.
    let few = nearest(&store, "bob", 50_000, 100).await;
    assert_eq!(few.len(), 39);
    assert_eq!(few[..10].iter().copied().collect::<BTreeSet<_>>(), true_nearest(22_000..22_040, 50_000, 10));
    // Who asks for more than an index is good for.
    assert_eq!(nearest(&store, "ada", 50_000, 20_000).await.len(), 20_000);
    // What a connection did is counted when it ends.
    drop((store, postgres));
    let scans = "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE schemaname = 'soorma' AND indexrelname LIKE 'memory_vectors_%embedding%'";
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let scans: u64 = database.execute(scans).parse().unwrap();
        if scans > 0 {
            assert_eq!(scans, 20, "once for each question that is for the index");
            break;
        }
        assert!(tokio::time::Instant::now() < until, "the index was not asked");
        tokio::task::yield_now().await;
    }
}

/// One finds in the index first what lies nearer, and is not one's own; there is an end to looking.
#[tokio::test]
async fn who_finds_too_few_by_the_index_gets_all_that_there_are() {
    let database = PostgresDatabase::fresh();
    let postgres = Postgres::open(config(database.url())).await.unwrap();
    postgres.prepare_vectors(&generation()).await.unwrap();
    let store = postgres.memory();
    fill(&store, "ada", 0..20_600).await;
    // What the index holds is damaged: most of the nearest are of no length that a vector has.
    database.execute("UPDATE soorma.memory_vectors SET embedding = '[9,9,9,9,9,9,9,9]' WHERE tenant = 'acme' AND ('x' || right(id::text, 4))::bit(16)::int % 2 = 1");
    let found = nearest(&store, "ada", 50_000, 100).await;
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|id| id.as_u128() % 2 == 0));
}

#[tokio::test]
async fn vectors_of_every_length_are_found_with_an_index_or_without() {
    let database = PostgresDatabase::fresh();
    let postgres = Postgres::open(config(database.url())).await.unwrap();
    let store = postgres.memory();
    for (nth, dimensions) in [1, 2_000, 2_001, 4_000, 4_001, 16_000].into_iter().enumerate() {
        let generation = Generation::new("long", dimensions).unwrap();
        postgres.prepare_vectors(&generation).await.unwrap();
        let id = Uuid::from_u128(u128::try_from(nth).unwrap());
        let vector = Embedded { vector: generation.nothing(), generation };
        let draft = MemoryDraft { id, vector: Some(vector.clone()), ..MemoryDraft::default() };
        let act = MemoryAct::Put { draft: Box::new(draft), when: When::Any };
        store.write(vec![MemoryWrite { scope: scope("ada"), at: NOW, act }]).await.unwrap();
        let query = RankQuery { meaning: Some(vector), depth: 10, ..RankQuery::default() };
        let ranks = store.rank(&scope("ada"), NOW, &query).await.unwrap();
        assert_eq!(ranks.meaning, [(id, 1.0)], "{dimensions}");
    }
    let indexes =
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'soorma' AND indexname LIKE 'memory_near_%'";
    assert_eq!(database.execute(indexes), "4");
}
