//! How much the bus takes on.

use serde::{Deserialize, Serialize};

/// The bounds of the bus. Each is at least 1, and taken as 1 where it says 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many events may be on their way into the log; what comes beyond is refused as overloaded.
    pub max_in_flight: u32,
    /// How many bytes of JSON one event may have.
    pub max_event_bytes: u32,
    /// How many events a live stream may lag behind before it reads from the log again.
    pub tail_buffer: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_in_flight: 4_096,
            max_event_bytes: 256 * 1_024,
            // 1,024 slots of a tenant's feed take about 50 KB, once for each tenant that has a stream open.
            tail_buffer: 1_024,
        }
    }
}
