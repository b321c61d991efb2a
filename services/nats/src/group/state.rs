//! How far a group has come, and what is in hand or waits to be tried again. Nothing here waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soorma_core::{PartitionKey, Position, Timestamp, Topic};
use soorma_ports::{ConsumerSpec, DeliveryId, Settle};

use super::open_list::{self, OpenEvents};
use crate::names::LetterKey;
use crate::server_time::Now;

/// How much a group has open at most, in hand or waiting; then it gets nothing new. It is what a message can hold.
pub(crate) const MOST_OPEN: usize = 5_000;

/// How many are given up at once: they are one batch with the state.
pub(crate) const MOST_BURIED: usize = 400;

/// How exactly it is written down when a group was last used that is never forgotten: an hour, in microseconds.
const USED_TO_THE_HOUR: i64 = 3_600_000_000;

/// A group, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupState {
    ack_within: Duration,
    max_attempts: u32,
    max_unsettled: u32,
    /// Up to where events were handed out.
    pub(super) cursors: BTreeMap<Topic, Position>,
    /// When the stream was made, by the server's clock, that a cursor is a place in.
    #[serde(default)]
    streams: BTreeMap<Topic, i64>,
    #[serde(with = "open_list")]
    open: OpenEvents,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PartitionKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expire_after: Option<Duration>,
    /// When it was last used, by the server's clock, to within an eighth of `expire_after`.
    #[serde(default)]
    pub(crate) used_at: i64,
    #[serde(default)]
    pub(crate) paused: bool,
    /// Grows each time that it is moved: what was read ahead before is not to be handed out. It begins with the time at which the group
    /// was made, so that one which is made anew has another.
    #[serde(default)]
    pub(super) sought: u64,
    /// How many were parked so far; the order in which they go on.
    #[serde(default)]
    parked: i64,
    /// How many dead letters it has.
    #[serde(default)]
    pub(crate) dead: u64,
    /// The number of its newest dead letter; begins with the time at which the group was made, so that none has the number of one which a
    /// group of that name had before.
    #[serde(default)]
    buried: u64,
    /// Dead letters that are to be announced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) untold: Vec<LetterKey>,
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
    /// When it is handed out again, by the server's clock; of what is parked, its place among those of its key.
    #[serde(rename = "d")]
    due: i64,
    /// What it is to stay in order with. Of one key at most one is not parked.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    key: Option<u32>,
    /// Whether it waits for another of its key.
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    parked: bool,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    first_at: Option<i64>,
    /// The number of the dead letter that it comes from, which has its content.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    redriven: Option<u64>,
    /// Of one that was redriven: when it was first handed out before, so that its age is known before it is handed out anew.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
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
    pub(crate) key: LetterKey,
    pub(crate) cause: String,
    pub(crate) attempts: u32,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

impl GroupState {
    pub(crate) fn new(now: Due) -> Self {
        let made = u64::try_from(now.server.earliest).unwrap_or(0);
        Self { sought: made, buried: made, ..Self::default() }
    }

    pub(crate) fn takes(&self, topic: Topic) -> bool {
        self.cursors.contains_key(&topic)
    }

    /// Takes over what a spec says; new topics start where `starts` says.
    pub(crate) fn join(&mut self, spec: &ConsumerSpec, starts: &BTreeMap<Topic, Position>, now: Due) {
        self.ack_within = spec.ack_within;
        self.max_attempts = spec.max_attempts;
        self.max_unsettled = spec.max_unsettled;
        self.expire_after = spec.expire_after;
        self.touch(now);
        if self.key != spec.key {
            self.key.clone_from(&spec.key);
            // What is open was taken under another order; the new one holds for what is taken from now on.
            for open in self.open.values_mut() {
                open.key = None;
                if std::mem::take(&mut open.parked) {
                    open.due = now.server.earliest;
                }
            }
        }
        for (topic, start) in starts {
            self.cursors.entry(*topic).or_insert(*start);
        }
    }

    /// Notes that it is used.
    pub(crate) fn touch(&mut self, now: Due) {
        let exact = self.expire_after.map_or(USED_TO_THE_HOUR, |after| micros(after) / 8);
        if now.server.earliest.saturating_sub(self.used_at) >= exact {
            self.used_at = now.server.earliest;
        }
    }

    /// Whether it was not used for as long as it says.
    pub(crate) fn is_idle(&self, now: Due) -> bool {
        self.expire_after
            .is_some_and(|after| now.server.earliest.saturating_sub(self.used_at) >= micros(after))
    }

    /// Goes on from other places; what is open stays open.
    pub(crate) fn seek(&mut self, places: &BTreeMap<Topic, Position>) {
        self.sought += 1;
        for (topic, place) in places {
            if let Some(cursor) = self.cursors.get_mut(topic) {
                *cursor = *place;
            }
        }
    }

    /// Notes which stream a topic has now. Where the group is not in it, it goes on from where it can, without what it had open elsewhere;
    /// returns the place where it was, and the one where it is.
    pub(super) fn put_in_place(
        &mut self,
        topic: Topic,
        made: i64,
        head: Position,
        now: Due,
    ) -> Option<(Position, Position)> {
        let is_another = self.streams.insert(topic, made).is_some_and(|known| known != made);
        let end = if is_another { Position(0) } else { head };
        let lost: Vec<Position> = self
            .open
            .range((topic, Position(0))..=(topic, Position(u64::MAX)))
            // The content of what was redriven is elsewhere.
            .filter(|((_, position), open)| *position > end && open.redriven.is_none())
            .map(|((_, position), _)| *position)
            .collect();
        let cursor = self.cursors.get_mut(&topic)?;
        let was = *cursor;
        if was <= end && lost.is_empty() && !is_another {
            return None;
        }
        *cursor = was.min(end);
        self.sought += 1;
        for position in lost {
            self.close(topic, position, now);
        }
        Some((was, was.min(end)))
    }

    pub(crate) fn cursors(&self) -> &BTreeMap<Topic, Position> {
        &self.cursors
    }

    /// Returns how many are in hand, and how many wait.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let in_hand = self.open.values().filter(|open| open.in_hand).count();
        (in_hand, self.open.len() - in_hand)
    }

    /// Returns the oldest open event of each topic, and when the oldest of those was first handed out whose content is in a dead letter.
    pub(crate) fn oldest(&self) -> (BTreeMap<Topic, Position>, Option<Timestamp>) {
        let (mut positions, mut redriven) = (BTreeMap::new(), None::<i64>);
        for ((topic, position), open) in &self.open {
            if open.redriven.is_some() {
                redriven = [redriven, open.since.or(open.first_at)].into_iter().flatten().min();
            } else {
                positions.entry(*topic).or_insert(*position);
            }
        }
        (positions, redriven.map(Timestamp::from_micros))
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

    /// Whether more can be open.
    pub(crate) fn has_room(&self) -> bool {
        self.open.len() < MOST_OPEN
    }

    /// Returns what waits and is due for those who want these topics, in the order in which it is handed out.
    pub(crate) fn due(&self, wanted: &BTreeSet<Topic>, now: Due) -> Vec<(Topic, Position)> {
        if self.paused {
            return Vec::new();
        }
        let is_due = |open: &Open| !open.in_hand && !open.parked && open.due <= now.server.earliest;
        let mut due: Vec<_> = self
            .open
            .iter()
            .filter(|((topic, _), open)| wanted.contains(topic) && is_due(open))
            .map(|((topic, position), open)| (open.due, *position, *topic))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, position, topic)| (topic, position)).collect()
    }

    /// Takes the next event of its topic in; says whether it can be handed out: not where it is open already, or waits for another
    /// of its key.
    pub(crate) fn take(&mut self, topic: Topic, position: Position, key: Option<u32>, now: Due) -> bool {
        let cursor = self.cursors.entry(topic).or_default();
        *cursor = (*cursor).max(position);
        if self.open.contains_key(&(topic, position)) {
            return false;
        }
        let mut open = Open {
            in_hand: false,
            attempt: 0,
            due: now.server.earliest,
            key,
            parked: self.is_busy(key),
            first_at: None,
            redriven: None,
            since: None,
        };
        if open.parked {
            self.parked += 1;
            open.due = self.parked;
        }
        let ready = !open.parked;
        self.open.insert((topic, position), open);
        ready
    }

    /// Whether an event of this key is being dealt with.
    fn is_busy(&self, key: Option<u32>) -> bool {
        key.is_some() && self.open.values().any(|open| open.key == key && !open.parked)
    }

    /// Forgets an open event; the next of its key takes its place.
    fn close(&mut self, topic: Topic, position: Position, now: Due) -> Option<Open> {
        let open = self.open.remove(&(topic, position))?;
        if open.key.is_some() && !open.parked {
            // Within a topic by position, since a group that was moved back parks earlier ones later; between topics as they were parked.
            let mut firsts = BTreeMap::new();
            for ((topic, position), other) in self.open.iter().filter(|(_, other)| other.key == open.key) {
                firsts.entry(*topic).or_insert((other.due, *topic, *position));
            }
            let next = firsts.into_values().min().map(|(_, topic, position)| (topic, position));
            if let Some(next) = next.and_then(|next| self.open.get_mut(&next)) {
                (next.parked, next.due) = (false, now.server.earliest);
            }
        }
        Some(open)
    }

    /// Hands out an event that is open and waits.
    pub(crate) fn hand(&mut self, topic: Topic, position: Position, now: Due) -> Option<DeliveryId> {
        let open = self.open.get_mut(&(topic, position))?;
        open.in_hand = true;
        open.attempt = open.attempt.saturating_add(1);
        open.due = now.server.after(self.ack_within);
        open.first_at.get_or_insert(now.wall.micros());
        Some(DeliveryId { topic, position, attempt: open.attempt })
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

    /// When a lease ends, or something that waits can be handed out to those who want these topics.
    pub(crate) fn next_due(&self, wanted: &BTreeSet<Topic>) -> Option<i64> {
        let has_credit = !self.paused && self.credit() > 0;
        let counts = |(topic, open): (Topic, &Open)| {
            let waits = has_credit && !open.parked && wanted.contains(&topic);
            (open.in_hand || waits).then_some(open.due)
        };
        self.open.iter().filter_map(|((topic, _), open)| counts((*topic, open))).min()
    }

    fn holder(&mut self, id: DeliveryId) -> Option<&mut Open> {
        let open = self.open.get_mut(&(id.topic, id.position))?;
        (open.in_hand && open.attempt == id.attempt).then_some(open)
    }

    /// Says whether a settlement counts, and returns what it has given up.
    pub(crate) fn settle(&mut self, id: DeliveryId, settle: &Settle, now: Due) -> (bool, Option<Buried>) {
        if *settle == Settle::Ack {
            return (self.close(id.topic, id.position, now).is_some(), None);
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
        let open = self.close(topic, position, now)?;
        // What was redriven is a letter in the same place again.
        let nth = open.redriven.unwrap_or_else(|| {
            self.buried += 1;
            self.buried
        });
        let key = LetterKey { topic, position, nth };
        self.dead += 1;
        self.untold.push(key);
        Some(Buried {
            key,
            cause: cause.into(),
            attempts: open.attempt,
            first_at: open.first_at.map_or(now.wall, Timestamp::from_micros),
            last_at: now.wall,
        })
    }

    /// Takes an event back that was given up, which was first handed out at `since`; `false` where the group is full, or has it.
    pub(crate) fn redrive(
        &mut self,
        letter: LetterKey,
        since: Timestamp,
        key: Option<u32>,
        now: Due,
    ) -> bool {
        let place = (letter.topic, letter.position);
        if self.open.len() >= MOST_OPEN || self.open.contains_key(&place) {
            return false;
        }
        let parked = self.is_busy(key);
        let mut due = now.server.earliest;
        if parked {
            self.parked += 1;
            // Before all that was not handed out yet.
            due = i64::MIN.saturating_add(self.parked);
        }
        let (redriven, since) = (Some(letter.nth), Some(since.micros()));
        let open = Open { in_hand: false, attempt: 0, due, key, parked, first_at: None, redriven, since };
        self.open.insert(place, open);
        self.dead = self.dead.saturating_sub(1);
        true
    }

    /// Counts a dead letter that was dropped.
    pub(crate) fn discard(&mut self) {
        self.dead = self.dead.saturating_sub(1);
    }

    /// Notes that dead letters were announced.
    pub(crate) fn told(&mut self, letters: &[LetterKey]) {
        self.untold.retain(|letter| !letters.contains(letter));
    }

    /// Forgets an event that is no longer there.
    pub(crate) fn forget(&mut self, topic: Topic, position: Position, now: Due) {
        self.close(topic, position, now);
    }

    pub(crate) fn is_open(&self, topic: Topic, position: Position) -> bool {
        self.open.contains_key(&(topic, position))
    }

    /// Returns the dead letter that has the content of an event.
    pub(crate) fn redriven(&self, topic: Topic, position: Position) -> Option<LetterKey> {
        let nth = self.open.get(&(topic, position))?.redriven?;
        Some(LetterKey { topic, position, nth })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use soorma_core::{Name, TenantId};

    use super::*;

    fn now(at: i64) -> Due {
        Due { server: Now { earliest: at, latest: at + 5 }, wall: Timestamp::from_micros(at) }
    }

    fn group() -> GroupState {
        let spec = ConsumerSpec {
            ack_within: Duration::from_micros(100),
            max_attempts: 2,
            max_unsettled: 2,
            ..ConsumerSpec::new(TenantId::default(), Name::new("workers").unwrap(), [Topic::PlanEvents])
        };
        let mut group = GroupState::default();
        group.join(&spec, &BTreeMap::from([(Topic::PlanEvents, Position(0))]), now(0));
        group
    }

    fn hand(group: &mut GroupState, position: u64, key: Option<u32>, at: i64) -> Option<DeliveryId> {
        let ready = group.take(Topic::PlanEvents, Position(position), key, now(at));
        if ready { group.hand(Topic::PlanEvents, Position(position), now(at)) } else { None }
    }

    fn letter(position: u64) -> LetterKey {
        LetterKey { topic: Topic::PlanEvents, position: Position(position), nth: 1 }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let mut group = group();
        hand(&mut group, 3, Some(7), 10);
        hand(&mut group, 4, Some(7), 10);
        group.redrive(letter(1), Timestamp::from_micros(7), Some(7), now(20));
        let json = serde_json::to_string(&group).unwrap();
        assert_eq!(serde_json::from_str::<GroupState>(&json).unwrap(), group);
    }

    #[test]
    fn a_place_that_is_not_there_is_given_up_with_what_is_open_behind_it() {
        // The stream and its end that are there, where the group goes on, and what it still has open.
        for (made, head, expected, open) in [
            (7, 4, None, vec![1, 2, 3, 4]),
            (7, 9, None, vec![1, 2, 3, 4]),
            (7, 3, Some((4, 3)), vec![1, 2, 3]),
            (7, 0, Some((4, 0)), vec![1]),
            (8, 9, Some((4, 0)), vec![1]),
        ] {
            let mut group = group();
            let place = |(was, is): (u64, u64)| (Position(was), Position(is));
            assert_eq!(group.put_in_place(Topic::PlanEvents, 7, Position(0), now(0)), None);
            // The content of the first is elsewhere.
            assert!(group.redrive(letter(1), Timestamp::from_micros(7), None, now(0)));
            for position in 2..=4 {
                hand(&mut group, position, None, 0).unwrap();
            }
            let sought = group.sought;
            let moved = group.put_in_place(Topic::PlanEvents, made, Position(head), now(0));
            assert_eq!(moved, expected.map(place), "{made} {head}");
            assert_eq!(group.sought > sought, moved.is_some());
            let still: Vec<u64> =
                (1..=4).filter(|at| group.is_open(Topic::PlanEvents, Position(*at))).collect();
            assert_eq!(still, open, "{made} {head}");
            assert_eq!(group.put_in_place(Topic::PlanEvents, made, Position(head), now(0)), None, "once");
        }
    }

    #[test]
    fn a_full_group_fits_into_a_message() {
        let mut group = group();
        for position in 0..MOST_OPEN as u64 {
            let (position, at) = (10_000_000_000 + position, 1_800_000_000_000_000);
            // Half of them are the largest that an open event can be.
            if position.is_multiple_of(2) {
                let letter = LetterKey { nth: 1_800_000_000_000_000, ..letter(position) };
                assert!(group.redrive(letter, Timestamp::from_micros(7), Some(u32::MAX), now(at)));
                group.hand(Topic::PlanEvents, Position(position), now(at)).unwrap();
            } else {
                hand(&mut group, position, None, at);
            }
        }
        assert!(serde_json::to_vec(&group).unwrap().len() < 1_000_000);
        assert!(!group.has_room());
    }

    #[test]
    fn between_two_clocks_nothing_is_early() {
        let mut group = group();
        let id = hand(&mut group, 1, None, 1_000).unwrap();
        let all = BTreeSet::from(Topic::ALL);
        let after = Duration::from_micros(50);
        assert_eq!(group.settle(id, &Settle::Release { after }, now(1_000)), (true, None));
        assert_eq!(group.due(&all, now(1_054)), []);
        assert_eq!(group.due(&all, now(1_055)), [(Topic::PlanEvents, Position(1))]);
    }

    #[test]
    fn of_one_key_redriven_ones_go_first_and_the_rest_as_they_came() {
        let mut group = group();
        let first = hand(&mut group, 5, Some(7), 0).unwrap();
        assert_eq!(hand(&mut group, 6, Some(7), 0), None);
        for position in [1, 2] {
            assert!(group.redrive(letter(position), Timestamp::from_micros(7), Some(7), now(0)));
        }
        let all = BTreeSet::from(Topic::ALL);
        let mut order = Vec::new();
        let mut in_hand = first;
        for _ in 0..3 {
            assert_eq!(group.settle(in_hand, &Settle::Ack, now(1)), (true, None));
            let due = group.due(&all, now(1));
            let [(topic, position)] = due[..] else { panic!("one at a time: {due:?}") };
            order.push(position.0);
            in_hand = group.hand(topic, position, now(1)).unwrap();
        }
        assert_eq!(order, [1, 2, 6]);
    }
}
