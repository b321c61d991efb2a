//! What is known: semantic memory.

use serde::{Deserialize, Serialize};

use super::Explanation;
use crate::{Data, TenantId, Timestamp};

/// A piece of knowledge (`SemanticMemoryResponse`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// Its id.
    pub id: uuid::Uuid,
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The user who stored it first.
    pub user_id: String,
    /// What is known.
    pub content: String,
    /// What the one who stored it calls it.
    pub external_id: Option<String>,
    /// Whether all of the tenant see it.
    pub is_public: bool,
    /// What belongs to it, with `tags` and `source` where they were given.
    pub metadata: Data,
    /// When it was stored first.
    pub created_at: Timestamp,
    /// When it was stored last.
    pub updated_at: Timestamp,
    /// From when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, not with that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// The episode that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode_id: Option<uuid::Uuid>,
    /// How well it fits what was asked: see the search. Nothing where nothing was asked.
    pub score: Option<f32>,
    /// Why it was found, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}
