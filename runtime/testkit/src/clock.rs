//! A wall clock that moves with tokio's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use soorma_core::Timestamp;
use soorma_ports::Clock;
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z, in microseconds since 1970.
const EPOCH: i64 = 1_767_225_600_000_000;

/// A wall clock that starts at a fixed moment and moves with tokio's clock, so paused time stops both.
///
/// It jumps when it is told to; tokio's clock does not notice.
#[derive(Debug)]
pub struct TestClock {
    started: Instant,
    jumped: AtomicI64,
}

impl TestClock {
    /// Starts the clock at 2026-01-01T00:00:00Z.
    pub fn new() -> Self {
        Self { started: Instant::now(), jumped: AtomicI64::new(0) }
    }

    /// Sets the clock forward.
    pub fn jump(&self, by: Duration) {
        self.jumped.fetch_add(micros(by), Ordering::SeqCst);
    }

    /// Sets the clock back.
    pub fn jump_back(&self, by: Duration) {
        self.jumped.fetch_sub(micros(by), Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let moved = EPOCH.saturating_add(micros(self.started.elapsed()));
        Timestamp::from_micros(moved.saturating_add(self.jumped.load(Ordering::SeqCst)))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
