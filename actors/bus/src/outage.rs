//! Whether the log serves. Who asks is not told why it does not, since that says where it is kept; so who watches is, once.

use std::sync::atomic::{AtomicBool, Ordering};

use soorma_ports::EventLogError;

#[derive(Debug, Default)]
pub(crate) struct Outage(AtomicBool);

impl Outage {
    pub(crate) fn heard(&self, error: &EventLogError) {
        match error {
            EventLogError::Unavailable(_) | EventLogError::Full(_) => {
                if self.0.swap(true, Ordering::Relaxed) {
                    tracing::debug!(%error, "the event log still does not serve");
                } else {
                    tracing::warn!(%error, "the event log does not serve; callers are told to come back");
                }
            }
            EventLogError::Corrupt(_) => tracing::error!(%error, "the event log failed"),
            EventLogError::Gone { .. } | EventLogError::Beyond { .. } | EventLogError::Invalid(_) => {}
        }
    }

    /// It can be written to.
    pub(crate) fn over(&self) {
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            tracing::info!("the event log serves again");
        }
    }
}
