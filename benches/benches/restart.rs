//! How long is an actor gone that fails and is restarted at once? From the message that makes it fail to the first
//! answer of its next incarnation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

#[allow(dead_code, unused_imports, reason = "each bench asks its part of them")]
#[expect(clippy::disallowed_methods, reason = "peers do without a supervisor")]
mod peers;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::crash::{Phoenix, Ractor, Supervised, Tokio, crash_and_back};
use tokio::runtime::Runtime;
use tokio::time::Instant;

fn restart_on<P: Phoenix>(c: &mut Criterion, threads: &str, runtime: &Runtime) {
    let mut group = c.benchmark_group(format!("restart, {threads}"));
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.bench_function(P::NAME, |b| {
        b.iter_custom(|rounds| {
            runtime.block_on(peers::on_a_worker(async move {
                let phoenix = P::start().await;
                while phoenix.incarnation().await.is_none() {}
                let begun = Instant::now();
                for round in 1..=rounds {
                    crash_and_back(&phoenix, round).await;
                }
                begun.elapsed()
            }))
        });
    });
    group.finish();
}

fn restart<P: Phoenix>(c: &mut Criterion) {
    restart_on::<P>(c, "one thread", &peers::one_thread());
    restart_on::<P>(c, "two threads", &peers::two_threads());
}

criterion_group!(benches, restart::<Supervised>, restart::<Ractor>, restart::<Tokio>);
criterion_main!(benches);
