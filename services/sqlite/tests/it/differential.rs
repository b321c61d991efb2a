//! The same random work on the log in memory and on this one gives the same answers.

mod side;
mod step;

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use soorma_ports::Clock;
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{MemoryLog, TestClock};
use tempfile::TempDir;

use super::world::elapse;
use side::Side;
use step::{Step, UNIT, step};

fn set(clock: &TestClock, hours: i64) {
    let by = Duration::from_secs(3_600 * hours.unsigned_abs());
    if hours < 0 { clock.jump_back(by) } else { clock.jump(by) }
}

async fn compare(steps: Vec<Step>) {
    let (clock, folder) = (Arc::new(TestClock::new()), TempDir::new().unwrap());
    let path = folder.path().join("log.db");
    let open =
        || SqliteLog::open(&path, SqliteLogConfig::default(), clock.clone() as Arc<dyn Clock>).unwrap();
    let (mut memory_log, mut sqlite_log) = (MemoryLog::new(clock.clone()), open());
    let (mut memory, mut sqlite) = (Side::new(memory_log.clone()), Side::new(sqlite_log.clone()));
    let mut ahead = 0_i64;
    for (nth, step) in steps.iter().enumerate() {
        match step {
            Step::Elapse { units } => elapse(UNIT * *units).await,
            Step::SetClock { hours } => {
                set(&clock, i64::from(*hours));
                ahead += i64::from(*hours);
            }
            Step::Reopen => {
                // A log that is opened cannot tell a clock that was set from the time that it was closed: set forward, what waits is
                // due; set back, it waits anew. The contract has cases for that, the log in memory knows no clock; so here it is right again.
                set(&clock, -ahead);
                ahead = 0;
                memory_log = memory_log.reopen();
                sqlite_log.close().await;
                sqlite_log = open();
                (memory, sqlite) = (Side::new(memory_log.clone()), Side::new(sqlite_log.clone()));
            }
            step => {
                let expected = memory.run(step).await;
                assert_eq!(sqlite.run(step).await, expected, "step {nth}: {step:?}");
            }
        }
        assert_eq!(sqlite.bounds().await, memory.bounds().await, "step {nth}: {step:?}");
    }
}

proptest! {
    // A quarter of the usual number, since each case syncs to the disk; more with PROPTEST_CASES.
    #![proptest_config(Config { cases: Config::default().cases / 4, failure_persistence: None, ..Config::default() })]
    #[test]
    fn random_work_has_the_answers_of_the_log_in_memory(steps in vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(compare(steps));
    }
}
