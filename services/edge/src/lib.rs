//! HTTP and SSE in terms of ports: who may ask, what they asked, and how it is said to them.
//!
//! It holds no event that the log does not hold. What a group stream has in hand goes back to the group when
//! the stream ends; a live stream is a place in the log.

mod access;
mod app;
mod body;
mod config;
mod duration;
mod frame;
mod groups;
mod in_hand;
mod live;
mod member;
mod pulse;
mod reply;
mod routes;
mod serve;
mod streams;

pub use app::Edge;
pub use config::Config;
pub use serve::serve;
