//! The suite of the port.

use std::sync::Arc;

use rusqlite::{Connection, params};
use soorma_ports::MemoryStore;
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::contract::memory_store::MemoryStoreHarness;
use uuid::Uuid;

use crate::it::world::World;

impl MemoryStoreHarness for World {
    async fn fresh() -> Self {
        Self::new(SqliteLogConfig::default())
    }

    fn store(&self) -> Arc<dyn MemoryStore> {
        self.log.memory()
    }

    /// One process has the file.
    async fn second(&self) -> Option<Arc<dyn MemoryStore>> {
        None
    }

    async fn reopen(self) -> Self {
        World::reopen(self).await
    }

    async fn damage_vectors(&self, id: Uuid) {
        let connection = Connection::open(self.path()).unwrap();
        let damaged = connection.execute(
            "UPDATE memory_vectors SET vector = substr(vector, 1, length(vector) - 4) WHERE entry IN (
                 SELECT e.key FROM memory_entries e JOIN tenants t ON t.id = e.tenant WHERE e.id = ?1 AND t.name = 'acme')",
            params![id.as_bytes()],
        );
        assert!(damaged.unwrap() > 0, "it has vectors");
    }
}

soorma_testkit::memory_store_contract!(
    #[tokio::test]
    World
);
