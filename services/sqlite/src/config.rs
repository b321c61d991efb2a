//! How much the log keeps.

use std::time::Duration;

/// The bounds of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteLogConfig {
    /// How long events are kept. Dead letters, and events that a group has in hand or is to try again, are kept longer.
    pub retain_for: Duration,
    /// How many events of a topic are kept.
    pub retain_events: u64,
    /// How large the file may grow; the write-ahead log beside it, usually below 20 MB, is not counted. What does not fit is
    /// refused as full, and a sixteenth on top stays for hand-outs and settlements, so that groups go on.
    pub max_bytes: Option<u64>,
}

impl Default for SqliteLogConfig {
    fn default() -> Self {
        Self { retain_for: Duration::from_secs(7 * 24 * 3_600), retain_events: 1_000_000, max_bytes: None }
    }
}
