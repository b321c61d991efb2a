//! The durable log of events, and the groups that work through it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Error, ErrorCode, Event, Name, Position, TenantId, Topic};

use crate::{
    Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, DeliveryId, GroupCommand, GroupKey, GroupStatus,
    Settle,
};

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
/// 8. **Walls.** A reader with [`Reach::Tenant`], a consumer, the groups and the dead letters of a tenant never show
///    anything of another tenant.
/// 9. **What a group is** is told as it is now: for each topic its place and how many events of its tenant stand behind it (lag), how many
///    are in hand and how many wait, its dead letters, whether it is paused, when the oldest event was appended that it has not
///    settled, and when it was last used.
/// 10. **Paused**, a group hands out nothing, also after reopening; what is in hand can be settled. Resumed, it goes on where it was.
/// 11. **Sought**, a group goes on from another place; what is open stays open and is not handed out twice at once. Removed, it is
///     gone with all that it had in hand, its dead letters too, and made anew by the next who joins; its members hear `Unavailable`.
/// 12. **Forgotten.** A group with `expire_after` is used when somebody joins it, asks it for events or settles. One that was not used for
///     that long and has no dead letters is removed by [`expire_groups`](Self::expire_groups), never earlier.
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

    /// Settles deliveries of a group like [`Consumer::settle`], without being a member; `None` where there is no such group.
    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Option<Vec<bool>>, EventLogError>;

    /// Lists groups by tenant and name, after `after`, at most `limit` (clause 9).
    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError>;

    /// Returns how many groups a tenant has.
    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError>;

    /// Returns how a group is (clause 9).
    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<Option<GroupStatus>, EventLogError>;

    /// Carries out a command on a group; says whether there is such a group (clauses 10, 11).
    async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: GroupCommand,
    ) -> Result<bool, EventLogError>;

    /// Removes the groups that nobody has used for as long as they say, and that have no dead letters; returns which (clause 12).
    async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError>;

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

/// What a caller is told. Of a store that does not serve, nothing but that: its own words may say where it is, and are for the log.
impl From<EventLogError> for Error {
    fn from(error: EventLogError) -> Self {
        match error {
            EventLogError::Gone { .. } => Self::new(ErrorCode::NotFound, error.to_string()),
            EventLogError::Beyond { .. } | EventLogError::Invalid(_) => Self::invalid(error.to_string()),
            EventLogError::Full(_) => Self::unavailable(
                "the event log has no room. Free some space; nothing that was accepted is lost",
            )
            .retry_after(Duration::from_secs(5)),
            EventLogError::Unavailable(_) => {
                Self::unavailable("the event log's store is away; try again in a moment")
                    .retry_after(Duration::from_secs(1))
            }
            EventLogError::Corrupt(_) => {
                Self::internal("the event log is damaged; its operator is told more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_not_told_where_the_log_is_kept() {
        let inner = || "cannot reach nats://10.0.0.7:4222".to_owned();
        for (error, code) in [
            (EventLogError::Full(inner()), ErrorCode::Unavailable),
            (EventLogError::Unavailable(inner()), ErrorCode::Unavailable),
            (EventLogError::Corrupt(inner()), ErrorCode::Internal),
        ] {
            assert!(error.to_string().contains("10.0.0.7"), "who watches is told");
            let told = Error::from(error);
            assert_eq!(told.code, code);
            assert!(!told.message.contains("10.0.0.7"), "{told}");
            assert_eq!(told.retry_after.is_some(), code == ErrorCode::Unavailable);
        }
    }
}
