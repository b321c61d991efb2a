//! The stores on Postgres.
//!
//! Each table has a wall of its own in the database: row security, forced, by a setting that each transaction makes. Work is
//! done as a role that may neither change the tables nor pass the wall.

mod config;
mod connections;
mod error;
mod memory;
mod migrations;
mod names;
mod open;
mod registry;
mod roles;

pub use config::PostgresConfig;
pub use error::PostgresError;
pub use memory::PostgresMemory;
pub use open::Postgres;
pub use registry::PostgresRegistry;
