//! One group: how far it has come, and what is in hand or waits to be tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Event, Name, PartitionKey, Position, TenantId, Timestamp, Topic};
use soorma_ports::{ConsumerSpec, DeadLetter, Delivery, DeliveryId, GroupPlace, GroupStatus, Settle};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::state::{Now, TopicLog};

/// Later than anything that is waited for; about 30 years.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

#[derive(Debug)]
pub(super) struct Group {
    pub(super) changed: Arc<Notify>,
    ack_within: Duration,
    max_attempts: u32,
    max_unsettled: usize,
    key: Option<PartitionKey>,
    expire_after: Option<Duration>,
    used: Now,
    paused: bool,
    cursors: BTreeMap<Topic, Position>,
    open: BTreeMap<Position, Open>,
}

/// An event that was taken from the log and not acknowledged.
#[derive(Debug)]
struct Open {
    event: Arc<Event>,
    appended: Timestamp,
    /// What it is to stay in order with.
    key: Option<u32>,
    at: At,
    /// Attempts that count, with the one in hand.
    attempt: u32,
    /// When it is handed out again.
    due: Instant,
    first_at: Option<Timestamp>,
}

/// Where an open event is. Of one key at most one is not parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A member has it.
    Hand,
    /// It waits to be handed out.
    Waiting,
    /// It waits for another of its key.
    Parked,
}

impl Group {
    pub(super) fn new(now: Now) -> Self {
        Self {
            changed: Arc::default(),
            ack_within: Duration::ZERO,
            max_attempts: 1,
            max_unsettled: 1,
            key: None,
            expire_after: None,
            used: now,
            paused: false,
            cursors: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    pub(super) fn takes(&self, topic: Topic) -> bool {
        self.cursors.contains_key(&topic)
    }

    /// Takes over what a spec says; new topics start where `starts` says.
    pub(super) fn reopen(&mut self, spec: &ConsumerSpec, starts: BTreeMap<Topic, Position>, now: Now) {
        self.ack_within = spec.ack_within;
        self.max_attempts = spec.max_attempts;
        self.max_unsettled = usize::try_from(spec.max_unsettled).unwrap_or(usize::MAX);
        self.expire_after = spec.expire_after;
        self.used = now;
        if self.key != spec.key {
            self.key.clone_from(&spec.key);
            // What is open was taken under another order; the new one holds for what is taken from now on.
            for open in self.open.values_mut() {
                open.key = None;
                if open.at == At::Parked {
                    (open.at, open.due) = (At::Waiting, now.due);
                }
            }
        }
        for (topic, start) in starts {
            self.cursors.entry(topic).or_insert(start);
        }
    }

    pub(super) fn used(&mut self, now: Now) {
        self.used = now;
    }

    /// Whether it was not used for as long as it says.
    pub(super) fn is_idle(&self, now: Now) -> bool {
        self.expire_after.is_some_and(|after| now.due.duration_since(self.used.due) >= after)
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Goes on from other places. What is open stays open.
    pub(super) fn seek(&mut self, places: BTreeMap<Topic, Position>) {
        for (topic, place) in places {
            if let Some(cursor) = self.cursors.get_mut(&topic) {
                *cursor = place;
            }
        }
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = Topic> + '_ {
        self.cursors.keys().copied()
    }

    /// Takes back what was not settled in time; returns what has used up its attempts.
    pub(super) fn expire(&mut self, name: &Name, now: Now) -> Vec<DeadLetter> {
        let mut given_up = Vec::new();
        for (position, open) in &mut self.open {
            if open.at == At::Hand && open.due <= now.due {
                open.at = At::Waiting;
                if open.attempt >= self.max_attempts {
                    given_up.push((open.due, *position));
                }
            }
        }
        given_up.sort_unstable();
        let cause = format!("not settled within {:?}", self.ack_within);
        given_up.into_iter().filter_map(|(_, position)| self.bury(name, position, &cause, now)).collect()
    }

    /// Hands out events of these topics.
    pub(super) fn hand_out(
        &mut self,
        tenant: &TenantId,
        wanted: &BTreeSet<Topic>,
        topics: &BTreeMap<Topic, TopicLog>,
        max: usize,
        now: Now,
    ) -> Vec<Delivery> {
        if self.paused {
            return Vec::new();
        }
        let credit = max.min(self.max_unsettled.saturating_sub(self.count(At::Hand)));
        let again = {
            let is_due = |open: &Open| {
                open.at == At::Waiting && open.due <= now.due && wanted.contains(&open.event.topic)
            };
            let due = self.open.iter().filter(|(_, open)| is_due(open));
            let mut due: Vec<(Instant, Position)> =
                due.map(|(position, open)| (open.due, *position)).collect();
            due.sort_unstable();
            due.truncate(credit);
            due
        };
        let mut handed = Vec::with_capacity(credit.min(64));
        for (_, position) in again {
            handed.extend(self.hand(position, now));
        }
        while handed.len() < credit {
            let room = credit - handed.len();
            let mut fresh = Vec::new();
            for (topic, cursor) in self.cursors.iter().filter(|(topic, _)| wanted.contains(topic)) {
                let of_tenant = topics[topic].after(*cursor).filter(|kept| kept.entry.tenant == *tenant);
                fresh.extend(
                    of_tenant.take(room).map(|kept| (kept.entry.position, kept.at, kept.entry.event.clone())),
                );
            }
            if fresh.is_empty() {
                break;
            }
            fresh.sort_unstable_by_key(|(position, ..)| *position);
            fresh.truncate(room);
            for (position, appended, event) in fresh {
                self.cursors.insert(event.topic, position);
                if self.take(position, event, appended, now) {
                    handed.extend(self.hand(position, now));
                }
            }
        }
        handed
    }

    /// Takes an event in; says whether it can be handed out.
    fn take(&mut self, position: Position, event: Arc<Event>, appended: Timestamp, now: Now) -> bool {
        // After a seek it may be open already.
        if self.open.contains_key(&position) {
            return false;
        }
        let key = self.key.as_ref().and_then(|key| key.of(&event));
        let at = if self.is_busy(key) { At::Parked } else { At::Waiting };
        self.open
            .insert(position, Open { event, appended, key, at, attempt: 0, due: now.due, first_at: None });
        at == At::Waiting
    }

    /// Whether an event of this key is being dealt with.
    fn is_busy(&self, key: Option<u32>) -> bool {
        key.is_some() && self.open.values().any(|open| open.key == key && open.at != At::Parked)
    }

    /// Forgets an open event; the next of its key takes its place.
    fn close(&mut self, position: Position, now: Now) -> Option<Open> {
        let open = self.open.remove(&position)?;
        if open.key.is_some()
            && open.at != At::Parked
            && let Some(next) = self.open.values_mut().find(|other| other.key == open.key)
        {
            (next.at, next.due) = (At::Waiting, now.due);
        }
        Some(open)
    }

    fn hand(&mut self, position: Position, now: Now) -> Option<Delivery> {
        let open = self.open.get_mut(&position)?;
        open.at = At::Hand;
        open.attempt += 1;
        open.due = later(now.due, self.ack_within);
        open.first_at.get_or_insert(now.wall);
        let id = DeliveryId { topic: open.event.topic, position, attempt: open.attempt };
        Some(Delivery { id, event: open.event.clone() })
    }

    /// When a lease ends, or something that waits can be handed out to one who wants these topics.
    pub(super) fn next_due(&self, wanted: &BTreeSet<Topic>) -> Option<Instant> {
        let has_credit = !self.paused && self.count(At::Hand) < self.max_unsettled;
        let counts = |open: &&Open| match open.at {
            At::Hand => true,
            At::Waiting => has_credit && wanted.contains(&open.event.topic),
            At::Parked => false,
        };
        self.open.values().filter(counts).map(|open| open.due).min()
    }

    fn count(&self, at: At) -> usize {
        self.open.values().filter(|open| open.at == at).count()
    }

    /// Says whether a settlement counts, and returns what it has given up.
    pub(super) fn settle(
        &mut self,
        name: &Name,
        id: DeliveryId,
        settle: Settle,
        now: Now,
    ) -> (bool, Option<DeadLetter>) {
        let Some(open) = self.open.get_mut(&id.position).filter(|open| open.event.topic == id.topic) else {
            return (false, None);
        };
        let holds = open.at == At::Hand && open.attempt == id.attempt;
        match settle {
            Settle::Ack => {
                self.close(id.position, now);
                (true, None)
            }
            _ if !holds => (false, None),
            Settle::Extend => {
                open.due = later(now.due, self.ack_within);
                (true, None)
            }
            Settle::Release { after } => {
                open.at = At::Waiting;
                open.attempt -= 1;
                open.due = later(now.due, after);
                (true, None)
            }
            Settle::Retry { after, .. } if open.attempt < self.max_attempts => {
                open.at = At::Waiting;
                open.due = later(now.due, after);
                (true, None)
            }
            Settle::Retry { cause, .. } | Settle::Reject { cause } => {
                (true, self.bury(name, id.position, &cause, now))
            }
        }
    }

    fn bury(&mut self, name: &Name, position: Position, cause: &str, now: Now) -> Option<DeadLetter> {
        let open = self.close(position, now)?;
        Some(DeadLetter {
            // The grave gives the id.
            id: 0,
            group: name.clone(),
            position,
            cause: cause.into(),
            attempts: open.attempt,
            first_at: open.first_at.unwrap_or(now.wall),
            last_at: now.wall,
            event: open.event,
        })
    }

    /// Takes a letter back; says whether it did, which it does not when it has that event.
    pub(super) fn give_back(&mut self, letter: &DeadLetter, now: Now) -> bool {
        if self.open.contains_key(&letter.position) {
            return false;
        }
        self.take(letter.position, letter.event.clone(), letter.first_at, now);
        true
    }

    /// Nobody has anything in hand any more: all of it is due.
    pub(super) fn void_leases(&mut self, now: Instant) {
        for (nth, open) in self.open.values_mut().filter(|open| open.at == At::Hand).enumerate() {
            open.due = open.due.min(now);
            // The oldest is the likeliest to have been looked at; the others are not blamed for the end of the process.
            if nth > 0 {
                open.at = At::Waiting;
                open.attempt -= 1;
            }
        }
    }

    pub(super) fn status(
        &self,
        (tenant, name): (&TenantId, &Name),
        topics: &BTreeMap<Topic, TopicLog>,
        dead_letters: u64,
    ) -> GroupStatus {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let mut oldest = self.open.values().map(|open| open.appended).min();
        let mut places = BTreeMap::new();
        for (topic, cursor) in &self.cursors {
            let mut behind =
                topics[topic].after(*cursor).filter(|kept| kept.entry.tenant == *tenant).peekable();
            if let Some(first) = behind.peek() {
                oldest = Some(oldest.map_or(first.at, |oldest| oldest.min(first.at)));
            }
            places.insert(*topic, GroupPlace { position: *cursor, lag: number(behind.count()) });
        }
        GroupStatus {
            tenant: tenant.clone(),
            group: name.clone(),
            topics: places,
            in_hand: number(self.count(At::Hand)),
            waiting: number(self.open.len() - self.count(At::Hand)),
            dead_letters,
            paused: self.paused,
            oldest,
            used_at: self.used.wall,
            key: self.key.clone(),
            expire_after: self.expire_after,
        }
    }
}

fn later(now: Instant, by: Duration) -> Instant {
    now + by.min(FAR)
}
