//! The memory store in memory passes the suite, under paused time.

use std::sync::Arc;

use soorma_ports::MemoryStore;
use soorma_testkit::contract::memory_store::MemoryStoreHarness;
use soorma_testkit::{MapMemory, tenant};
use uuid::Uuid;

struct Map(Arc<MapMemory>);

impl MemoryStoreHarness for Map {
    async fn fresh() -> Self {
        Self(MapMemory::new())
    }

    fn store(&self) -> Arc<dyn MemoryStore> {
        self.0.clone()
    }

    async fn second(&self) -> Option<Arc<dyn MemoryStore>> {
        Some(self.0.second())
    }

    async fn reopen(self) -> Self {
        Self(self.0.second())
    }

    async fn damage_vectors(&self, id: Uuid) {
        self.0.damage_vectors(&tenant("acme"), id);
    }
}

soorma_testkit::memory_store_contract!(
    #[tokio::test(start_paused = true)]
    Map
);

/// That the random work finds no fault where there is none, and takes all its roads.
#[test]
fn random_work_has_the_same_answers_on_itself() {
    soorma_testkit::memory_differential::compare::<Map>(1, 500);
}
