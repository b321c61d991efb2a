//! A row of the supervision tree, as it is shown.

use serde::{Deserialize, Serialize};

/// Where a child is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    /// Not started yet: an earlier sibling must be up first.
    Waiting,
    /// Its start is under way.
    Starting,
    /// It works.
    Running,
    /// It crashed; a restart is due.
    Restarting,
    /// It was told to stop and has not ended yet.
    Stopping,
    /// It ended and is not started again.
    Stopped,
    /// It failed too often and is held until somebody releases it.
    Quarantined,
}

impl ChildState {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Quarantined => "quarantined",
        }
    }
}

/// One child, what is known of it, and what stands below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeNode {
    /// The child's id among its siblings.
    pub id: String,
    /// `supervisor`, `actor` or `task`.
    pub kind: String,
    /// For a supervisor, its strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Where it is in its life.
    pub state: ChildState,
    /// How often it was started again.
    pub restarts: u64,
    /// Messages that wait in its mailbox.
    pub depth: u32,
    /// Messages that its mailbox still takes.
    pub credit: u32,
    /// Seconds since its last start.
    pub age_seconds: f64,
    /// Milliseconds until the restart that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_in_ms: Option<u64>,
    /// Why it last failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Its children, in start order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
    /// Children that were left out because the answer is bounded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
