//! How the writer calls the members of a group that wait.

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Where the members of one group wait.
#[derive(Debug)]
pub(crate) struct Signal {
    /// There may be something to hand out: called once for one member, who gets it or passes it on.
    pub(crate) available: Notify,
    /// Something falls due earlier than was said before: all set their timers.
    pub(crate) due: watch::Sender<Option<Instant>>,
}

impl Default for Signal {
    fn default() -> Self {
        Self { available: Notify::new(), due: watch::Sender::new(None) }
    }
}
