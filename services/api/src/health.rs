//! How the node is.

use serde::{Deserialize, Serialize};

/// Whether all works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All works.
    Healthy,
    /// Events cannot be published now, or memory does not answer.
    Degraded,
}

/// The answer of `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whether all works.
    pub status: HealthStatus,
    /// Which event log stands below.
    pub adapter: String,
    /// Whether that log can be written to.
    pub connected: bool,
    /// How many streams are open; 0 where tokens are required, since anybody may ask and they are those of all tenants.
    pub active_streams: usize,
    /// Whether memory answers and can be written to.
    pub memory: bool,
    /// Which vectors are made, as model and dimensions; `null` where there is no embedder.
    pub embedder: Option<String>,
    /// The name of this service.
    pub service: String,
    /// Its version.
    pub version: String,
}

/// The answer of `/livez`, and of `/readyz` when the node takes work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// `alive` or `ready`.
    pub status: String,
}

/// The answer of `/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The name of this service.
    pub service: String,
    /// Its version.
    pub version: String,
}

/// The answer of `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The name of this service.
    pub service: String,
    /// Its version.
    pub version: String,
    /// What can be asked of it, as `METHOD path`.
    pub routes: Vec<String>,
}
