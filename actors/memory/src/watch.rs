//! Who watches a plan: what is there is compared with what was seen. A write of this node wakes who watches at once; what other nodes write, and what expires, is
//! looked for now and then.

mod look;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use soorma_core::{Error, ErrorCode, MemoryScope, TenantId, WorkingChange};
use soorma_ports::WorkingWatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use crate::shared::Shared;
use look::{States, Watched};

/// How many plans are looked at once: who asks for something else has room beside them.
const AT_ONCE: usize = 8;

/// A plan of an owner.
type Plan = (MemoryScope, String);

/// The plans that are watched on this node. There are as many as there are watchers at most, and of them a tenant has so many.
#[derive(Debug)]
pub(crate) struct Watches {
    all: Mutex<HashMap<Plan, Arc<Watched>>>,
    looking: Semaphore,
}

impl Default for Watches {
    fn default() -> Self {
        Self { all: Mutex::default(), looking: Semaphore::new(AT_ONCE) }
    }
}

impl Watches {
    fn all(&self) -> MutexGuard<'_, HashMap<Plan, Arc<Watched>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who watches a plan.
    pub(crate) fn changed(&self, scope: &MemoryScope, plan: &str) {
        let all = self.all();
        if !all.is_empty()
            && let Some(watched) = all.get(&(scope.clone(), plan.to_owned()))
        {
            watched.wake();
        }
    }

    /// Wakes who watches anything of a tenant.
    pub(crate) fn changed_in(&self, tenant: &TenantId) {
        let all = self.all();
        let of_tenant = all.iter().filter(|((scope, _), _)| scope.tenant == *tenant);
        of_tenant.for_each(|(_, watched)| watched.wake());
    }

    /// Waits for one's turn to look.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.looking.acquire().await.ok()
    }

    fn watch(&self, plan: Plan) -> (Arc<Watched>, watch::Receiver<u64>) {
        let mut all = self.all();
        let watched = all.entry(plan).or_insert_with(|| Arc::new(Watched::new()));
        (Arc::clone(watched), watched.subscribe())
    }

    fn forget(&self, plan: &Plan) {
        let mut all = self.all();
        if all.get(plan).is_some_and(|watched| watched.is_left()) {
            all.remove(plan);
        }
    }
}

/// Watches one plan.
#[derive(Debug)]
pub(crate) struct PlanWatch {
    shared: Arc<Shared>,
    plan: Plan,
    watched: Arc<Watched>,
    woken: Option<watch::Receiver<u64>>,
    /// What was told last; nothing before all was told once.
    seen: Option<States>,
    /// The keys of what was told, by how they are stored, where that is something else.
    long: BTreeMap<String, String>,
    looked: Instant,
    _place: OwnedSemaphorePermit,
}

impl PlanWatch {
    pub(crate) fn new(shared: &Arc<Shared>, scope: &MemoryScope, plan: &str) -> Result<Self, Error> {
        let place = shared.tenants.watcher(&scope.tenant).ok_or_else(|| {
            let most = shared.config.max_watchers_per_tenant;
            let message = format!("the tenant watches {most} plans already, which is the most it may");
            Error::new(ErrorCode::RateLimited, message)
        })?;
        let plan = (scope.clone(), plan.to_owned());
        let (watched, woken) = shared.watches.watch(plan.clone());
        Ok(Self {
            shared: Arc::clone(shared),
            plan,
            watched,
            woken: Some(woken),
            seen: None,
            long: BTreeMap::new(),
            looked: Instant::now(),
            _place: place,
        })
    }

    /// Returns what has changed since it was looked last: what is there, in the order of the keys, and then what is gone.
    async fn look(&mut self) -> Result<Vec<WorkingChange>, Error> {
        self.looked = Instant::now();
        let look = self.watched.look(&self.shared, &self.plan).await?;
        self.looked = look.at;
        let seen = self.seen.clone().unwrap_or_default();
        if self.seen.is_some() && Arc::ptr_eq(&seen, &look.states) {
            return Ok(Vec::new());
        }
        let (states, values) = look.since(&self.shared, &self.plan, &seen).await?;
        let mut changes = Vec::with_capacity(values.len());
        for (stored, change) in values {
            if stored != change.key {
                self.long.insert(stored, change.key.clone());
            }
            changes.push(change);
        }
        for (stored, revision) in seen.iter().filter(|(stored, _)| !states.contains_key(*stored)) {
            let key = self.long.remove(stored).unwrap_or_else(|| stored.clone());
            let gone =
                WorkingChange { key, value: None, deleted: true, revision: *revision, updated_at: None };
            changes.push(gone);
        }
        self.seen = Some(states);
        Ok(changes)
    }
}

#[async_trait]
impl WorkingWatch for PlanWatch {
    async fn next(&mut self) -> Result<Vec<WorkingChange>, Error> {
        loop {
            let is_first = self.seen.is_none();
            if !is_first && let Some(woken) = &mut self.woken {
                // Who is not woken looks all the same.
                drop(timeout_at(self.looked + self.shared.config.watch_every, woken.changed()).await);
            }
            if let Some(woken) = &mut self.woken {
                woken.mark_unchanged();
            }
            let changes = self.look().await?;
            if is_first || !changes.is_empty() {
                return Ok(changes);
            }
        }
    }
}

impl Drop for PlanWatch {
    fn drop(&mut self) {
        self.woken = None;
        self.shared.watches.forget(&self.plan);
    }
}
