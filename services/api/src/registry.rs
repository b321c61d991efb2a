//! The registry (CONTRACT 2.7): answers have camelCase keys, requests may have either case.

mod agents;
mod events;
mod schemas;
mod words;

pub use agents::{
    AgentHeard, AgentItem, AgentList, AgentQuery, AgentRegistered, AgentRegistration, AgentState, AgentView,
    AgentViews, CapabilityItem, Heartbeat, NewAgent,
};
pub use events::{EventDefined, EventItem, EventList, EventQuery, EventRegistration};
pub use schemas::{SchemaItem, SchemaList, SchemaQuery, SchemaRegistered, SchemaRegistration};
pub use words::{AgentInWords, AgentsInWords, CapabilityInWords, FieldInWords};

/// The most rows of one answer, and how many there are where nothing is said.
pub const MAX_ROWS: usize = 10_000;
/// The rows of an answer that is ranked, where nothing is said.
pub const RANKED_ROWS: usize = 10;
/// The most rows of an answer that is ranked.
pub const MAX_RANKED_ROWS: usize = 100;
