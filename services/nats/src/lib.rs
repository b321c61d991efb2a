//! The event log on NATS JetStream (docs/adr/0003-the-event-log-on-jetstream.md says why it is as it is).
//!
//! A stream a topic, a subject an event, so that the server refuses an id that it has. A group is one message that is
//! replaced by compare-and-set. No consumer is made on the server.

mod append;
mod calls;
mod config;
mod connect;
mod core;
mod dead_letters;
mod dialled_log;
mod error;
mod follower;
mod gathered;
mod group;
mod join;
mod link;
mod log;
mod names;
mod provision;
mod read;
mod server_time;
mod signals;
mod status;
mod token;
mod version;
mod wire;

pub use config::{Credentials, Durability, NatsLogConfig, Retention};
pub use dialled_log::DialledLog;
pub use log::NatsLog;
