//! The registry: who is here, what they can do, what events mean.
//!
//! The store is the truth. A [`Registry`] follows it into a view in memory, from which all reading is answered, and writes through one
//! queue; who was answered reads what was written.

mod announcement;
mod compiler;
mod config;
mod describe;
mod directory;
mod follower;
mod leases;
mod limits;
mod made;
mod meaning;
mod payloads;
mod ready;
mod registry;
pub mod schema;
mod shared;
mod view;
mod weight;
mod wheel;
mod writer;

pub use config::{Config, Payloads, UnknownPayloads};
pub use registry::Registry;
