//! The same random work on the memory store in memory and on another gives the same answers.
//!
//! What the contract leaves open is not compared: revisions are compared by which put they came from, what is equally near or equally old as a set, and what is found
//! by words as a set, since a score is a store's own affair.

mod side;
mod step;

use proptest::collection::vec;
use soorma_ports::MemoryStore;

use crate::contract::memory_store::MemoryStoreHarness;
use crate::{MapMemory, random_work};

use side::Side;
use step::Step;

/// The most steps of one case.
const STEPS: usize = 40;

/// Does random work on fresh stores, so many times.
///
/// The same seed gives the same work. Not to be called in a runtime: each case has its own, which ends with it.
///
/// # Panics
/// Where an answer differs, with the seed and the fewest steps that were found.
pub fn compare<H: MemoryStoreHarness>(seed: u64, cases: u32) {
    random_work::run(seed, cases, vec(step::step(), 1..=STEPS), async |steps| case::<H>(steps).await);
}

async fn case<H: MemoryStoreHarness>(steps: &[Step]) -> Result<(), String> {
    let mut world = H::fresh().await;
    let memory = MapMemory::new();
    let mut expected = Side::new(vec![memory.clone(), memory.second()]);
    let mut other = Side::new(handles(&world).await);
    for (nth, step) in steps.iter().enumerate() {
        if matches!(step, Step::Reopen) {
            other.let_go();
            world = world.reopen().await;
            other.reopened(handles(&world).await);
        }
        let (expected, other) = (expected.run(step).await, other.run(step).await);
        if expected != other {
            return Err(format!("step {nth}, {step:?}: {other:#?} in place of {expected:#?}"));
        }
    }
    let (expected, other) = (expected.all().await, other.all().await);
    if expected == other { Ok(()) } else { Err(format!("at the end: {other:#?} in place of {expected:#?}")) }
}

async fn handles<H: MemoryStoreHarness>(world: &H) -> Vec<std::sync::Arc<dyn MemoryStore>> {
    let second = world.second().await.unwrap_or_else(|| world.store());
    vec![world.store(), second]
}
