//! The same random work on the log in memory and on this one gives the same answers.

use proptest::prelude::*;
use proptest::test_runner::Config;
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::differential::{Compared, compare, work};

use super::world::World;

proptest! {
    // A quarter of the usual number, since each case syncs to the disk; more with PROPTEST_CASES.
    #![proptest_config(Config { cases: Config::default().cases / 4, failure_persistence: None, ..Config::default() })]
    #[test]
    fn random_work_has_the_answers_of_the_log_in_memory(work in work(Compared::ALL, 120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new(SqliteLogConfig::default());
            let clock = world.clock.clone();
            compare(world, clock, Compared::ALL, &work).await;
        });
    }
}
