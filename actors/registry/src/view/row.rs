//! An agent in the view: what it said does not change, how it is does.

use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soorma_core::{AgentRecord, AgentStatus, TenantId, Timestamp};
use soorma_ports::{Registered, Said, Standing};
use tokio::time::Instant;

use crate::meaning::Vector;
use crate::weight::{of_agent, of_standing};

/// The moment at which a question is answered, on both clocks, and how long leases run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    pub(crate) steady: Instant,
    pub(crate) lease: Duration,
}

/// An agent. A new one stands in its place when it says something else.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) tenant: TenantId,
    pub(crate) said: Arc<Said>,
    /// Tells names apart without looking at them, which lie elsewhere in memory.
    pub(crate) name_hash: u64,
    /// How much room it takes, but for how it is.
    pub(crate) bytes: usize,
    life: Mutex<Life>,
}

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) standing: Standing,
    pub(crate) registered_at: Timestamp,
    pub(crate) heard_at: Timestamp,
    /// When this process itself heard it: the wall clock may be set, this one not.
    pub(crate) heard_here: Option<Instant>,
    /// The turn of the wheel at which it is looked at; an entry of another turn is an old one.
    pub(crate) due: Option<u64>,
    /// Whether it was said that its lease has run out.
    pub(crate) announced: bool,
    /// Whether it stands in the view no more.
    pub(crate) gone: bool,
    /// What it said as a vector, once somebody has asked for that.
    pub(crate) vector: Option<Arc<Vector>>,
}

impl Life {
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        let here = || self.heard_here.is_some_and(|at| now.steady.duration_since(at) < now.lease);
        self.heard_at.plus(now.lease) <= now.wall && !here()
    }

    /// It stands in the view no more. The wheel has it until its turn comes; what is large goes at once.
    pub(crate) fn leave(&mut self) {
        self.gone = true;
        self.vector = None;
    }
}

impl Row {
    pub(crate) fn new(
        tenant: TenantId,
        record: AgentRecord,
        standing: Standing,
        registered_at: Timestamp,
        heard_at: Timestamp,
    ) -> Self {
        let life = Life {
            standing,
            registered_at,
            heard_at,
            heard_here: None,
            due: None,
            announced: false,
            gone: false,
            vector: None,
        };
        let mut hasher = std::hash::DefaultHasher::new();
        record.name.hash(&mut hasher);
        let name_hash = hasher.finish();
        let bytes = of_agent(&record);
        Self { tenant, said: Arc::new(Said::new(record)), name_hash, bytes, life: Mutex::new(life) }
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how much room it takes, with how it is.
    pub(crate) fn whole_bytes(&self) -> usize {
        self.bytes + of_standing(&self.life().standing)
    }

    pub(crate) fn record(&self) -> &AgentRecord {
        &self.said.record
    }

    /// Keeps what it said as a vector, as long as it stands in the view.
    pub(crate) fn keep(&self, vector: &Arc<Vector>) {
        let mut life = self.life();
        if !life.gone {
            life.vector = Some(Arc::clone(vector));
        }
    }

    pub(crate) fn registered(&self, now: Moment) -> Registered {
        let life = self.life();
        let standing = match life.is_expired(now) {
            true => Standing { status: AgentStatus::Expired, reason: None },
            false => life.standing.clone(),
        };
        Registered {
            said: Arc::clone(&self.said),
            standing,
            registered_at: life.registered_at,
            heard_at: life.heard_at,
            expires_at: life.heard_at.plus(now.lease),
        }
    }
}
