//! A log, what its users hold, and what it answers them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Event, Timestamp};
use soorma_ports::{
    Appended, Bounds, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, Entry,
    EventLog, EventLogError, GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle,
};
use soorma_testkit::{event, name};

use super::step::{GroupNo, MemberNo, Settlement, Step, TOPICS, UNIT, group_name, settle, whose};

/// All that a call can answer.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Ids(Result<Vec<u64>, EventLogError>),
    Appended(Result<Vec<Appended>, EventLogError>),
    Joined(Result<(), EventLogError>),
    Handed(Result<Vec<Delivery>, EventLogError>),
    Settled(Result<Vec<bool>, EventLogError>),
    SettledAsNobody(Result<Option<Vec<bool>>, EventLogError>),
    Commanded(Result<bool, EventLogError>),
    Group(Result<Option<GroupStatus>, EventLogError>),
    Groups(Result<Vec<GroupStatus>, EventLogError>),
    Gone(Result<Vec<GroupKey>, EventLogError>),
    Page(Result<Page, EventLogError>),
    Letters(Result<Vec<DeadLetter>, EventLogError>),
}

pub(super) struct Side {
    log: Arc<dyn EventLog>,
    members: BTreeMap<MemberNo, Arc<dyn Consumer>>,
    /// Members of groups that are no more.
    left_over: BTreeSet<MemberNo>,
    seen: Vec<DeliveryId>,
}

impl Side {
    pub(super) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, members: BTreeMap::new(), left_over: BTreeSet::new(), seen: Vec::new() }
    }

    pub(super) async fn bounds(&self) -> Vec<Result<Bounds, EventLogError>> {
        let mut bounds = Vec::new();
        for topic in TOPICS {
            bounds.push(self.log.bounds(topic).await);
        }
        bounds
    }

    pub(super) async fn run(&mut self, step: &Step) -> Answer {
        match step {
            Step::Append { tenant, events } => {
                let events = events.iter().map(|(topic, id)| {
                    let mut event = event(&format!("e{id}"), TOPICS[*topic]);
                    event.plan_id = id.checked_rem(4).filter(|plan| *plan > 0).map(|plan| format!("p{plan}"));
                    Arc::new(event)
                });
                Answer::Appended(self.log.append(&whose(*tenant), events.collect()).await)
            }
            Step::Join { member, topics, start, limits } => {
                let spec = ConsumerSpec {
                    tenant: whose(member.0),
                    group: group_name(member.1),
                    topics: topics.iter().map(|topic| TOPICS[*topic]).collect(),
                    start: start.start(),
                    ack_within: UNIT * limits.within,
                    max_attempts: limits.attempts,
                    max_unsettled: limits.unsettled,
                    key: limits.keyed.then(|| "plan_id".parse().unwrap()),
                    // In between two moments at which anything happens.
                    expire_after: limits.expire.map(|units| UNIT * units + UNIT / 2),
                };
                Answer::Joined(self.log.consumer(spec).await.map(|joined| {
                    // What they do in a group that was made anew, the contract does not say.
                    let left_over = std::mem::take(&mut self.left_over);
                    let (again, rest) =
                        left_over.into_iter().partition(|one| (one.0, one.1) == (member.0, member.1));
                    self.left_over = rest;
                    let again: BTreeSet<MemberNo> = again;
                    self.members.retain(|one, _| !again.contains(one));
                    self.members.insert(*member, joined);
                }))
            }
            Step::Next { member, max } => {
                let Some(member) = self.members.get(member) else { return Answer::Done };
                let mut handed = member.next(*max, Duration::ZERO).await;
                self.seen.extend(handed.iter().flatten().map(|delivery| delivery.id));
                for delivery in handed.iter_mut().flatten() {
                    delivery.event = without_times(&delivery.event);
                }
                Answer::Handed(handed)
            }
            Step::Settle { member, settlements } => {
                let Some(member) = self.members.get(member) else { return Answer::Done };
                Answer::Settled(member.settle(self.settlements(settlements)).await)
            }
            Step::SettleAsNobody { group, settlements } => {
                let settlements = self.settlements(settlements);
                let settled = self.log.settle(&whose(group.0), &group_name(group.1), settlements).await;
                Answer::SettledAsNobody(settled)
            }
            Step::Pause { group, paused } => {
                let command = if *paused { GroupCommand::Pause } else { GroupCommand::Resume };
                self.command(group, command).await
            }
            Step::Seek { group, to } => self.command(group, GroupCommand::Seek(to.start())).await,
            Step::Remove { group } => {
                let answer = self.command(group, GroupCommand::Remove).await;
                self.leave_over(&(whose(group.0), group_name(group.1)));
                answer
            }
            Step::Group { group } => {
                let found = self.log.group(&whose(group.0), &group_name(group.1)).await;
                Answer::Group(found.map(|found| found.map(comparable)))
            }
            Step::Groups { tenant, after, limit } => {
                let reach = tenant.map_or(Reach::Platform, |tenant| Reach::Tenant(whose(tenant)));
                let after = after.map(|(tenant, group)| (whose(tenant), group_name(group)));
                let found = self.log.groups(&reach, after.as_ref(), *limit).await;
                Answer::Groups(found.map(|found| found.into_iter().map(comparable).collect()))
            }
            Step::Expire => {
                let gone = self.log.expire_groups().await;
                for key in gone.iter().flatten() {
                    self.leave_over(key);
                }
                Answer::Gone(gone)
            }
            Step::Redrive { tenant, ids } => Answer::Ids(self.log.redrive(&whose(*tenant), ids).await),
            Step::Discard { tenant, ids } => Answer::Ids(self.log.discard(&whose(*tenant), ids).await),
            Step::Read { tenant, topic, after, limit } => {
                let reach = tenant.map_or(Reach::Platform, |tenant| Reach::Tenant(whose(tenant)));
                let after = soorma_core::Position(*after);
                let mut page = self.log.read(&reach, TOPICS[*topic], after, *limit).await;
                for Entry { event, .. } in page.iter_mut().flat_map(|page| &mut page.entries) {
                    *event = without_times(event);
                }
                Answer::Page(page)
            }
            Step::DeadLetters { tenant, group, topic, told, after, limit } => {
                let filter = DeadLetterFilter {
                    group: group.map(group_name),
                    topic: topic.map(|topic| TOPICS[topic]),
                    kind: told.then(|| DeadLetter::ANNOUNCEMENT.to_owned()),
                };
                let mut letters = self.log.dead_letters(&whose(*tenant), &filter, *after, *limit).await;
                for letter in letters.iter_mut().flatten() {
                    (letter.first_at, letter.last_at) = Default::default();
                    letter.event = without_times(&letter.event);
                }
                Answer::Letters(letters)
            }
            Step::Elapse { .. } | Step::SetClock { .. } | Step::Reopen => Answer::Done,
        }
    }

    async fn command(&self, group: &GroupNo, command: GroupCommand) -> Answer {
        Answer::Commanded(self.log.command(&whose(group.0), &group_name(group.1), command).await)
    }

    fn leave_over(&mut self, key: &GroupKey) {
        let of = |one: &&MemberNo| (whose(one.0), group_name(one.1)) == *key;
        self.left_over.extend(self.members.keys().filter(of));
    }

    fn settlements(&self, settlements: &[Settlement]) -> Vec<(DeliveryId, Settle)> {
        if self.seen.is_empty() {
            return Vec::new();
        }
        // Mostly the last ones, which are in hand more often than not.
        let id = |nth: usize| self.seen[self.seen.len() - 1 - nth % self.seen.len().min(8)];
        settlements.iter().map(|(nth, what, units)| (id(*nth), settle(*what, *units))).collect()
    }
}

/// The two logs are called one after the other, so their clocks differ a little, and all that tells the time.
fn comparable(status: GroupStatus) -> GroupStatus {
    let oldest = status.oldest.map(|_| Timestamp::default());
    GroupStatus { oldest, used_at: Timestamp::default(), ..status }
}

fn without_times(event: &Arc<Event>) -> Arc<Event> {
    if event.kind != DeadLetter::ANNOUNCEMENT {
        return event.clone();
    }
    let mut event = Event::clone(event);
    (event.id, event.time) = (name("told"), Timestamp::default());
    let mut told: serde_json::Value = event.data.take().unwrap().parse().unwrap();
    assert!(told.as_object_mut().unwrap().remove("first_at").is_some());
    event.data = Some(soorma_core::Data::from_value(&told).unwrap());
    Arc::new(event)
}
