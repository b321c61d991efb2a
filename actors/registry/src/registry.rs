//! The registry of a node: its branch of the tree, and how it is asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Error, Event, TenantId};
use soorma_ports::{Bus, Clock, Looked, PayloadCheck, RegistryStore};
use soorma_supervise::{Backoff, ChildSpec, Intensity, Rarely, Strategy, SupervisorSpec};
use tokio::sync::{Mutex, mpsc};

use crate::announcement;
use crate::config::Config;
use crate::meaning::Meaning;
use crate::payloads::PayloadFaults;
use crate::shared::Shared;
use crate::{follower, leases, writer};

/// Answers what is asked of the registry. What it knows outlives the crashes of its children.
#[derive(Debug)]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
    pub(crate) payload_faults: PayloadFaults,
    pub(crate) meaning: Meaning,
    announcements: mpsc::Sender<(TenantId, Event)>,
    unsaid: Rarely,
}

/// A registry that fails again and again is no reason to end the node: events flow, and what is known can be read.
const BRANCH: Intensity = Intensity::new(10_000, Duration::from_secs(60));

impl Registry {
    /// Makes the registry over a store: the branch `registry` of the tree, and the handle to ask it by. It says on the bus who comes and
    /// goes; have the bus [checked](soorma_ports::PayloadCheck) by the handle.
    #[must_use]
    pub fn new(
        store: Arc<dyn RegistryStore>,
        clock: Arc<dyn Clock>,
        bus: Arc<dyn Bus>,
        config: Config,
    ) -> (ChildSpec, Arc<Self>) {
        let meaning = Meaning::new(config.embedder.clone(), config.max_vector_kib);
        let config = Config { max_waiting: config.max_waiting.max(1), ..config };
        let (shared, queue) = Shared::new(store, clock, config);
        let (announcements, waiting) = mpsc::channel(announcement::WAITING);
        let (queue, waiting) = (Arc::new(Mutex::new(queue)), Arc::new(Mutex::new(waiting)));
        let backoff = Backoff::exponential(Duration::from_millis(10), Duration::from_secs(5));

        let of = Arc::clone(&shared);
        let directory = ChildSpec::task("directory", move |cx| follower::run(Arc::clone(&of), cx));
        let (of, gauged) = (Arc::clone(&shared), Arc::clone(&shared));
        let writer = ChildSpec::gauged_task(
            "writer",
            move || gauged.gauge(),
            move |cx| writer::run(Arc::clone(&of), Arc::clone(&queue), cx),
        );
        let (of, on) = (Arc::clone(&shared), Arc::clone(&bus));
        let leases = ChildSpec::task("leases", move |cx| leases::run(Arc::clone(&of), Arc::clone(&on), cx));
        let announcer = ChildSpec::task("announcer", move |cx| {
            announcement::run(Arc::clone(&waiting), Arc::clone(&bus), cx)
        });
        let branch = [directory, writer, leases, announcer].into_iter().fold(
            SupervisorSpec::new("registry", Strategy::RestForOne).intensity(BRANCH),
            |branch, child| branch.child(child.backoff(backoff)),
        );
        // The handle does not hold the bus, which may hold the handle.
        let registry = Self {
            shared,
            payload_faults: PayloadFaults::default(),
            meaning,
            announcements,
            unsaid: Rarely::default(),
        };
        (branch.into(), Arc::new(registry))
    }

    /// Waits until all that is registered was read once. Before that it answers nothing.
    pub async fn loaded(&self) {
        self.shared.loaded().await;
    }

    /// Returns how many published events had a payload that does not fit its schema.
    pub fn payload_faults(&self) -> u64 {
        self.payload_faults.count()
    }

    pub(crate) fn announce(&self, tenant: &TenantId, event: Event) {
        if !self.shared.config.announce {
            return;
        }
        if self.announcements.try_send((tenant.clone(), event)).is_err()
            && let Some(count) = self.unsaid.happened()
        {
            tracing::warn!(count, "agents come and go faster than it can be announced; some is not");
        }
    }
}

#[async_trait]
impl PayloadCheck for Registry {
    fn check_payload(&self, tenant: &TenantId, event: &Event) -> Result<Looked, Error> {
        self.payload_faults.check(&self.shared, tenant, event)
    }

    async fn check_payloads(&self, tenant: &TenantId, events: &[Event]) -> Result<(), Error> {
        self.payload_faults.check_all(&self.shared, tenant, events).await
    }
}
