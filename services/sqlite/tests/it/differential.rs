//! The same random work on the log in memory and on this one gives the same answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use soorma_core::{Cursor, Position, Topic};
use soorma_ports::{
    Clock, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, EventLog,
    EventLogError, Reach, Settle, Start,
};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{MemoryLog, TestClock, event, name, tenant};
use tempfile::TempDir;

use super::world::elapse;

const TOPICS: [Topic; 3] = [Topic::ActionRequests, Topic::BusinessFacts, Topic::TaskEvents];
/// All durations are multiples of this, and what a case takes in real time is far less: so nothing falls due in
/// between the one log's call and the other's.
const UNIT: Duration = Duration::from_secs(1_000);

/// One call. Numbers that are to name something are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Append {
        tenant: usize,
        events: Vec<(usize, u8)>,
    },
    Join {
        tenant: usize,
        group: usize,
        topics: Vec<usize>,
        start: u8,
        attempts: u32,
        unsettled: u32,
        within: u32,
    },
    Next {
        member: usize,
        max: usize,
    },
    Settle {
        member: usize,
        settlements: Vec<(usize, u8, u32)>,
    },
    Redrive {
        tenant: usize,
        ids: Vec<u64>,
    },
    Discard {
        tenant: usize,
        ids: Vec<u64>,
    },
    Read {
        tenant: Option<usize>,
        topic: usize,
        after: u64,
        limit: usize,
    },
    DeadLetters {
        tenant: usize,
        group: Option<usize>,
        topic: Option<usize>,
        after: u64,
        limit: usize,
    },
    Elapse {
        units: u32,
    },
    SetClock {
        hours: i8,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let (tenant, group, topic) = (0..2_usize, 0..2_usize, 0..TOPICS.len());
    prop_oneof![
        6 => (tenant.clone(), vec((topic.clone(), 0..40_u8), 0..5))
            .prop_map(|(tenant, events)| Step::Append { tenant, events }),
        3 => (tenant.clone(), group.clone(), vec(topic.clone(), 1..4), 0..4_u8, 1..4_u32, 1..6_u32, 1..4_u32).prop_map(
            |(tenant, group, topics, start, attempts, unsettled, within)| Step::Join {
                tenant, group, topics, start, attempts, unsettled, within
            }
        ),
        8 => (0..4_usize, 0..5_usize).prop_map(|(member, max)| Step::Next { member, max }),
        8 => (0..4_usize, vec((0..100_usize, 0..8_u8, 0..3_u32), 1..4))
            .prop_map(|(member, settlements)| Step::Settle { member, settlements }),
        1 => (tenant.clone(), vec(0..6_u64, 0..4)).prop_map(|(tenant, ids)| Step::Redrive { tenant, ids }),
        1 => (tenant.clone(), vec(0..6_u64, 0..2)).prop_map(|(tenant, ids)| Step::Discard { tenant, ids }),
        2 => (proptest::option::of(tenant.clone()), topic.clone(), 0..60_u64, 0..5_usize)
            .prop_map(|(tenant, topic, after, limit)| Step::Read { tenant, topic, after, limit }),
        2 => (tenant, proptest::option::of(group), proptest::option::of(topic), 0..3_u64, 0..5_usize).prop_map(
            |(tenant, group, topic, after, limit)| Step::DeadLetters { tenant, group, topic, after, limit }
        ),
        3 => (1..4_u32).prop_map(|units| Step::Elapse { units }),
        1 => (-3..3_i8).prop_map(|hours| Step::SetClock { hours }),
        1 => Just(Step::Reopen),
    ]
}

fn whose(tenant_no: usize) -> soorma_core::TenantId {
    tenant(["acme", "globex"][tenant_no % 2])
}

fn group_name(group: usize) -> soorma_core::Name {
    name(["workers", "auditors"][group % 2])
}

/// All that a call can answer.
#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Ids(Result<Vec<u64>, EventLogError>),
    Appended(Result<Vec<soorma_ports::Appended>, EventLogError>),
    Joined(Result<(), EventLogError>),
    Handed(Result<Vec<Delivery>, EventLogError>),
    Settled(Result<Vec<bool>, EventLogError>),
    Page(Result<soorma_ports::Page, EventLogError>),
    Letters(Result<Vec<DeadLetter>, EventLogError>),
}

/// A log, and what its users hold.
struct Side {
    log: Arc<dyn EventLog>,
    members: BTreeMap<usize, Arc<dyn Consumer>>,
    seen: Vec<DeliveryId>,
}

impl Side {
    fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, members: BTreeMap::new(), seen: Vec::new() }
    }

    async fn run(&mut self, step: &Step) -> Answer {
        match step {
            Step::Append { tenant, events } => {
                let events =
                    events.iter().map(|(topic, id)| Arc::new(event(&format!("e{id}"), TOPICS[*topic])));
                Answer::Appended(self.log.append(&whose(*tenant), events.collect()).await)
            }
            Step::Join { tenant, group, topics, start, attempts, unsettled, within } => {
                let start = match start {
                    0 => Start::Now,
                    1 => Start::Earliest,
                    n => Start::After(Cursor::from_iter([(TOPICS[0], Position(u64::from(*n) * 2))])),
                };
                let spec = ConsumerSpec {
                    tenant: whose(*tenant),
                    group: group_name(*group),
                    topics: topics.iter().map(|topic| TOPICS[*topic]).collect(),
                    start,
                    ack_within: UNIT * *within,
                    max_attempts: *attempts,
                    max_unsettled: *unsettled,
                    key: None,
                    expire_after: None,
                };
                let joined = self.log.consumer(spec).await;
                Answer::Joined(joined.map(|member| drop(self.members.insert(tenant * 2 + group, member))))
            }
            Step::Next { member, max } => {
                let Some(member) = self.members.get(member) else { return Answer::Done };
                let handed = member.next(*max, Duration::ZERO).await;
                self.seen.extend(handed.iter().flatten().map(|delivery| delivery.id));
                Answer::Handed(handed)
            }
            Step::Settle { member, settlements } => {
                let Some(member) = self.members.get(member) else { return Answer::Done };
                if self.seen.is_empty() {
                    return Answer::Done;
                }
                // Mostly the last ones, which are in hand more often than not.
                let id = |nth: usize| self.seen[self.seen.len() - 1 - nth % self.seen.len().min(8)];
                let settlements = settlements.iter().map(|(nth, what, units)| {
                    let (after, cause) = (UNIT * *units, format!("cause {what}"));
                    let settle = match what {
                        0..=2 => Settle::Ack,
                        3 | 4 => Settle::Retry { after, cause },
                        5 => Settle::Release { after },
                        6 => Settle::Reject { cause },
                        _ => Settle::Extend,
                    };
                    (id(*nth), settle)
                });
                Answer::Settled(member.settle(settlements.collect()).await)
            }
            Step::Redrive { tenant, ids } => Answer::Ids(self.log.redrive(&whose(*tenant), ids).await),
            Step::Discard { tenant, ids } => Answer::Ids(self.log.discard(&whose(*tenant), ids).await),
            Step::Read { tenant, topic, after, limit } => {
                let reach = tenant.map_or(Reach::Platform, |tenant| Reach::Tenant(whose(tenant)));
                Answer::Page(self.log.read(&reach, TOPICS[*topic], Position(*after), *limit).await)
            }
            Step::DeadLetters { tenant, group, topic, after, limit } => {
                let filter = DeadLetterFilter {
                    group: group.map(group_name),
                    topic: topic.map(|topic| TOPICS[topic]),
                    kind: None,
                };
                let mut letters = self.log.dead_letters(&whose(*tenant), &filter, *after, *limit).await;
                for letter in letters.iter_mut().flatten() {
                    // The two are called one after the other, so their clocks differ a little.
                    assert!(letter.position > Position(0));
                    (letter.first_at, letter.last_at) = Default::default();
                }
                Answer::Letters(letters)
            }
            Step::Elapse { .. } | Step::SetClock { .. } | Step::Reopen => Answer::Done,
        }
    }
}

async fn compare(steps: Vec<Step>) {
    let (clock, folder) = (Arc::new(TestClock::new()), TempDir::new().unwrap());
    let path = folder.path().join("log.db");
    let open =
        || SqliteLog::open(&path, SqliteLogConfig::default(), clock.clone() as Arc<dyn Clock>).unwrap();
    let (mut memory_log, mut sqlite_log) = (MemoryLog::new(clock.clone()), open());
    let (mut memory, mut sqlite) = (Side::new(memory_log.clone()), Side::new(sqlite_log.clone()));
    let (mut ahead, mut furthest) = (0_i64, 0_i64);
    for (nth, step) in steps.iter().enumerate() {
        match step {
            Step::Elapse { units } => elapse(UNIT * *units).await,
            Step::SetClock { hours } => {
                let by = Duration::from_secs(3_600) * u32::from(hours.unsigned_abs());
                if *hours < 0 {
                    clock.jump_back(by)
                } else {
                    clock.jump(by)
                }
                ahead += i64::from(*hours);
                furthest = furthest.max(ahead);
            }
            Step::Reopen => {
                // A log that is opened with its clock set back cannot know how long it was closed: it lets what waits for another
                // try wait anew, which the one in memory does not. The contract has a case for that; here the clock is right again.
                clock.jump(Duration::from_secs(3_600 * furthest.abs_diff(ahead)));
                ahead = furthest;
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
        for topic in TOPICS {
            assert_eq!(
                sqlite_log.bounds(topic).await,
                memory_log.bounds(topic).await,
                "step {nth}: {step:?}"
            );
        }
    }
}

proptest! {
    // A quarter of the usual number, since each case syncs to the disk; more with PROPTEST_CASES.
    #![proptest_config(Config { cases: Config::default().cases / 4, failure_persistence: None, ..Config::default() })]
    #[test]
    fn random_work_has_the_answers_of_the_log_in_memory(steps in vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(compare(steps));
    }
}
