//! How fast feature hashing turns texts into vectors: what a search by it costs before it has looked at anything.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on is to end")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use soorma_models::HashingEmbedder;
use soorma_ports::Embedder;

const DESCRIPTION: &str = "Books flights and hotels for travellers: finds connections, compares prices, holds seats \
    for a day, and answers with an itinerary and what it costs in the currency of the traveller.";

/// Texts of a kind, each a little different.
fn texts(text: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{text} {i}")).collect()
}

fn embed(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let embedder = HashingEmbedder::new();
    let mut group = c.benchmark_group("embedder/hashing");
    for (name, texts) in [
        ("question of 4 words", texts("book a flight tomorrow", 1)),
        ("256 descriptions of 180 letters", texts(DESCRIPTION, 256)),
        ("page of 64 KiB", vec![DESCRIPTION.repeat(400)]),
    ] {
        group.throughput(Throughput::Elements(u64::try_from(texts.len()).unwrap_or_default()));
        group.bench_function(name, |b| {
            b.iter_batched(
                || texts.clone(),
                |texts| runtime.block_on(embedder.embed(&texts)).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, embed);
criterion_main!(benches);
