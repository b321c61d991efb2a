//! The log in memory passes the suite, under paused time.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::EventLog;
use soorma_testkit::contract::event_log::EventLogHarness;
use soorma_testkit::{MemoryLog, TestClock};

struct Memory {
    clock: Arc<TestClock>,
    log: Arc<MemoryLog>,
}

impl EventLogHarness for Memory {
    const UNIT: Duration = Duration::from_secs(10);
    const RETAIN_FOR: Duration = Duration::from_secs(3_600);

    async fn fresh() -> Self {
        let clock = Arc::new(TestClock::new());
        let log = MemoryLog::with_retention(clock.clone(), Self::RETAIN_FOR, 1_000);
        Self { clock, log }
    }

    fn log(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    async fn reopen(self) -> Self {
        Self { log: self.log.reopen(), clock: self.clock }
    }

    async fn elapse(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn jump(&self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { self.clock.jump_back(by) } else { self.clock.jump(by) }
    }
}

soorma_testkit::event_log_contract!(
    #[tokio::test(start_paused = true)]
    Memory
);
