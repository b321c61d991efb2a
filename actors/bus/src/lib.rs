//! The bus: publishing with a bound, groups, live streams, dead letters.
//!
//! It holds nothing that is not in the log: a crash of any part of it loses no event and repeats none to a
//! live stream. It starts no task; the node puts [`EventBus::run_tail`] of each topic into its tree.

mod config;
mod event_bus;
mod outage;
mod per_topic;
mod subscriber;
mod tail;

pub use config::Config;
pub use event_bus::EventBus;
