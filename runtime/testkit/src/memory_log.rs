//! An event log in memory: the model that other logs are compared with, and what actors are tested on.
//!
//! No threads and no I/O, so it follows paused time exactly. `state` holds all that it knows, without waiting;
//! here is the waiting.

mod group;
mod state;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Event, Name, Position, TenantId, Topic};
use soorma_ports::{
    Appended, Bounds, Clock, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId,
    Entry, EventLog, EventLogError, Follower, GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use state::{Now, State};

/// How many events a follower takes at once.
const FOLLOWED_AT_ONCE: usize = 256;

/// An event log in memory. It passes the same suite as the durable ones; [`reopen`](Self::reopen) stands in for
/// the restart of a process.
#[derive(Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    /// `None` when another log has taken the state over.
    state: Mutex<Option<State>>,
}

impl MemoryLog {
    /// Makes an empty log that keeps everything.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_retention(clock, Duration::MAX, usize::MAX)
    }

    /// Makes an empty log that keeps events so long, and so many in a topic. Each append looks what has to go.
    pub fn with_retention(clock: Arc<dyn Clock>, retain_for: Duration, retain_events: usize) -> Arc<Self> {
        Self::over(clock, State::new(retain_for, retain_events))
    }

    /// Takes what is in the log over into a new one, as a new process would: nothing is in hand any more, and
    /// whoever still holds the old one is answered `Unavailable`.
    ///
    /// # Panics
    /// When it was reopened before.
    #[must_use]
    pub fn reopen(&self) -> Arc<Self> {
        let mut state = self.shared.lock().take().expect("a log is reopened once");
        state.void_leases(Instant::now());
        Self::over(self.shared.clock.clone(), state)
    }

    fn over(clock: Arc<dyn Clock>, state: State) -> Arc<Self> {
        Arc::new(Self { shared: Arc::new(Shared { clock, state: Mutex::new(Some(state)) }) })
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut State, Now) -> Result<T, EventLogError>,
    ) -> Result<T, EventLogError> {
        let now = Now { due: Instant::now(), wall: self.clock.now() };
        match &mut *self.lock() {
            Some(state) => work(state, now),
            None => Err(EventLogError::Unavailable("it was opened anew elsewhere".into())),
        }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn append(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<Event>>,
    ) -> Result<Vec<Appended>, EventLogError> {
        self.shared.with(|state, now| Ok(state.append(tenant, events, now)))
    }

    async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        self.shared.with(|state, _| state.read(reach, topic, after, limit))
    }

    async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError> {
        self.shared.with(|state, _| Ok(state.bounds(topic)))
    }

    async fn follow(&self, topic: Topic, after: Position) -> Result<Box<dyn Follower>, EventLogError> {
        let appended = self.shared.with(|state, _| {
            state.within(topic, after)?;
            Ok(state.appended(topic))
        })?;
        Ok(Box::new(MemoryFollower { shared: self.shared.clone(), appended, topic, after }))
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, EventLogError> {
        let changed = self.shared.with(|state, now| state.join(&spec, now))?;
        let group = (spec.tenant, spec.group);
        Ok(Arc::new(Member { shared: self.shared.clone(), changed, group, topics: spec.topics }))
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Option<Vec<bool>>, EventLogError> {
        let group = (tenant.clone(), group.clone());
        self.shared.with(|state, now| Ok(state.settle(&group, settlements, now)))
    }

    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError> {
        self.shared.with(|state, _| Ok(state.list_groups(reach, after, limit)))
    }

    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError> {
        self.shared.with(|state, _| Ok(state.count_groups(tenant)))
    }

    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<Option<GroupStatus>, EventLogError> {
        self.shared.with(|state, _| Ok(state.group(&(tenant.clone(), group.clone()))))
    }

    async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: GroupCommand,
    ) -> Result<bool, EventLogError> {
        self.shared.with(|state, _| state.command(&(tenant.clone(), group.clone()), &command))
    }

    async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError> {
        self.shared.with(|state, now| Ok(state.expire_groups(now)))
    }

    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        self.shared.with(|state, _| Ok(state.dead_letters(tenant, filter, after, limit)))
    }

    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<DeadLetter>, EventLogError> {
        self.shared.with(|state, _| Ok(state.dead_letter(tenant, id)))
    }

    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.shared.with(|state, now| Ok(state.redrive(tenant, ids, now)))
    }

    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.shared.with(|state, _| Ok(state.discard(tenant, ids)))
    }

    async fn check(&self) -> Result<(), EventLogError> {
        self.shared.with(|_, _| Ok(()))
    }
}

#[derive(Debug)]
struct Member {
    shared: Arc<Shared>,
    /// Called when there may be something to hand out, or when something falls due earlier than before.
    changed: Arc<Notify>,
    group: GroupKey,
    topics: BTreeSet<Topic>,
}

impl Member {
    fn removed(&self) -> EventLogError {
        EventLogError::Unavailable(format!("the group {} was removed; join it again", self.group.1))
    }
}

#[async_trait]
impl Consumer for Member {
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>, EventLogError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now().checked_add(wait);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on it hears of changes, also of those between the look and the wait.
            changed.as_mut().enable();
            let (handed, due) = self.shared.with(|state, now| {
                state.hand_out(&self.group, &self.topics, max, now).ok_or_else(|| self.removed())
            })?;
            if !handed.is_empty() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(handed);
            }
            match [deadline, due].into_iter().flatten().min() {
                None => changed.await,
                Some(until) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep_until(until) => {}
                },
            }
        }
    }

    async fn settle(&self, settlements: Vec<(DeliveryId, Settle)>) -> Result<Vec<bool>, EventLogError> {
        self.shared
            .with(|state, now| state.settle(&self.group, settlements, now).ok_or_else(|| self.removed()))
    }
}

#[derive(Debug)]
struct MemoryFollower {
    shared: Arc<Shared>,
    appended: Arc<Notify>,
    topic: Topic,
    after: Position,
}

#[async_trait]
impl Follower for MemoryFollower {
    async fn next(&mut self) -> Result<Vec<Entry>, EventLogError> {
        loop {
            let appended = self.appended.notified();
            tokio::pin!(appended);
            appended.as_mut().enable();
            let page = self
                .shared
                .with(|state, _| state.read(&Reach::Platform, self.topic, self.after, FOLLOWED_AT_ONCE))?;
            self.after = page.next;
            if !page.entries.is_empty() {
                return Ok(page.entries);
            }
            appended.await;
        }
    }
}
