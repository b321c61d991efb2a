//! How long do 10,000 actors take to start?
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

#[allow(dead_code, unused_imports, reason = "each bench asks its part of them")]
#[expect(clippy::disallowed_methods, reason = "peers do without a supervisor")]
mod peers;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peers::{Kameo, Peer, Ractor, Supervised, Tokio};
use tokio::time::Instant;

const ACTORS: usize = 10_000;

fn spawn<P: Peer>(c: &mut Criterion) {
    let runtime = peers::two_threads();
    let mut group = c.benchmark_group("spawn 10,000");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(u64::try_from(ACTORS).unwrap()));
    group.bench_function(P::NAME, |b| {
        b.iter_custom(|rounds| {
            runtime.block_on(peers::on_a_worker(async move {
                let mut taken = Duration::ZERO;
                for _ in 0..rounds {
                    let peer = P::start().await;
                    let begun = Instant::now();
                    let addrs = peer.spawn(ACTORS).await;
                    // Some ways answer before the actor has started.
                    P::call(addrs.last().unwrap()).await;
                    taken += begun.elapsed();
                    peer.stop(addrs).await;
                }
                taken
            }))
        });
    });
    group.finish();
}

criterion_group!(benches, spawn::<Supervised>, spawn::<Ractor>, spawn::<Kameo>, spawn::<Tokio>);
criterion_main!(benches);
