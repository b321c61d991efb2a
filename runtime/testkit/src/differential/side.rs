//! A log, what its users hold, and what it answers them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use soorma_core::Topic;
use soorma_ports::{
    Appended, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, EventLog,
    EventLogError, GroupCommand, GroupKey, Reach, Settle,
};

use super::Compared;
use super::known::{Known, MANY};
use super::step::{
    GroupNo, Limits, MEMBERS, MemberNo, Place, Settlement, Step, TOPICS, UNIT, group_name, settle, whose,
};
use crate::event;

/// What was answered, written down.
type Answer = Result<Vec<String>, String>;

pub(super) struct Side {
    log: Arc<dyn EventLog>,
    compared: Compared,
    known: Known,
    members: BTreeMap<MemberNo, Arc<dyn Consumer>>,
    /// Members of groups that are no more.
    left_over: BTreeSet<MemberNo>,
    /// What was handed out, and to which group.
    seen: Vec<(GroupNo, DeliveryId)>,
}

fn one(answer: impl ToString) -> Vec<String> {
    vec![answer.to_string()]
}

fn reach(tenant: Option<usize>) -> Reach {
    tenant.map_or(Reach::Platform, |tenant| Reach::Tenant(whose(tenant)))
}

fn key(group: &GroupNo) -> GroupKey {
    (whose(group.0), group_name(group.1))
}

impl Side {
    pub(super) fn new(log: Arc<dyn EventLog>, compared: Compared) -> Self {
        Self {
            log,
            compared,
            known: Known::default(),
            members: BTreeMap::new(),
            left_over: BTreeSet::new(),
            seen: Vec::new(),
        }
    }

    /// Goes on with the same data in a new process: who held something holds nothing any more.
    pub(super) fn reopened(&mut self, log: Arc<dyn EventLog>) {
        let known = std::mem::take(&mut self.known);
        *self = Self { known, ..Self::new(log, self.compared) };
    }

    /// Where all topics end.
    pub(super) async fn ends(&self) -> Answer {
        let [a, b, c, d] = TOPICS.map(|topic| self.log.bounds(topic));
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        let ends = TOPICS.into_iter().zip([a, b, c, d]).map(|(topic, bounds)| {
            bounds.map(|bounds| self.known.bounds(topic, bounds)).map_err(|error| self.known.error(&error))
        });
        ends.collect()
    }

    /// How all groups are, and all dead letters: so nothing stays unseen because nobody asked.
    pub(super) async fn all(&self) -> Answer {
        let all = async {
            let groups = self.log.groups(&Reach::Platform, None, MEMBERS).await?;
            let mut all: Vec<String> = groups.iter().map(|group| self.known.group(group)).collect();
            for tenant in [whose(0), whose(1)] {
                let letters = self.log.dead_letters(&tenant, &DeadLetterFilter::default(), 0, MANY).await?;
                all.extend(letters.iter().map(|letter| self.known.letter(&tenant, letter)));
            }
            Ok(all)
        };
        all.await.map_err(|error: EventLogError| self.known.error(&error))
    }

    pub(super) async fn run(&mut self, step: &Step) -> Answer {
        let answer = self.answer(step).await;
        answer.map_err(|error| self.known.error(&error))
    }

    async fn answer(&mut self, step: &Step) -> Result<Vec<String>, EventLogError> {
        match step {
            Step::Append { tenant, events } => self.append(*tenant, events).await,
            Step::Join { member, topics, start, limits } => {
                self.join(*member, topics, start, limits).await.map(|()| Vec::new())
            }
            Step::Next { member, max } => self.next(*member, *max).await,
            Step::Settle { member, settlements } => self.settle(*member, settlements).await,
            Step::SettleAsNobody { group, settlements } => self.settle_as_nobody(group, settlements).await,
            Step::Pause { group, paused } => {
                self.command(group, if *paused { GroupCommand::Pause } else { GroupCommand::Resume }).await
            }
            Step::Seek { group, to } => self.command(group, GroupCommand::Seek(self.known.start(to))).await,
            Step::Remove { group } => {
                let answer = self.command(group, GroupCommand::Remove).await?;
                self.leave_over(&key(group));
                Ok(answer)
            }
            Step::Group { group } => {
                let found = self.log.group(&whose(group.0), &group_name(group.1)).await?;
                Ok(found.iter().map(|found| self.known.group(found)).collect())
            }
            Step::Groups { tenant, after, limit } => {
                let found =
                    self.log.groups(&reach(*tenant), after.as_ref().map(key).as_ref(), *limit).await?;
                Ok(found.iter().map(|found| self.known.group(found)).collect())
            }
            Step::CountGroups { tenant } => self.log.count_groups(&whose(*tenant)).await.map(one),
            Step::Expire => {
                let mut gone = self.log.expire_groups().await?;
                gone.iter().for_each(|key| self.leave_over(key));
                // In which order they went is nobody's concern.
                gone.sort_unstable();
                Ok(gone.iter().map(|(tenant, group)| format!("{tenant} {group}")).collect())
            }
            Step::Redrive { tenant, letters } | Step::Discard { tenant, letters } => {
                let tenant = whose(*tenant);
                let ids: Vec<u64> = letters.iter().map(|rank| self.known.letter_id(&tenant, *rank)).collect();
                let were_there = match step {
                    Step::Redrive { .. } => self.log.redrive(&tenant, &ids).await?,
                    _ => self.log.discard(&tenant, &ids).await?,
                };
                Ok(were_there.iter().map(|id| self.known.letter_rank(&tenant, *id).to_string()).collect())
            }
            Step::Read { tenant, topic, after, limit } => {
                let topic = TOPICS[*topic];
                let after = self.known.position(topic, *after);
                let page = self.log.read(&reach(*tenant), topic, after, *limit).await?;
                let next = format!("next {}", self.known.rank(topic, page.next));
                Ok(page.entries.iter().map(|entry| self.known.entry(entry)).chain([next]).collect())
            }
            Step::DeadLetters { tenant, group, topic, told, after, limit } => {
                let tenant = whose(*tenant);
                let filter = DeadLetterFilter {
                    group: group.map(group_name),
                    topic: topic.map(|topic| TOPICS[topic]),
                    kind: told.then(|| DeadLetter::ANNOUNCEMENT.to_owned()),
                };
                let after = after.checked_sub(1).map_or(0, |rank| self.known.letter_id(&tenant, rank));
                let letters = self.log.dead_letters(&tenant, &filter, after, *limit).await?;
                Ok(letters.iter().map(|letter| self.known.letter(&tenant, letter)).collect())
            }
            Step::DeadLetter { tenant, letter } => {
                let tenant = whose(*tenant);
                let found = self.log.dead_letter(&tenant, self.known.letter_id(&tenant, *letter)).await?;
                Ok(found.iter().map(|letter| self.known.letter(&tenant, letter)).collect())
            }
            Step::Elapse { .. } | Step::SetClock { .. } | Step::Reopen => Ok(Vec::new()),
        }
    }

    async fn append(&mut self, tenant: usize, events: &[(usize, u8)]) -> Result<Vec<String>, EventLogError> {
        let drafts = events.iter().map(|(topic, id)| {
            let mut event = event(&format!("e{id}"), TOPICS[*topic]);
            let plan = id.checked_rem(4).filter(|plan| *plan > 0);
            let of = if self.compared.order_of_topics { 0 } else { *topic };
            event.plan_id = plan.map(|plan| format!("p{plan}-{of}"));
            Arc::new(event)
        });
        let appended = self.log.append(&whose(tenant), drafts.collect()).await?;
        let topics = || events.iter().map(|(topic, _)| TOPICS[*topic]).zip(&appended);
        for (topic, Appended { position, duplicate }) in topics() {
            if !duplicate {
                self.known.appended(topic, [*position]);
            }
        }
        let answers = topics()
            .map(|(topic, one)| format!("{} {}", self.known.rank(topic, one.position), one.duplicate));
        Ok(answers.collect())
    }

    async fn join(
        &mut self,
        member: MemberNo,
        topics: &[usize],
        start: &Place,
        limits: &Limits,
    ) -> Result<(), EventLogError> {
        let most = if self.compared.order_of_topics { topics.len() } else { 1 };
        let spec = ConsumerSpec {
            tenant: whose(member.0),
            group: group_name(member.1),
            topics: topics.iter().take(most).map(|topic| TOPICS[*topic]).collect(),
            start: self.known.start(start),
            ack_within: UNIT * limits.within,
            max_attempts: limits.attempts,
            max_unsettled: limits.unsettled,
            key: limits.keyed.then(|| "plan_id".parse().unwrap()),
            // In between two moments at which anything happens.
            expire_after: limits.expire.map(|units| UNIT * units + UNIT / 2),
        };
        let joined = self.log.consumer(spec).await?;
        // What members do in a group that was made anew, the contract does not say.
        let again = |one: &MemberNo| (one.0, one.1) == (member.0, member.1);
        let left_over = &mut self.left_over;
        self.members.retain(|one, _| !(again(one) && left_over.contains(one)));
        left_over.retain(|one| !again(one));
        self.members.insert(member, joined);
        Ok(())
    }

    fn member(&self, nth: usize) -> Option<(GroupNo, Arc<dyn Consumer>)> {
        let (no, member) = self.members.iter().nth(nth.checked_rem(self.members.len())?)?;
        Some(((no.0, no.1), member.clone()))
    }

    async fn next(&mut self, member: usize, max: usize) -> Result<Vec<String>, EventLogError> {
        let Some((group, member)) = self.member(member) else { return Ok(Vec::new()) };
        let mut handed = member.next(max, Duration::ZERO).await?;
        if !self.compared.told_at_once {
            handed.extend(member.next(max.saturating_sub(handed.len()), Duration::ZERO).await?);
        }
        self.known.look(&*self.log).await?;
        self.seen.extend(handed.iter().map(|delivery| (group, delivery.id)));
        let written =
            |Delivery { id, event }: &Delivery| format!("{} {}", self.known.id(*id), self.known.event(event));
        Ok(handed.iter().map(written).collect())
    }

    async fn settle(
        &mut self,
        member: usize,
        settlements: &[Settlement],
    ) -> Result<Vec<String>, EventLogError> {
        let Some((group, member)) = self.member(member) else { return Ok(Vec::new()) };
        let mut counted = Vec::new();
        for call in self.calls(&group, settlements) {
            counted.extend(member.settle(call).await?.iter().map(bool::to_string));
        }
        self.known.look(&*self.log).await?;
        Ok(counted)
    }

    async fn settle_as_nobody(
        &mut self,
        group: &GroupNo,
        settlements: &[Settlement],
    ) -> Result<Vec<String>, EventLogError> {
        let mut counted = Vec::new();
        for call in self.calls(group, settlements) {
            let call = self.log.settle(&whose(group.0), &group_name(group.1), call).await?;
            counted.push(format!("{call:?}"));
        }
        self.known.look(&*self.log).await?;
        Ok(counted)
    }

    async fn command(&self, group: &GroupNo, command: GroupCommand) -> Result<Vec<String>, EventLogError> {
        self.log.command(&whose(group.0), &group_name(group.1), command).await.map(one)
    }

    fn leave_over(&mut self, gone: &GroupKey) {
        let of = |one: &&MemberNo| key(&(one.0, one.1)) == *gone;
        self.left_over.extend(self.members.keys().filter(of));
    }

    /// The settlements that are asked for, as calls; mostly of what the group has in hand, now and then of anything.
    fn calls(&self, group: &GroupNo, settlements: &[Settlement]) -> Vec<Vec<(DeliveryId, Settle)>> {
        let newest = |own: bool| {
            let seen = self.seen.iter().rev().filter(move |(whose, _)| !own || whose == group);
            seen.map(|(_, id)| *id).take(8).collect::<Vec<DeliveryId>>()
        };
        let (own, all) = (newest(true), newest(false));
        let id = |nth: usize| {
            let seen = if nth.is_multiple_of(8) { &all } else { &own };
            seen.get(nth.checked_rem(seen.len())?).copied()
        };
        let settlements: Vec<(DeliveryId, Settle)> = settlements
            .iter()
            .filter_map(|(nth, what, units)| Some((id(*nth)?, settle(*what, *units))))
            .collect();
        let topic = |settlement: &(DeliveryId, Settle)| -> Option<Topic> {
            (!self.compared.order_of_topics).then_some(settlement.0.topic)
        };
        settlements.chunk_by(|one, next| topic(one) == topic(next)).map(<[_]>::to_vec).collect()
    }
}
