//! The same random work on the log in memory and on this one gives the same answers.
//!
//! Positions and ids of dead letters are other numbers here, so both sides are compared by their rank: the how-manieth of its
//! topic an event is, and of its tenant a dead letter. A call appends to one topic, since only there the order of both is one.
//! Processes are not ended: what was in hand is due at once in memory, and when its time is up here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use soorma_core::{Cursor, Position, TenantId, Topic};
use soorma_ports::{
    Appended, Bounds, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, EventLog,
    EventLogError, Reach, Settle, Start,
};
use soorma_testkit::{MemoryLog, event, name, tenant};

use super::world::{World, config};

const TOPICS: [Topic; 3] = [Topic::ActionRequests, Topic::BusinessFacts, Topic::TaskEvents];
/// All durations are multiples of this, and what a case takes in real time is far less: so nothing falls due in
/// between the one log's call and the other's.
const UNIT: Duration = Duration::from_secs(30);

/// One call. Numbers that are to name something are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Append {
        tenant: usize,
        topic: usize,
        ids: Vec<u8>,
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
        ranks: Vec<usize>,
    },
    Discard {
        tenant: usize,
        ranks: Vec<usize>,
    },
    Read {
        tenant: Option<usize>,
        topic: usize,
        after: usize,
        limit: usize,
    },
    DeadLetters {
        tenant: usize,
        group: Option<usize>,
        topic: Option<usize>,
        after: usize,
        limit: usize,
    },
    Elapse {
        units: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (tenant, group, topic) = (0..2_usize, 0..2_usize, 0..TOPICS.len());
    prop_oneof![
        6 => (tenant.clone(), topic.clone(), vec(0..40_u8, 0..5))
            .prop_map(|(tenant, topic, ids)| Step::Append { tenant, topic, ids }),
        3 => (tenant.clone(), group.clone(), vec(topic.clone(), 1..4), 0..4_u8, 1..4_u32, 1..6_u32, 1..4_u32).prop_map(
            |(tenant, group, topics, start, attempts, unsettled, within)| Step::Join {
                tenant, group, topics, start, attempts, unsettled, within
            }
        ),
        8 => (0..4_usize, 0..5_usize).prop_map(|(member, max)| Step::Next { member, max }),
        8 => (0..4_usize, vec((0..100_usize, 0..8_u8, 0..3_u32), 1..4))
            .prop_map(|(member, settlements)| Step::Settle { member, settlements }),
        1 => (tenant.clone(), vec(0..6_usize, 0..4)).prop_map(|(tenant, ranks)| Step::Redrive { tenant, ranks }),
        1 => (tenant.clone(), vec(0..6_usize, 0..2)).prop_map(|(tenant, ranks)| Step::Discard { tenant, ranks }),
        2 => (proptest::option::of(tenant.clone()), topic.clone(), 0..30_usize, 0..5_usize)
            .prop_map(|(tenant, topic, after, limit)| Step::Read { tenant, topic, after, limit }),
        2 => (tenant, proptest::option::of(group), proptest::option::of(topic), 0..3_usize, 0..5_usize).prop_map(
            |(tenant, group, topic, after, limit)| Step::DeadLetters { tenant, group, topic, after, limit }
        ),
        3 => (1..4_u32).prop_map(|units| Step::Elapse { units }),
    ]
}

fn whose(tenant_no: usize) -> TenantId {
    tenant(["acme", "globex"][tenant_no % 2])
}

fn group_name(group: usize) -> soorma_core::Name {
    name(["workers", "auditors"][group % 2])
}

/// A log, and what its users know of it. All that it answers is written down with ranks.
struct Side {
    log: Arc<dyn EventLog>,
    members: BTreeMap<usize, Arc<dyn Consumer>>,
    seen: Vec<DeliveryId>,
    positions: BTreeMap<Topic, Vec<Position>>,
    letters: BTreeMap<TenantId, Vec<u64>>,
}

impl Side {
    fn new(log: Arc<dyn EventLog>) -> Self {
        Self {
            log,
            members: BTreeMap::new(),
            seen: Vec::new(),
            positions: BTreeMap::new(),
            letters: BTreeMap::new(),
        }
    }

    /// How many events stand up to a position.
    fn rank(&self, topic: Topic, position: Position) -> usize {
        self.positions.get(&topic).map_or(0, |all| all.iter().filter(|one| **one <= position).count())
    }

    /// The position of the event with a rank; far ahead where there is none.
    fn position(&self, topic: Topic, rank: usize) -> Position {
        let Some(nth) = rank.checked_sub(1) else { return Position(0) };
        self.positions.get(&topic).and_then(|all| all.get(nth)).copied().unwrap_or(Position(u64::MAX))
    }

    fn error(&self, error: EventLogError) -> String {
        match error {
            EventLogError::Beyond { topic, head, .. } => format!("beyond {topic} {}", self.rank(topic, head)),
            EventLogError::Gone { topic, .. } => format!("gone {topic}"),
            other => other.to_string(),
        }
    }

    fn id(&self, id: DeliveryId) -> String {
        format!("{}@{}#{}", id.topic, self.rank(id.topic, id.position), id.attempt)
    }

    /// All letters that a tenant ever had, as far as anybody has seen them.
    async fn look_for_letters(&mut self, whose: &TenantId) {
        let all = self.log.dead_letters(whose, &DeadLetterFilter::default(), 0, 10_000).await.unwrap();
        let known = self.letters.entry(whose.clone()).or_default();
        for letter in all {
            if !known.contains(&letter.id) {
                known.push(letter.id);
            }
        }
        assert!(known.is_sorted(), "ids of dead letters grow");
    }

    fn letter_ids(&self, whose: &TenantId, ranks: &[usize]) -> Vec<u64> {
        let known = &self.letters[whose];
        ranks.iter().map(|rank| known.get(*rank).copied().unwrap_or(u64::MAX)).collect()
    }

    fn letter_ranks(&self, whose: &TenantId, ids: &[u64]) -> Vec<usize> {
        ids.iter().map(|id| self.letters[whose].iter().position(|known| known == id).unwrap()).collect()
    }

    fn letter(&self, whose: &TenantId, letter: &DeadLetter) -> String {
        let rank = self.letter_ranks(whose, &[letter.id])[0];
        let at = self.rank(letter.event.topic, letter.position);
        format!(
            "{rank}: {} {}@{at} {} '{}' {}",
            letter.group, letter.event.topic, letter.event.id, letter.cause, letter.attempts
        )
    }

    fn handed(&mut self, deliveries: Vec<Delivery>) -> Vec<String> {
        self.seen.extend(deliveries.iter().map(|delivery| delivery.id));
        deliveries.iter().map(|delivery| format!("{} {}", delivery.event.id, self.id(delivery.id))).collect()
    }

    fn appended(&mut self, topic: Topic, appended: Vec<Appended>) -> Vec<String> {
        let all = self.positions.entry(topic).or_default();
        all.extend(appended.iter().filter(|one| !one.duplicate).map(|one| one.position));
        assert!(all.is_sorted());
        appended.iter().map(|one| format!("{} {}", self.rank(topic, one.position), one.duplicate)).collect()
    }

    async fn run(&mut self, step: &Step) -> Result<Vec<String>, String> {
        match step {
            Step::Append { tenant, topic, ids } => {
                let topic = TOPICS[*topic];
                let events = ids.iter().map(|id| Arc::new(event(&format!("e{id}"), topic)));
                let appended = self.log.append(&whose(*tenant), events.collect()).await;
                appended.map(|appended| self.appended(topic, appended)).map_err(|error| self.error(error))
            }
            Step::Join { tenant, group, topics, start, attempts, unsettled, within } => {
                let start = match start {
                    0 => Start::Now,
                    1 => Start::Earliest,
                    n => Start::After(Cursor::from_iter([(
                        TOPICS[0],
                        self.position(TOPICS[0], usize::from(*n)),
                    )])),
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
                match self.log.consumer(spec).await {
                    Ok(member) => drop(self.members.insert(tenant * 2 + group, member)),
                    Err(error) => return Err(self.error(error)),
                }
                Ok(Vec::new())
            }
            Step::Next { member, max } => {
                let Some(member) = self.members.get(member) else { return Ok(Vec::new()) };
                let handed = member.next(*max, Duration::ZERO).await;
                handed.map(|handed| self.handed(handed)).map_err(|error| self.error(error))
            }
            Step::Settle { member, settlements } => {
                let Some(member) = self.members.get(member) else { return Ok(Vec::new()) };
                if self.seen.is_empty() {
                    return Ok(Vec::new());
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
                let counted =
                    member.settle(settlements.collect()).await.map_err(|error| self.error(error))?;
                Ok(counted.iter().map(bool::to_string).collect())
            }
            Step::Redrive { tenant, ranks } | Step::Discard { tenant, ranks } => {
                let whose = whose(*tenant);
                self.look_for_letters(&whose).await;
                let ids = self.letter_ids(&whose, ranks);
                let were_there = match step {
                    Step::Redrive { .. } => self.log.redrive(&whose, &ids).await,
                    _ => self.log.discard(&whose, &ids).await,
                };
                let were_there = were_there.map_err(|error| self.error(error))?;
                Ok(self.letter_ranks(&whose, &were_there).iter().map(usize::to_string).collect())
            }
            Step::Read { tenant, topic, after, limit } => {
                let (topic, reach) =
                    (TOPICS[*topic], tenant.map_or(Reach::Platform, |tenant| Reach::Tenant(whose(tenant))));
                let page = self.log.read(&reach, topic, self.position(topic, *after), *limit).await;
                let page = page.map_err(|error| self.error(error))?;
                let entries = page.entries.iter().map(|entry| {
                    format!("{} {} {}", self.rank(topic, entry.position), entry.tenant, entry.event.id)
                });
                Ok(entries.chain([format!("next {}", self.rank(topic, page.next))]).collect())
            }
            Step::DeadLetters { tenant, group, topic, after, limit } => {
                let whose = whose(*tenant);
                self.look_for_letters(&whose).await;
                let filter = DeadLetterFilter {
                    group: group.map(group_name),
                    topic: topic.map(|topic| TOPICS[topic]),
                    ..DeadLetterFilter::default()
                };
                let after = after.checked_sub(1).map_or(0, |rank| self.letter_ids(&whose, &[rank])[0]);
                let letters = self.log.dead_letters(&whose, &filter, after, *limit).await.unwrap();
                Ok(letters.iter().map(|letter| self.letter(&whose, letter)).collect())
            }
            Step::Elapse { .. } => Ok(Vec::new()),
        }
    }

    async fn bounds(&self, topic: Topic) -> (usize, usize) {
        let Bounds { before_first, head } = self.log.bounds(topic).await.unwrap();
        (self.rank(topic, before_first), self.rank(topic, head))
    }
}

async fn compare(steps: Vec<Step>) {
    let world = World::new(config()).await;
    let mut memory = Side::new(MemoryLog::new(world.clock.clone()));
    let mut nats = Side::new(world.log.clone());
    for (nth, step) in steps.iter().enumerate() {
        if let Step::Elapse { units } = step {
            world.elapse(UNIT * *units).await;
        }
        let expected = memory.run(step).await;
        assert_eq!(nats.run(step).await, expected, "step {nth}: {step:?}");
        for topic in TOPICS {
            assert_eq!(nats.bounds(topic).await, memory.bounds(topic).await, "step {nth}: {step:?}");
        }
        for who in 0..2 {
            memory.look_for_letters(&whose(who)).await;
            nats.look_for_letters(&whose(who)).await;
        }
    }
    world.delete().await;
}

proptest! {
    // An eighth of the usual number, since each case makes its own streams; more with PROPTEST_CASES.
    #![proptest_config(Config { cases: Config::default().cases / 8, failure_persistence: None, ..Config::default() })]
    #[test]
    fn random_work_has_the_answers_of_the_log_in_memory(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(steps));
    }
}
