//! The words of Soorma: ids, topics, the event envelope, positions, agents, definitions, error codes, the tree's rows.
//!
//! Nothing here does I/O or reads a clock: what needs the time or randomness takes it as an argument.
#![deny(missing_docs)]

mod agent;
mod any_json;
mod data;
mod definition;
mod error;
mod event;
mod excerpt;
mod id;
mod json_bytes;
mod memory;
mod partition;
mod position;
mod retry;
mod tenant;
mod timestamp;
mod topic;
mod tree;

pub use agent::{
    AgentKind, AgentRecord, AgentStatus, Capability, EventRef, RankedBy, UnknownAgentKind,
    UnknownAgentStatus, UnknownRankedBy,
};
pub use any_json::AnyJson;
pub use data::{Data, DataError, MAX_DEPTH};
pub use definition::{EventDefinition, InvalidVersion, PayloadSchema, SchemaVersion};
pub use error::{Error, ErrorCode};
pub use event::{Event, EventDraft, FieldError, Json};
pub use id::{EventId, InvalidName, Name};
pub use json_bytes::json_bytes;
pub use memory::{
    EmbeddingStatus, Episode, Explanation, Fact, InvalidKind, InvalidOwner, MemoryKind, MemoryReceipt,
    MemoryScope, MemoryStats, Owner, Place, Plan, PlanContext, PlanStatus, ReceiptLine, Role, Session, Skill,
    StatsLine, TaskContext, UnknownPlanStatus, UnknownRole, WorkingChange, WorkingKey, WorkingValue,
};
pub use partition::{InvalidPartitionKey, PartitionKey};
pub use position::{Cursor, InvalidCursor, Position};
pub use retry::retry_after;
pub use tenant::{DEFAULT_PLATFORM_TENANT, Scope, TenantId};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use topic::{Topic, UnknownTopic};
pub use tree::{ChildState, TreeNode};
