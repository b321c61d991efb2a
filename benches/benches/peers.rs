//! One small actor, written once in each way, so that every bench asks all of them the same question.

use std::future::Future;
use std::time::Duration;

pub(crate) mod crash;
mod kameo;
pub(crate) mod memory;
mod ractor;
mod supervised;
mod tokio;

pub(crate) use kameo::Kameo;
pub(crate) use ractor::Ractor;
pub(crate) use supervised::Supervised;
pub(crate) use tokio::Tokio;

/// What waits for an actor at most, wherever a bound can be had.
pub(crate) const MAILBOX: u32 = 1_024;

/// How long a call waits, wherever a call can be bounded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A way to run actors. Each holds a number, adds to it, and says it.
pub(crate) trait Peer: Sized + Send + Sync + 'static {
    /// What it is called in tables.
    const NAME: &'static str;
    /// How one of its actors is spoken to.
    type Addr: Clone + Send + Sync + 'static;

    /// Starts what stands above the actors, if anything does.
    fn start() -> impl Future<Output = Self> + Send;
    /// Starts actors, one after the other.
    fn spawn(&self, count: usize) -> impl Future<Output = Vec<Self::Addr>> + Send;
    /// Has an actor add one; there must be room for the message.
    fn cast(addr: &Self::Addr);
    /// Returns an actor's number.
    fn call(addr: &Self::Addr) -> impl Future<Output = u64> + Send;
    /// Ends the actors and what stands above them.
    fn stop(self, addrs: Vec<Self::Addr>) -> impl Future<Output = ()> + Send;
}

/// Casts as often as a mailbox has places, then waits until all of it is done.
pub(crate) async fn volley<P: Peer>(addr: &P::Addr, casts: u32) -> u64 {
    for _ in 0..casts {
        P::cast(addr);
    }
    P::call(addr).await
}

/// The runtime that a node has, on the two cores of a small machine.
pub(crate) fn two_threads() -> ::tokio::runtime::Runtime {
    ::tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// One thread: what is measured is work alone, not the way between cores.
pub(crate) fn one_thread() -> ::tokio::runtime::Runtime {
    ::tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a future where actors run, too: the thread that blocks on a runtime is none of its workers.
pub(crate) async fn on_a_worker<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    ::tokio::spawn(future).await.unwrap()
}
