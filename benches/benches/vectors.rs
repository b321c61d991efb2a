//! How near to exact is a search in a set of vectors, how fast, and what does a vector take? Beside reading all of them from end to end.
//!
//! `cargo bench -p soorma-benches --bench vectors`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

use std::time::Duration;

use soorma_benches::{median, table};
use soorma_vectors::VectorSet;
use tokio::time::Instant;

#[path = "../../runtime/vectors/tests/it/like_real.rs"]
mod like_real;

use like_real::{LikeReal, Random, Words, unit};

const K: usize = 10;
const ASKED: usize = 300;
/// No source has more.
const MOST: usize = 200_000;
const SEED: u64 = 0x5eed;

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    let (mut texts, mut words, mut random) = (LikeReal::new(SEED, 384), Words::new(SEED), Random(SEED));
    let noise = (0..30_000 + ASKED).map(|_| unit((0..384).map(|_| random.normal()).collect())).collect();
    let sources = [
        ("like texts, 384", texts.vectors(MOST + ASKED), &[1_000, 10_000, 20_000, 50_000, 100_000, MOST][..]),
        ("hashed words, 256", words.vectors(100_000 + ASKED), &[10_000, 30_000, 100_000]),
        ("random, 384", noise, &[30_000]),
    ];
    let mut rows = Vec::new();
    for (name, mut vectors, sizes) in sources {
        let queries = vectors.split_off(vectors.len() - ASKED);
        for size in sizes {
            let vectors = &vectors[..*size];
            let begun = Instant::now();
            let set = filled(vectors);
            let rate = *size as f64 / begun.elapsed().as_secs_f64();
            let shares: &[u64] = if *size == 100_000 { &[1, 2, 10, 100] } else { &[1] };
            for share in shares {
                let mut row =
                    vec![name.to_owned(), size.to_string(), format!("{:.1} %", 100.0 / *share as f64)];
                row.extend(asked(&set, vectors, &queries, *share));
                row.push((set.bytes() / size).to_string());
                row.push(format!("{:.0}", rate / 1_000.0));
                rows.push(row);
            }
        }
    }
    let head = [
        "the 10 nearest of",
        "vectors",
        "admitted",
        "recall",
        "p50",
        "p99",
        "plain scan p50",
        "B each",
        "k inserts/s",
    ];
    print!("{}", table(&head, &rows));
}

fn filled(vectors: &[Vec<f32>]) -> VectorSet {
    let mut set = VectorSet::new(vectors[0].len());
    for (key, vector) in (0..).zip(vectors) {
        set.insert(key, vector).unwrap();
    }
    set
}

/// Returns recall, and how long it took: ours at the middle and at the end, and a plain scan.
fn asked(set: &VectorSet, vectors: &[Vec<f32>], queries: &[Vec<f32>], share: u64) -> [String; 4] {
    let flat = vectors.concat();
    let admit = |key: i64| Random(key.unsigned_abs()).below(share) == 0;
    // One after the other: what the one has read would push the other's out of the caches.
    let (near, mut ours) = timed(queries, |query| set.nearest(query, K, admit).unwrap());
    let (exact, plain) = timed(queries, |query| scan(&flat, query, admit));
    let (mut found, mut all) = (0, 0);
    for (near, exact) in near.iter().zip(&exact) {
        assert_eq!(near.len(), exact.len(), "as many as there are");
        found += near.iter().filter(|near| exact.contains(&near.key)).count();
        all += exact.len();
    }
    ours.sort_unstable();
    let shown = |time: Duration| format!("{:.0} µs", time.as_secs_f64() * 1e6);
    [
        format!("{:.4}", found as f64 / all as f64),
        shown(median(ours.clone())),
        shown(ours[ours.len() * 99 / 100]),
        shown(median(plain)),
    ]
}

/// Returns what is answered to each query, and how long that takes.
fn timed<A>(queries: &[Vec<f32>], ask: impl Fn(&[f32]) -> A) -> (Vec<A>, Vec<Duration>) {
    let answer = |query: &Vec<f32>| {
        let begun = Instant::now();
        let answer = ask(query);
        (answer, begun.elapsed())
    };
    queries.iter().map(answer).unzip()
}

/// Reads all that are admitted, as a loop that nobody thought about much does it.
fn scan(flat: &[f32], query: &[f32], admit: impl Fn(i64) -> bool) -> Vec<i64> {
    let mut all: Vec<(f32, i64)> = (0..)
        .zip(flat.chunks_exact(query.len()))
        .filter(|(key, _)| admit(*key))
        .map(|(key, row)| (product(row, query), key))
        .collect();
    let k = K.min(all.len());
    if k < all.len() {
        all.select_nth_unstable_by(k, |one, other| other.0.total_cmp(&one.0));
    }
    all.into_iter().take(k).map(|(_, key)| key).collect()
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
