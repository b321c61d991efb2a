//! The registry's store in memory passes the suite, under paused time.

use std::sync::Arc;

use soorma_core::Timestamp;
use soorma_ports::{
    ReadFrom, Refused, RegistryAct, RegistryPage, RegistryStore, RegistryStoreError, RegistryWrite, Written,
};
use soorma_testkit::MemoryRegistry;
use soorma_testkit::contract::registry_store::RegistryStoreHarness;
use soorma_testkit::{name, tenant};

struct Memory(Arc<MemoryRegistry>);

impl RegistryStoreHarness for Memory {
    async fn fresh() -> Self {
        Self(MemoryRegistry::new())
    }

    fn store(&self) -> Arc<dyn RegistryStore> {
        self.0.clone()
    }

    async fn second(&self) -> Option<Arc<dyn RegistryStore>> {
        Some(self.0.second())
    }

    async fn reopen(self) -> Self {
        Self(self.0.second())
    }

    async fn damage(&self, agent: &str) {
        self.0.damage(&tenant("acme"), &name(agent));
    }
}

soorma_testkit::registry_store_contract!(
    #[tokio::test(start_paused = true)]
    Memory
);

/// That the random work finds no fault where there is none, and takes all its roads.
#[test]
fn random_work_has_the_same_answers_on_itself() {
    soorma_testkit::registry_differential::compare::<Memory>(1, 500);
}

/// That it finds a fault where there is one.
#[test]
#[should_panic(expected = "in place of")]
fn random_work_tells_a_store_that_differs() {
    soorma_testkit::registry_differential::compare::<Forgetful>(1, 500);
}

/// A store that leaves out what agents say of how they are.
#[derive(Debug)]
struct Forgetful(Arc<MemoryRegistry>);

#[async_trait::async_trait]
impl RegistryStore for Forgetful {
    async fn write(
        &self,
        mut writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError> {
        for write in &mut writes {
            if let RegistryAct::Hear { standing, .. } = &mut write.what {
                *standing = None;
            }
        }
        self.0.write(writes).await
    }

    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        self.0.changes(from, limit).await
    }

    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError> {
        self.0.changed(after).await
    }

    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError> {
        self.0.forget(removed_before).await
    }

    async fn check(&self) -> Result<(), RegistryStoreError> {
        self.0.check().await
    }
}

impl RegistryStoreHarness for Forgetful {
    async fn fresh() -> Self {
        Self(MemoryRegistry::new())
    }

    fn store(&self) -> Arc<dyn RegistryStore> {
        Arc::new(Self(self.0.clone()))
    }

    async fn second(&self) -> Option<Arc<dyn RegistryStore>> {
        None
    }

    async fn reopen(self) -> Self {
        self
    }

    async fn damage(&self, agent: &str) {
        self.0.damage(&tenant("acme"), &name(agent));
    }
}
