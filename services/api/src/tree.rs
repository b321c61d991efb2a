//! The supervision tree; the answer is [`soorma_core::TreeNode`].

use serde::{Deserialize, Serialize};

/// How much of the tree is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeQuery {
    /// How many levels below the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// How many children of each supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}
