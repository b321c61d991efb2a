//! What one connected agent has in hand, and what is to become of it. No I/O, no clock.
//!
//! Frames stand in the order in which they were handed out; those that were not shown yet stand last.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_ports::{Delivery, DeliveryId, Settle};
use tokio::time::Instant;

pub(super) type Settlements = Vec<(DeliveryId, Settle)>;

/// What was said of events, and whether it counted.
#[derive(Debug, Default)]
pub(super) struct Said(HashMap<(Topic, Position), (DeliveryId, Settle, bool)>);

impl Said {
    pub(super) fn note(&mut self, id: DeliveryId, settle: Settle, counted: bool) {
        self.0.insert((id.topic, id.position), (id, settle, counted));
    }
}

/// How many events an agent has dealt with, and failed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) succeeded: usize,
    pub(super) failed: usize,
}

#[derive(Debug, Default)]
pub(super) struct Hand {
    frames: VecDeque<Frame>,
    unshown: usize,
    /// How many were shown in all, and how many of these the agent's connection has taken.
    shown: u64,
    taken: u64,
}

#[derive(Debug)]
struct Frame {
    delivery: Delivery,
    /// When the time to settle last began.
    leased: Instant,
    shown: Option<Shown>,
    replied: bool,
    /// It is for this agent and no other.
    owned: bool,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    /// When it was taken, or shown if it was not taken yet.
    at: Instant,
    /// Which of all that were shown, from 1.
    nth: u64,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The agent left, or took no more: what it was at may be why.
    Agent,
    /// We stopped: nobody is to blame.
    Node,
}

impl Hand {
    /// Takes over what was handed out. A newer attempt takes the place of an older one, whose lease has run out.
    pub(super) fn take_over(&mut self, delivery: Delivery, owned: bool, now: Instant) {
        let DeliveryId { topic, position, .. } = delivery.id;
        self.retain(|frame| (frame.delivery.id.topic, frame.delivery.id.position) != (topic, position));
        self.frames.push_back(Frame { delivery, leased: now, shown: None, replied: false, owned });
        self.unshown += 1;
    }

    /// Lets go of the older attempt of what is handed out anew, where the agent has let it lie; says whether it has. What comes again
    /// much sooner was given back, by a settlement that we are not told of yet.
    pub(super) fn lapse(&mut self, id: DeliveryId, now: Instant, lease: Duration) -> bool {
        let before = self.frames.len();
        self.retain(|frame| {
            let held = frame.delivery.id;
            (held.topic, held.position) != (id.topic, id.position)
                || held.attempt >= id.attempt
                || frame.shown.is_none()
                || now.duration_since(frame.leased) < lease / 2
        });
        self.frames.len() < before
    }

    /// Returns how many are not dealt with.
    pub(super) fn open(&self) -> usize {
        self.frames.iter().filter(|frame| !frame.replied).count()
    }

    /// Returns how many of these the agent was shown.
    pub(super) fn open_shown(&self) -> usize {
        self.frames.iter().filter(|frame| frame.shown.is_some() && !frame.replied).count()
    }

    /// Gives the next one to be shown, and since when it is leased.
    pub(super) fn show(&mut self, now: Instant) -> Option<(Delivery, Instant)> {
        let index = self.frames.len().checked_sub(self.unshown)?;
        let frame = self.frames.get_mut(index)?;
        self.shown += 1;
        frame.shown = Some(Shown { at: now, nth: self.shown });
        self.unshown -= 1;
        Some((frame.delivery.clone(), frame.leased))
    }

    /// Notes that all that was shown has left this process: from now on the agent has it.
    pub(super) fn took_all(&mut self, now: Instant) {
        let shown = self.frames.len() - self.unshown;
        for shown in self.frames.iter_mut().take(shown).rev().map_while(|frame| frame.shown.as_mut()) {
            if shown.nth <= self.taken {
                break;
            }
            shown.at = now;
        }
        self.taken = self.shown;
    }

    /// Notes that the event with this id was answered.
    pub(super) fn reply_to(&mut self, id: &str) -> bool {
        self.reply(|delivery| delivery.event.id.as_str() == id)
    }

    /// Notes that the oldest event of this conversation was answered.
    pub(super) fn reply_in(&mut self, correlation_id: &str) -> bool {
        self.reply(|delivery| delivery.event.correlation_id.as_deref() == Some(correlation_id))
    }

    fn reply(&mut self, is_meant: impl Fn(&Delivery) -> bool) -> bool {
        let open = |frame: &&mut Frame| frame.shown.is_some() && !frame.replied && is_meant(&frame.delivery);
        let frame = self.frames.iter_mut().find(open);
        frame.map(|frame| frame.replied = true).is_some()
    }

    /// Returns what is done without being told: what was answered, and what the agent has had for `settle_after`.
    pub(super) fn done(&self, now: Instant, settle_after: Duration) -> Vec<DeliveryId> {
        let is_old = |shown: Shown| shown.nth <= self.taken && now.duration_since(shown.at) >= settle_after;
        let done = self.frames.iter().filter(|frame| frame.replied || frame.shown.is_some_and(is_old));
        done.map(|frame| frame.delivery.id).collect()
    }

    /// Returns when the oldest that the agent has taken counts as done.
    pub(super) fn done_at(&self, settle_after: Duration) -> Option<Instant> {
        let shown = self.frames.front()?.shown.filter(|shown| shown.nth <= self.taken)?;
        Some(shown.at + settle_after)
    }

    /// Returns what must be extended, having been leased for `renew_after`: all, or what the agent was not shown yet.
    pub(super) fn to_extend(&self, now: Instant, renew_after: Duration, shown_too: bool) -> Vec<DeliveryId> {
        let old = self.renewable(shown_too).filter(|frame| now.duration_since(frame.leased) >= renew_after);
        old.map(|frame| frame.delivery.id).collect()
    }

    /// Returns when the first must be extended.
    pub(super) fn extend_at(&self, renew_after: Duration, shown_too: bool) -> Option<Instant> {
        self.renewable(shown_too).map(|frame| frame.leased + renew_after).min()
    }

    fn renewable(&self, shown_too: bool) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |frame| shown_too || frame.shown.is_none())
    }

    /// Lets go of what the agent was shown and has not settled within its lease; returns how many.
    pub(super) fn expire(&mut self, now: Instant, lease: Duration) -> usize {
        let before = self.frames.len();
        self.retain(|frame| frame.shown.is_none() || now.duration_since(frame.leased) < lease);
        before - self.frames.len()
    }

    /// Returns when the first lease of what was shown runs out.
    pub(super) fn expire_at(&self, lease: Duration) -> Option<Instant> {
        self.frames.iter().filter(|frame| frame.shown.is_some()).map(|frame| frame.leased + lease).min()
    }

    /// Notes what was said of events: those that were extended have their time anew, all else is out of hand, also what does not count
    /// any more.
    pub(super) fn settled(&mut self, said: &Said, now: Instant) -> Tally {
        let mut tally = Tally::default();
        for frame in &mut self.frames {
            if let Some((id, Settle::Extend, true)) = said.of(frame)
                && *id == frame.delivery.id
            {
                frame.leased = now;
            }
        }
        self.retain(|frame| match said.of(frame) {
            Some((_, Settle::Ack, true)) => {
                tally.succeeded += 1;
                false
            }
            Some((id, settle, counted)) if *id == frame.delivery.id => {
                let fails = matches!(settle, Settle::Retry { .. } | Settle::Reject { .. });
                tally.failed += usize::from(fails && *counted);
                *settle == Settle::Extend && *counted
            }
            _ => true,
        });
        tally
    }

    /// Lets go of what was not shown beyond so many, but for what is this agent's alone.
    pub(super) fn release_beyond(&mut self, most: usize) -> Settlements {
        let mut kept = 0;
        let mut released = Vec::new();
        self.retain(|frame| {
            if frame.shown.is_some() || frame.owned {
                return true;
            }
            kept += 1;
            if kept > most {
                released.push((frame.delivery.id, Settle::Release { after: Duration::ZERO }));
            }
            kept <= most
        });
        released
    }

    /// Gives all back, in order. The one that an agent was at when it left counts as an attempt; those behind it were most likely never
    /// looked at.
    pub(super) fn give_back(&mut self, end: End) -> (Settlements, Tally) {
        self.unshown = 0;
        let mut blame = end == End::Agent;
        let mut tally = Tally::default();
        let back = self.frames.drain(..).map(|frame| {
            let settle = if frame.replied {
                Settle::Ack
            } else if std::mem::take(&mut blame) && frame.shown.is_some() {
                tally.failed += 1;
                Settle::Retry {
                    after: Duration::ZERO,
                    cause: "the stream ended before it was settled".into(),
                }
            } else {
                Settle::Release { after: Duration::ZERO }
            };
            (frame.delivery.id, settle)
        });
        (back.collect(), tally)
    }

    fn retain(&mut self, mut keep: impl FnMut(&Frame) -> bool) {
        let unshown = &mut self.unshown;
        self.frames.retain(|frame| {
            let kept = keep(frame);
            *unshown -= usize::from(!kept && frame.shown.is_none());
            kept
        });
    }
}

impl Said {
    fn of(&self, frame: &Frame) -> Option<&(DeliveryId, Settle, bool)> {
        let DeliveryId { topic, position, .. } = frame.delivery.id;
        self.0.get(&(topic, position))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use soorma_core::{Event, EventId, Timestamp};

    use super::*;

    const SETTLE_AFTER: Duration = Duration::from_secs(5);

    fn delivery(n: u64, correlation: &str) -> Delivery {
        let id = EventId::new(format!("e{n}")).expect("a name");
        let mut event = Event::new(id, "asker", "a.b", Timestamp::default(), Topic::ActionRequests);
        event.correlation_id = Some(correlation.into());
        Delivery {
            id: DeliveryId { topic: Topic::ActionRequests, position: Position(n), attempt: 1 },
            event: Arc::new(event),
        }
    }

    /// A hand of which so many were shown and taken.
    fn with(deliveries: Vec<Delivery>, shown: u64, now: Instant) -> Hand {
        let mut hand = Hand::default();
        for delivery in deliveries {
            hand.take_over(delivery, false, now);
        }
        for _ in 0..shown {
            hand.show(now).expect("one to show");
        }
        hand.took_all(now);
        hand
    }

    fn four() -> Vec<Delivery> {
        (1..=4).map(|n| delivery(n, "c")).collect()
    }

    fn said(n: u64, settle: Settle, counted: bool) -> Said {
        let mut said = Said::default();
        said.note(delivery(n, "").id, settle, counted);
        said
    }

    fn retry() -> Settle {
        Settle::Retry { after: SETTLE_AFTER, cause: String::new() }
    }

    fn ids(done: &[DeliveryId]) -> Vec<u64> {
        done.iter().map(|id| id.position.0).collect()
    }

    #[test]
    fn frames_are_shown_in_order_and_leave_room_when_answered() {
        let now = Instant::now();
        let mut hand = with(vec![delivery(1, "c"), delivery(2, "c"), delivery(3, "d")], 2, now);
        assert_eq!((hand.open(), hand.open_shown()), (3, 2));
        assert!(hand.reply_to("e2") && !hand.reply_to("e2"));
        assert_eq!((hand.open(), ids(&hand.done(now, SETTLE_AFTER))), (2, vec![2]));
        assert_eq!(hand.settled(&said(2, Settle::Ack, true), now), Tally { succeeded: 1, failed: 0 });
        assert_eq!(hand.show(now).map(|(delivery, _)| delivery.id.position), Some(Position(3)));
        assert!(hand.show(now).is_none());
    }

    #[test]
    fn a_reply_in_a_conversation_settles_its_oldest_shown_frame() {
        let now = Instant::now();
        let mut hand =
            with(vec![delivery(1, "a"), delivery(2, "b"), delivery(3, "b"), delivery(4, "b")], 3, now);
        assert!(hand.reply_in("b"));
        assert_eq!(ids(&hand.done(now, SETTLE_AFTER)), [2]);
        assert!(hand.reply_in("b"));
        // The third of the conversation was not shown, so nobody can have answered it.
        assert!(!hand.reply_in("b") && !hand.reply_to("e4") && !hand.reply_in("z"));
        assert_eq!(ids(&hand.done(now, SETTLE_AFTER)), [2, 3]);
    }

    #[test]
    fn time_settles_only_what_has_left_the_process() {
        let now = Instant::now();
        let mut hand = with(vec![delivery(1, "a"), delivery(2, "b"), delivery(3, "c")], 1, now);
        hand.show(now).expect("one to show");
        assert_eq!(hand.done_at(SETTLE_AFTER), Some(now + SETTLE_AFTER));
        let due = now + SETTLE_AFTER;
        assert!(hand.done(due - Duration::from_millis(1), SETTLE_AFTER).is_empty());
        assert_eq!(ids(&hand.done(due, SETTLE_AFTER)), [1]);
        hand.took_all(due);
        assert_eq!(ids(&hand.done(due, SETTLE_AFTER)), [1], "it was taken only now");
        hand.took_all(due + SETTLE_AFTER);
        assert_eq!(ids(&hand.done(due + SETTLE_AFTER, SETTLE_AFTER)), [1, 2]);
    }

    #[test]
    fn a_lease_is_renewed_from_when_it_was_extended() {
        let (now, renew) = (Instant::now(), Duration::from_secs(10));
        let mut hand = with(vec![delivery(1, "a"), delivery(2, "b")], 1, now);
        assert_eq!(hand.extend_at(renew, true), Some(now + renew));
        assert!(hand.to_extend(now, renew, true).is_empty());
        assert_eq!(ids(&hand.to_extend(now + renew, renew, true)), [1, 2]);
        assert_eq!(ids(&hand.to_extend(now + renew, renew, false)), [2], "what was not shown");
        assert_eq!(hand.settled(&said(1, Settle::Extend, true), now + renew), Tally::default());
        assert_eq!(ids(&hand.to_extend(now + renew, renew, true)), [2]);
        assert_eq!(hand.expire(now + renew, renew), 0);
        assert_eq!(hand.expire_at(renew), Some(now + renew * 2));
        assert_eq!((hand.expire(now + renew * 2, renew), hand.open()), (1, 1));
    }

    #[test]
    fn what_is_said_counts_for_the_attempt_in_hand_but_an_ack_for_any() {
        let now = Instant::now();
        let older = |settle, counted| {
            let mut said = Said::default();
            said.note(DeliveryId { attempt: 7, ..delivery(1, "").id }, settle, counted);
            said
        };
        let release = Settle::Release { after: SETTLE_AFTER };
        for (said, left, succeeded, failed) in [
            (said(1, Settle::Ack, true), 3, 1, 0),
            (older(Settle::Ack, true), 3, 1, 0),
            (older(Settle::Ack, false), 4, 0, 0),
            (older(retry(), false), 4, 0, 0),
            (said(1, retry(), true), 3, 0, 1),
            (said(1, Settle::Reject { cause: String::new() }, true), 3, 0, 1),
            (said(1, release, true), 3, 0, 0),
            (said(1, retry(), false), 3, 0, 0),
            (said(1, Settle::Extend, false), 3, 0, 0),
            (said(9, Settle::Ack, true), 4, 0, 0),
        ] {
            let mut hand = with(four(), 2, now);
            assert_eq!(hand.settled(&said, now), Tally { succeeded, failed }, "{said:?}");
            assert_eq!(hand.open(), left, "{said:?}");
        }
    }

    #[test]
    fn when_an_agent_leaves_only_the_oldest_open_frame_counts_as_tried() {
        let now = Instant::now();
        let kinds = |(back, _): (Settlements, Tally)| -> String {
            let kind = |settle: &Settle| match settle {
                Settle::Ack => 'A',
                Settle::Retry { .. } => 'T',
                Settle::Release { .. } => 'R',
                Settle::Reject { .. } | Settle::Extend => '?',
            };
            assert!(back.is_sorted_by_key(|(id, _)| id.position));
            back.iter().map(|(_, settle)| kind(settle)).collect()
        };
        let mut hand = with(four(), 3, now);
        hand.reply_to("e1");
        assert_eq!(kinds(hand.give_back(End::Agent)), "ATRR");
        assert_eq!(kinds(with(four(), 0, now).give_back(End::Agent)), "RRRR");
        assert_eq!(kinds(with(four(), 3, now).give_back(End::Node)), "RRRR");
        assert_eq!(with(four(), 3, now).give_back(End::Agent).1, Tally { succeeded: 0, failed: 1 });
        assert!(hand.give_back(End::Agent).0.is_empty() && hand.open() == 0);
    }

    #[test]
    fn a_newer_attempt_takes_the_place_of_the_older_one() {
        let now = Instant::now();
        let mut hand = with(vec![delivery(1, "a"), delivery(2, "b")], 1, now);
        let mut again = delivery(1, "a");
        again.id.attempt = 2;
        hand.take_over(again, false, now);
        let shown: Vec<_> = std::iter::from_fn(|| hand.show(now)).map(|(delivery, _)| delivery.id).collect();
        assert_eq!(shown.iter().map(|id| (id.position.0, id.attempt)).collect::<Vec<_>>(), [(2, 1), (1, 2)]);
    }

    #[test]
    fn only_what_was_shown_and_lay_for_its_time_lapses_by_a_newer_attempt() {
        let (now, lease) = (Instant::now(), Duration::from_secs(10));
        let newer = |n| DeliveryId { attempt: 2, ..delivery(n, "").id };
        for (id, passed, lapses) in [
            (newer(1), 10, true),
            (newer(1), 1, false),
            (newer(2), 10, false),
            (newer(9), 10, false),
            (delivery(1, "").id, 10, false),
        ] {
            let mut hand = with(four(), 1, now);
            assert_eq!(hand.lapse(id, now + Duration::from_secs(passed), lease), lapses, "{id:?} {passed}");
            assert_eq!(hand.open(), 4 - usize::from(lapses), "{id:?} {passed}");
        }
    }

    #[test]
    fn what_was_not_shown_is_let_go_of_but_for_what_is_this_agents_alone() {
        let now = Instant::now();
        let mut hand = with(four(), 1, now);
        hand.take_over(delivery(5, "mine"), true, now);
        let released = hand.release_beyond(1);
        assert_eq!(released.iter().map(|(id, _)| id.position.0).collect::<Vec<_>>(), [3, 4]);
        assert!(released.iter().all(|(_, settle)| matches!(settle, Settle::Release { .. })));
        let rest: Vec<_> = std::iter::from_fn(|| hand.show(now)).map(|(delivery, _)| delivery.id).collect();
        assert_eq!(ids(&rest), [2, 5]);
    }
}
