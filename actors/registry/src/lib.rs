//! The registry: who is here, what they can do, what events mean.

pub mod schema;
