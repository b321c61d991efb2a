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
    /// What a repeated publish has in common with the first: the ids of events that have none follow from it.
    pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
    /// The `agent_id` of the stream that answers to what is published are to go to.
    pub const AGENT_ID: &str = "x-agent-id";
    /// The key of who may erase memory.
    pub const MEMORY_ADMIN_KEY: &str = "x-memory-admin-key";
    /// By what the answer of a search is in its order: `meaning`, or `words` where the meaning could not be had in time.
    pub const RANKED_BY: &str = "x-ranked-by";
    /// After which a list goes on that is a bare array.
    pub const NEXT_CURSOR: &str = "x-next-cursor";
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
    /// An event that is to be acknowledged; its data is [`DeliveryFrame`](crate::DeliveryFrame).
    pub const DELIVERY: &str = "delivery";
    /// The last frame of a stream that was not read for too long; its data is [`SlowConsumer`](crate::SlowConsumer).
    pub const SLOW_CONSUMER: &str = "slow_consumer";
    /// How a plan is when it begins to be watched; its data is [`WorkingSnapshot`](crate::memory::WorkingSnapshot).
    pub const SNAPSHOT: &str = "snapshot";
    /// What happened to a value of a plan; its data is [`WorkingChange`](soorma_core::WorkingChange).
    pub const CHANGE: &str = "change";
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

/// The body of a publish of several events: all of them or none.
#[derive(Debug, Clone, Deserialize)]
pub struct PublishBatch {
    /// The events, at most [`MAX`](Self::MAX).
    pub events: Vec<EventDraft>,
}

impl PublishBatch {
    /// The most events of one batch.
    pub const MAX: usize = 1_000;
}

/// The answer to a publish of several events: all are durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedBatch {
    /// Always true; what failed is a problem.
    pub success: bool,
    /// How many there are.
    pub count: usize,
    /// Each, in the order of the request.
    pub events: Vec<PublishedEvent>,
}

/// One event of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedEvent {
    /// The event's id.
    pub event_id: String,
    /// Whether an event of that id was there before; then that one stays as it is.
    pub duplicate: bool,
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
    /// Event types with commas between them, to be shown alone; `order.*` stands for all that begin with `order.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// `explicit`: the member of a group acknowledges each event by its delivery id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<String>,
    /// With `ack=explicit`: how many milliseconds the member has for an event before another gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// How many unsettled events the member has at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<usize>,
    /// Where the group starts if it is new, or where a live stream begins: `now`, `earliest`, or a position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// What events of the group that are to stay in order have in common: `plan_id`, `session_id`, `data.<field>`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitionkey: Option<String>,
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

/// The data of an event that is to be acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryFrame {
    /// By what it is settled.
    pub delivery_id: String,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// How many milliseconds there are to settle it, or to ask for more.
    pub lease_ms: u64,
    /// The event.
    pub event: soorma_core::Event,
}

/// The data of the last frame to a slow reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowConsumer {
    /// The stream's id.
    pub connection_id: String,
    /// Where to resume; nothing for members of groups, which resume where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
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
