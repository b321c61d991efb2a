//! Publishing and streams (CONTRACT 2.6).

use serde::{Deserialize, Serialize};
use soorma_core::EventDraft;

/// The headers that say who is asking, and where to go on.
pub mod header {
    /// The platform tenant.
    pub const TENANT: &str = "x-tenant-id";
    /// The service tenant.
    pub const SERVICE_TENANT: &str = "x-service-tenant-id";
    /// The service user.
    pub const USER: &str = "x-user-id";
    /// The id of the last frame that a client has seen.
    pub const LAST_EVENT_ID: &str = "last-event-id";
}

/// The media types of the wire.
pub mod media {
    /// An event in its wrapper, [`PublishRequest`](crate::PublishRequest).
    pub const JSON: &str = "application/json";
    /// A bare event, as strict CloudEvents.
    pub const CLOUD_EVENT: &str = "application/cloudevents+json";
    /// A stream.
    pub const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";
}

/// The names of the frames of a stream.
pub mod frame {
    /// The first frame; its data is [`Connected`](crate::Connected).
    pub const CONNECTED: &str = "connected";
    /// An event.
    pub const MESSAGE: &str = "message";
    /// A sign of life; its data is [`ConnectionRef`](crate::ConnectionRef).
    pub const HEARTBEAT: &str = "heartbeat";
    /// The last frame when the server closes; its data is [`ConnectionRef`](crate::ConnectionRef).
    pub const DISCONNECTED: &str = "disconnected";
}

/// The body of a publish.
#[derive(Debug, Clone, Deserialize)]
pub struct PublishRequest {
    /// The event.
    pub event: EventDraft,
}

/// The answer to a publish: the event is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Always true; what failed is a problem.
    pub success: bool,
    /// The event's id.
    pub event_id: String,
    /// A sentence.
    pub message: String,
}

/// What a stream is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamQuery {
    /// Topics with commas between them; `*` and `>` stand for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<String>,
    /// The name of this instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The group to join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// Where to go on, for clients that cannot set the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_id: Option<String>,
}

/// The data of the first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// The stream's id.
    pub connection_id: String,
    /// The topics that it shows.
    pub topics: Vec<String>,
    /// The name that the client gave.
    pub agent_id: String,
}

/// The data of frames that only name their stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRef {
    /// The stream's id.
    pub connection_id: String,
}

/// One open stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The stream's id.
    pub connection_id: String,
    /// The name that the client gave.
    pub agent_id: String,
    /// The topics that it shows.
    pub topics: Vec<String>,
}

/// The caller's open streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// How many there are.
    pub count: usize,
    /// Each of them, oldest first.
    pub connections: Vec<Connection>,
}
