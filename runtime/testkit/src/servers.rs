//! Real servers for tests: found or fetched, started on a free port of the loopback, and ended with the test binary, also when
//! that is killed.

mod nats;
mod process;

pub use nats::NatsServer;
