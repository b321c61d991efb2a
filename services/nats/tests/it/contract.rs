//! The suite of the port.
//!
//! Leases and retries fall due by tokio's clock, which is moved. Two differences of this backend are made up for here:
//! - What is too old is dropped by the server's own clock, which nobody can move. Where a case lets all become too old, it is
//!   dropped as the server would; that the server does it by itself is shown in `retention`.
//! - Nothing is due at once when a process has died, since others may go on: leases end when their time is up. The cases let
//!   it pass.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::EventLog;
use soorma_testkit::contract::event_log::EventLogHarness;

use super::world::{World, config};

impl EventLogHarness for World {
    const UNIT: Duration = Duration::from_secs(4);
    const RETAIN_FOR: Duration = Duration::from_secs(600);

    async fn fresh() -> Self {
        Self::new(config()).await
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    async fn reopen(self) -> Self {
        World::reopen(self).await
    }

    async fn elapse(&self, by: Duration) {
        if by >= Self::RETAIN_FOR {
            self.retention_passes().await;
        }
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
