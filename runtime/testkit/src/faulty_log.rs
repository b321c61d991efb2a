//! An event log that fails as planned.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Event, Name, Position, TenantId, Topic};
use soorma_ports::{
    Appended, Bounds, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, EventLog,
    EventLogError, Follower, GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle,
};

use crate::fault::{Fault, Plan};

/// A call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// [`EventLog::append`].
    Append,
    /// [`EventLog::read`].
    Read,
    /// [`EventLog::bounds`].
    Bounds,
    /// [`EventLog::follow`].
    Follow,
    /// [`Follower::next`].
    Followed,
    /// [`EventLog::consumer`].
    Consumer,
    /// [`Consumer::next`].
    Next,
    /// [`Consumer::settle`] and [`EventLog::settle`].
    Settle,
    /// The four calls on groups.
    Groups,
    /// The four calls on dead letters.
    DeadLetters,
    /// [`EventLog::check`].
    Check,
}

/// Wraps an event log. Each planned fault happens to one call, in the order of the plan; calls without one go through.
#[derive(Debug)]
pub struct FaultyLog {
    inner: Arc<dyn EventLog>,
    plan: Arc<LogPlan>,
}

type LogPlan = Plan<Call, EventLogError>;

impl FaultyLog {
    /// Wraps a log; nothing fails until it is planned.
    pub fn new(inner: Arc<dyn EventLog>) -> Arc<Self> {
        Arc::new(Self { inner, plan: Arc::default() })
    }

    /// Plans a fault for the next call of a kind that has none planned.
    pub fn on(&self, call: Call, fault: Fault) {
        self.plan.on(call, fault);
    }

    /// Makes the next `n` appends fail; nothing is appended.
    pub fn fail_next_append(&self, n: usize, error: EventLogError) {
        self.repeat(n, Call::Append, Fault::Fail(error));
    }

    /// Makes the next `n` appends fail after they were appended.
    pub fn commit_then_fail(&self, n: usize, error: EventLogError) {
        self.repeat(n, Call::Append, Fault::CommitThenFail(error));
    }

    /// Makes the next `n` calls of a kind take longer.
    pub fn delay(&self, n: usize, call: Call, by: Duration) {
        self.repeat(n, call, Fault::Delay(by));
    }

    /// Returns how many planned faults have not happened yet.
    pub fn pending(&self) -> usize {
        self.plan.pending()
    }

    fn repeat(&self, n: usize, call: Call, fault: Fault) {
        for _ in 0..n {
            self.on(call, fault.clone());
        }
    }
}

#[async_trait]
impl EventLog for FaultyLog {
    async fn append(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<Event>>,
    ) -> Result<Vec<Appended>, EventLogError> {
        self.plan.run(Call::Append, self.inner.append(tenant, events)).await
    }

    async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        self.plan.run(Call::Read, self.inner.read(reach, topic, after, limit)).await
    }

    async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError> {
        self.plan.run(Call::Bounds, self.inner.bounds(topic)).await
    }

    async fn follow(&self, topic: Topic, after: Position) -> Result<Box<dyn Follower>, EventLogError> {
        let inner = self.plan.run(Call::Follow, self.inner.follow(topic, after)).await?;
        Ok(Box::new(FaultyFollower { inner, plan: self.plan.clone() }))
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, EventLogError> {
        let inner = self.plan.run(Call::Consumer, self.inner.consumer(spec)).await?;
        Ok(Arc::new(FaultyConsumer { inner, plan: self.plan.clone() }))
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Option<Vec<bool>>, EventLogError> {
        self.plan.run(Call::Settle, self.inner.settle(tenant, group, settlements)).await
    }

    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError> {
        self.plan.run(Call::Groups, self.inner.groups(reach, after, limit)).await
    }

    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError> {
        self.plan.run(Call::Groups, self.inner.count_groups(tenant)).await
    }

    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<Option<GroupStatus>, EventLogError> {
        self.plan.run(Call::Groups, self.inner.group(tenant, group)).await
    }

    async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: GroupCommand,
    ) -> Result<bool, EventLogError> {
        self.plan.run(Call::Groups, self.inner.command(tenant, group, command)).await
    }

    async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError> {
        self.plan.run(Call::Groups, self.inner.expire_groups()).await
    }

    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        self.plan.run(Call::DeadLetters, self.inner.dead_letters(tenant, filter, after, limit)).await
    }

    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<DeadLetter>, EventLogError> {
        self.plan.run(Call::DeadLetters, self.inner.dead_letter(tenant, id)).await
    }

    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.plan.run(Call::DeadLetters, self.inner.redrive(tenant, ids)).await
    }

    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.plan.run(Call::DeadLetters, self.inner.discard(tenant, ids)).await
    }

    async fn check(&self) -> Result<(), EventLogError> {
        self.plan.run(Call::Check, self.inner.check()).await
    }
}

#[derive(Debug)]
struct FaultyConsumer {
    inner: Arc<dyn Consumer>,
    plan: Arc<LogPlan>,
}

#[async_trait]
impl Consumer for FaultyConsumer {
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>, EventLogError> {
        self.plan.run(Call::Next, self.inner.next(max, wait)).await
    }

    async fn settle(&self, settlements: Vec<(DeliveryId, Settle)>) -> Result<Vec<bool>, EventLogError> {
        self.plan.run(Call::Settle, self.inner.settle(settlements)).await
    }
}

#[derive(Debug)]
struct FaultyFollower {
    inner: Box<dyn Follower>,
    plan: Arc<LogPlan>,
}

#[async_trait]
impl Follower for FaultyFollower {
    async fn next(&mut self) -> Result<Vec<soorma_ports::Entry>, EventLogError> {
        self.plan.run(Call::Followed, self.inner.next()).await
    }
}
