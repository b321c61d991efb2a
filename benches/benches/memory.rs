//! What does an idle actor cost in resident memory? Not a matter of time, so not criterion's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]

#[allow(dead_code, unused_imports, reason = "each bench asks its part of them")]
#[expect(clippy::disallowed_methods, reason = "peers do without a supervisor")]
mod peers;

use peers::{Kameo, Peer, Ractor, Supervised, Tokio, memory};
use soorma_benches::table;

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    if let Some(name) = memory::asked() {
        memory::answer(&name);
        return;
    }
    let ractor = memory::per_actor(Ractor::NAME);
    let rows = [Supervised::NAME, Ractor::NAME, Kameo::NAME, Tokio::NAME].map(|name| {
        let bytes = if name == Ractor::NAME { ractor } else { memory::per_actor(name) };
        vec![name.to_owned(), bytes.to_string(), format!("{:.2}", ratio(bytes, ractor))]
    });
    print!("{}", table(&["resident bytes of an idle actor", "bytes", "÷ ractor"], &rows));
}

#[expect(clippy::cast_precision_loss, reason = "sizes in bytes, shown with two decimals")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}
