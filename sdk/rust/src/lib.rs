//! Soorma for authors of agents: the one crate to import.
//!
//! - [`Worker`] and [`Tool`] are agents, [`Ctx`] is what their handlers know.
//! - [`Node`] (feature `embedded`, on by default) is the platform in your own process: it hosts agents, and serves HTTP
//!   if it is to.
//! - [`Client`] speaks to a platform that runs elsewhere.
#![deny(missing_docs)]

mod client;
mod sse;

pub use client::{
    Client, ClientMemory, EventStream, Explicit, Frame, MemoryOf, PlanWatch, StreamRequest, Watched,
};
pub use soorma_agents::{
    Agent, AgentMemory, Agents, Breaker, CapabilitySpec, Ctx, Emission, Fault, Instances, Limits, Search,
    Searched, StoreKnowledge, Tool, Worker,
};
pub use soorma_api as api;
pub use soorma_core::{
    AgentKind, AgentStatus, AnyJson, ChildState, Cursor, Data, EmbeddingStatus, Episode, Error, ErrorCode,
    Event, EventDraft, EventId, Explanation, Fact, Json, MemoryKind, MemoryReceipt, MemoryScope, MemoryStats,
    Name, Owner, PartitionKey, Place, Plan, PlanContext, PlanStatus, Position, RankedBy, Role, Scope,
    Session, Skill, TaskContext, TenantId, Timestamp, Topic, TreeNode, UnknownTopic, WorkingChange,
    WorkingKey, WorkingValue,
};
pub use soorma_ports::{
    Bus, Clock, Consumer, ConsumerSpec, DeadLetter, Entropy, EpisodeQuery, Found, Kinds, ListQuery, Memory,
    NewEpisode, NewFact, NewSkill, Recall, RecallFilter, SetWhen, Settle, Start, Subscriber, Subscription,
    Weights, WorkingOp, new_event_id,
};
pub use soorma_supervise::Intensity;
pub use uuid::Uuid;

#[cfg(feature = "embedded")]
pub use soorma_node::{
    GaveUp, Lifecycle, MachineClock, MachineEntropy, Node, NodeError, Observer, Options, Root, Turn, config,
};
