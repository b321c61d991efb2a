//! Real servers for tests: found or fetched, started on a free port of the loopback, and ended with the test binary, also when
//! that is killed.

use std::path::{Path, PathBuf};

mod nats;
mod postgres;
mod process;

pub use nats::NatsServer;
pub use postgres::{HeldTransaction, PostgresDatabase, PostgresServer};

/// `target/servers`, where they stay for the next run.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let target = std::path::absolute(target).expect("the working folder is there");
    target.join("servers")
}
