//! Settling what an agent was handed.

use serde::{Deserialize, Serialize};

/// Which deliveries are done, or are to be extended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliveries {
    /// Their ids, at most [`MAX`](Self::MAX).
    pub ids: Vec<String>,
}

impl Deliveries {
    /// The most deliveries of one request.
    pub const MAX: usize = 1_000;
}

/// Which deliveries have failed, and what is to become of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nack {
    /// Their ids; not where the path names one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Why; shown where it becomes a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long to wait before the next attempt; by the platform's backoff where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// It will never work: a dead letter at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reject: bool,
    /// It was not tried: no attempt is used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub release: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Those that counted.
    pub settled: Vec<String>,
    /// Those that did not: settled before, or given to another when their lease ran out.
    pub stale: Vec<String>,
}
