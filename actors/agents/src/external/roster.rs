//! Who is connected, to be found by tenant and group: by what they answer, by what they asked, and by what they settle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use soorma_core::{Event, Name, TenantId};
use soorma_ports::{Appended, Delivery, ExternalAgent, Publishing};
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::external::asked::{self, Asked};
use crate::external::failed::Failed;
use crate::external::hand::Said;
use crate::external::line::{Line, Refusal};
use crate::external::terms::Terms;
use crate::limits;

/// How many tenants with nobody connected are remembered, for what was asked and who has failed.
const REMEMBERED: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Roster {
    tenants: RwLock<HashMap<TenantId, Tenant>>,
}

#[derive(Debug, Default)]
struct Tenant {
    groups: HashMap<String, Group>,
    /// How many connections have each `agent_id`.
    agent_ids: HashMap<String, usize>,
    asked: Mutex<Asked>,
    failed: Failed,
    /// Since when nobody is connected.
    idle: Option<Instant>,
}

#[derive(Debug)]
struct Group {
    lines: Vec<Arc<Line>>,
    terms: Arc<Terms>,
}

/// An agent keeps its place in the group whatever it does: its own supervisor may know better.
const NEVER_GIVE_UP: limits::Breaker = limits::Breaker {
    after: 10,
    pause: Duration::from_secs(5),
    max_pause: Duration::from_secs(60),
    tries: u32::MAX,
};

/// A line's place in the roster. Dropped, the line is over.
#[derive(Debug)]
pub(super) struct Seat {
    roster: Arc<Roster>,
    pub(super) line: Arc<Line>,
}

/// What became of a delivery.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// It is in the hand of who is to have it.
    Taken,
    /// Nobody here wants it.
    Unwanted,
    /// The line that got it is over.
    TooLate,
    /// Those who want it have no room now.
    NoRoom,
    /// The line has let an earlier attempt of it lie, and nobody else here has room.
    Lapsed,
}

impl Roster {
    pub(super) fn join(self: &Arc<Self>, agent: ExternalAgent) -> Seat {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        forget_idle(&mut tenants, REMEMBERED, now);
        let tenant = tenants.entry(agent.group.tenant.clone()).or_default();
        *tenant.agent_ids.entry(agent.agent_id.to_string()).or_default() += 1;
        tenant.idle = None;
        let group = tenant
            .groups
            .entry(agent.group.group.to_string())
            .or_insert_with(|| Group { lines: Vec::new(), terms: Arc::new(Terms::new(agent.group.clone())) });
        if group.terms.set(&agent.group) && !group.lines.is_empty() {
            let (name, key) = (agent.group.group.as_str(), &agent.group.key);
            tracing::warn!(
                group = name,
                ?key,
                "a member has changed what its group keeps in order, for all its members"
            );
        }
        let failed = tenant.failed.take(&agent.group.group, &agent.agent_id, now);
        let breaker = failed.unwrap_or_else(|| Breaker::new(NEVER_GIVE_UP));
        let line = Line::new(agent, Arc::clone(&group.terms), breaker);
        group.lines.push(Arc::clone(&line));
        Seat { roster: Arc::clone(self), line }
    }

    fn leave(&self, line: &Arc<Line>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let (agent, now) = (&line.agent, Instant::now());
        let Some(tenant) = tenants.get_mut(&agent.group.tenant) else { return };
        if let Some(count) = tenant.agent_ids.get_mut(agent.agent_id.as_str()) {
            *count -= 1;
            if *count == 0 {
                tenant.agent_ids.remove(agent.agent_id.as_str());
            }
        }
        if let Some(group) = tenant.groups.get_mut(agent.group.group.as_str()) {
            group.lines.retain(|other| !Arc::ptr_eq(other, line));
            if group.lines.is_empty() {
                tenant.groups.remove(agent.group.group.as_str());
            }
        }
        let breaker = std::mem::replace(&mut line.lock().breaker, Breaker::new(NEVER_GIVE_UP));
        if !breaker.is_calm() {
            tenant.failed.put(&agent.group.group, &agent.agent_id, breaker, now);
        }
        if tenant.agent_ids.is_empty() {
            tenant.idle = Some(now);
            forget_idle(&mut tenants, REMEMBERED, now);
        }
    }

    /// Notes who asks for what in a tenant in which nobody is connected yet: who connects just after has its answers.
    fn foresee(&self, tenant: &TenantId, agent_id: &str, events: &[Event]) {
        if events.iter().all(|event| event.correlation_id.is_none()) || self.with(tenant, |_| ()).is_some() {
            return;
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let (who, now) = (agent_id.into(), Instant::now());
        forget_idle(&mut tenants, REMEMBERED - 1, now);
        let tenant = tenants.entry(tenant.clone()).or_default();
        if tenant.agent_ids.is_empty() {
            tenant.idle.get_or_insert(now);
        }
        for conversation in events.iter().filter_map(|event| event.correlation_id.as_deref()) {
            tenant.note(conversation, &who, now);
        }
    }

    fn with<T>(&self, tenant: &TenantId, work: impl FnOnce(&Tenant) -> T) -> Option<T> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).map(work)
    }

    pub(super) fn lines(&self, tenant: &TenantId, group: &str) -> Vec<Arc<Line>> {
        let lines = |tenant: &Tenant| tenant.groups.get(group).map(|group| group.lines.clone());
        self.with(tenant, lines).flatten().unwrap_or_default()
    }

    /// Gives a delivery that a line was handed to who is to have it: who asked for it, the line itself, or another that wants it.
    pub(super) fn place(&self, line: &Arc<Line>, mut delivery: Delivery) -> Fate {
        if let Some(owner) = self.owner(line, &delivery) {
            match owner.offer(delivery, true) {
                Ok(()) => return Fate::Taken,
                // It has just left.
                Err((_, back)) => delivery = back,
            }
        }
        let mut fate = Fate::Unwanted;
        if line.wants(&delivery) {
            let (refusal, back) = match line.offer(delivery, false) {
                Ok(()) => return Fate::Taken,
                Err(refused) => refused,
            };
            delivery = back;
            fate = match refusal {
                // It goes back with all that the line has, in order.
                Refusal::Over => return Fate::TooLate,
                Refusal::Full => Fate::NoRoom,
                Refusal::Lapsed => Fate::Lapsed,
            };
        }
        let agent = &line.agent;
        let mut others = self.lines(&agent.group.tenant, agent.group.group.as_str());
        others.retain(|other| !Arc::ptr_eq(other, line) && other.wants(&delivery));
        if fate == Fate::Unwanted && !others.is_empty() {
            fate = Fate::NoRoom;
        }
        others.sort_by_cached_key(|other| std::cmp::Reverse(other.gauge().1));
        for other in others {
            match other.offer(delivery, false) {
                Ok(()) => return Fate::Taken,
                Err((_, back)) => delivery = back,
            }
        }
        fate
    }

    /// Finds who asked for what is delivered, if it is connected and wants it.
    fn owner(&self, line: &Line, delivery: &Delivery) -> Option<Arc<Line>> {
        let conversation = delivery.event.correlation_id.as_deref()?;
        let agent = &line.agent;
        let find = |tenant: &Tenant| {
            let lines = &tenant.groups.get(agent.group.group.as_str())?.lines;
            if lines.len() == 1 {
                // It does not matter who asked.
                return None;
            }
            let who = tenant.asked().who(conversation, Instant::now())?;
            let is_who = |line: &&Arc<Line>| line.agent.agent_id.as_str() == &*who && line.wants(delivery);
            lines.iter().find(is_who).cloned()
        };
        self.with(&agent.group.tenant, find).flatten()
    }

    /// Notes who asks for what, and finds what is answered. Asked before the events are published, since an answer that nobody hears of
    /// yet may already be read by who waits for it.
    pub(super) fn publishing(
        &self,
        tenant: &TenantId,
        agent_id: Option<&str>,
        events: &[Event],
    ) -> Option<Box<dyn Publishing>> {
        if let Some(agent_id) = agent_id {
            self.foresee(tenant, agent_id, events);
        }
        self.with(tenant, |tenant| {
            let now = Instant::now();
            let mut answers = Vec::new();
            for (nth, event) in events.iter().enumerate() {
                let known =
                    || Some(event.source.as_str()).filter(|name| tenant.agent_ids.contains_key(*name));
                let who: Option<Arc<str>> = agent_id.or_else(known).map(Into::into);
                if let (Some(who), Some(conversation)) = (&who, &event.correlation_id) {
                    tenant.note(conversation, who, now);
                }
                let group = tenant.groups.get(&event.source);
                let mut lines: Vec<_> = group
                    .into_iter()
                    .flat_map(|group| &group.lines)
                    .filter(|line| !line.is_explicit())
                    .cloned()
                    .collect();
                if !lines.is_empty() {
                    // Who answers has likely been asked itself.
                    lines.sort_by_key(|line| who.as_deref() != Some(line.agent.agent_id.as_str()));
                    answers.push(Answer {
                        nth,
                        lines,
                        parent: event.parent_event_id.clone(),
                        conversation: event.correlation_id.clone(),
                    });
                }
            }
            (!answers.is_empty()).then(|| Box::new(Answers(answers)) as Box<dyn Publishing>)
        })
        .flatten()
    }

    pub(super) fn settled(&self, tenant: &TenantId, group: &Name, said: &Said) {
        for line in self.lines(tenant, group.as_str()) {
            line.settled(said);
        }
    }
}

impl Tenant {
    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, conversation: &str, who: &Arc<str>, now: Instant) {
        let most = if self.idle.is_some() { asked::FEW } else { asked::MANY };
        self.asked().note(conversation, who, most, now);
    }

    /// Whether nobody is connected and there is nothing to remember.
    fn is_over(&mut self, now: Instant) -> bool {
        let asked = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.idle.is_some() && asked.is_empty(now) && self.failed.is_empty(now)
    }
}

/// Forgets tenants in which nobody is connected: those with nothing to remember, and where there are too many, those that have been so
/// for longest.
fn forget_idle(tenants: &mut HashMap<TenantId, Tenant>, most: usize, now: Instant) {
    tenants.retain(|_, tenant| !tenant.is_over(now));
    let idle = tenants.values().filter(|tenant| tenant.idle.is_some()).count();
    for _ in most..idle {
        let idle = tenants.iter().filter(|(_, tenant)| tenant.idle.is_some());
        let Some(oldest) = idle.min_by_key(|(_, tenant)| tenant.idle).map(|(id, _)| id.clone()) else {
            return;
        };
        tenants.remove(&oldest);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.leave(&self.line);
        self.line.is_over();
    }
}

/// What published events may be the answers to.
struct Answers(Vec<Answer>);

struct Answer {
    /// Which of the events it is.
    nth: usize,
    lines: Vec<Arc<Line>>,
    parent: Option<String>,
    conversation: Option<String>,
}

impl Publishing for Answers {
    fn done(self: Box<Self>, appended: &[Appended]) {
        for Answer { nth, lines, parent, conversation } in self.0 {
            let is_new = appended.get(nth).is_some_and(|appended| !appended.duplicate);
            let answered = match (parent, conversation) {
                // Where it is settled already, another of its conversation is still to be answered.
                (Some(id), _) => lines.iter().find(|line| line.lock().hand.reply_to(&id)),
                (None, Some(conversation)) if is_new => {
                    lines.iter().find(|line| line.lock().hand.reply_in(&conversation))
                }
                _ => None,
            };
            if let Some(line) = answered {
                line.work.notify_one();
                // Its place is free before the log has heard of it.
                line.show.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::{EventId, Timestamp, Topic};
    use soorma_ports::{Acks, ConsumerSpec};

    use super::*;
    use crate::external::asked::KEEP;

    fn agent(tenant: &TenantId, group: &str, agent_id: &str) -> ExternalAgent {
        let group = Name::new(group).expect("a name");
        ExternalAgent {
            group: ConsumerSpec::new(tenant.clone(), group, [Topic::ActionRequests]),
            agent_id: Name::new(agent_id).expect("a name"),
            connection_id: "c".into(),
            acks: Acks::Implied { settle_after: Duration::from_secs(5) },
            credit: 1,
            kinds: None,
        }
    }

    fn event(source: &str, conversation: Option<&str>) -> Event {
        let id = EventId::new("e").expect("a name");
        let mut event = Event::new(id, source, "done", Timestamp::default(), Topic::ActionResults);
        event.correlation_id = conversation.map(str::to_owned);
        event
    }

    #[test]
    fn only_members_of_the_senders_group_and_tenant_are_asked_whether_it_is_their_answer() {
        let roster = Arc::new(Roster::default());
        let [one, two] = ["one", "two"].map(|tenant| TenantId::new(tenant).expect("a tenant"));
        let answers = |tenant| roster.publishing(tenant, None, &[event("worker", None)]).is_some();
        let worker = roster.join(agent(&one, "worker", "w"));
        let planner = roster.join(agent(&one, "planner", "p"));
        let explicit = ExternalAgent { acks: Acks::Explicit, ..agent(&two, "worker", "w") };
        let explicit = roster.join(explicit);
        assert!(answers(&one) && !answers(&two));
        drop(worker);
        assert!(!answers(&one));
        drop((planner, explicit));
        assert!(roster.tenants.read().expect("whole").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_outlives_the_connection_for_an_hour_in_a_bounded_number_of_tenants() {
        let roster = Arc::new(Roster::default());
        let remembered = || roster.tenants.read().expect("whole").len();
        for n in 0..REMEMBERED * 2 {
            let tenant = TenantId::new(&format!("t-{n}")).expect("a tenant");
            let seat = roster.join(agent(&tenant, "asker", "a"));
            assert!(roster.publishing(&tenant, Some("a"), &[event("x", Some("c"))]).is_none());
            drop(seat);
        }
        assert_eq!(remembered(), REMEMBERED);
        let last = TenantId::new("last").expect("a tenant");
        let _seat = roster.join(agent(&last, "asker", "a"));
        tokio::time::advance(KEEP).await;
        let _other = roster.join(agent(&last, "asker", "b"));
        assert_eq!(remembered(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn agents_that_have_failed_are_forgotten_while_others_of_the_tenant_stay() {
        let roster = Arc::new(Roster::default());
        let tenant = TenantId::default();
        let _stays = roster.join(agent(&tenant, "asker", "a"));
        let fails = |group: &str, id: &str| {
            let seat = roster.join(agent(&tenant, group, id));
            seat.line.lock().breaker.failed(Instant::now());
        };
        let is_known = |group: &str, id: &str| {
            let seat = roster.join(agent(&tenant, group, id));
            !seat.line.lock().breaker.is_calm()
        };
        for n in 0..200 {
            fails("worker", &format!("w-{n}"));
            fails(&format!("group-{n}"), "w");
        }
        assert!(is_known("worker", "w-199"), "however many were before it");
        let groups = || roster.with(&tenant, |tenant| tenant.groups.len());
        assert_eq!(groups(), Some(1), "the groups that have members");
        tokio::time::advance(KEEP).await;
        assert!(!is_known("worker", "w-198") && !is_known("group-198", "w"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_before_it_connects_is_remembered_in_a_bounded_number_of_tenants() {
        let roster = Arc::new(Roster::default());
        let tenants = || roster.tenants.read().expect("whole").len();
        let tenant = |n: usize| TenantId::new(&format!("t-{n}")).expect("a tenant");
        for n in 0..REMEMBERED * 2 {
            let nothing_to_note = [(None, Some("c")), (Some("a"), None)];
            for (who, conversation) in nothing_to_note {
                assert!(roster.publishing(&tenant(n + 1_000), who, &[event("x", conversation)]).is_none());
            }
            assert!(roster.publishing(&tenant(n), Some("a"), &[event("x", Some("c"))]).is_none());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(tenants(), REMEMBERED);
        let who = |n| roster.with(&tenant(n), |tenant| tenant.asked().who("c", Instant::now())).flatten();
        assert_eq!(who(REMEMBERED * 2 - 1).as_deref(), Some("a"));
        assert_eq!(who(0), None, "the first makes room");
        let _seat = roster.join(agent(&tenant(REMEMBERED * 2 - 1), "asker", "a"));
        assert_eq!(who(REMEMBERED * 2 - 1).as_deref(), Some("a"));
        tokio::time::advance(KEEP).await;
        drop(roster.join(agent(&tenant(0), "asker", "a")));
        assert_eq!(tenants(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_has_failed_is_known_when_it_comes_back() {
        let roster = Arc::new(Roster::default());
        let tenant = TenantId::default();
        for known in [false, true] {
            let seat = roster.join(agent(&tenant, "worker", "w"));
            assert_eq!(!seat.line.lock().breaker.is_calm(), known);
            seat.line.lock().breaker.failed(Instant::now());
        }
        let other = roster.join(agent(&tenant, "worker", "x"));
        assert!(other.line.lock().breaker.is_calm());
    }
}
