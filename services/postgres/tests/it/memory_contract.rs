//! The suite of the memory's port.

use std::sync::Arc;

use soorma_ports::MemoryStore;
use soorma_testkit::contract::memory_store::MemoryStoreHarness;
use soorma_testkit::servers::PostgresDatabase;
use uuid::Uuid;

use super::world::open_memory;

pub(super) struct World {
    database: PostgresDatabase,
    store: Arc<dyn MemoryStore>,
}

impl MemoryStoreHarness for World {
    async fn fresh() -> Self {
        let database = PostgresDatabase::fresh();
        let store = Arc::new(open_memory(&database).await);
        Self { database, store }
    }

    fn store(&self) -> Arc<dyn MemoryStore> {
        self.store.clone()
    }

    async fn second(&self) -> Option<Arc<dyn MemoryStore>> {
        Some(Arc::new(open_memory(&self.database).await))
    }

    async fn reopen(self) -> Self {
        let Self { database, store } = self;
        drop(store);
        let store = Arc::new(open_memory(&database).await);
        Self { database, store }
    }

    /// Numbers that are none cannot be had here: the server keeps vectors as what they are, with checksums of its pages. What somebody may write is one of
    /// another length, or of a length that is not 1.
    async fn damage_vectors(&self, id: Uuid) {
        let other = if id.as_u128().is_multiple_of(2) { "embedding + embedding" } else { "'[1,0]'" };
        let damaged = format!(
            "WITH done AS (UPDATE soorma.memory_vectors SET embedding = {other} WHERE tenant = 'acme' AND id = '{id}' RETURNING 1) SELECT count(*) > 0 FROM done"
        );
        assert_eq!(self.database.execute(&damaged), "t", "there is none");
    }
}

soorma_testkit::memory_store_contract!(
    #[tokio::test]
    World
);
