//! What events mean.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, EventDefinition, Topic};

/// What an event means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventItem {
    /// The event's type.
    #[serde(alias = "event_name")]
    pub event_name: String,
    /// Where such events flow. The topic of the first registration stays.
    pub topic: Topic,
    /// What it says, for people and for models.
    pub description: String,
    /// The name of the schema that its payload follows.
    #[serde(default, alias = "payload_schema_name")]
    pub payload_schema_name: Option<String>,
    /// The name of the schema that the payload of its answer follows.
    #[serde(default, alias = "response_schema_name")]
    pub response_schema_name: Option<String>,
    /// The schema of its payload, where it is not kept under a name.
    #[serde(default, alias = "payload_schema")]
    pub payload_schema: Option<Data>,
    /// The schema of its answer's payload, where it is not kept under a name.
    #[serde(default, alias = "response_schema")]
    pub response_schema: Option<Data>,
}

impl EventItem {
    /// Makes one without schemas.
    pub fn new(event_name: impl Into<String>, topic: Topic, description: impl Into<String>) -> Self {
        Self {
            event_name: event_name.into(),
            topic,
            description: description.into(),
            payload_schema_name: None,
            response_schema_name: None,
            payload_schema: None,
            response_schema: None,
        }
    }
}

impl From<&EventDefinition> for EventItem {
    fn from(event: &EventDefinition) -> Self {
        Self {
            event_name: event.name.to_string(),
            topic: event.topic,
            description: event.description.clone(),
            payload_schema_name: event.payload_schema_name.as_ref().map(ToString::to_string),
            response_schema_name: event.response_schema_name.as_ref().map(ToString::to_string),
            payload_schema: event.payload_schema.clone(),
            response_schema: event.response_schema.clone(),
        }
    }
}

/// The body that registers an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRegistration {
    /// The event.
    pub event: EventItem,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventDefined {
    /// The event's type.
    pub event_name: String,
    /// Always true; what failed is a problem.
    pub success: bool,
    /// A sentence.
    pub message: String,
}

/// Which definitions are wanted. Of `event_name` and `topic` the first that is given counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventQuery {
    /// Of one event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    /// Of one topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// At most so many, and [`MAX_ROWS`](super::MAX_ROWS) at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on: the `nextCursor` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Definitions, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    /// The definitions.
    pub events: Vec<EventItem>,
    /// How many there are in this answer.
    pub count: usize,
    /// What to send as `cursor` for more; absent where there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
