//! What the tests of the other crates stand on: a clock and randomness that follow from a seed, an event log, a registry's store
//! and a store of memory that live in memory, faults, and the suites of cases that every such log and store passes. A dev-dependency, never more.
#![deny(missing_docs, dead_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code: it may fail loudly"
)]

mod clock;
pub mod contract;
pub mod differential;
mod entropy;
mod event;
mod fault;
mod faulty_log;
mod faulty_memory;
mod map_memory;
pub mod memory_differential;
mod memory_log;
mod memory_registry;
mod random_work;
pub mod registry_differential;
mod scripted_embedder;
pub mod servers;
mod token;

pub use clock::TestClock;
pub use entropy::SeededEntropy;
pub use event::{event, name, tenant};
pub use fault::Fault;
pub use faulty_log::{Call, FaultyLog};
pub use faulty_memory::{FaultyMemory, MemoryCall};
pub use map_memory::MapMemory;
pub use memory_log::MemoryLog;
pub use memory_registry::MemoryRegistry;
pub use scripted_embedder::{EmbedderFault, ScriptedEmbedder};
pub use token::{SECRET, token, token_of};
