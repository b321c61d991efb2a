//! The same random work on the store in memory and on this one gives the same answers. `SOORMA_SEED` gives back a seed that was printed,
//! `SOORMA_CASES` is the number of cases.

use soorma_testkit::registry_differential::compare;

use super::contract::World;

pub(super) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn random_work_has_the_answers_of_the_store_in_memory() {
    let seed = number("SOORMA_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    // A fifth of what the store in a file does: each case makes a database.
    let cases = number("SOORMA_CASES").map_or(12, |cases| u32::try_from(cases).unwrap());
    println!("SOORMA_SEED={seed} SOORMA_CASES={cases}");
    compare::<World>(seed, cases);
}
