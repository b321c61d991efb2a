//! One group: how far it has come, and what is in hand or waits to be tried again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Event, Name, Position, TenantId, Timestamp, Topic};
use soorma_ports::{ConsumerSpec, DeadLetter, Delivery, DeliveryId, Settle};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::state::{Now, TopicLog};

/// Later than anything that is waited for; about 30 years.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) changed: Arc<Notify>,
    ack_within: Duration,
    max_attempts: u32,
    max_unsettled: usize,
    cursors: BTreeMap<Topic, Position>,
    open: BTreeMap<Position, Open>,
}

/// An event that was handed out and not acknowledged.
#[derive(Debug)]
struct Open {
    event: Arc<Event>,
    /// Whether a member has it; otherwise it waits.
    in_hand: bool,
    /// Attempts that count, with the one in hand.
    attempt: u32,
    /// When it is handed out again.
    due: Instant,
    first_at: Option<Timestamp>,
}

impl Group {
    pub(super) fn takes(&self, topic: Topic) -> bool {
        self.cursors.contains_key(&topic)
    }

    /// Takes over what a spec says; new topics start where `starts` says.
    pub(super) fn reopen(&mut self, spec: &ConsumerSpec, starts: BTreeMap<Topic, Position>) {
        self.ack_within = spec.ack_within;
        self.max_attempts = spec.max_attempts;
        self.max_unsettled = usize::try_from(spec.max_unsettled).unwrap_or(usize::MAX);
        self.cursors.retain(|topic, _| spec.topics.contains(topic));
        self.open.retain(|_, open| spec.topics.contains(&open.event.topic));
        for (topic, start) in starts {
            self.cursors.entry(topic).or_insert(start);
        }
    }

    /// Takes back what was not settled in time; returns what has used up its attempts.
    pub(super) fn expire(&mut self, name: &Name, now: Now) -> Vec<DeadLetter> {
        let mut given_up = Vec::new();
        for (position, open) in &mut self.open {
            if open.in_hand && open.due <= now.due {
                open.in_hand = false;
                if open.attempt >= self.max_attempts {
                    given_up.push((open.due, *position));
                }
            }
        }
        given_up.sort_unstable();
        let cause = format!("not settled within {:?}", self.ack_within);
        given_up.into_iter().filter_map(|(_, position)| self.bury(name, position, &cause, now)).collect()
    }

    pub(super) fn hand_out(
        &mut self,
        tenant: &TenantId,
        topics: &BTreeMap<Topic, TopicLog>,
        max: usize,
        now: Now,
    ) -> Vec<Delivery> {
        let credit = max.min(self.max_unsettled.saturating_sub(self.in_hand()));
        let again = {
            let mut due: Vec<(Instant, Position)> = self
                .open
                .iter()
                .filter(|(_, open)| !open.in_hand && open.due <= now.due)
                .map(|(position, open)| (open.due, *position))
                .collect();
            due.sort_unstable();
            due.truncate(credit);
            due
        };
        let mut handed = Vec::with_capacity(credit.min(64));
        for (_, position) in again {
            handed.extend(self.hand(position, now));
        }
        let mut fresh: Vec<(Position, Arc<Event>)> = Vec::new();
        let room = credit - handed.len();
        for (topic, cursor) in &self.cursors {
            let of_tenant = topics[topic].after(*cursor).filter(|entry| entry.tenant == *tenant);
            fresh.extend(of_tenant.take(room).map(|entry| (entry.position, entry.event.clone())));
        }
        fresh.sort_unstable_by_key(|(position, _)| *position);
        fresh.truncate(room);
        for (position, event) in fresh {
            self.cursors.insert(event.topic, position);
            self.open
                .insert(position, Open { event, in_hand: false, attempt: 0, due: now.due, first_at: None });
            handed.extend(self.hand(position, now));
        }
        handed
    }

    fn hand(&mut self, position: Position, now: Now) -> Option<Delivery> {
        let open = self.open.get_mut(&position)?;
        open.in_hand = true;
        open.attempt += 1;
        open.due = later(now.due, self.ack_within);
        open.first_at.get_or_insert(now.wall);
        let id = DeliveryId { topic: open.event.topic, position, attempt: open.attempt };
        Some(Delivery { id, event: open.event.clone() })
    }

    /// When a lease ends, or something that waits can be handed out.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let has_credit = self.in_hand() < self.max_unsettled;
        self.open.values().filter(|open| open.in_hand || has_credit).map(|open| open.due).min()
    }

    fn in_hand(&self) -> usize {
        self.open.values().filter(|open| open.in_hand).count()
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
        let holds = open.in_hand && open.attempt == id.attempt;
        match settle {
            Settle::Ack => {
                self.open.remove(&id.position);
                (true, None)
            }
            _ if !holds => (false, None),
            Settle::Extend => {
                open.due = later(now.due, self.ack_within);
                (true, None)
            }
            Settle::Release { after } => {
                open.in_hand = false;
                open.attempt -= 1;
                open.due = later(now.due, after);
                (true, None)
            }
            Settle::Retry { after, .. } if open.attempt < self.max_attempts => {
                open.in_hand = false;
                open.due = later(now.due, after);
                (true, None)
            }
            Settle::Retry { cause, .. } | Settle::Reject { cause } => {
                (true, self.bury(name, id.position, &cause, now))
            }
        }
    }

    fn bury(&mut self, name: &Name, position: Position, cause: &str, now: Now) -> Option<DeadLetter> {
        let open = self.open.remove(&position)?;
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

    pub(super) fn give_back(&mut self, letter: &DeadLetter, now: Now) {
        let open =
            Open { event: letter.event.clone(), in_hand: false, attempt: 0, due: now.due, first_at: None };
        self.open.insert(letter.position, open);
    }

    /// Nobody has anything in hand any more: all of it is due.
    pub(super) fn void_leases(&mut self, now: Instant) {
        for (nth, open) in self.open.values_mut().filter(|open| open.in_hand).enumerate() {
            open.due = open.due.min(now);
            // The oldest is the likeliest to have been looked at; the others are not blamed for the end of the process.
            if nth > 0 {
                open.in_hand = false;
                open.attempt -= 1;
            }
        }
    }
}

fn later(now: Instant, by: Duration) -> Instant {
    now + by.min(FAR)
}
