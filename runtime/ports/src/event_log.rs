//! The durable log of events, and the groups that work through it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Cursor, Error, ErrorCode, Event, Name, Position, TenantId, Timestamp, Topic};

/// An append-only log of events, one sequence of positions for each topic, walled by tenant.
///
/// # Contract
/// 1. **Durable when answered.** When [`append`](Self::append) answers, the events are in the log and stay
///    there when the process is killed at that moment.
/// 2. **Once.** An id that the tenant has in that topic is not appended again: the answer has the first
///    position and says `duplicate`; the first content stays. The same id in another tenant or topic is another event.
/// 3. **All or nothing.** One call of `append` appends all its events or, when it fails, none; they stand in
///    the log in the order of the call.
/// 4. **Positions grow** within a topic, in the order in which appends are answered to one who waits for each.
/// 5. **Reading** with [`read`](Self::read) gives events after a position in order, at most as many as asked for, and
///    says up to where it has looked. After the end there is nothing, and that is no error.
/// 6. **The future and the past are refused.** To read after a position that the log has not reached is
///    [`EventLogError::Beyond`]; after one that retention has passed, [`EventLogError::Gone`] with the earliest.
/// 7. **Following** gives every event of a topic, of all tenants, once and in order, from a position on, and waits at the end.
/// 8. **Walls.** A reader with [`Reach::Tenant`], a consumer, and the dead letters of a tenant never show
///    anything of another tenant.
#[async_trait]
pub trait EventLog: Send + Sync + std::fmt::Debug + 'static {
    /// Appends events of one tenant; answers when they are durable (clauses 1 to 4).
    async fn append(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<Event>>,
    ) -> Result<Vec<Appended>, EventLogError>;

    /// Returns what stands after a position (clauses 5, 6, 8).
    async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError>;

    /// Returns the first and last position of a topic.
    async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError>;

    /// Follows a topic from a position on (clauses 6, 7).
    async fn follow(&self, topic: Topic, after: Position) -> Result<Box<dyn Follower>, EventLogError>;

    /// Opens a consumer: makes the group where it does not exist, joins it where it does (see [`Consumer`]).
    async fn consumer(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, EventLogError>;

    /// Lists dead letters, oldest first, after the id `after`, at most `limit`.
    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError>;

    /// Returns one dead letter.
    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<DeadLetter>, EventLogError>;

    /// Gives dead letters back to their groups, as fresh events with no attempt used; returns which were there to be given back.
    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError>;

    /// Drops dead letters; returns which were there to be dropped.
    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError>;

    /// Says whether the log can take an append now.
    async fn check(&self) -> Result<(), EventLogError>;
}

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
///    It can be read, redriven (handed out again, attempt 1) and discarded.
/// 6. **Credit.** [`next`](Self::next) hands out at most `max`, and the group never has more than `max_unsettled` in hand, whoever asks.
/// 7. **Groups do not disturb each other.** What one settles, another still gets.
/// 8. **A reopened group resumes** where it was; `start` counts only when it is made. One made at [`Start::Now`] gets what is
///    appended after the answer, one at [`Start::Earliest`] all that the log has, one at [`Start::After`] what stands after a cursor.
///    Topics that are added later start at now; topics that are left out are no longer handed out.
/// 9. **Order.** Events of one topic are first handed out in the order of their positions; those due again go before new ones.
/// 10. **Old holders.** An ack settles the event whoever sends it. Every other settlement counts only from the holder of the newest
///     attempt. What did not count is answered `false`.
#[async_trait]
pub trait Consumer: Send + Sync + std::fmt::Debug + 'static {
    /// Hands out events, at most `max`; waits up to `wait` for the first one.
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>, EventLogError>;

    /// Settles deliveries, in order; says for each whether it counted.
    async fn settle(&self, settlements: Vec<(DeliveryId, Settle)>) -> Result<Vec<bool>, EventLogError>;
}

/// Events of one topic, as they come.
#[async_trait]
pub trait Follower: Send + std::fmt::Debug + 'static {
    /// Waits for the next events; never returns an empty list.
    async fn next(&mut self) -> Result<Vec<Entry>, EventLogError>;
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it stands in its topic.
    pub position: Position,
    /// Whose it is.
    pub tenant: TenantId,
    /// The event.
    pub event: Arc<Event>,
}

/// The answer to the append of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Where it stands.
    pub position: Position,
    /// Whether it stood there before.
    pub duplicate: bool,
}

/// Whose events a reader sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Those of one tenant.
    Tenant(TenantId),
    /// Those of all: for the platform itself, never on behalf of a caller.
    Platform,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events.
    pub entries: Vec<Entry>,
    /// Up to where the reader has looked: read on after this.
    pub next: Position,
}

/// The ends of a topic. Both are equal when it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// What retention has passed ends here; reading after it gives the first event there is.
    pub before_first: Position,
    /// The last position that was given out.
    pub head: Position,
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

/// An event that a group could not deal with.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Its id in the tenant; grows.
    pub id: u64,
    /// The group that gave up.
    pub group: Name,
    /// Where the event stands.
    pub position: Position,
    /// Why the last attempt failed.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first handed out.
    pub first_at: Timestamp,
    /// When it was given up.
    pub last_at: Timestamp,
    /// The event.
    pub event: Arc<Event>,
}

/// Which dead letters are wanted; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Of one group.
    pub group: Option<Name>,
    /// Of one topic.
    pub topic: Option<Topic>,
}

/// Why the log did not do as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventLogError {
    /// Retention has passed this position.
    #[error("position {after} of {topic} is gone; the earliest is {before_first}")]
    Gone {
        /// The topic.
        topic: Topic,
        /// What was asked for.
        after: Position,
        /// After what there is something to read.
        before_first: Position,
    },
    /// The log has not reached this position.
    #[error(
        "position {after} of {topic} lies in the future; the log ends at {head}. Send back a position that this log gave out"
    )]
    Beyond {
        /// The topic.
        topic: Topic,
        /// What was asked for.
        after: Position,
        /// Where the log ends.
        head: Position,
    },
    /// The request cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// The store has no room; nothing was appended.
    #[error("the event log has no room: {0}. Free some space; nothing that was accepted is lost")]
    Full(String),
    /// The store is away; whether something was appended may be unknown, so append it again under the same ids.
    #[error("the event log is not available: {0}")]
    Unavailable(String),
    /// The store holds something it should not.
    #[error("the event log is damaged: {0}")]
    Corrupt(String),
}

impl From<EventLogError> for Error {
    fn from(error: EventLogError) -> Self {
        let message = error.to_string();
        match error {
            EventLogError::Gone { .. } => Self::new(ErrorCode::NotFound, message),
            EventLogError::Beyond { .. } | EventLogError::Invalid(_) => Self::invalid(message),
            EventLogError::Full(_) => Self::unavailable(message).retry_after(Duration::from_secs(5)),
            EventLogError::Unavailable(_) => Self::unavailable(message).retry_after(Duration::from_secs(1)),
            EventLogError::Corrupt(_) => Self::internal(message),
        }
    }
}
