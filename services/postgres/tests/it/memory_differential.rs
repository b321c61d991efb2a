//! The same random work on memory in memory and on this one gives the same answers. `SOORMA_SEED` gives back a seed that was printed, `SOORMA_CASES` is
//! the number of cases.

use soorma_testkit::memory_differential::compare;

use super::differential::number;
use super::memory_contract::World;

#[test]
fn random_work_has_the_answers_of_memory_in_memory() {
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    // Each case makes a database.
    let cases = number("SOORMA_CASES").map_or(12, |cases| u32::try_from(cases).unwrap());
    println!("SOORMA_SEED={seed} SOORMA_CASES={cases}");
    compare::<World>(seed, cases);
}
