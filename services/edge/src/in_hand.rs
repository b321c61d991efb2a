//! What one member of a group has in hand, and what is to become of it. No I/O, no clock.
//!
//! Frames stand in the order in which they were handed out; those that were not sent yet stand last.

use std::collections::VecDeque;
use std::time::Duration;

use soorma_ports::{Delivery, DeliveryId, Settle};
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct InHand {
    frames: VecDeque<Frame>,
    unsent: usize,
}

#[derive(Debug)]
struct Frame {
    delivery: Delivery,
    /// When the time to settle last began.
    leased: Instant,
    sent: Option<Sent>,
    replied: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    /// Which piece of the stream it is, counted from 1.
    nth: u64,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The member left, or took no more bytes: what it was at may be why.
    Member,
    /// We stopped: nobody is to blame.
    Server,
}

impl InHand {
    /// Takes over what was handed out. A newer attempt takes the place of an older one, whose lease has run out.
    pub(crate) fn take_over(&mut self, deliveries: Vec<Delivery>, now: Instant) {
        for delivery in deliveries {
            let DeliveryId { topic, position, .. } = delivery.id;
            self.retain(|frame| (frame.delivery.id.topic, frame.delivery.id.position) != (topic, position));
            self.frames.push_back(Frame { delivery, leased: now, sent: None, replied: false });
            self.unsent += 1;
        }
    }

    /// Returns how many more may be handed out.
    pub(crate) fn room(&self, credit: usize) -> usize {
        credit.saturating_sub(self.frames.iter().filter(|frame| !frame.replied).count())
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent > 0
    }

    /// Gives the next one to be sent as piece `nth`, and counts it as sent.
    pub(crate) fn send(&mut self, now: Instant, nth: u64) -> Option<Delivery> {
        let index = self.frames.len().checked_sub(self.unsent)?;
        let frame = self.frames.get_mut(index)?;
        frame.sent = Some(Sent { at: now, nth });
        self.unsent -= 1;
        Some(frame.delivery.clone())
    }

    /// Notes that the event with this id was answered.
    pub(crate) fn reply_to(&mut self, id: &str) -> bool {
        self.reply(|delivery| delivery.event.id.as_str() == id)
    }

    /// Notes that the oldest event of this conversation was answered.
    pub(crate) fn reply_in(&mut self, correlation_id: &str) -> bool {
        self.reply(|delivery| delivery.event.correlation_id.as_deref() == Some(correlation_id))
    }

    fn reply(&mut self, is_meant: impl Fn(&Delivery) -> bool) -> bool {
        let open = |frame: &&mut Frame| frame.sent.is_some() && !frame.replied && is_meant(&frame.delivery);
        let frame = self.frames.iter_mut().find(open);
        frame.map(|frame| frame.replied = true).is_some()
    }

    /// Returns what is done: what was answered, and what the member has had for `settle_after`. Only the first
    /// `taken` pieces of the stream have left this process.
    pub(crate) fn done(&self, now: Instant, settle_after: Duration, taken: u64) -> Vec<DeliveryId> {
        let is_old = |sent: Sent| sent.nth <= taken && now.duration_since(sent.at) >= settle_after;
        let done = self.frames.iter().filter(|frame| frame.replied || frame.sent.is_some_and(is_old));
        done.map(|frame| frame.delivery.id).collect()
    }

    /// Returns what must be extended, having been leased for `renew_after`.
    pub(crate) fn to_extend(&self, now: Instant, renew_after: Duration) -> Vec<DeliveryId> {
        let old = self.frames.iter().filter(|frame| now.duration_since(frame.leased) >= renew_after);
        old.map(|frame| frame.delivery.id).collect()
    }

    /// Notes what was settled: the attempts that were extended have their time anew, all else is out of hand.
    pub(crate) fn settled(&mut self, settlements: &[(DeliveryId, Settle)], now: Instant) {
        for (id, settle) in settlements {
            if *settle == Settle::Extend {
                if let Some(frame) = self.frames.iter_mut().find(|frame| frame.delivery.id == *id) {
                    frame.leased = now;
                }
            } else {
                self.retain(|frame| frame.delivery.id != *id);
            }
        }
    }

    /// Returns when the oldest sent one counts as done.
    pub(crate) fn done_at(&self, settle_after: Duration) -> Option<Instant> {
        let sent = self.frames.front()?.sent?;
        Some(sent.at + settle_after)
    }

    /// Gives all back, in order. The one that a member was at when it left counts as an attempt; those behind it
    /// were most likely never looked at.
    pub(crate) fn give_back(&mut self, end: End) -> Vec<(DeliveryId, Settle)> {
        self.unsent = 0;
        let mut blame = end == End::Member;
        let back = self.frames.drain(..).map(|frame| {
            let settle = if frame.replied {
                Settle::Ack
            } else if std::mem::take(&mut blame) && frame.sent.is_some() {
                Settle::Retry {
                    after: Duration::ZERO,
                    cause: "the stream ended before it was settled".into(),
                }
            } else {
                Settle::Release { after: Duration::ZERO }
            };
            (frame.delivery.id, settle)
        });
        back.collect()
    }

    fn retain(&mut self, keep: impl Fn(&Frame) -> bool) {
        let unsent = &mut self.unsent;
        self.frames.retain(|frame| {
            let kept = keep(frame);
            *unsent -= usize::from(!kept && frame.sent.is_none());
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use soorma_core::{Event, EventId, Position, Timestamp, Topic};

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

    fn with(deliveries: Vec<Delivery>, sent: u64, now: Instant) -> InHand {
        let mut hand = InHand::default();
        hand.take_over(deliveries, now);
        for nth in 1..=sent {
            hand.send(now, nth).expect("one to send");
        }
        hand
    }

    fn ids(done: &[DeliveryId]) -> Vec<u64> {
        done.iter().map(|id| id.position.0).collect()
    }

    #[test]
    fn frames_are_sent_in_order_and_leave_room_when_answered() {
        let now = Instant::now();
        let mut hand = with(vec![delivery(1, "c"), delivery(2, "c"), delivery(3, "d")], 2, now);
        assert_eq!(hand.room(3), 0);
        assert!(hand.reply_to("e2") && !hand.reply_to("e2"));
        assert_eq!((hand.room(3), ids(&hand.done(now, SETTLE_AFTER, 0))), (1, vec![2]));
        hand.settled(&[(delivery(2, "").id, Settle::Ack)], now);
        assert_eq!(hand.room(3), 1);
        assert_eq!(hand.send(now, 3).map(|delivery| delivery.id.position), Some(Position(3)));
        assert!(!hand.has_unsent() && hand.send(now, 4).is_none());
    }

    #[test]
    fn a_reply_in_a_conversation_settles_its_oldest_sent_frame() {
        let now = Instant::now();
        let mut hand =
            with(vec![delivery(1, "a"), delivery(2, "b"), delivery(3, "b"), delivery(4, "b")], 3, now);
        assert!(hand.reply_in("b"));
        assert_eq!(ids(&hand.done(now, SETTLE_AFTER, 0)), [2]);
        assert!(hand.reply_in("b"));
        // The third of the conversation was not sent, so nobody can have answered it.
        assert!(!hand.reply_in("b") && !hand.reply_to("e4") && !hand.reply_in("z"));
        assert_eq!(ids(&hand.done(now, SETTLE_AFTER, 0)), [2, 3]);
    }

    #[test]
    fn time_settles_only_what_has_left_the_process() {
        let now = Instant::now();
        let hand = with(vec![delivery(1, "a"), delivery(2, "b"), delivery(3, "c")], 2, now);
        assert_eq!(hand.done_at(SETTLE_AFTER), Some(now + SETTLE_AFTER));
        let early = now + SETTLE_AFTER - Duration::from_millis(1);
        assert!(hand.done(early, SETTLE_AFTER, 9).is_empty());
        for (taken, expect) in [(0, vec![]), (1, vec![1]), (9, vec![1, 2])] {
            assert_eq!(ids(&hand.done(now + SETTLE_AFTER, SETTLE_AFTER, taken)), expect);
        }
    }

    #[test]
    fn a_lease_is_renewed_from_when_it_was_extended() {
        let (now, renew) = (Instant::now(), Duration::from_secs(10));
        let mut hand = with(vec![delivery(1, "a")], 1, now);
        assert!(hand.to_extend(now, renew).is_empty());
        assert_eq!(ids(&hand.to_extend(now + renew, renew)), [1]);
        hand.settled(&[(delivery(1, "").id, Settle::Extend)], now + renew);
        assert!(hand.to_extend(now + renew, renew).is_empty());
    }

    #[test]
    fn when_a_member_leaves_only_the_oldest_open_frame_counts_as_tried() {
        let now = Instant::now();
        let all = || (1..=4).map(|n| delivery(n, "c")).collect::<Vec<_>>();
        let kinds = |back: Vec<(DeliveryId, Settle)>| -> String {
            let kind = |settle: &Settle| match settle {
                Settle::Ack => 'A',
                Settle::Retry { .. } => 'T',
                Settle::Release { .. } => 'R',
                Settle::Reject { .. } | Settle::Extend => '?',
            };
            assert!(back.is_sorted_by_key(|(id, _)| id.position));
            back.iter().map(|(_, settle)| kind(settle)).collect()
        };
        let mut hand = with(all(), 3, now);
        hand.reply_to("e1");
        assert_eq!(kinds(hand.give_back(End::Member)), "ATRR");
        assert_eq!(kinds(with(all(), 0, now).give_back(End::Member)), "RRRR");
        assert_eq!(kinds(with(all(), 3, now).give_back(End::Server)), "RRRR");
        assert!(hand.give_back(End::Member).is_empty() && hand.room(1) == 1);
    }

    #[test]
    fn a_newer_attempt_takes_the_place_of_the_older_one() {
        let now = Instant::now();
        let mut hand = with(vec![delivery(1, "a"), delivery(2, "b")], 1, now);
        let mut again = delivery(1, "a");
        again.id.attempt = 2;
        hand.take_over(vec![again], now);
        let sent: Vec<_> = (1..).map_while(|nth| hand.send(now, nth)).map(|sent| sent.id).collect();
        assert_eq!(sent.iter().map(|id| (id.position.0, id.attempt)).collect::<Vec<_>>(), [(2, 1), (1, 2)]);
    }
}
