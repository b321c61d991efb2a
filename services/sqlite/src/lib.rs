//! Every store port in one SQLite file.
//!
//! One thread writes and commits for all who wait (`writer`), two read (`readers`), three do what takes longer, in the turns of
//! the tenants (`rankers`), and `log` is the event log on top of them. Every other store sends its work to the same writer, so it shares the commits: `registry`, `memory`.

mod config;
mod error;
mod log;
mod memory;
mod numbers;
mod rankers;
mod readers;
mod registry;
mod schema;
mod topic_set;
mod turns;
mod writer;

pub use config::{Retention, SqliteLogConfig};
pub use log::SqliteLog;
pub use memory::SqliteMemory;
pub use registry::SqliteRegistry;
