//! A memory store in memory: what the contract means, in the fewest words.

mod fits;
mod state;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    Erased, Generation, KindCount, KindErased, MemoryDone, MemoryEntry, MemoryPage, MemoryPlace, MemoryQuery,
    MemoryRefused, MemoryStore, MemoryStoreError, MemoryWrite, NewVector, RankQuery, Ranks, Unembedded,
};
use uuid::Uuid;

use state::State;

/// A store that passes the suite of the port and keeps nothing beyond the test: vectors are compared one by one, words by BM25.
///
/// It has no clock. So a call that is given no time cannot tell what has expired, and takes it as it is there until [`MemoryStore::expire`] removes it.
#[derive(Debug, Default)]
pub struct MapMemory {
    state: Arc<Mutex<State>>,
}

impl MapMemory {
    /// Makes an empty store.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Opens the same data a second time, as another process does it.
    #[must_use]
    pub fn second(&self) -> Arc<Self> {
        Arc::new(Self { state: self.state.clone() })
    }

    /// Has the vectors of an entry become unsound, as damage does it to what is on a disk.
    pub fn damage_vectors(&self, tenant: &TenantId, id: Uuid) {
        self.state().damage_vectors(tenant, id);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl MemoryStore for MapMemory {
    async fn write(
        &self,
        writes: Vec<MemoryWrite>,
    ) -> Result<Vec<Result<MemoryDone, MemoryRefused>>, MemoryStoreError> {
        let mut state = self.state();
        Ok(writes.into_iter().map(|write| state.write(write)).collect())
    }

    async fn get(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        places: &[MemoryPlace],
    ) -> Result<Vec<Option<MemoryEntry>>, MemoryStoreError> {
        let state = self.state();
        Ok(places.iter().map(|place| state.get(scope, now, place).cloned()).collect())
    }

    async fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError> {
        self.state().list(scope, now, query)
    }

    async fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        place: (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, MemoryStoreError> {
        Ok(self.state().states(scope, now, place, after, limit))
    }

    async fn rank(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, MemoryStoreError> {
        Ok(self.state().rank(scope, now, query))
    }

    async fn put_vectors(
        &self,
        generation: &Generation,
        vectors: Vec<NewVector>,
    ) -> Result<u64, MemoryStoreError> {
        Ok(self.state().put_vectors(generation, vectors))
    }

    async fn unembedded(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, MemoryStoreError> {
        Ok(self.state().unembedded(generation, after, limit))
    }

    async fn drop_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, MemoryStoreError> {
        Ok(self.state().drop_vectors(tenant, but))
    }

    async fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, MemoryStoreError> {
        Ok(self.state().count(tenant, owner, generation))
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<u64, MemoryStoreError> {
        Ok(self.state().expire(now, limit))
    }

    async fn retire(
        &self,
        kind: &MemoryKind,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, MemoryStoreError> {
        Ok(self.state().retire(kind, before, limit))
    }

    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<Vec<KindErased>, MemoryStoreError> {
        Ok(self.state().erase(tenant, whose))
    }

    async fn check(&self) -> Result<(), MemoryStoreError> {
        Ok(())
    }
}
