//! A registry's store in memory: what the contract means, in the fewest words.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use soorma_core::{Name, TenantId, Timestamp};
use soorma_ports::{
    ReadFrom, Refused, RegistryPage, RegistryStore, RegistryStoreError, RegistryWrite, Written,
};
use tokio::sync::watch;

use state::State;

/// A store that passes the suite of the port and keeps nothing beyond the test.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    data: Arc<Data>,
}

#[derive(Debug, Default)]
struct Data {
    state: Mutex<State>,
    /// The last revision.
    written: watch::Sender<u64>,
}

impl MemoryRegistry {
    /// Makes an empty store.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Opens the same data a second time, as another process does it.
    #[must_use]
    pub fn second(&self) -> Arc<Self> {
        Arc::new(Self { data: self.data.clone() })
    }

    /// Has what an agent said become unreadable, as damage does it to what is on a disk.
    pub fn damage(&self, tenant: &TenantId, agent: &Name) {
        self.state().damage(tenant, agent);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.data.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RegistryStore for MemoryRegistry {
    async fn write(
        &self,
        writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError> {
        let mut state = self.state();
        let answers = writes.into_iter().map(|write| state.write(write)).collect();
        let last = state.revision();
        // With the lock held, so that it never goes back.
        self.data.written.send_if_modified(|written| std::mem::replace(written, last) != last);
        Ok(answers)
    }

    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        self.state().changes(from, limit)
    }

    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError> {
        let mut written = self.data.written.subscribe();
        let ended = |_| RegistryStoreError::Unavailable("it was closed".into());
        written.wait_for(|written| *written != after).await.map(|_| ()).map_err(ended)
    }

    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError> {
        Ok(self.state().forget(removed_before))
    }

    async fn check(&self) -> Result<(), RegistryStoreError> {
        Ok(())
    }
}
