//! The same random work on the log in memory and on this one gives the same answers.

use proptest::prelude::*;
use proptest::test_runner::Config;
use soorma_testkit::differential::{Compared, compare, work};

use super::world::{World, config};

const COMPARED: Compared = Compared {
    // Each topic is a stream with positions of its own: what falls due at once has no order between them.
    order_of_topics: false,
    // A dead letter is told of when it is stored, which is when the rest was handed out.
    told_at_once: false,
    // What is due is so by the server's clock, which nobody sets.
    clock: false,
    // Others may go on when a process ends: what was in hand comes back when its time is up, and in memory at once.
    reopening: false,
};

proptest! {
    // An eighth of the usual number, since each case makes its own streams; more with PROPTEST_CASES.
    #![proptest_config(Config { cases: Config::default().cases / 8, failure_persistence: None, ..Config::default() })]
    #[test]
    fn random_work_has_the_answers_of_the_log_in_memory(work in work(COMPARED, 60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new(config()).await;
            let clock = world.clock.clone();
            compare(world, clock, COMPARED, &work).await.delete().await;
        });
    }
}
