//! How much there is, and what was erased.

use serde::{Deserialize, Serialize};

use super::MemoryKind;
use crate::TenantId;

/// How much memory a tenant or an owner has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryStats {
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The service tenant, where it is what one owner has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tenant_id: Option<String>,
    /// The user, where it is what one owner has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of each kind that there is.
    pub kinds: Vec<StatsLine>,
    /// How far the vectors are; nothing where there is no embedder.
    pub embedding: Option<EmbeddingStatus>,
}

/// How much there is of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsLine {
    /// The kind.
    pub kind: MemoryKind,
    /// How many entries.
    pub entries: u64,
    /// How many of them all of the tenant see.
    pub public: u64,
    /// The bytes of their texts and bodies.
    pub bytes: u64,
    /// How many can be searched.
    pub texts: u64,
    /// How many of those have a vector of the present generation.
    pub embedded: u64,
}

/// How far the vectors are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddingStatus {
    /// The present generation: model and dimensions.
    pub generation: String,
    /// How many entries can be searched.
    pub texts: u64,
    /// How many of them have a vector of it.
    pub embedded: u64,
    /// Whether the embedder answered when it was asked last.
    pub available: bool,
}

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryReceipt {
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The service tenant, where not all of the tenant was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tenant_id: Option<String>,
    /// The user, where not all of the service tenant was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// How many entries in all.
    pub entries: u64,
    /// How many vectors in all.
    pub vectors: u64,
    /// Of each kind.
    pub kinds: Vec<ReceiptLine>,
    /// When.
    pub erased_at: crate::Timestamp,
}

/// What was erased of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptLine {
    /// The kind.
    pub kind: MemoryKind,
    /// How many entries.
    pub entries: u64,
    /// How many vectors.
    pub vectors: u64,
}
