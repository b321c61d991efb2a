//! A memory store that fails and waits as planned, and says how busy it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    Erased, Generation, KindCount, KindErased, MemoryDone, MemoryEntry, MemoryPage, MemoryPlace, MemoryQuery,
    MemoryRefused, MemoryStore, MemoryStoreError, MemoryWrite, NewVector, RankQuery, Ranks, Unembedded,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::fault::{Fault, Plan};

/// A call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoryCall {
    /// [`MemoryStore::write`].
    Write,
    /// [`MemoryStore::get`].
    Get,
    /// [`MemoryStore::list`].
    List,
    /// [`MemoryStore::states`].
    States,
    /// [`MemoryStore::rank`].
    Rank,
    /// [`MemoryStore::put_vectors`].
    PutVectors,
    /// [`MemoryStore::unembedded`].
    Unembedded,
    /// [`MemoryStore::drop_vectors`].
    DropVectors,
    /// [`MemoryStore::count`].
    Count,
    /// [`MemoryStore::expire`].
    Expire,
    /// [`MemoryStore::retire`].
    Retire,
    /// [`MemoryStore::erase`].
    Erase,
    /// [`MemoryStore::check`].
    Check,
}

/// Wraps a memory store. Each planned fault happens to one call, in the order of the plan; calls without one go through. While the gate is closed, all calls wait
/// before it, and count as in flight.
#[derive(Debug)]
pub struct FaultyMemory {
    inner: Arc<dyn MemoryStore>,
    plan: Plan<MemoryCall, MemoryStoreError>,
    is_open: watch::Sender<bool>,
    in_flight: watch::Sender<usize>,
    calls: Mutex<BTreeMap<MemoryCall, usize>>,
}

/// One call that has begun; it ends when this is dropped, as it is when the call is.
struct InFlight<'a>(&'a watch::Sender<usize>);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|in_flight| *in_flight -= 1);
    }
}

impl FaultyMemory {
    /// Wraps a store; nothing fails until it is planned, and the gate is open.
    pub fn new(inner: Arc<dyn MemoryStore>) -> Arc<Self> {
        let (plan, calls) = (Plan::default(), Mutex::default());
        let (is_open, in_flight) = (watch::Sender::new(true), watch::Sender::new(0));
        Arc::new(Self { inner, plan, is_open, in_flight, calls })
    }

    /// Plans a fault for the next call of a kind that has none planned.
    pub fn on(&self, call: MemoryCall, fault: Fault<MemoryStoreError>) {
        self.plan.on(call, fault);
    }

    /// Makes the next `n` calls of a kind fail; nothing is done.
    pub fn fail_next(&self, n: usize, call: MemoryCall, error: &MemoryStoreError) {
        self.repeat(n, call, &Fault::Fail(error.clone()));
    }

    /// Makes the next `n` calls of a kind fail after they were done.
    pub fn commit_then_fail(&self, n: usize, call: MemoryCall, error: &MemoryStoreError) {
        self.repeat(n, call, &Fault::CommitThenFail(error.clone()));
    }

    /// Makes the next `n` calls of a kind take longer.
    pub fn delay(&self, n: usize, call: MemoryCall, by: Duration) {
        self.repeat(n, call, &Fault::Delay(by));
    }

    /// Returns how many planned faults have not happened yet.
    pub fn pending(&self) -> usize {
        self.plan.pending()
    }

    /// Closes the gate: calls wait until it is opened.
    pub fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// Opens the gate.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Returns how many calls have begun and not ended.
    pub fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Waits until so many calls at least are in flight.
    pub async fn until_in_flight(&self, n: usize) {
        let mut in_flight = self.in_flight.subscribe();
        in_flight.wait_for(|in_flight| *in_flight >= n).await.expect("the sender is ours");
    }

    /// Returns how many calls of a kind have begun so far.
    pub fn calls(&self, call: MemoryCall) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).get(&call).copied().unwrap_or(0)
    }

    fn repeat(&self, n: usize, call: MemoryCall, fault: &Fault<MemoryStoreError>) {
        for _ in 0..n {
            self.on(call, fault.clone());
        }
    }

    async fn run<T>(
        &self,
        call: MemoryCall,
        work: impl Future<Output = Result<T, MemoryStoreError>>,
    ) -> Result<T, MemoryStoreError> {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(call).or_default() += 1;
        self.in_flight.send_modify(|in_flight| *in_flight += 1);
        let _in_flight = InFlight(&self.in_flight);
        self.is_open.subscribe().wait_for(|is_open| *is_open).await.expect("the sender is ours");
        self.plan.run(call, work).await
    }
}

#[async_trait]
impl MemoryStore for FaultyMemory {
    async fn write(
        &self,
        writes: Vec<MemoryWrite>,
    ) -> Result<Vec<Result<MemoryDone, MemoryRefused>>, MemoryStoreError> {
        self.run(MemoryCall::Write, self.inner.write(writes)).await
    }

    async fn get(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        places: &[MemoryPlace],
    ) -> Result<Vec<Option<MemoryEntry>>, MemoryStoreError> {
        self.run(MemoryCall::Get, self.inner.get(scope, now, places)).await
    }

    async fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError> {
        self.run(MemoryCall::List, self.inner.list(scope, now, query)).await
    }

    async fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        place: (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, MemoryStoreError> {
        self.run(MemoryCall::States, self.inner.states(scope, now, place, after, limit)).await
    }

    async fn rank(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, MemoryStoreError> {
        self.run(MemoryCall::Rank, self.inner.rank(scope, now, query)).await
    }

    async fn put_vectors(
        &self,
        generation: &Generation,
        vectors: Vec<NewVector>,
    ) -> Result<u64, MemoryStoreError> {
        self.run(MemoryCall::PutVectors, self.inner.put_vectors(generation, vectors)).await
    }

    async fn unembedded(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, MemoryStoreError> {
        self.run(MemoryCall::Unembedded, self.inner.unembedded(generation, after, limit)).await
    }

    async fn drop_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, MemoryStoreError> {
        self.run(MemoryCall::DropVectors, self.inner.drop_vectors(tenant, but)).await
    }

    async fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, MemoryStoreError> {
        self.run(MemoryCall::Count, self.inner.count(tenant, owner, generation)).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<u64, MemoryStoreError> {
        self.run(MemoryCall::Expire, self.inner.expire(now, limit)).await
    }

    async fn retire(
        &self,
        kind: &MemoryKind,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, MemoryStoreError> {
        self.run(MemoryCall::Retire, self.inner.retire(kind, before, limit)).await
    }

    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<Vec<KindErased>, MemoryStoreError> {
        self.run(MemoryCall::Erase, self.inner.erase(tenant, whose)).await
    }

    async fn check(&self) -> Result<(), MemoryStoreError> {
        self.run(MemoryCall::Check, self.inner.check()).await
    }
}
