//! A log in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::TestClock;
use tempfile::TempDir;

pub(super) struct World {
    pub(super) clock: Arc<TestClock>,
    pub(super) log: Arc<SqliteLog>,
    pub(super) config: SqliteLogConfig,
    pub(super) folder: TempDir,
}

impl World {
    pub(super) fn new(config: SqliteLogConfig) -> Self {
        let (clock, folder) = (Arc::new(TestClock::new()), TempDir::new().unwrap());
        let log = SqliteLog::open(&folder.path().join("log.db"), config.clone(), clock.clone()).unwrap();
        Self { clock, log, config, folder }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("log.db")
    }

    /// Closes the log and opens the file again.
    pub(super) async fn reopen(self) -> Self {
        self.log.close().await;
        let log = SqliteLog::open(&self.path(), self.config.clone(), self.clock.clone()).unwrap();
        Self { log, ..self }
    }

    pub(super) async fn elapse(&self, by: Duration) {
        elapse(by).await;
    }
}

/// Moves tokio's clock, which runs on before and after: so nobody has to sleep, and threads are not taken for idle.
pub(super) async fn elapse(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}
