//! How far a group has come, and what is in hand or waits to be tried again. Nothing here waits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soorma_core::{Position, Timestamp, Topic};
use soorma_ports::{ConsumerSpec, DeliveryId, Settle};

use super::open_list::{self, OpenEvents};
use crate::server_time::Now;

/// How much a group has open at most, in hand or waiting; then it gets nothing new. It is what a message can hold.
pub(crate) const MOST_OPEN: usize = 5_000;

/// How many are given up at once: they are one batch with the state.
pub(crate) const MOST_BURIED: usize = 400;

/// A group, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupState {
    ack_within: Duration,
    max_attempts: u32,
    max_unsettled: u32,
    /// Up to where events were handed out.
    pub(super) cursors: BTreeMap<Topic, Position>,
    #[serde(with = "open_list")]
    open: OpenEvents,
}

/// An event that was handed out and not acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    /// Whether a member has it; otherwise it waits.
    #[serde(rename = "h")]
    in_hand: bool,
    /// Attempts that count, with the one in hand.
    #[serde(rename = "n")]
    attempt: u32,
    /// When it is handed out again, by the server's clock.
    #[serde(rename = "d")]
    due: i64,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    first_at: Option<i64>,
    /// Whether it comes from a dead letter, which has its content.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    redriven: bool,
}

/// The moment of a call, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// By this, things fall due.
    pub(crate) server: Now,
    /// This is written down.
    pub(crate) wall: Timestamp,
}

/// What was given up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Buried {
    pub(crate) topic: Topic,
    pub(crate) position: Position,
    pub(crate) cause: String,
    pub(crate) attempts: u32,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) redriven: bool,
}

impl GroupState {
    pub(crate) fn takes(&self, topic: Topic) -> bool {
        self.cursors.contains_key(&topic)
    }

    /// Takes over what a spec says; new topics start where `starts` says.
    pub(crate) fn join(&mut self, spec: &ConsumerSpec, starts: &BTreeMap<Topic, Position>) {
        self.ack_within = spec.ack_within;
        self.max_attempts = spec.max_attempts;
        self.max_unsettled = spec.max_unsettled;
        self.cursors.retain(|topic, _| spec.topics.contains(topic));
        self.open.retain(|(topic, _), _| spec.topics.contains(topic));
        for (topic, start) in starts {
            self.cursors.entry(*topic).or_insert(*start);
        }
    }

    /// Takes back what was not settled in time; returns what has used up its attempts.
    pub(crate) fn expire(&mut self, now: Due) -> Vec<Buried> {
        let mut given_up = Vec::new();
        for ((topic, position), open) in &mut self.open {
            if open.in_hand && open.due <= now.server.earliest {
                open.in_hand = false;
                if open.attempt >= self.max_attempts {
                    given_up.push((open.due, *topic, *position));
                }
            }
        }
        given_up.sort_unstable();
        for (_, topic, position) in given_up.split_off(given_up.len().min(MOST_BURIED)) {
            // The next time.
            if let Some(open) = self.open.get_mut(&(topic, position)) {
                open.in_hand = true;
            }
        }
        let cause = format!("not settled within {:?}", self.ack_within);
        given_up
            .into_iter()
            .filter_map(|(_, topic, position)| self.bury(topic, position, &cause, now))
            .collect()
    }

    /// Whether something is to be taken back.
    pub(crate) fn has_expired(&self, now: Due) -> bool {
        self.open.values().any(|open| open.in_hand && open.due <= now.server.earliest)
    }

    /// How many more can be in hand.
    pub(crate) fn credit(&self) -> usize {
        let most = usize::try_from(self.max_unsettled).unwrap_or(usize::MAX);
        most.saturating_sub(self.open.values().filter(|open| open.in_hand).count())
    }

    /// How many can be handed out that were not handed out before.
    pub(crate) fn room(&self) -> usize {
        self.credit().min(MOST_OPEN.saturating_sub(self.open.len()))
    }

    /// Returns what waits and is due, in the order in which it is handed out.
    pub(crate) fn due(&self, now: Due) -> Vec<(Topic, Position)> {
        let mut due: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| !open.in_hand && open.due <= now.server.earliest)
            .map(|((topic, position), open)| (open.due, *position, *topic))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, position, topic)| (topic, position)).collect()
    }

    /// Hands out an event: one that waits, or the next of its topic.
    pub(crate) fn hand(&mut self, topic: Topic, position: Position, now: Due) -> DeliveryId {
        let cursor = self.cursors.entry(topic).or_default();
        *cursor = (*cursor).max(position);
        let fresh = Open { in_hand: true, attempt: 0, due: 0, first_at: None, redriven: false };
        let open = self.open.entry((topic, position)).or_insert(fresh);
        open.in_hand = true;
        open.attempt = open.attempt.saturating_add(1);
        open.due = now.server.after(self.ack_within);
        open.first_at.get_or_insert(now.wall.micros());
        DeliveryId { topic, position, attempt: open.attempt }
    }

    /// Undoes a hand-out that nobody took.
    pub(crate) fn give_back(&mut self, id: DeliveryId, now: Due) -> bool {
        match self.holder(id) {
            Some(open) => {
                open.in_hand = false;
                open.attempt -= 1;
                open.due = now.server.earliest;
                true
            }
            None => false,
        }
    }

    /// When a lease ends, or something that waits can be handed out.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let has_credit = self.credit() > 0;
        self.open.values().filter(|open| open.in_hand || has_credit).map(|open| open.due).min()
    }

    fn holder(&mut self, id: DeliveryId) -> Option<&mut Open> {
        let open = self.open.get_mut(&(id.topic, id.position))?;
        (open.in_hand && open.attempt == id.attempt).then_some(open)
    }

    /// Says whether a settlement counts, and returns what it has given up.
    pub(crate) fn settle(&mut self, id: DeliveryId, settle: &Settle, now: Due) -> (bool, Option<Buried>) {
        if *settle == Settle::Ack {
            return (self.open.remove(&(id.topic, id.position)).is_some(), None);
        }
        let (ack_within, max_attempts) = (self.ack_within, self.max_attempts);
        let Some(open) = self.holder(id) else { return (false, None) };
        match settle {
            Settle::Ack => {}
            Settle::Extend => open.due = now.server.after(ack_within),
            Settle::Release { after } => {
                open.in_hand = false;
                open.attempt -= 1;
                open.due = now.server.after(*after);
            }
            Settle::Retry { after, .. } if open.attempt < max_attempts => {
                open.in_hand = false;
                open.due = now.server.after(*after);
            }
            Settle::Retry { cause, .. } | Settle::Reject { cause } => {
                return (true, self.bury(id.topic, id.position, cause, now));
            }
        }
        (true, None)
    }

    fn bury(&mut self, topic: Topic, position: Position, cause: &str, now: Due) -> Option<Buried> {
        let open = self.open.remove(&(topic, position))?;
        Some(Buried {
            topic,
            position,
            cause: cause.into(),
            attempts: open.attempt,
            first_at: open.first_at.map_or(now.wall, Timestamp::from_micros),
            last_at: now.wall,
            redriven: open.redriven,
        })
    }

    /// Takes an event back that was given up; `false` where the group is full, or has it.
    pub(crate) fn redrive(&mut self, topic: Topic, position: Position, now: Due) -> bool {
        let key = (topic, position);
        if self.open.len() >= MOST_OPEN || self.open.contains_key(&key) {
            return false;
        }
        let due = now.server.earliest;
        self.open.insert(key, Open { in_hand: false, attempt: 0, due, first_at: None, redriven: true });
        true
    }

    /// Forgets an event that is no longer there.
    pub(crate) fn forget(&mut self, topic: Topic, position: Position) {
        self.open.remove(&(topic, position));
    }

    pub(crate) fn is_open(&self, topic: Topic, position: Position) -> bool {
        self.open.contains_key(&(topic, position))
    }

    /// Whether the content of an event is in a dead letter.
    pub(crate) fn is_redriven(&self, topic: Topic, position: Position) -> bool {
        self.open.get(&(topic, position)).is_some_and(|open| open.redriven)
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::{Name, TenantId};
    use soorma_ports::Start;

    use super::*;

    fn now(at: i64) -> Due {
        Due { server: Now { earliest: at, latest: at + 5 }, wall: Timestamp::from_micros(at) }
    }

    fn group() -> GroupState {
        let spec = ConsumerSpec {
            tenant: TenantId::default(),
            group: Name::new("workers").unwrap(),
            topics: [Topic::PlanEvents].into(),
            start: Start::Earliest,
            ack_within: Duration::from_micros(100),
            max_attempts: 2,
            max_unsettled: 2,
        };
        let mut group = GroupState::default();
        group.join(&spec, &BTreeMap::from([(Topic::PlanEvents, Position(0))]));
        group
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let mut group = group();
        group.hand(Topic::PlanEvents, Position(3), now(10));
        group.redrive(Topic::PlanEvents, Position(1), now(20));
        let json = serde_json::to_string(&group).unwrap();
        assert_eq!(serde_json::from_str::<GroupState>(&json).unwrap(), group);
    }

    #[test]
    fn a_full_group_fits_into_a_message() {
        let mut group = group();
        for position in 0..MOST_OPEN as u64 {
            group.hand(Topic::PlanEvents, Position(10_000_000_000 + position), now(1_800_000_000_000_000));
        }
        assert!(serde_json::to_vec(&group).unwrap().len() < 1_000_000);
        assert_eq!(group.room(), 0);
    }

    #[test]
    fn between_two_clocks_nothing_is_early() {
        let mut group = group();
        let id = group.hand(Topic::PlanEvents, Position(1), now(1_000));
        let after = Duration::from_micros(50);
        assert_eq!(group.settle(id, &Settle::Release { after }, now(1_000)), (true, None));
        assert_eq!(group.due(now(1_054)), []);
        assert_eq!(group.due(now(1_055)), [(Topic::PlanEvents, Position(1))]);
    }
}
