//! How many of the nearest are found where not all are measured.

use std::collections::HashSet;

use soorma_vectors::VectorSet;

use super::like_real::{LikeReal, Random, Words, unit};

const MANY: usize = 30_000;
const ASKED: usize = 100;
const K: usize = 10;

/// Returns how many of the ten nearest are found on average. There are always ten, or all that are admitted.
fn recall(
    set: &VectorSet,
    vectors: &[(i64, Vec<f32>)],
    queries: &[Vec<f32>],
    admit: impl Fn(i64) -> bool,
) -> f64 {
    let (mut found, mut all) = (0, 0);
    for query in queries {
        let mut exact: Vec<(f32, i64)> = vectors
            .iter()
            .filter(|(key, _)| admit(*key))
            .map(|(key, vector)| (vector.iter().zip(query).map(|(a, b)| a * b).sum(), *key))
            .collect();
        exact.sort_by(|one, other| other.0.total_cmp(&one.0));
        exact.truncate(K);
        let near: HashSet<i64> = set.nearest(query, K, &admit).unwrap().iter().map(|near| near.key).collect();
        assert!(near.iter().all(|key| admit(*key)));
        assert_eq!(near.len(), exact.len(), "as many as there are");
        found += exact.iter().filter(|(_, key)| near.contains(key)).count();
        all += exact.len();
    }
    found as f64 / all as f64
}

fn with_keys(vectors: Vec<Vec<f32>>) -> Vec<(i64, Vec<f32>)> {
    (0..).zip(vectors).collect()
}

fn set_of(vectors: &[(i64, Vec<f32>)]) -> VectorSet {
    let mut set = VectorSet::new(vectors[0].1.len());
    for (key, vector) in vectors {
        set.insert(*key, vector).unwrap();
    }
    set
}

/// Admits one of so many, in no order.
fn one_of(share: u64) -> impl Fn(i64) -> bool {
    move |key| Random(key.unsigned_abs()).below(share) == 0
}

#[test]
fn of_vectors_like_those_of_texts_nearly_all_are_found_with_any_filter() {
    let seed = 0x5eed_0001;
    let mut source = LikeReal::new(seed, 384);
    let vectors = with_keys(source.vectors(MANY));
    let queries = source.vectors(ASKED);
    let set = set_of(&vectors);
    for share in [1, 2, 10, 100, 5_000] {
        let recall = recall(&set, &vectors, &queries, one_of(share));
        assert!(recall >= 0.98, "one of {share} admitted, seed {seed:#x}: {recall}");
    }
}

#[test]
fn of_hashed_words_nearly_all_are_found_with_any_filter() {
    let seed = 0x5eed_0002;
    let mut source = Words::new(seed);
    let vectors = with_keys(source.vectors(MANY));
    let queries = source.vectors(ASKED);
    let set = set_of(&vectors);
    for share in [1, 2, 10, 100, 5_000] {
        let recall = recall(&set, &vectors, &queries, one_of(share));
        assert!(recall >= 0.96, "one of {share} admitted, seed {seed:#x}: {recall}");
    }
}

#[test]
fn where_everything_is_equally_far_there_are_ten_all_the_same() {
    let seed = 0x5eed_0003;
    let mut random = Random(seed);
    let mut vectors: Vec<Vec<f32>> =
        (0..MANY + ASKED).map(|_| unit((0..384).map(|_| random.normal()).collect())).collect();
    let queries = vectors.split_off(MANY);
    let vectors = with_keys(vectors);
    let set = set_of(&vectors);
    for share in [1, 100] {
        let recall = recall(&set, &vectors, &queries, one_of(share));
        assert!(recall >= 0.9, "one of {share} admitted, seed {seed:#x}: {recall}");
    }
}

#[test]
fn few_vectors_and_vectors_of_many_and_of_few_numbers_are_found() {
    for (dimensions, count) in
        [(8, 20_000), (100, 20_000), (384, 1_000), (384, 10_000), (768, 12_000), (1_536, 12_000)]
    {
        let seed = 0x5eed_0004;
        let mut source = LikeReal::new(seed, dimensions);
        let vectors = with_keys(source.vectors(count));
        let queries = source.vectors(ASKED);
        let recall = recall(&set_of(&vectors), &vectors, &queries, |_| true);
        let floor = if count <= 10_000 { 1.0 } else { 0.97 };
        assert!(recall >= floor, "{count} of {dimensions} numbers, seed {seed:#x}: {recall}");
    }
}

#[test]
fn a_set_that_has_become_another_is_searched_as_well_as_a_new_one() {
    let seed = 0x5eed_0005;
    let (mut before, mut after) = (LikeReal::new(seed, 64), LikeReal::new(seed + 1, 64));
    let mut vectors = with_keys(before.vectors(MANY));
    let mut set = set_of(&vectors);
    let mut random = Random(seed);
    // A third is gone, a third is replaced by what lies elsewhere.
    for _ in 0..MANY / 3 {
        let (key, _) = vectors.swap_remove(random.below(vectors.len() as u64));
        assert!(set.remove(key));
    }
    for _ in 0..MANY / 3 {
        let nth = random.below(vectors.len() as u64);
        vectors[nth].1 = after.vector();
        set.insert(vectors[nth].0, &vectors[nth].1).unwrap();
    }
    assert_eq!(set.len(), vectors.len());
    let queries: Vec<Vec<f32>> =
        before.vectors(ASKED / 2).into_iter().chain(after.vectors(ASKED / 2)).collect();
    let recall = recall(&set, &vectors, &queries, |_| true);
    assert!(recall >= 0.97, "seed {seed:#x}: {recall}");
    for (key, vector) in vectors.iter().step_by(50) {
        let nearest = set.nearest(vector, 1, |_| true).unwrap();
        assert_eq!(nearest.first().map(|near| near.key), Some(*key), "each is the nearest to itself");
    }
}

#[test]
fn the_same_set_gives_the_same_answer() {
    let mut source = LikeReal::new(0x5eed_0006, 64);
    let vectors = with_keys(source.vectors(12_000));
    let (one, other) = (set_of(&vectors), set_of(&vectors));
    for query in source.vectors(20) {
        assert_eq!(one.nearest(&query, K, |_| true), other.nearest(&query, K, |_| true));
    }
}
