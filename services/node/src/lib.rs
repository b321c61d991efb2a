//! The roof: configuration, backends, tree, and the node that runs them.

pub mod config;
