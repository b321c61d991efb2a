//! What the registry knows of events and of their payloads.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::id::InvalidName;
use crate::{Data, Name, Timestamp, Topic};

/// What an event of a type means in a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventDefinition {
    /// The type: unique in its tenant.
    pub name: Name,
    /// Where such events flow.
    pub topic: Topic,
    /// What it says, for people and for models.
    pub description: String,
    /// The name of the schema that its payload follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_schema_name: Option<Name>,
    /// The name of the schema that the payload of its answer follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_schema_name: Option<Name>,
    /// The schema of its payload, where it is not kept under a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_schema: Option<Data>,
    /// The schema of its answer's payload, where it is not kept under a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<Data>,
}

/// A JSON Schema under a name and a version. It never changes: what differs is another version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayloadSchema {
    /// The name.
    pub name: Name,
    /// The version.
    pub version: SchemaVersion,
    /// The schema.
    pub schema: Data,
    /// What it describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The id of the agent that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Name>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// The version of a schema: 1 to 50 bytes without control characters. Versions are not compared: the newest of a name is the one
/// that was registered last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SchemaVersion(Box<str>);

impl SchemaVersion {
    /// The most bytes that the contract allows.
    pub const MAX_BYTES: usize = 50;

    /// Takes a text as a version.
    ///
    /// # Errors
    /// When it is blank, longer than 50 bytes, or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidVersion> {
        let text = text.into();
        let long = || (text.len() > Self::MAX_BYTES).then_some(InvalidVersion::TooLong(text.len()));
        match Name::new(text.as_str()) {
            Err(InvalidName::Empty) => Err(InvalidVersion::Empty),
            Err(InvalidName::Control) => Err(InvalidVersion::Control),
            Err(InvalidName::TooLong(bytes)) => Err(InvalidVersion::TooLong(bytes)),
            Ok(_) => long().map_or_else(|| Ok(Self(text.into_boxed_str())), Err),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no [`SchemaVersion`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVersion {
    /// It has no characters but white space.
    #[error("is empty")]
    Empty,
    /// It has more than 50 bytes.
    #[error("has {0} bytes; at most 50 are allowed")]
    TooLong(usize),
    /// It has a line break or another control character.
    #[error("contains a control character")]
    Control,
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
