//! The wire: routes, what is asked and answered on them, and the problem document. Serde only.
//!
//! The edge answers with these types and the client reads them, so the two cannot drift apart.
#![deny(missing_docs)]

mod dead_letters;
mod deliveries;
mod events;
mod groups;
mod health;
pub mod memory;
mod problem;
pub mod registry;
pub mod routes;
mod tree;

pub use dead_letters::{DeadLetterItem, DeadLetterPage, DeadLetterQuery, Handled, Selection};
pub use deliveries::{Deliveries, Nack, Settled};
pub use events::{
    Connected, Connection, ConnectionRef, Connections, DeliveryFrame, PublishBatch, PublishRequest,
    Published, PublishedBatch, PublishedEvent, SlowConsumer, StreamQuery, frame, header, media,
};
pub use groups::{GroupItem, GroupPage, GroupQuery, GroupTopic, Seek};
pub use health::{About, Health, HealthStatus, Ready, Version};
pub use problem::{MEDIA_TYPE as PROBLEM_MEDIA_TYPE, Part, Problem, Violation, code_of, status_of};
pub use tree::TreeQuery;
