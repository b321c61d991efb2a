//! Whether what a child stands on does what it is asked for; said once when that changes.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use soorma_core::retry_after;

/// The first wait before the store is tried again.
const FIRST: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST: Duration = Duration::from_secs(5);

/// Counts failures in a row, logs the first of them and the end, and says how long to wait.
#[derive(Debug)]
pub struct Outage {
    what: &'static str,
    /// How many tries in a row have failed.
    failed: Mutex<u32>,
}

impl Outage {
    /// Of something that is there, as far as is known; `what` stands in the log.
    pub fn new(what: &'static str) -> Self {
        Self { what, failed: Mutex::new(0) }
    }

    /// Whether the last try has failed.
    pub fn is_on(&self) -> bool {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) > 0
    }

    /// A try has failed; returns how long to wait before the next.
    pub fn failed(&self, error: &dyn fmt::Display) -> Duration {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = failed.saturating_add(1);
        if *failed == 1 {
            tracing::warn!(what = self.what, %error, "away; it is tried until it is back");
        } else {
            tracing::debug!(what = self.what, %error, failed = *failed, "still away");
        }
        retry_after(*failed, FIRST, LONGEST, u64::from(*failed))
    }

    /// A try went well.
    pub fn over(&self) {
        let failed = std::mem::take(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner));
        if failed > 0 {
            tracing::info!(what = self.what, failed, "back");
        }
    }
}
