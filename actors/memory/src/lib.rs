//! Memory: semantic, episodic, procedural and working; plans, sessions, and the contexts of tasks and plans.
//!
//! The store is the truth, and knows no kinds. [`Memories`] say how each kind stands in it, have texts turned into vectors without holding anything of the
//! store meanwhile, make the changes of one plan one after the other, and look after what has expired and what has no vector yet.
#![deny(missing_docs)]

mod bounds;
mod config;
mod embedder;
mod errands;
mod janitor;
mod kinds;
mod lacking;
mod members;
mod memories;
mod op;
mod questions;
mod recall;
mod shared;
mod tenants;
mod upkeep;
mod watch;
mod work;
mod writers;

pub use config::Config;
pub use memories::Memories;
