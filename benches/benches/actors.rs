//! Do the goals for actors hold? Medians of rounds in which ours and the peer take turns, so that what else the
//! machine does falls on both.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

#[allow(dead_code, unused_imports, reason = "each bench asks its part of them")]
#[expect(clippy::disallowed_methods, reason = "peers do without a supervisor")]
mod peers;

use std::time::Duration;

use peers::crash::{self, Phoenix, crash_and_back};
use peers::{Peer, Ractor, Supervised, memory};
use soorma_benches::{median, table};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const CASTS: u32 = 1_000;
const ACTORS: u32 = 10_000;

/// What is wished for.
enum Goal {
    /// Ours is at most so many times the peer's.
    Ratio(f64),
    /// Ours takes less than that.
    Under(Duration),
    None,
}

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    if let Some(name) = memory::asked() {
        memory::answer(&name);
        return;
    }
    let one = peers::one_thread;
    let two = peers::two_threads;
    let rows = [
        row(
            "memory of an idle agent",
            (memory::per_actor(Supervised::NAME), memory::per_actor(Ractor::NAME)),
            |bytes| format!("{bytes} B"),
            Goal::Ratio(1.3),
        ),
        times("cast, one thread", casts(&one(), &one()), Goal::Ratio(1.5)),
        times("cast, two threads", casts(&two(), &two()), Goal::None),
        times("call, one thread", calls(&one(), &one()), Goal::None),
        times("call, two threads", calls(&two(), &two()), Goal::None),
        times("crash → running again, one thread", crashes(&one(), &one()), Goal::None),
        times(
            "crash → running again, two threads",
            crashes(&two(), &two()),
            Goal::Under(Duration::from_millis(1)),
        ),
        times("start, of 10,000", starts(), Goal::None),
    ];
    print!("{}", table(&["figure", "ours", "ractor", "ratio", "goal", "met"], &rows));
}

/// Medians of ours and the peer's.
fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) -> (Duration, Duration) {
    // The first round warms up.
    let rounds: Vec<_> = (0..=rounds).map(|_| (ours(), theirs())).skip(1).collect();
    let (ours, theirs) = rounds.into_iter().unzip();
    (median(ours), median(theirs))
}

fn casts(ours: &Runtime, theirs: &Runtime) -> (Duration, Duration) {
    fn round<P: Peer>(runtime: &Runtime, addr: &P::Addr) -> Duration {
        let addr = addr.clone();
        runtime.block_on(peers::on_a_worker(async move {
            let begun = Instant::now();
            peers::volley::<P>(&addr, CASTS).await;
            begun.elapsed() / CASTS
        }))
    }
    let (_ours, a) = one_of::<Supervised>(ours);
    let (_theirs, b) = one_of::<Ractor>(theirs);
    in_turns(1_000, || round::<Supervised>(ours, &a), || round::<Ractor>(theirs, &b))
}

fn calls(ours: &Runtime, theirs: &Runtime) -> (Duration, Duration) {
    fn round<P: Peer>(runtime: &Runtime, addr: &P::Addr) -> Duration {
        let addr = addr.clone();
        runtime.block_on(peers::on_a_worker(async move {
            let begun = Instant::now();
            for _ in 0..100 {
                P::call(&addr).await;
            }
            begun.elapsed() / 100
        }))
    }
    let (_ours, a) = one_of::<Supervised>(ours);
    let (_theirs, b) = one_of::<Ractor>(theirs);
    in_turns(1_000, || round::<Supervised>(ours, &a), || round::<Ractor>(theirs, &b))
}

fn crashes(ours: &Runtime, theirs: &Runtime) -> (Duration, Duration) {
    fn round<P: Phoenix>(runtime: &Runtime, phoenix: &std::sync::Arc<P>, incarnation: u64) -> Duration {
        let phoenix = std::sync::Arc::clone(phoenix);
        runtime.block_on(peers::on_a_worker(async move {
            let begun = Instant::now();
            crash_and_back(&*phoenix, incarnation).await;
            begun.elapsed()
        }))
    }
    let a = std::sync::Arc::new(ours.block_on(crash::Supervised::start()));
    let b = std::sync::Arc::new(theirs.block_on(crash::Ractor::start()));
    let (mut of_a, mut of_b) = (1.., 1..);
    in_turns(2_000, || round(ours, &a, of_a.next().unwrap()), || round(theirs, &b, of_b.next().unwrap()))
}

fn starts() -> (Duration, Duration) {
    fn round<P: Peer>() -> Duration {
        peers::two_threads().block_on(peers::on_a_worker(async {
            let peer = P::start().await;
            let begun = Instant::now();
            let addrs = peer.spawn(usize::try_from(ACTORS).unwrap()).await;
            P::call(addrs.last().unwrap()).await;
            begun.elapsed() / ACTORS
        }))
    }
    in_turns(10, round::<Supervised>, round::<Ractor>)
}

fn one_of<P: Peer>(runtime: &Runtime) -> (P, P::Addr) {
    runtime.block_on(async {
        let peer = P::start().await;
        let addr = peer.spawn(1).await.remove(0);
        (peer, addr)
    })
}

fn times(name: &str, (ours, theirs): (Duration, Duration), goal: Goal) -> Vec<String> {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
    row(name, (nanos(ours), nanos(theirs)), |nanos| format!("{:.2?}", Duration::from_nanos(nanos)), goal)
}

#[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn row(name: &str, (ours, theirs): (u64, u64), show: impl Fn(u64) -> String, goal: Goal) -> Vec<String> {
    let ratio = ours as f64 / theirs as f64;
    let (goal, met) = match goal {
        Goal::Ratio(most) => (format!("ratio ≤ {most}"), Some(ratio <= most)),
        Goal::Under(most) => (format!("< {most:?}"), Some(u128::from(ours) < most.as_nanos())),
        Goal::None => ("-".to_owned(), None),
    };
    let met = met.map_or("-", |met| if met { "met" } else { "not met" });
    vec![name.to_owned(), show(ours), show(theirs), format!("{ratio:.2}"), goal, met.to_owned()]
}
