//! JSON Schemas by name and version.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, PayloadSchema, Timestamp};

/// A JSON Schema under a name and a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaItem {
    /// The name.
    #[serde(alias = "schema_name")]
    pub schema_name: String,
    /// The version.
    pub version: String,
    /// The schema.
    #[serde(alias = "json_schema")]
    pub json_schema: Data,
    /// What it describes.
    #[serde(default)]
    pub description: Option<String>,
    /// The id of the agent that brought it.
    #[serde(default, alias = "owner_agent_id")]
    pub owner_agent_id: Option<String>,
    /// When it was registered; what is sent here is not looked at.
    #[serde(default, alias = "created_at")]
    pub created_at: Option<Timestamp>,
    /// The same: a version never changes.
    #[serde(default, alias = "updated_at")]
    pub updated_at: Option<Timestamp>,
}

impl From<&PayloadSchema> for SchemaItem {
    fn from(schema: &PayloadSchema) -> Self {
        Self {
            schema_name: schema.name.to_string(),
            version: schema.version.to_string(),
            json_schema: schema.schema.clone(),
            description: schema.description.clone(),
            owner_agent_id: schema.owner.as_ref().map(ToString::to_string),
            created_at: Some(schema.created_at),
            updated_at: Some(schema.created_at),
        }
    }
}

/// The body that registers a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SchemaRegistration {
    /// The schema.
    #[serde(alias = "payload_schema")]
    pub schema: SchemaItem,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaRegistered {
    /// The name.
    pub schema_name: String,
    /// The version.
    pub version: String,
    /// Always true; what failed is a problem.
    pub success: bool,
    /// A sentence.
    pub message: String,
}

/// Which schemas are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaQuery {
    /// Of one agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_agent_id: Option<String>,
    /// At most so many, and [`MAX_ROWS`](super::MAX_ROWS) at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on: the `nextCursor` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Schemas, by name and then in the order in which they were registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaList {
    /// The schemas.
    pub schemas: Vec<SchemaItem>,
    /// How many there are in this answer.
    pub count: usize,
    /// What to send as `cursor` for more; absent where there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
