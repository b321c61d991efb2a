//! What an idle actor costs in resident memory. Each way is measured in a process of its own: memory that one has
//! given back would be reused by the next.

use std::process::Command;

use super::{Kameo, Peer, Ractor, Supervised, Tokio, two_threads};

const ACTORS: usize = 100_000;

/// The word before the name of a way, on the command line of a process that is to measure.
const MEASURE: &str = "resident-bytes-of";

/// Returns the name that this process was started to measure, if it was.
pub(crate) fn asked() -> Option<String> {
    let mut args = std::env::args().skip_while(|arg| arg != MEASURE);
    args.nth(1)
}

/// Measures and prints what was asked for.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the answer to the process that started this one"
)]
pub(crate) fn answer(name: &str) {
    let bytes = match name {
        Supervised::NAME => measure::<Supervised>(),
        Ractor::NAME => measure::<Ractor>(),
        Kameo::NAME => measure::<Kameo>(),
        Tokio::NAME => measure::<Tokio>(),
        _ => return eprintln!("nobody is called {name}"),
    };
    println!("{bytes}");
}

/// Returns the resident bytes of an idle actor of that way, measured in a new process.
pub(crate) fn per_actor(name: &str) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap()).args([MEASURE, name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn measure<P: Peer>() -> u64 {
    two_threads().block_on(async {
        let peer = P::start().await;
        let warm = peer.spawn(1).await;
        P::call(&warm[0]).await;
        let before = resident();
        let addrs = peer.spawn(ACTORS).await;
        // An idle actor has worked before.
        for addr in &addrs {
            P::call(addr).await;
        }
        (resident() - before) / u64::try_from(ACTORS).unwrap()
    })
}

/// Reads the second number of statm, pages that are resident; 4 KiB each where the benches run.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
