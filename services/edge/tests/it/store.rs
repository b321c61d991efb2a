//! A registry's store in memory that can be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use soorma_core::Timestamp;
use soorma_ports::{
    ReadFrom, Refused, RegistryPage, RegistryStore, RegistryStoreError, RegistryWrite, Written,
};
use soorma_testkit::MemoryRegistry;

#[derive(Debug)]
pub(crate) struct Store {
    memory: Arc<MemoryRegistry>,
    away: AtomicBool,
}

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { memory: MemoryRegistry::new(), away: AtomicBool::new(false) })
    }

    /// Has it answer nothing, or all again.
    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn there(&self) -> Result<(), RegistryStoreError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(RegistryStoreError::Unavailable("net".into())),
            false => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl RegistryStore for Store {
    async fn write(
        &self,
        writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError> {
        self.there()?;
        self.memory.write(writes).await
    }

    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        self.there()?;
        self.memory.changes(from, limit).await
    }

    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError> {
        self.there()?;
        self.memory.changed(after).await
    }

    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError> {
        self.there()?;
        self.memory.forget(removed_before).await
    }

    async fn check(&self) -> Result<(), RegistryStoreError> {
        self.there()?;
        self.memory.check().await
    }
}
