//! What can be set.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::TenantId;
use soorma_ports::Embedder;

/// How the registry is run.
#[derive(Debug, Clone)]
pub struct Config {
    /// For how long an agent counts as there after it was heard.
    pub lease: Duration,
    /// How often leases are looked through. What is read is right without it; it is for announcing and removing.
    pub sweep_every: Duration,
    /// How long an agent whose lease has run out is kept.
    pub forget_after: Duration,
    /// How many agents a tenant has at most, with those whose lease has run out.
    pub max_agents_per_tenant: usize,
    /// How many agents all tenants have at most.
    pub max_agents: usize,
    /// How many events a tenant defines at most.
    pub max_events_per_tenant: usize,
    /// How many schemas a tenant has at most, each version counted.
    pub max_schemas_per_tenant: usize,
    /// How many bytes all that a tenant has registered takes at most, by estimate.
    pub max_bytes_per_tenant: usize,
    /// The same of all tenants.
    pub max_bytes: usize,
    /// How many writes wait for the store at most.
    pub max_waiting: usize,
    /// How long a write may take.
    pub answer_within: Duration,
    /// What becomes of events whose payload does not fit its schema.
    pub payloads: Payloads,
    /// The same, of single tenants.
    pub payloads_of: BTreeMap<TenantId, Payloads>,
    /// Whether it is said on `system-events` who comes and goes.
    pub announce: bool,
    /// Who turns texts into vectors; without one agents are not ranked by meaning.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// How many KiB of vectors are kept of all tenants; where there is no room for more, who needs one is ranked by words.
    pub max_vector_kib: usize,
}

impl Default for Config {
    /// The lease and the sweep are the contract's (CONTRACT 3.1).
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(300),
            sweep_every: Duration::from_secs(60),
            forget_after: Duration::from_secs(24 * 3_600),
            max_agents_per_tenant: 100_000,
            max_agents: 1_000_000,
            max_events_per_tenant: 10_000,
            max_schemas_per_tenant: 10_000,
            max_bytes_per_tenant: 256 * 1_024 * 1_024,
            max_bytes: usize::try_from(4 * 1_024 * 1_024 * 1_024_u64).unwrap_or(usize::MAX),
            max_waiting: 4_096,
            answer_within: Duration::from_secs(10),
            payloads: Payloads::Warn,
            payloads_of: BTreeMap::new(),
            announce: true,
            embedder: None,
            // A million vectors of 256 numbers, or 170,000 of 1,536.
            max_vector_kib: 1_024 * 1_024,
        }
    }
}

impl Config {
    pub(crate) fn payloads_of(&self, tenant: &TenantId) -> Payloads {
        self.payloads_of.get(tenant).copied().unwrap_or(self.payloads)
    }
}

/// What becomes of an event whose payload does not fit its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payloads {
    /// Nobody looks.
    Off,
    /// It is published, and the log says so.
    #[default]
    Warn,
    /// It is refused.
    Enforce,
}

/// A text that is no [`Payloads`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("say off, warn or enforce")]
pub struct UnknownPayloads;

impl Payloads {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Warn, Self::Enforce];

    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }
}

impl fmt::Display for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Payloads {
    type Err = UnknownPayloads;

    fn from_str(text: &str) -> Result<Self, UnknownPayloads> {
        Self::ALL.into_iter().find(|word| word.as_str() == text).ok_or(UnknownPayloads)
    }
}
