//! What does it cost to look at the tree, whole and as a page shows it?
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

#[allow(dead_code, unused_imports, reason = "each bench asks its part of them")]
#[expect(clippy::disallowed_methods, reason = "peers do without a supervisor")]
mod peers;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use peers::{Peer, Supervised};

fn tree(c: &mut Criterion) {
    let runtime = peers::two_threads();
    let mut group = c.benchmark_group("tree");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for children in [10_000, 100_000] {
        let (peer, addrs) = runtime.block_on(async {
            let peer = Supervised::start().await;
            let addrs = peer.spawn(children).await;
            (peer, addrs)
        });
        // The clock that the tree reads is the runtime's.
        let _entered = runtime.enter();
        group.bench_function(format!("{children} children, whole"), |b| b.iter(|| peer.root.tree()));
        group.bench_function(format!("{children} children, 3 levels of at most 100"), |b| {
            b.iter(|| peer.root.tree_to(3, 100));
        });
        runtime.block_on(peer.stop(addrs));
    }
    group.finish();
}

criterion_group!(benches, tree);
criterion_main!(benches);
