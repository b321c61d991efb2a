//! The suite of the port.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::EventLog;
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::contract::event_log::EventLogHarness;

use super::world::World;

impl EventLogHarness for World {
    const UNIT: Duration = Duration::from_secs(10);
    const RETAIN_FOR: Duration = Duration::from_secs(3_600);

    async fn fresh() -> Self {
        Self::new(SqliteLogConfig { retain_for: Self::RETAIN_FOR, ..SqliteLogConfig::default() })
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    async fn reopen(self) -> Self {
        World::reopen(self).await
    }

    async fn elapse(&self, by: Duration) {
        World::elapse(self, by).await;
    }

    fn jump(&self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { self.clock.jump_back(by) } else { self.clock.jump(by) }
    }
}

soorma_testkit::event_log_contract!(
    #[tokio::test]
    World
);
