//! Soorma for authors of agents: the one crate to import.
//!
//! - [`Worker`] and [`Tool`] are agents, [`Ctx`] is what their handlers know.
//! - [`Node`] (feature `embedded`, on by default) is the platform in your own process: it hosts agents, and serves HTTP
//!   if it is to.
//! - [`Client`] speaks to a platform that runs elsewhere.
#![deny(missing_docs)]

mod client;
mod sse;

pub use client::{Client, EventStream, Explicit, Frame, StreamRequest};
pub use soorma_agents::{
    Agent, Agents, Breaker, CapabilitySpec, Ctx, Emission, Fault, Instances, Limits, Tool, Worker,
};
pub use soorma_api as api;
pub use soorma_core::{
    AgentKind, AgentStatus, ChildState, Cursor, Data, Error, ErrorCode, Event, EventDraft, EventId, Json,
    Name, PartitionKey, Position, RankedBy, Scope, TenantId, Timestamp, Topic, TreeNode, UnknownTopic,
};
pub use soorma_ports::{
    Bus, Clock, Consumer, ConsumerSpec, DeadLetter, Entropy, Kinds, Settle, Start, Subscriber, Subscription,
    new_event_id,
};
pub use soorma_supervise::Intensity;

#[cfg(feature = "embedded")]
pub use soorma_node::{
    GaveUp, Lifecycle, MachineClock, MachineEntropy, Node, NodeError, Observer, Options, Root, Turn, config,
};
