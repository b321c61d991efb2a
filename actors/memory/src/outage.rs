//! Whether the store does what it is asked for; said once when that changes.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use soorma_core::retry_after;

/// The first wait before the store is tried again.
const FIRST: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Outage {
    what: &'static str,
    /// How many tries in a row have failed.
    failed: Mutex<u32>,
}

impl Outage {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, failed: Mutex::new(0) }
    }

    /// A try has failed; returns how long to wait before the next.
    pub(crate) fn failed(&self, error: &dyn fmt::Display) -> Duration {
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
    pub(crate) fn over(&self) {
        let failed = std::mem::take(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner));
        if failed > 0 {
            tracing::info!(what = self.what, failed, "back");
        }
    }
}
