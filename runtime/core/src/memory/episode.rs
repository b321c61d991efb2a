//! What happened: episodic memory.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Explanation;
use crate::{Data, TenantId, Timestamp};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person.
    User,
    /// A model.
    Assistant,
    /// Who gives instructions.
    System,
    /// A tool.
    Tool,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::User, Self::Assistant, Self::System, Self::Tool];

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Tool => "tool",
        }
    }
}

/// A text that is no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("should be 'user', 'assistant', 'system' or 'tool'")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// One turn of a conversation, or another thing that happened (`EpisodicMemoryResponse`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// Its id.
    pub id: uuid::Uuid,
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The user whose it is.
    pub user_id: String,
    /// The agent that it happened with.
    pub agent_id: String,
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
    /// What belongs to it.
    pub metadata: Data,
    /// The session that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
    /// How well it fits what was asked.
    pub score: Option<f32>,
    /// Why it was found, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}
