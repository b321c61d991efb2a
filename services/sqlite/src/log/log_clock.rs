//! The log's own time: it begins at the wall clock's when the log is opened, and then moves with tokio's.
//!
//! So leases and retry times are neither early nor late when somebody sets the wall clock, and can be kept over a restart.

use std::time::Duration;

use soorma_core::Timestamp;
use tokio::time::Instant;

use crate::numbers::{micros, unsigned};

#[derive(Debug, Clone, Copy)]
pub(crate) struct LogClock {
    started: Instant,
    started_at: i64,
}

impl LogClock {
    pub(crate) fn start(wall: Timestamp) -> Self {
        Self { started: Instant::now(), started_at: wall.micros() }
    }

    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.started_at.saturating_add(micros(self.started.elapsed()))
    }

    /// Turns times of the log into the wall clock's, which may have been set since, or have gone on while the machine slept: what
    /// is told of as a moment is compared with the wall clock by others.
    pub(super) fn to_wall(self, wall: Timestamp) -> impl Fn(i64) -> Timestamp {
        let ahead = wall.micros().saturating_sub(self.now());
        move |at| Timestamp::from_micros(at.saturating_add(ahead))
    }

    /// When it is that late, by tokio's clock; `None` when that is too far ahead to wait for.
    pub(crate) fn instant(&self, at: i64) -> Option<Instant> {
        // One more: the times in the log are cut off to microseconds, and a timer must not end before them.
        let after = unsigned(at.saturating_sub(self.started_at)).saturating_add(1);
        self.started.checked_add(Duration::from_micros(after))
    }
}
