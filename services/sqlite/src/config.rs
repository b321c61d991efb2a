//! How much the log keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use soorma_core::Topic;

/// The bounds of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteLogConfig {
    /// How long events are kept. Dead letters, and events that a group has in hand or is to try again, are kept longer.
    pub retain_for: Duration,
    /// How many events of a topic are kept.
    pub retain_events: u64,
    /// What holds for single topics in place of the two above.
    pub retain_of: BTreeMap<Topic, Retention>,
    /// How large the file may grow; the write-ahead log beside it, usually below 20 MB, is not counted. What does not fit is
    /// refused as full, and a sixteenth on top stays for hand-outs and settlements, so that groups go on.
    pub max_bytes: Option<u64>,
    /// How much memory the vectors of memory's entries may take, in KiB. What is asked and does not fit is read from the file.
    pub vectors_kib: usize,
}

/// How much of a topic is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long its events are kept.
    pub age: Duration,
    /// How many are kept.
    pub events: u64,
}

impl SqliteLogConfig {
    /// Returns how much of a topic is kept.
    pub fn retention(&self, topic: Topic) -> Retention {
        let of_all = Retention { age: self.retain_for, events: self.retain_events };
        self.retain_of.get(&topic).copied().unwrap_or(of_all)
    }
}

impl Default for SqliteLogConfig {
    fn default() -> Self {
        Self {
            retain_for: Duration::from_secs(7 * 24 * 3_600),
            retain_events: 1_000_000,
            retain_of: BTreeMap::new(),
            max_bytes: None,
            // Some 300,000 vectors of 384 numbers.
            vectors_kib: 512 * 1_024,
        }
    }
}
