//! HTTP and SSE in terms of ports: who may ask, what they asked, and how it is said to them.
//!
//! It holds no event that the log does not hold. A live stream is a place in the log; a member of a group shows what its proxy in the tree
//! gives it.

mod access;
mod app;
mod body;
mod config;
mod counters;
mod cursor;
mod duration;
mod ending;
mod exposition;
mod frame;
mod live;
mod member;
mod parameters;
mod pulse;
mod reply;
mod routes;
mod rows;
mod same_machine;
mod serve;
mod shape;
mod streams;
mod watched;

pub use access::{Access, Tokens};
pub use app::Edge;
pub use config::Config;
pub use serve::serve;
