//! All that the log knows. Nothing here waits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Event, EventId, Position, TenantId, Timestamp, Topic};
use soorma_ports::{
    Appended, Bounds, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, Entry, EventLogError,
    GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle, Start,
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
    groups: BTreeMap<GroupKey, Group>,
    dead: BTreeMap<TenantId, Grave>,
}

#[derive(Debug, Default)]
pub(super) struct TopicLog {
    bounds: Bounds,
    kept: Vec<Kept>,
    appended: Arc<Notify>,
}

#[derive(Debug)]
pub(super) struct Kept {
    since: Instant,
    pub(super) at: Timestamp,
    pub(super) entry: Entry,
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
                let entry = Entry { position, tenant: tenant.clone(), event };
                log.kept.push(Kept { since: now.due, at: now.wall, entry });
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
        let entries = log.after(after).map(|kept| &kept.entry).filter(|entry| seen(entry));
        let entries: Vec<Entry> = entries.take(limit).cloned().collect();
        let next = match entries.last() {
            _ if entries.len() < limit => log.bounds.head,
            Some(last) => last.position,
            None => after,
        };
        Ok(Page { entries, next })
    }

    pub(super) fn join(&mut self, spec: &ConsumerSpec, now: Now) -> Result<Arc<Notify>, EventLogError> {
        let wrong = |message: &str| Err(EventLogError::Invalid(message.into()));
        if spec.topics.is_empty() {
            return wrong("a consumer needs at least one topic");
        }
        if spec.max_attempts == 0 || spec.max_unsettled == 0 || spec.ack_within.is_zero() {
            return wrong("max_attempts, max_unsettled and ack_within of a consumer must be more than zero");
        }
        if spec.expire_after.is_some_and(|after| after < Duration::from_secs(1)) {
            return wrong("expire_after of a consumer must be at least a second");
        }
        let key = (spec.tenant.clone(), spec.group.clone());
        let is_new = !self.groups.contains_key(&key);
        let mut starts = BTreeMap::new();
        for topic in &spec.topics {
            let head = self.bounds(*topic).head;
            let start = match &spec.start {
                Start::Earliest if is_new => self.bounds(*topic).before_first,
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
        let group = self.groups.entry(key).or_insert_with(|| Group::new(now));
        group.reopen(spec, starts, now);
        group.changed.notify_waiters();
        Ok(group.changed.clone())
    }

    /// Hands out what there is, and says when something falls due; `None` where there is no such group.
    pub(super) fn hand_out(
        &mut self,
        key: &GroupKey,
        wanted: &BTreeSet<Topic>,
        max: usize,
        now: Now,
    ) -> Option<(Vec<Delivery>, Option<Instant>)> {
        let letters = {
            let group = self.groups.get_mut(key)?;
            group.used(now);
            group.expire(&key.1, now)
        };
        self.bury(&key.0, letters, now);
        let group = self.groups.get_mut(key)?;
        Some((group.hand_out(&key.0, wanted, &self.topics, max, now), group.next_due(wanted)))
    }

    /// Says which settlements count; `None` where there is no such group.
    pub(super) fn settle(
        &mut self,
        key: &GroupKey,
        settlements: Vec<(DeliveryId, Settle)>,
        now: Now,
    ) -> Option<Vec<bool>> {
        let group = self.groups.get_mut(key)?;
        group.used(now);
        let mut counted = Vec::with_capacity(settlements.len());
        let mut letters = Vec::new();
        for (id, settle) in settlements {
            let (counts, letter) = group.settle(&key.1, id, settle, now);
            letters.extend(letter);
            counted.push(counts);
        }
        group.changed.notify_waiters();
        self.bury(&key.0, letters, now);
        Some(counted)
    }

    fn bury(&mut self, tenant: &TenantId, letters: Vec<DeadLetter>, now: Now) {
        for letter in letters {
            let letter = self.dead.entry(tenant.clone()).or_default().bury(letter);
            if let Some(announcement) = letter.announcement(tenant) {
                self.append(tenant, vec![Arc::new(announcement)], now);
            }
        }
    }

    fn status(&self, key: &GroupKey, group: &Group) -> GroupStatus {
        let letters = self.dead.get(&key.0).into_iter().flat_map(|grave| grave.letters.values());
        let dead = letters.filter(|letter| letter.group == key.1).count();
        group.status((&key.0, &key.1), &self.topics, u64::try_from(dead).unwrap_or(u64::MAX))
    }

    pub(super) fn group(&self, key: &GroupKey) -> Option<GroupStatus> {
        self.groups.get(key).map(|group| self.status(key, group))
    }

    pub(super) fn count_groups(&self, tenant: &TenantId) -> u64 {
        u64::try_from(self.groups_of(tenant).count()).unwrap_or(u64::MAX)
    }

    pub(super) fn list_groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Vec<GroupStatus> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let seen = |key: &GroupKey| match reach {
            Reach::Tenant(tenant) => key.0 == *tenant,
            Reach::Platform => true,
        };
        let groups = self.groups.range::<GroupKey, _>((from, Bound::Unbounded));
        groups.filter(|(key, _)| seen(key)).take(limit).map(|(key, group)| self.status(key, group)).collect()
    }

    pub(super) fn command(&mut self, key: &GroupKey, command: &GroupCommand) -> Result<bool, EventLogError> {
        let places = match (command, self.groups.get(key)) {
            (_, None) => return Ok(false),
            (GroupCommand::Seek(start), Some(group)) => self.places(start, group)?,
            _ => BTreeMap::new(),
        };
        if *command == GroupCommand::Remove {
            if let Some(group) = self.groups.remove(key) {
                group.changed.notify_waiters();
            }
            if let Some(grave) = self.dead.get_mut(&key.0) {
                grave.letters.retain(|_, letter| letter.group != key.1);
            }
        } else if let Some(group) = self.groups.get_mut(key) {
            match command {
                GroupCommand::Pause => group.pause(true),
                GroupCommand::Resume => group.pause(false),
                GroupCommand::Seek(_) => group.seek(places),
                GroupCommand::Remove => {}
            }
            group.changed.notify_waiters();
        }
        Ok(true)
    }

    /// Where a group goes on that is to go on from somewhere.
    fn places(&self, start: &Start, group: &Group) -> Result<BTreeMap<Topic, Position>, EventLogError> {
        let mut places = BTreeMap::new();
        for topic in group.topics() {
            let Bounds { before_first, head } = self.bounds(topic);
            match start {
                Start::Now => drop(places.insert(topic, head)),
                Start::Earliest => drop(places.insert(topic, before_first)),
                Start::After(cursor) => {
                    if let Some(after) = cursor.get(topic) {
                        self.within(topic, after)?;
                        places.insert(topic, after);
                    }
                }
            }
        }
        Ok(places)
    }

    pub(super) fn expire_groups(&mut self, now: Now) -> Vec<GroupKey> {
        let idle: Vec<GroupKey> =
            self.groups.iter().filter(|(_, group)| group.is_idle(now)).map(|(key, _)| key.clone()).collect();
        let dead = &self.dead;
        let mourned = |key: &GroupKey| {
            dead.get(&key.0).is_some_and(|grave| grave.letters.values().any(|letter| letter.group == key.1))
        };
        let gone: Vec<GroupKey> = idle.into_iter().filter(|key| !mourned(key)).collect();
        for key in &gone {
            if let Some(group) = self.groups.remove(key) {
                group.changed.notify_waiters();
            }
        }
        gone
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
                && filter.kind.as_ref().is_none_or(|kind| letter.event.kind == *kind)
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
            if group.give_back(letter, now) {
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
    pub(super) fn after(&self, after: Position) -> impl Iterator<Item = &Kept> {
        let from = self.kept.partition_point(|kept| kept.entry.position <= after);
        self.kept[from..].iter()
    }
}

impl Grave {
    fn bury(&mut self, mut letter: DeadLetter) -> DeadLetter {
        self.last_id += 1;
        letter.id = self.last_id;
        self.letters.insert(letter.id, letter.clone());
        letter
    }
}
