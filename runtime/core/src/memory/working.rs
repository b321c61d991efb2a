//! What a plan has at hand: working memory.

use serde::{Deserialize, Serialize};

use crate::{AnyJson, TenantId, Timestamp};

/// A value of a plan (`WorkingMemoryResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkingValue {
    /// Its id.
    pub id: uuid::Uuid,
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The plan.
    pub plan_id: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: AnyJson,
    /// When it was set last.
    pub updated_at: Timestamp,
    /// Which state of it this is, to set it only if it is still so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// When it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl WorkingValue {
    /// The most bytes of a value as JSON.
    pub const MAX_BYTES: usize = 1_024 * 1_024;
    /// The most characters of a plan's id.
    pub const MAX_PLAN_CHARS: usize = 100;
    /// The most characters of a key.
    pub const MAX_KEY_CHARS: usize = 255;
}

/// A key of a plan, without its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkingKey {
    /// The key.
    pub key: String,
    /// The bytes of its value as JSON.
    pub bytes: u64,
    /// Which state of it this is.
    pub revision: u64,
    /// When it was set last.
    pub updated_at: Timestamp,
    /// When it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What happened to a key of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkingChange {
    /// The key.
    pub key: String,
    /// Its value now; nothing where it is gone. A value of `null` is a value.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "any_value")]
    pub value: Option<AnyJson>,
    /// Whether it is gone.
    pub deleted: bool,
    /// Which state of it this is; of one that is gone, the last that was seen.
    pub revision: u64,
    /// When it was set last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// `null` is a value, too.
fn any_value<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<AnyJson>, D::Error> {
    AnyJson::deserialize(deserializer).map(Some)
}
