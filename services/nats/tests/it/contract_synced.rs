//! The suite of the port, on a server that syncs before it answers, with appends gathered.

use std::sync::Arc;
use std::time::Duration;

use soorma_nats::{Durability, NatsLogConfig};
use soorma_ports::EventLog;
use soorma_testkit::contract::event_log::EventLogHarness;
use soorma_testkit::servers::NatsServer;

use super::world::{World, config};

struct Synced(World);

pub(super) fn synced() -> NatsLogConfig {
    NatsLogConfig { servers: vec![NatsServer::shared_synced()], durability: Durability::Synced, ..config() }
}

impl EventLogHarness for Synced {
    const UNIT: Duration = World::UNIT;
    const RETAIN_FOR: Duration = World::RETAIN_FOR;

    async fn fresh() -> Self {
        Self(World::new(synced()).await)
    }

    fn log(&self) -> Arc<dyn EventLog> {
        EventLogHarness::log(&self.0)
    }

    async fn reopen(self) -> Self {
        Self(EventLogHarness::reopen(self.0).await)
    }

    async fn elapse(&self, by: Duration) {
        EventLogHarness::elapse(&self.0, by).await;
    }

    fn jump(&self, seconds: i64) {
        self.0.jump(seconds);
    }
}

soorma_testkit::event_log_contract!(
    #[tokio::test]
    Synced
);
