//! The terms on which a group's members are handed events. The group has one set, whichever member said them last: so it is in the log,
//! where each join overwrites them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soorma_ports::ConsumerSpec;

#[derive(Debug)]
pub(super) struct Terms(Mutex<ConsumerSpec>);

impl Terms {
    pub(super) fn new(spec: ConsumerSpec) -> Self {
        Self(Mutex::new(spec))
    }

    /// Takes over what a member says that joins a group with members; returns whether this changes what is kept in order.
    pub(super) fn set(&self, spec: &ConsumerSpec) -> bool {
        let mut terms = self.lock();
        let changed = terms.key != spec.key;
        terms.clone_from(spec);
        changed
    }

    /// How long a member has for an event.
    pub(super) fn lease(&self) -> Duration {
        self.lock().ack_within
    }

    /// What a member says that joins anew: it is its own in nothing but what it is handed.
    pub(super) fn for_member(&self, own: &ConsumerSpec) -> ConsumerSpec {
        ConsumerSpec { topics: own.topics.clone(), start: own.start.clone(), ..self.lock().clone() }
    }

    fn lock(&self) -> MutexGuard<'_, ConsumerSpec> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
