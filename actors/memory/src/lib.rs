//! Memory: semantic, episodic, procedural and working; plans, sessions, and the contexts of tasks and plans.
//!
//! The store is the truth, and knows no kinds. An [`AgentMemory`] says how each kind stands in it, has texts turned into vectors without holding anything of the
//! store meanwhile, makes the changes of one plan one after the other, and looks after what has expired and what has no vector yet.
#![deny(missing_docs)]

mod agent_memory;
mod bounds;
mod config;
mod embedder;
mod janitor;
mod kinds;
mod members;
mod op;
mod outage;
mod questions;
mod rarely;
mod recall;
mod shared;
mod tenants;
mod upkeep;
mod watch;
mod work;
mod writers;

pub use agent_memory::AgentMemory;
pub use config::Config;
