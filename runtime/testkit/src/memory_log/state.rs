//! All that the log knows. Nothing here waits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Event, EventId, Name, Position, TenantId, Timestamp, Topic};
use soorma_ports::{
    Appended, Bounds, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, Entry, EventLogError,
    Page, Reach, Settle, Start,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::group::Group;

/// The moment of a call, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// By this, things fall due.
    pub(super) due: Instant,
    /// This is written down.
    pub(super) wall: Timestamp,
}

#[derive(Debug)]
pub(super) struct State {
    retain_for: Duration,
    retain_events: usize,
    /// One sequence for all topics, so that a position alone says what came first.
    last: Position,
    topics: BTreeMap<Topic, TopicLog>,
    ids: HashMap<(TenantId, Topic, EventId), Position>,
    groups: BTreeMap<(TenantId, Name), Group>,
    dead: BTreeMap<TenantId, Grave>,
}

#[derive(Debug, Default)]
pub(super) struct TopicLog {
    bounds: Bounds,
    kept: Vec<Kept>,
    appended: Arc<Notify>,
}

#[derive(Debug)]
struct Kept {
    since: Instant,
    entry: Entry,
}

#[derive(Debug, Default)]
struct Grave {
    last_id: u64,
    letters: BTreeMap<u64, DeadLetter>,
}

impl State {
    pub(super) fn new(retain_for: Duration, retain_events: usize) -> Self {
        Self {
            retain_for,
            retain_events,
            last: Position(0),
            topics: Topic::ALL.into_iter().map(|topic| (topic, TopicLog::default())).collect(),
            ids: HashMap::new(),
            groups: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    fn topic(&mut self, topic: Topic) -> &mut TopicLog {
        self.topics.entry(topic).or_default()
    }

    pub(super) fn append(&mut self, tenant: &TenantId, events: Vec<Arc<Event>>, now: Now) -> Vec<Appended> {
        let mut touched = Vec::new();
        let appended = events
            .into_iter()
            .map(|event| {
                let topic = event.topic;
                let key = (tenant.clone(), topic, event.id.clone());
                if let Some(position) = self.ids.get(&key) {
                    return Appended { position: *position, duplicate: true };
                }
                self.last.0 += 1;
                let position = self.last;
                self.ids.insert(key, position);
                let log = self.topic(topic);
                log.bounds.head = position;
                log.kept
                    .push(Kept { since: now.due, entry: Entry { position, tenant: tenant.clone(), event } });
                if !touched.contains(&topic) {
                    touched.push(topic);
                }
                Appended { position, duplicate: false }
            })
            .collect();
        for topic in touched {
            self.retain(topic, now);
            self.topic(topic).appended.notify_waiters();
            for group in self.groups_of(tenant).filter(|group| group.takes(topic)) {
                group.changed.notify_waiters();
            }
        }
        appended
    }

    fn retain(&mut self, topic: Topic, now: Now) {
        let too_many = self.topics[&topic].kept.len().saturating_sub(self.retain_events);
        let retain_for = self.retain_for;
        let log = self.topics.entry(topic).or_default();
        let too_old =
            log.kept.iter().take_while(|kept| now.due.duration_since(kept.since) > retain_for).count();
        for Kept { entry, .. } in log.kept.drain(..too_many.max(too_old)) {
            log.bounds.before_first = entry.position;
            self.ids.remove(&(entry.tenant, topic, entry.event.id.clone()));
        }
    }

    pub(super) fn bounds(&self, topic: Topic) -> Bounds {
        self.topics[&topic].bounds
    }

    pub(super) fn appended(&self, topic: Topic) -> Arc<Notify> {
        self.topics[&topic].appended.clone()
    }

    pub(super) fn within(&self, topic: Topic, after: Position) -> Result<(), EventLogError> {
        let Bounds { before_first, head } = self.bounds(topic);
        if after < before_first {
            return Err(EventLogError::Gone { topic, after, before_first });
        }
        if after > head {
            return Err(EventLogError::Beyond { topic, after, head });
        }
        Ok(())
    }

    pub(super) fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        self.within(topic, after)?;
        let log = &self.topics[&topic];
        let seen = |entry: &Entry| match reach {
            Reach::Tenant(tenant) => entry.tenant == *tenant,
            Reach::Platform => true,
        };
        let entries: Vec<Entry> = log.after(after).filter(|entry| seen(entry)).take(limit).cloned().collect();
        let next = match entries.last() {
            _ if entries.len() < limit => log.bounds.head,
            Some(last) => last.position,
            None => after,
        };
        Ok(Page { entries, next })
    }

    pub(super) fn join(&mut self, spec: ConsumerSpec) -> Result<Arc<Notify>, EventLogError> {
        let wrong = |message: &str| Err(EventLogError::Invalid(message.into()));
        if spec.topics.is_empty() {
            return wrong("a consumer needs at least one topic");
        }
        if spec.max_attempts == 0 || spec.max_unsettled == 0 || spec.ack_within.is_zero() {
            return wrong("max_attempts, max_unsettled and ack_within of a consumer must be more than zero");
        }
        let key = (spec.tenant.clone(), spec.group.clone());
        let is_new = !self.groups.contains_key(&key);
        let mut starts = BTreeMap::new();
        for topic in &spec.topics {
            let head = self.bounds(*topic).head;
            let start = match &spec.start {
                Start::Earliest if is_new => Position(0),
                Start::After(cursor) if is_new => match cursor.get(*topic) {
                    Some(after) => {
                        self.within(*topic, after)?;
                        after
                    }
                    None => head,
                },
                Start::Now | Start::Earliest | Start::After(_) => head,
            };
            starts.insert(*topic, start);
        }
        let group = self.groups.entry(key).or_default();
        group.reopen(&spec, starts);
        group.changed.notify_waiters();
        Ok(group.changed.clone())
    }

    /// Hands out what there is, and says when something falls due.
    pub(super) fn hand_out(
        &mut self,
        tenant: &TenantId,
        name: &Name,
        max: usize,
        now: Now,
    ) -> (Vec<Delivery>, Option<Instant>) {
        let Some(group) = self.groups.get_mut(&(tenant.clone(), name.clone())) else {
            return (Vec::new(), None);
        };
        for letter in group.expire(name, now) {
            self.dead.entry(tenant.clone()).or_default().bury(letter);
        }
        (group.hand_out(tenant, &self.topics, max, now), group.next_due())
    }

    pub(super) fn settle(
        &mut self,
        tenant: &TenantId,
        name: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
        now: Now,
    ) -> Vec<bool> {
        let Some(group) = self.groups.get_mut(&(tenant.clone(), name.clone())) else {
            return vec![false; settlements.len()];
        };
        let mut counted = Vec::with_capacity(settlements.len());
        for (id, settle) in settlements {
            let (counts, letter) = group.settle(name, id, settle, now);
            if let Some(letter) = letter {
                self.dead.entry(tenant.clone()).or_default().bury(letter);
            }
            counted.push(counts);
        }
        group.changed.notify_waiters();
        counted
    }

    pub(super) fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Vec<DeadLetter> {
        let Some(grave) = self.dead.get(tenant) else {
            return Vec::new();
        };
        let wanted = |letter: &DeadLetter| {
            filter.group.as_ref().is_none_or(|group| letter.group == *group)
                && filter.topic.is_none_or(|topic| letter.event.topic == topic)
        };
        let letters = grave.letters.values().filter(|letter| letter.id > after && wanted(letter));
        letters.take(limit).cloned().collect()
    }

    pub(super) fn dead_letter(&self, tenant: &TenantId, id: u64) -> Option<DeadLetter> {
        self.dead.get(tenant)?.letters.get(&id).cloned()
    }

    pub(super) fn redrive(&mut self, tenant: &TenantId, ids: &[u64], now: Now) -> Vec<u64> {
        let Some(grave) = self.dead.get_mut(tenant) else {
            return Vec::new();
        };
        let mut given_back = Vec::new();
        for id in ids {
            let Some(letter) = grave.letters.get(id) else {
                continue;
            };
            let Some(group) = self.groups.get_mut(&(tenant.clone(), letter.group.clone())) else {
                continue;
            };
            if group.takes(letter.event.topic) {
                group.give_back(letter, now);
                group.changed.notify_waiters();
                grave.letters.remove(id);
                given_back.push(*id);
            }
        }
        given_back
    }

    pub(super) fn discard(&mut self, tenant: &TenantId, ids: &[u64]) -> Vec<u64> {
        let Some(grave) = self.dead.get_mut(tenant) else {
            return Vec::new();
        };
        ids.iter().copied().filter(|id| grave.letters.remove(id).is_some()).collect()
    }

    pub(super) fn void_leases(&mut self, now: Instant) {
        for group in self.groups.values_mut() {
            group.void_leases(now);
        }
    }

    fn groups_of<'a>(&'a self, tenant: &'a TenantId) -> impl Iterator<Item = &'a Group> {
        self.groups.iter().filter(move |((whose, _), _)| whose == tenant).map(|(_, group)| group)
    }
}

impl TopicLog {
    pub(super) fn after(&self, after: Position) -> impl Iterator<Item = &Entry> {
        let from = self.kept.partition_point(|kept| kept.entry.position <= after);
        self.kept[from..].iter().map(|kept| &kept.entry)
    }
}

impl Grave {
    fn bury(&mut self, mut letter: DeadLetter) {
        self.last_id += 1;
        letter.id = self.last_id;
        self.letters.insert(letter.id, letter);
    }
}
