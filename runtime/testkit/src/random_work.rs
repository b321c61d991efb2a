//! Random work that follows from a seed, on fresh stores, until an answer is wrong.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// Does so many cases of work. Not to be called in a runtime: each case has its own, which ends with it.
///
/// # Panics
/// Where a case fails, with the seed and the least work that was found to fail.
pub(crate) fn run<S: Strategy>(
    seed: u64,
    cases: u32,
    work: S,
    case: impl AsyncFn(&S::Value) -> Result<(), String>,
) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let result = TestRunner::new_with_rng(config, rng).run(&work, |work| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(case(&work)).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, work)) => panic!("seed {seed}: {why}\nin {work:#?}"),
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
}
