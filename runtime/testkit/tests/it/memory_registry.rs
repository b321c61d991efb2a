//! The registry's store in memory passes the suite, under paused time.

use std::sync::Arc;

use soorma_ports::RegistryStore;
use soorma_testkit::MemoryRegistry;
use soorma_testkit::contract::registry_store::RegistryStoreHarness;

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
}

soorma_testkit::registry_store_contract!(
    #[tokio::test(start_paused = true)]
    Memory
);
