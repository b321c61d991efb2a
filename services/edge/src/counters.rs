//! What the edge has done since it was started.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Events that were appended.
    pub(crate) published: Counter,
    /// Events that were there before.
    pub(crate) duplicates: Counter,
    /// Requests to publish that were refused.
    pub(crate) refused: Counter,
    /// Deliveries that were settled by their ids, by how, and those that did not count any more.
    pub(crate) acked: Counter,
    pub(crate) nacked: Counter,
    pub(crate) extended: Counter,
    pub(crate) stale: Counter,
    /// Streams that were ended since nobody read them.
    pub(crate) slow: Counter,
}
