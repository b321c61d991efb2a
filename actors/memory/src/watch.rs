//! Who watches a plan: what is there is compared with what was seen. A write of this node wakes who watches at once; what other nodes write, and what expires, is
//! looked for now and then.

mod look;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use soorma_core::{Error, ErrorCode, MemoryScope, TenantId, WorkingChange};
use soorma_ports::WorkingWatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use crate::shared::Shared;
use look::{States, Values, Watched, values, weight};

/// How many plans are looked at once: who asks for something else has room beside them.
const AT_ONCE: usize = 8;

/// How many values are read at once at most.
const VALUES: usize = 16;
/// After how many bytes of values an answer ends: who watches reads no faster than he takes.
const ENOUGH: usize = 256 * 1_024;

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
    /// What was told.
    seen: States,
    /// What there was by the last look.
    there: States,
    /// Keys of it that are to be told yet.
    left: VecDeque<String>,
    /// Whether all that there was has been told once.
    begun: bool,
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
            seen: States::default(),
            there: States::default(),
            left: VecDeque::new(),
            begun: false,
            long: BTreeMap::new(),
            looked: Instant::now(),
            _place: place,
        })
    }

    /// Looks what there is, and returns what is gone, and what has changed where that is known already; the rest is left.
    async fn look(&mut self) -> Result<Vec<WorkingChange>, Error> {
        self.looked = Instant::now();
        let look = self.watched.look(&self.shared, &self.plan).await?;
        self.looked = look.at;
        if Arc::ptr_eq(&self.seen, &look.states) {
            return Ok(Vec::new());
        }
        let gone = self.seen.keys().filter(|stored| !look.states.contains_key(*stored));
        let gone: Vec<_> = gone.cloned().collect();
        let known = look.values(&self.seen);
        let mut changes: Vec<_> = gone.into_iter().filter_map(|stored| self.gone(stored)).collect();
        match known {
            Some(values) => changes.extend(self.told(values)),
            None => self.left = look.keys(&self.seen).into(),
        }
        self.there = look.states;
        Ok(changes)
    }

    /// Reads some of what is left to tell.
    async fn some(&mut self) -> Result<Vec<WorkingChange>, Error> {
        let (mut keys, mut read, mut bytes, mut count) = (Vec::new(), Values::new(), 0, 1);
        // One at first: how long they are is not known before.
        while keys.len() < self.left.len() && bytes < ENOUGH {
            let some: Vec<_> = self.left.iter().skip(keys.len()).take(count).cloned().collect();
            let turn = self.shared.watches.turn().await;
            let values = values(&self.shared, &self.plan, &some).await?;
            drop(turn);
            bytes += values.iter().map(|(_, change)| weight(change)).sum::<usize>();
            keys.extend(some);
            read.extend(values);
            count = (count * 2).min(VALUES);
        }
        self.left.drain(..keys.len());
        let is_there = |key: &String| read.binary_search_by(|(stored, _)| stored.cmp(key)).is_ok();
        let gone: Vec<_> = keys.into_iter().filter(|key| !is_there(key)).collect();
        let mut changes: Vec<_> = gone.into_iter().filter_map(|stored| self.gone(stored)).collect();
        changes.extend(self.told(read));
        Ok(changes)
    }

    fn told(&mut self, values: Values) -> Vec<WorkingChange> {
        let seen = Arc::make_mut(&mut self.seen);
        let tell = |(stored, change): (String, WorkingChange)| {
            if stored != change.key {
                self.long.insert(stored.clone(), change.key.clone());
            }
            seen.insert(stored, change.revision);
            change
        };
        values.into_iter().map(tell).collect()
    }

    fn gone(&mut self, stored: String) -> Option<WorkingChange> {
        let revision = Arc::make_mut(&mut self.seen).remove(&stored)?;
        let key = self.long.remove(&stored).unwrap_or(stored);
        Some(WorkingChange { key, value: None, deleted: true, revision, updated_at: None })
    }
}

#[async_trait]
impl WorkingWatch for PlanWatch {
    async fn next(&mut self) -> Result<Vec<WorkingChange>, Error> {
        loop {
            let mut changes = Vec::new();
            if self.left.is_empty() {
                if let Some(woken) = &mut self.woken {
                    if self.begun {
                        // Who is not woken looks all the same.
                        let again = self.looked + self.shared.config.watch_every;
                        drop(timeout_at(again, woken.changed()).await);
                    }
                    woken.mark_unchanged();
                }
                changes = self.look().await?;
            }
            if changes.is_empty() && !self.left.is_empty() {
                changes = self.some().await?;
            }
            let is_beginning = !self.begun;
            if self.left.is_empty() {
                if self.seen == self.there {
                    // One copy for all who watch.
                    self.seen = Arc::clone(&self.there);
                }
                self.begun = true;
            }
            if !changes.is_empty() || (is_beginning && self.begun) {
                return Ok(changes);
            }
        }
    }

    fn has_begun(&self) -> bool {
        self.begun
    }
}

impl Drop for PlanWatch {
    fn drop(&mut self) {
        self.woken = None;
        self.shared.watches.forget(&self.plan);
    }
}
