//! What does a question with its answer cost, one at a time?
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

#[allow(dead_code, unused_imports, reason = "each bench asks its part of them")]
#[expect(clippy::disallowed_methods, reason = "peers do without a supervisor")]
mod peers;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{Kameo, Peer, Ractor, Supervised, Tokio};
use tokio::runtime::Runtime;
use tokio::time::Instant;

fn call_on<P: Peer>(c: &mut Criterion, threads: &str, runtime: &Runtime) {
    let mut group = c.benchmark_group(format!("call, {threads}"));
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let (peer, addrs) = runtime.block_on(async {
        let peer = P::start().await;
        let addrs = peer.spawn(1).await;
        (peer, addrs)
    });
    group.bench_function(P::NAME, |b| {
        b.iter_custom(|rounds| {
            let addr = addrs[0].clone();
            runtime.block_on(peers::on_a_worker(async move {
                let begun = Instant::now();
                for _ in 0..rounds {
                    P::call(&addr).await;
                }
                begun.elapsed()
            }))
        });
    });
    group.finish();
    runtime.block_on(peer.stop(addrs));
}

fn call<P: Peer>(c: &mut Criterion) {
    call_on::<P>(c, "one thread", &peers::one_thread());
    call_on::<P>(c, "two threads", &peers::two_threads());
}

criterion_group!(benches, call::<Supervised>, call::<Ractor>, call::<Kameo>, call::<Tokio>);
criterion_main!(benches);
