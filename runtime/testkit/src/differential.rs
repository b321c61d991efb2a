//! The same random work on the log in memory and on another gives the same answers.
//!
//! Where an event stands and which number a dead letter has is a log's own affair, so all that is answered is written down with ranks:
//! the how-manieth of its topic an event is, and of its tenant a dead letter.

mod known;
mod side;
mod step;

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::strategy::Strategy;

use crate::contract::event_log::EventLogHarness;
use crate::{MemoryLog, TestClock};

use side::Side;
use step::{Step, UNIT};

/// What an elapse is longer than it says: longer than the round trip by which a log may be late, and so short that all of them
/// together are no unit.
const LATE: Duration = Duration::from_millis(100);

/// After how many steps all is looked at.
const LOOK_EVERY: usize = 8;

/// What is compared; the contract leaves the rest to the log.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// The order between events of different topics. Where it is not, a member has one topic (a group has those of its
    /// members), a key is of one topic, and events of one topic are settled in one call.
    pub order_of_topics: bool,
    /// That who is handed out events is handed out at once what tells of those that were given up by the same call.
    pub told_at_once: bool,
    /// What happens when the wall clock is set.
    pub clock: bool,
    /// What a log does that is opened anew.
    pub reopening: bool,
}

impl Compared {
    /// All.
    pub const ALL: Self = Self { order_of_topics: true, told_at_once: true, clock: true, reopening: true };

    fn has(self, step: &Step) -> bool {
        match step {
            Step::SetClock { .. } => self.clock,
            Step::Reopen => self.reopening,
            _ => true,
        }
    }
}

/// Calls of a log, one after the other.
#[derive(Debug, Clone)]
pub struct Work(Vec<Step>);

/// Random work, some joins and at most so many calls.
pub fn work(compared: Compared, most: usize) -> impl Strategy<Value = Work> {
    // Without members there is little to do, so some join first.
    let drawn = (vec(step::join(), 0..4), vec(step::step(), 1..=most));
    drawn.prop_map(move |(joins, steps)| {
        Work(joins.into_iter().chain(steps).filter(|step| compared.has(step)).collect())
    })
}

/// Does the work on both, and returns the surroundings of the other log.
///
/// # Panics
/// Where an answer differs.
pub async fn compare<H: EventLogHarness>(
    mut world: H,
    clock: Arc<TestClock>,
    compared: Compared,
    Work(steps): &Work,
) -> H {
    let mut memory_log = MemoryLog::new(clock);
    let mut memory = Side::new(memory_log.clone(), compared);
    let mut other = Side::new(world.log(), compared);
    let mut ahead = 0_i64;
    for (nth, step) in steps.iter().enumerate() {
        match step {
            Step::Elapse { units } => world.elapse(UNIT * *units + LATE).await,
            Step::SetClock { hours } => {
                let seconds = i64::from(*hours) * 3_600;
                world.jump(seconds);
                ahead += seconds;
            }
            Step::Reopen => {
                // A log that is opened cannot tell a clock that was set from the time that it was closed: set forward, what waits is
                // due; set back, it waits anew. The contract has cases for that, the log in memory knows no clock; so here it is right again.
                world.jump(-ahead);
                ahead = 0;
                memory_log = memory_log.reopen();
                world = world.reopen().await;
                memory.reopened(memory_log.clone());
                other.reopened(world.log());
            }
            step => {
                let expected = memory.run(step).await;
                assert_eq!(other.run(step).await, expected, "step {nth}: {step:?}");
            }
        }
        if step.appends() {
            assert_eq!(other.ends().await, memory.ends().await, "step {nth}: {step:?}");
        }
        if nth % LOOK_EVERY == 0 || nth + 1 == steps.len() {
            assert_eq!(other.all().await, memory.all().await, "up to step {nth}: {step:?}");
        }
    }
    world
}
