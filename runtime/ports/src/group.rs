//! Groups: who works through topics together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Cursor, Event, Name, PartitionKey, Position, TenantId, Timestamp, Topic};

#[cfg(doc)]
use crate::DeadLetter;
use crate::EventLogError;

/// A group's place in the log, and its work in hand. Each holder of one is a member of the group.
///
/// # Contract
/// 1. **Each event to one member.** An event of the group's topics and tenant is handed to one member at a time.
/// 2. **At least once.** What is not settled within `ack_within` of being handed out, or of its last
///    [`Settle::Extend`], is handed out again, with the attempt counted up from 1; also when it was handed out by a process that died. A log that knows that the process died
///    counts that for the oldest event in the group's hands alone: the others were likely never looked at.
/// 3. **Ack is final.** What was acknowledged, and answered, is not handed out again, also not by a log that was opened anew.
/// 4. **Retry is never early.** After [`Settle::Retry`] or [`Settle::Release`] the event is not handed out before its time is up;
///    `Retry` counts as an attempt, `Release` does not.
/// 5. **Dead letters.** When the last of `max_attempts` ends in anything but an ack, or on [`Settle::Reject`], the event becomes
///    a dead letter of the group, with cause, attempts, first and last time and content, and the group goes on.
///    It can be read, redriven (handed out again, attempt 1) and discarded. Its [`DeadLetter::announcement`] is appended, once.
/// 6. **Credit.** [`next`](Self::next) hands out at most `max`, and the group never has more than `max_unsettled` in hand, whoever asks.
/// 7. **Groups do not disturb each other.** What one settles, another still gets.
/// 8. **A reopened group resumes** where it was; `start` counts only when it is made. One made at [`Start::Now`] gets what is
///    appended after the answer, one at [`Start::Earliest`] all that the log has, one at [`Start::After`] what stands after a cursor.
///    Topics that are added later start at now.
/// 9. **Order.** Events of one topic are first handed out in the order of their positions; those due again go before new ones.
/// 10. **Old holders.** An ack settles the event whoever sends it. Every other settlement counts only from the holder of the newest
///     attempt. What did not count is answered `false`. A release is no attempt, so who takes the event next has the same id: a
///     release is not to be sent twice.
/// 11. **Topics of members.** A group has every topic that one of its members ever asked for; a member is handed out those of its own
///     [`ConsumerSpec`] only. What nobody asks for waits.
/// 12. **Keys.** Where the group has a [`ConsumerSpec::key`], an event is handed out only when every earlier event of the same key that
///     the group has seen is acknowledged or a dead letter: of one key one is in hand at a time, in the order of clause 9, whoever asks;
///     also while one waits for its retry. Events without a key, and those of other keys, do not wait for it. A redriven event waits for
///     the one of its key that is being dealt with, and goes before those that were not handed out yet.
#[async_trait]
pub trait Consumer: Send + Sync + std::fmt::Debug + 'static {
    /// Hands out events, at most `max`; waits up to `wait` for the first one.
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>, EventLogError>;

    /// Settles deliveries, in order; says for each whether it counted.
    async fn settle(&self, settlements: Vec<(DeliveryId, Settle)>) -> Result<Vec<bool>, EventLogError>;
}

/// A group, and how its events are handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// Whose events it gets.
    pub tenant: TenantId,
    /// Its name, unique in the tenant.
    pub group: Name,
    /// The topics it gets.
    pub topics: BTreeSet<Topic>,
    /// Where it starts when it is made.
    pub start: Start,
    /// How long a member has for an event before another gets it.
    pub ack_within: Duration,
    /// How often an event is tried; at least 1.
    pub max_attempts: u32,
    /// How many events the group has in hand at most; at least 1.
    pub max_unsettled: u32,
    /// What events that are to stay in order have in common.
    pub key: Option<PartitionKey>,
    /// After how long without use the group may be forgotten; never where there is nothing. At least a second.
    pub expire_after: Option<Duration>,
}

impl ConsumerSpec {
    /// Describes a group that starts now, whose members have 30 seconds for an event, with 5 attempts and at most 1,024 in hand.
    pub fn new(tenant: TenantId, group: Name, topics: impl IntoIterator<Item = Topic>) -> Self {
        Self {
            tenant,
            group,
            topics: topics.into_iter().collect(),
            start: Start::Now,
            ack_within: Duration::from_secs(30),
            max_attempts: 5,
            max_unsettled: 1_024,
            key: None,
            expire_after: None,
        }
    }
}

/// Whose group it is, and its name.
pub type GroupKey = (TenantId, Name);

/// How a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub group: Name,
    /// Where it is in each of its topics.
    pub topics: BTreeMap<Topic, GroupPlace>,
    /// How many events members have in hand.
    pub in_hand: u64,
    /// How many were taken from the log and wait: to be tried again, or for another of their key.
    pub waiting: u64,
    /// How many dead letters it has.
    pub dead_letters: u64,
    /// Whether it hands out nothing.
    pub paused: bool,
    /// When the oldest event was appended that is not settled; nothing where all are.
    pub oldest: Option<Timestamp>,
    /// When it was last used, to within an eighth of `expire_after`.
    pub used_at: Timestamp,
    /// See [`ConsumerSpec::key`].
    pub key: Option<PartitionKey>,
    /// See [`ConsumerSpec::expire_after`].
    pub expire_after: Option<Duration>,
}

/// Where a group is in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPlace {
    /// Up to here it has taken events.
    pub position: Position,
    /// How many events of its tenant stand behind that.
    pub lag: u64,
}

impl GroupStatus {
    /// Returns how many events it has not settled.
    pub fn behind(&self) -> u64 {
        self.topics.values().map(|place| place.lag).sum::<u64>() + self.in_hand + self.waiting
    }
}

/// What is to be done with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupCommand {
    /// Hand out nothing.
    Pause,
    /// Go on.
    Resume,
    /// Go on from another place, in all its topics; those that a cursor does not name stay where they are. A place out of bounds is
    /// refused as in reading.
    Seek(Start),
    /// Forget it.
    Remove,
}

/// Where a new group starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With what is appended from now on.
    Now,
    /// With the first event there is.
    Earliest,
    /// After a cursor; topics that it does not name start at now.
    After(Cursor),
}

/// An event that a member has in hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// By what it is settled.
    pub id: DeliveryId,
    /// The event.
    pub event: Arc<Event>,
}

/// Names one handing-out of one event to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// The event's topic.
    pub topic: Topic,
    /// The event's place.
    pub position: Position,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

/// What a member says of an event in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settle {
    /// It is done.
    Ack,
    /// It failed; try again after a time, one attempt is used.
    Retry {
        /// How long to wait at least.
        after: Duration,
        /// Why it failed.
        cause: String,
    },
    /// It was not tried; hand it out again after a time, no attempt is used.
    Release {
        /// How long to wait at least.
        after: Duration,
    },
    /// It will never work: a dead letter at once.
    Reject {
        /// Why.
        cause: String,
    },
    /// It takes longer: the time to settle starts anew.
    Extend,
}
