//! How something is done: procedural memory.

use serde::{Deserialize, Serialize};

use super::Explanation;
use crate::{TenantId, Timestamp};

/// A skill, prompt or rule of an agent (`ProceduralMemoryResponse`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skill {
    /// Its id.
    pub id: uuid::Uuid,
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The user whose it is.
    pub user_id: String,
    /// The agent that it is for.
    pub agent_id: String,
    /// What it is called; of one name an agent has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it is to be used; by this it is searched.
    pub trigger_condition: Option<String>,
    /// What sort it is: `system_prompt`, `few_shot_example`, `skill`, `rule` or another word.
    pub procedure_type: String,
    /// What it says.
    pub content: String,
    /// The how-manieth version it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// When it was stored first.
    pub created_at: Timestamp,
    /// When it was stored last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// How well it fits what was asked.
    pub score: Option<f32>,
    /// Why it was found, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}
