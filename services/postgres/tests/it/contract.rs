//! The suite of the port.

use std::sync::Arc;

use soorma_ports::RegistryStore;
use soorma_testkit::contract::registry_store::RegistryStoreHarness;
use soorma_testkit::servers::PostgresDatabase;

use super::world::open;

pub(super) struct World {
    database: PostgresDatabase,
    store: Arc<dyn RegistryStore>,
}

impl RegistryStoreHarness for World {
    async fn fresh() -> Self {
        let database = PostgresDatabase::fresh();
        let store = Arc::new(open(&database).await);
        Self { database, store }
    }

    fn store(&self) -> Arc<dyn RegistryStore> {
        self.store.clone()
    }

    async fn second(&self) -> Option<Arc<dyn RegistryStore>> {
        Some(Arc::new(open(&self.database).await))
    }

    async fn reopen(self) -> Self {
        let Self { database, store } = self;
        drop(store);
        let store = Arc::new(open(&database).await);
        Self { database, store }
    }

    async fn damage(&self, agent: &str) {
        self.database
            .execute(&format!("UPDATE soorma.registry_agents SET record = '{{\"id\":' WHERE id = '{agent}'"));
    }
}

soorma_testkit::registry_store_contract!(
    #[tokio::test]
    World
);
