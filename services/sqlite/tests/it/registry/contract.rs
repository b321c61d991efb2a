//! The suite of the port.

use std::sync::Arc;

use soorma_ports::RegistryStore;
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::contract::registry_store::RegistryStoreHarness;

use crate::it::world::World;

impl RegistryStoreHarness for World {
    async fn fresh() -> Self {
        Self::new(SqliteLogConfig::default())
    }

    fn store(&self) -> Arc<dyn RegistryStore> {
        self.log.registry()
    }

    /// One process has the file.
    async fn second(&self) -> Option<Arc<dyn RegistryStore>> {
        None
    }

    async fn reopen(self) -> Self {
        World::reopen(self).await
    }

    async fn damage(&self, agent: &str) {
        super::damaged::damage(
            self,
            &format!("UPDATE registry_agents SET document = '{{\"id\":' WHERE id = '{agent}'"),
        );
    }
}

soorma_testkit::registry_store_contract!(
    #[tokio::test]
    World
);
