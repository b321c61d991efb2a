//! More vectors of a scope than are all measured: what is found among them is what is there, and nearly always the nearest of it.

use std::collections::{BTreeMap, BTreeSet};

use soorma_ports::{
    Embedded, Entropy as _, Generation, MemoryDraft, MemoryFilter, MemoryStore as _, RankQuery,
};
use soorma_sqlite::{SqliteLogConfig, SqliteMemory};
use soorma_testkit::SeededEntropy;
use uuid::Uuid;

use super::steps::{draft, nth, put, rank, remove};
use crate::it::world::World;

const DIMENSIONS: usize = 32;
/// Some more than are measured one by one, also when a twelfth is removed.
const MANY: usize = 12_000;
const QUESTIONS: usize = 20;

fn embedded(vector: Vec<f32>) -> Embedded {
    Embedded { generation: Generation::new("random", DIMENSIONS).unwrap(), vector }
}

fn random(entropy: &SeededEntropy) -> Vec<f32> {
    let mut bytes = [0; DIMENSIONS * 2];
    entropy.fill(&mut bytes);
    let numbers = bytes.chunks(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])));
    let numbers: Vec<f32> = numbers.collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.into_iter().map(|number| number / length).collect()
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn entry(number: usize, vector: Vec<f32>) -> MemoryDraft {
    MemoryDraft {
        group: if number.is_multiple_of(3) { "third" } else { "" }.into(),
        labels: if number.is_multiple_of(50) { vec!["rare".into()] } else { Vec::new() },
        vector: Some(embedded(vector)),
        ..draft(number, "word")
    }
}

/// Asks with each filter, and measures all by hand.
async fn assert_found(store: &SqliteMemory, there: &BTreeMap<Uuid, (usize, Vec<f32>)>, seed: u64) {
    let entropy = SeededEntropy::new(seed);
    let all = MemoryFilter::default();
    let third = MemoryFilter { group: Some("third".into()), ..all.clone() };
    let rare = MemoryFilter { labels: vec!["rare".into()], ..all.clone() };
    let both = MemoryFilter { labels: rare.labels.clone(), ..third.clone() };
    for (filter, every) in [(all, 1), (third, 3), (rare, 50), (both, 150)] {
        let mut right = 0;
        for _ in 0..QUESTIONS {
            let asked = random(&entropy);
            let meaning = Some(embedded(asked.clone()));
            let query = RankQuery { filter: filter.clone(), meaning, depth: 10, ..RankQuery::default() };
            let found = rank(store, "ada", query).await.meaning;
            assert_eq!(found.len(), 10, "every {every}th: as many as are asked for");
            assert!(found.is_sorted_by(|(_, one), (_, other)| one >= other));
            for (id, said) in &found {
                let (number, vector) = &there[id];
                assert!(number.is_multiple_of(every), "{number} is none of every {every}th");
                assert!(
                    (cosine(&asked, vector) - said).abs() < 1e-3,
                    "{number}: it has another vector by now"
                );
            }
            let mut nearest: Vec<_> = there
                .iter()
                .filter(|(_, (number, _))| number.is_multiple_of(every))
                .map(|(id, (_, vector))| (cosine(&asked, vector), *id))
                .collect();
            nearest.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            let nearest: BTreeSet<_> = nearest.iter().take(10).map(|(_, id)| *id).collect();
            right += found.iter().filter(|(id, _)| nearest.contains(id)).count();
        }
        assert!(right * 100 >= QUESTIONS * 10 * 95, "every {every}th, seed {seed}: {right} are right");
    }
}

#[tokio::test]
async fn among_many_the_nearest_are_found_whatever_is_filtered_changed_and_removed() {
    let entropy = SeededEntropy::new(11);
    let world = World::new(SqliteLogConfig { vectors_kib: 1_000_000, ..SqliteLogConfig::default() });
    let store = world.log.memory();
    let mut there = BTreeMap::new();
    for from in (0..MANY).step_by(1_000) {
        let mut writes = Vec::new();
        for number in from + 1..=from + 1_000 {
            let vector = random(&entropy);
            there.insert(nth(number), (number, vector.clone()));
            writes.push(put("ada", entry(number, vector)));
        }
        assert!(store.write(writes).await.unwrap().iter().all(Result::is_ok));
    }
    assert_found(&store, &there, 1).await;
    // With the vectors in memory: some have others by now, some are gone.
    let mut writes = Vec::new();
    for number in (1..=MANY).step_by(6) {
        if number % 12 == 1 {
            there.remove(&nth(number));
            writes.push(remove("ada", number));
        } else {
            let vector = random(&entropy);
            there.insert(nth(number), (number, vector.clone()));
            let text = Some("other".into());
            writes.push(put("ada", MemoryDraft { text, ..entry(number, vector) }));
        }
    }
    assert!(store.write(writes).await.unwrap().iter().all(Result::is_ok));
    assert!(there.len() > 10_000);
    assert_found(&store, &there, 2).await;
    // Read anew, they are the same.
    let world = world.reopen().await;
    assert_found(&world.log.memory(), &there, 3).await;
}
