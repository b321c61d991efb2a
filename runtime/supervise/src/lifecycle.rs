//! What happens to children, for whoever wants to hear of it.

use std::sync::Arc;
use std::time::Duration;

/// A turn in the life of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// The child's path, such as `root/agents/hosted/0/reader`.
    pub path: String,
    /// What happened.
    pub turn: Turn,
}

/// What can happen to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It is up.
    Started,
    /// It failed and is started again.
    Failed {
        /// Why.
        reason: String,
        /// After which wait.
        restart_in: Duration,
    },
    /// It failed and is held until somebody releases it.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// It ended and is not started again.
    Ended {
        /// Why, when it failed.
        reason: Option<String>,
    },
    /// It did not end within its time, was killed, and even that did not end it: it may still run.
    Abandoned,
}

/// Hears of every turn. Called by supervisors: it must return at once.
pub type Observer = Arc<dyn Fn(&Lifecycle) + Send + Sync>;
