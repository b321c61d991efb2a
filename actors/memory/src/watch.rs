//! Who watches a plan: what is there is compared with what was seen. A write of this node wakes who watches at once; what other nodes write, and what expires, is
//! looked for now and then.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use soorma_core::{Error, ErrorCode, MemoryScope, WorkingChange};
use soorma_ports::{MemoryAfter, MemoryOrder, WorkingWatch};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::kinds::working;
use crate::shared::Shared;

/// How many values are read at once.
const PAGE: usize = 256;
/// The most bytes of a plan that can be watched: the first answer has all of it.
const MOST_BYTES: usize = 64 * 1_024 * 1_024;

/// A plan of an owner.
type Plan = (MemoryScope, String);

/// The plans that are watched on this node. There are as many as there are watchers at most, and of them a tenant has so many.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<Plan, watch::Sender<()>>>);

impl Watches {
    fn all(&self) -> MutexGuard<'_, HashMap<Plan, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who watches a plan.
    pub(crate) fn changed(&self, scope: &MemoryScope, plan: &str) {
        let all = self.all();
        if !all.is_empty()
            && let Some(watched) = all.get(&(scope.clone(), plan.to_owned()))
        {
            watched.send_replace(());
        }
    }

    /// Wakes who watches anything of a tenant.
    pub(crate) fn changed_in(&self, tenant: &soorma_core::TenantId) {
        let all = self.all();
        let keys = all.keys().filter(|(scope, _)| scope.tenant == *tenant);
        let watched: Vec<_> = keys.filter_map(|key| all.get(key)).collect();
        watched.into_iter().for_each(|watched| watched.send_replace(()));
    }

    fn watch(&self, plan: Plan) -> watch::Receiver<()> {
        self.all().entry(plan).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    fn forget(&self, plan: &Plan) {
        let mut all = self.all();
        if all.get(plan).is_some_and(|watched| watched.receiver_count() == 0) {
            all.remove(plan);
        }
    }
}

/// Watches one plan.
#[derive(Debug)]
pub(crate) struct PlanWatch {
    shared: Arc<Shared>,
    plan: Plan,
    woken: Option<watch::Receiver<()>>,
    /// What was told last, by key; nothing before all was told once.
    seen: Option<BTreeMap<String, (Uuid, u64)>>,
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
        let woken = Some(shared.watches.watch(plan.clone()));
        Ok(Self { shared: Arc::clone(shared), plan, woken, seen: None, _place: place })
    }

    /// Returns what has changed since it was looked last, in the order of the keys.
    async fn look(&mut self) -> Result<Vec<WorkingChange>, Error> {
        let (scope, plan) = &self.plan;
        let mut there = BTreeMap::new();
        let mut changes = Vec::new();
        let mut bytes = 0_usize;
        let mut after: Option<MemoryAfter> = None;
        loop {
            let query = working::all(plan, after, PAGE);
            let page = self.shared.ask(self.shared.store.list(scope, self.shared.now(), &query)).await?;
            for entry in &page.entries {
                let (key, value) = working::value(entry)?;
                let state = (entry.id, entry.revision);
                if self.seen.as_ref().and_then(|seen| seen.get(&key)) != Some(&state) {
                    bytes = bytes.saturating_add(entry.body.len());
                    changes.push(WorkingChange {
                        key: key.clone(),
                        value: Some(value),
                        deleted: false,
                        revision: entry.revision,
                        updated_at: Some(entry.updated_at),
                    });
                }
                there.insert(key, state);
            }
            if bytes > MOST_BYTES {
                let message = format!("planId: a plan of more than {MOST_BYTES} bytes cannot be watched");
                return Err(Error::invalid(message));
            }
            let Some(last) = page.entries.last().filter(|_| page.more) else { break };
            after = Some(MemoryAfter::of(last, MemoryOrder::Key));
        }
        let gone = self.seen.iter().flatten().filter(|(key, _)| !there.contains_key(*key));
        changes.extend(gone.map(|(key, (_, revision))| WorkingChange {
            key: key.clone(),
            value: None,
            deleted: true,
            revision: *revision,
            updated_at: None,
        }));
        self.seen = Some(there);
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
                drop(timeout(self.shared.config.watch_every, woken.changed()).await);
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
