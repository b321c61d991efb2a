//! What does a sentence model from a folder take, and does it find what is meant? The model comes from where its makers keep it; for this
//! page it was all-MiniLM-L6-v2.
//!
//! `SOORMA_SENTENCE_MODEL=FOLDER cargo bench -p soorma-benches --features local-models --bench sentences`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot go on is to end"
)]
#![expect(clippy::print_stdout, reason = "the bench's result")]

use std::time::Duration;

use futures_util::future::join_all;
use soorma_benches::{median, table};
use soorma_models::{LocalConfig, LocalEmbedder};
use soorma_ports::Embedder;
use tokio::time::Instant;

const SHORT: &str = "a question of a few words about a flight";
const LONG: &str = "Books flights and hotels for travellers: finds connections, compares prices, holds seats for a day, and \
    answers with an itinerary and what it costs in the currency of the traveller. Where a connection is missed it looks for the next \
    one, tells the hotel, and asks the airline for what is due to the traveller by its own conditions. It speaks with people in their \
    language and with other agents by events, keeps what was agreed, and never pays without having asked somebody who may say yes.";
const TAKE: Duration = Duration::from_secs(5);

/// Pairs that mean nearly the same in other words, and a third that has nothing to do with them.
const MEANT: [[&str; 3]; 5] = [
    [
        "The cat sleeps on the sofa",
        "A kitten is napping on the couch",
        "Quarterly revenue grew by four percent",
    ],
    ["How do I get my money back?", "Refund policy", "Opening hours of the office"],
    ["book a flight", "reserve a seat on a plane", "extract tables from scanned invoices"],
    ["The server does not answer", "Connection to the host timed out", "Bread is baked from flour"],
    ["She bought a car", "She purchased an automobile", "The lake is frozen in winter"],
];

fn main() {
    let folder = std::env::var_os("SOORMA_SENTENCE_MODEL");
    let folder = folder.expect("SOORMA_SENTENCE_MODEL is not set; write the folder of a sentence model");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let before = resident();
    let begun = Instant::now();
    let embedder = LocalEmbedder::open(LocalConfig::new(folder)).unwrap_or_else(|error| panic!("{error}"));
    let took = begun.elapsed();
    println!(
        "{}: read in {took:.2?}, {} MiB of memory, {} at the worst moment",
        embedder.generation(),
        resident().0.saturating_sub(before.0) / 1_024,
        resident().1 / 1_024
    );
    runtime.block_on(async {
        meaning(&embedder).await;
        alike(&embedder).await;
        speed(&embedder).await;
    });
    println!("{} MiB of memory at the worst moment", resident().1 / 1_024);
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

async fn meaning(embedder: &LocalEmbedder) {
    let mut rows = Vec::new();
    for [said, meant, other] in MEANT {
        let vectors = embedder.embed(&[said, meant, other].map(str::to_owned)).await.unwrap();
        let [said_by, meant_by, other_by] = vectors.as_slice() else { panic!("three vectors") };
        let (near, far) = (product(said_by, meant_by), product(said_by, other_by));
        assert!(near > far + 0.2, "the model does not find what is meant: {said}: {near}, {far}");
        rows.push(vec![format!("{said} / {meant} / {other}"), format!("{near:.3}"), format!("{far:.3}")]);
    }
    println!("{}", table(&["said / meant / other", "meant", "other"], &rows));
}

/// How far a text's vector is from itself in other company.
async fn alike(embedder: &LocalEmbedder) {
    let text = MEANT.concat().join(". ");
    let mut apart = 0.0_f32;
    for length in [1, 12, 40, 200, 400] {
        let text: String = text.chars().take(length).collect();
        let alone = embedder.embed(std::slice::from_ref(&text)).await.unwrap().remove(0);
        for beside in [1, 2, 7, 31] {
            let mut texts = vec![LONG.to_owned(), SHORT.to_owned()];
            texts.resize(beside, text.clone());
            texts.push(text.clone());
            let other = embedder.embed(&texts).await.unwrap().pop().unwrap();
            apart = alone.iter().zip(&other).fold(apart, |apart, (a, b)| apart.max((a - b).abs()));
        }
    }
    println!("the numbers of a text alone and beside others differ by {apart:e} at most\n");
}

async fn speed(embedder: &LocalEmbedder) {
    let mut rows = Vec::new();
    for (name, text) in [("9 words", SHORT), ("90 words", LONG)] {
        for batch in [1, 8, 32] {
            let texts: Vec<String> = (0..batch).map(|i| format!("{text} {i}")).collect();
            let mut times = Vec::new();
            let begun = Instant::now();
            while begun.elapsed() < TAKE {
                let call = Instant::now();
                embedder.embed(&texts).await.unwrap();
                times.push(call.elapsed());
            }
            rows.push(row(&format!("{name}, {batch} a call"), batch * times.len(), begun.elapsed(), times));
        }
    }
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < TAKE {
        let calls = (0..16).map(|i| async move {
            let call = Instant::now();
            embedder.embed(&[format!("{SHORT} {i}")]).await.unwrap();
            call.elapsed()
        });
        times.extend(join_all(calls).await);
    }
    rows.push(row("9 words, 1 a call, 16 calls at once", times.len(), begun.elapsed(), times));
    println!("{}", table(&["what", "texts/s", "p50 of a call"], &rows));
}

fn row(name: &str, texts: usize, took: Duration, times: Vec<Duration>) -> Vec<String> {
    let texts = f64::from(u32::try_from(texts).unwrap_or(u32::MAX));
    vec![name.to_owned(), format!("{:.1}", texts / took.as_secs_f64()), format!("{:.1?}", median(times))]
}

/// KiB that this process has in memory, and had at most; zero where the system does not say.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
    };
    (of("VmRSS:"), of("VmHWM:"))
}
