//! What an agent may use, and when enough is enough.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::Event;
use soorma_supervise::Intensity;

/// The bounds of one agent. The defaults suit handlers that call a model or another service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a handler may take for one event.
    pub handler_timeout: Duration,
    /// How long the log waits for a sign of life before it hands an event to somebody else. Kept alive while a handler runs.
    pub ack_within: Duration,
    /// How often an event is tried before it becomes a dead letter.
    pub max_attempts: u32,
    /// How long to wait before the second attempt; doubles with every further one, less up to a quarter by chance.
    pub retry_first: Duration,
    /// The longest wait between attempts.
    pub retry_max: Duration,
    /// When the agent stops taking events for a while.
    pub breaker: Breaker,
    /// How many crashes of instances are too many: then all of them are started anew.
    pub crashes: Intensity,
    /// How often that may happen before the agent is quarantined.
    pub restarts: Intensity,
    /// How many events one handler may publish.
    pub max_emissions: usize,
    /// How long a stopping agent may take to finish what it has in hand.
    pub drain_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handler_timeout: Duration::from_secs(30),
            ack_within: Duration::from_secs(30),
            max_attempts: 5,
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(300),
            breaker: Breaker::default(),
            crashes: Intensity::new(20, Duration::from_secs(60)),
            restarts: Intensity::new(2, Duration::from_secs(600)),
            max_emissions: 1_000,
            drain_within: Duration::from_secs(10),
        }
    }
}

/// When an agent that keeps failing pauses, and when it is given up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// How many failures in a row open it.
    pub after: u32,
    /// How long it stays open before one event is tried; doubles each time that try fails.
    pub pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
    /// How many tries may fail before the agent is quarantined.
    pub tries: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { after: 10, pause: Duration::from_secs(5), max_pause: Duration::from_secs(60), tries: 10 }
    }
}

/// Finds the key of an event.
pub(crate) type KeyOf = Arc<dyn Fn(&Event) -> Option<String> + Send + Sync>;

/// How an agent's work is spread over actors.
#[derive(Clone)]
pub enum Instances {
    /// So many interchangeable ones.
    Pool(u32),
    /// One for each key, made when its first event comes and let go when it is idle; its events are handled one at a
    /// time, in order.
    PerKey {
        /// Finds the key of an event. An event without one shares an instance with all others without.
        key: KeyOf,
        /// How many live at once.
        max: u32,
        /// How long an instance without work is kept.
        idle: Duration,
    },
}

impl Instances {
    /// How many events can be in hand at once.
    pub(crate) fn capacity(&self) -> usize {
        let (Self::Pool(n) | Self::PerKey { max: n, .. }) = self;
        usize::try_from((*n).max(1)).unwrap_or(usize::MAX)
    }
}

impl std::fmt::Debug for Instances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pool(n) => write!(f, "Pool({n})"),
            Self::PerKey { max, .. } => write!(f, "PerKey(at most {max})"),
        }
    }
}
