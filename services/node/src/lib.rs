//! The roof: configuration → backends → tree → a running node, and its orderly end.
//!
//! A [`Node`] is the whole platform in one value: many can run in one process. `soorma dev` is a node with an edge; a
//! program that embeds one hosts its agents in it, with or without an edge.

mod announcer;
mod auth;
mod backends;
pub mod config;
mod data_folder;
mod jwks;
mod machine;
mod models;
mod node;
mod sight;

pub use machine::{MachineClock, MachineEntropy};
pub use node::{Node, NodeError, Options};
pub use soorma_supervise::{GaveUp, Lifecycle, Observer, Root, Turn};
