//! Where the registry is kept.

use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{
    AgentRecord, AgentStatus, Error, EventDefinition, Name, PayloadSchema, TenantId, Timestamp,
};

/// Agents, event definitions and schemas of all tenants, and the one sequence of their changes.
///
/// A store is the truth and answers no questions about it: who wants to know what is registered follows [`changes`](Self::changes)
/// from the beginning and keeps what it needs in memory. Several processes may stand on one store.
///
/// # Contract
/// 1. **Durable when answered.** What [`write`](Self::write) answered is in the store and stays there when the process is killed at that
///    moment. What a kill interrupts is there wholly or not at all.
/// 2. **Each for itself.** The writes of one call are carried out in their order and each sees those before it. One that is refused
///    leaves nothing behind and undoes none of the others. When the call itself fails, what became of its writes may be unknown;
///    to send all but schemas again does no harm.
/// 3. **An agent** that is put is made, or replaces all that was said of the agent of that id; it has the given status and was heard at the
///    given time. The answer says whether it was made. It keeps the time at which it was first registered until it is removed.
/// 4. **Heard.** A sign of life moves the time at which an agent was heard forward, never back, and changes its status when it brings one.
///    For an agent that is not there it is [`Refused::NotFound`].
/// 5. **Removed**, an agent is gone, and put again it is made anew. A removal with `unless_heard_after` is refused as
///    [`Refused::Conflict`] when the agent was heard after that time. An agent that is not there is [`Refused::NotFound`].
/// 6. **An event definition** that is put is made, or replaces what was said, all but its topic: the first topic stays (CONTRACT 2.7).
/// 7. **A schema** is put once: the same name and version again is [`Refused::AlreadyExists`], and the first content stays.
/// 8. **Walls.** The same id, name or version in another tenant is another agent, definition or schema; no write of a tenant changes or
///    finds anything of another.
/// 9. **Revisions.** What a write changed has a revision, greater than that of every write that was answered before it was sent.
///    Who has seen the changes up to a revision has seen all that is at or below it, whatever other processes write at the same time: none appears there later.
/// 10. **Changes** after a revision are each row's state as it is now, once, in the order of revisions, at most as many as asked for: a page may
///     have fewer, even none, and more after it; it says up to which revision it goes. After 0 it is all that there is, without what was
///     removed.
/// 11. **What is not news is not repeated.** Where only a sign of life came after the revision that is asked for, the change is
///     [`RegistryRow::Heard`] and does not repeat the record. So an agent has two places, where its record was said and where it was heard since:
///     who pages gets the record at the first, and may get `Heard` at the second; `Heard` alone only of an agent whose record he was given.
/// 12. **Waiting.** [`changed`](Self::changed) returns soon (within a second) after something was written past a revision, by this process or another; it
///     may return for nothing. Dropping it loses nothing.
/// 13. **Forgotten.** That an agent was removed is told until [`forget`](Self::forget) passes it. A revision other than 0 that lies before something
///     forgotten is [`RegistryStoreError::Gone`]: who follows begins anew from 0. What was removed before he began he was never told of; so
///     who gives back where he [began](ReadFrom::began) is not sent back for that, however small his pages are.
/// 14. **Kept as said.** What is read back equals what was written: texts, the order and the digits of schemas.
/// 15. **What cannot be read**, since it is damaged or was written by a newer version, is left out, and the store's log says so. It holds up
///     nothing else: pages go past it. Put again, it is whole.
/// 16. **Gone back.** A store that has gone back, to a copy of before, has not got to where one may have been: a revision past its last is
///     [`RegistryStoreError::Gone`], too, and who waits there is woken.
#[async_trait]
pub trait RegistryStore: Send + Sync + std::fmt::Debug + 'static {
    /// Carries out writes, in one transaction; an answer for each, in order (clauses 1 to 9).
    async fn write(
        &self,
        writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError>;

    /// Returns what changed after a revision (clauses 9 to 11, 13, 15, 16).
    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError>;

    /// Waits until something may have been written after a revision (clauses 12, 16).
    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError>;

    /// Forgets that agents were removed before a time; returns how many (clause 13).
    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError>;

    /// Says whether the store can take a write now.
    async fn check(&self) -> Result<(), RegistryStoreError>;
}

/// One thing to write, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryWrite {
    /// Whose.
    pub tenant: TenantId,
    /// When: the time that is written down.
    pub at: Timestamp,
    /// What.
    pub what: RegistryAct,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum RegistryAct {
    /// An agent registers (clause 3). It was heard at the time of the write.
    PutAgent {
        /// What it says of itself.
        agent: AgentRecord,
        /// How it is.
        standing: Standing,
    },
    /// An agent gave a sign of life (clause 4).
    Hear {
        /// Which.
        agent: Name,
        /// How it is, where it says so.
        standing: Option<Standing>,
    },
    /// An agent is no more (clause 5).
    RemoveAgent {
        /// Which.
        agent: Name,
        /// Not if it was heard after this.
        unless_heard_after: Option<Timestamp>,
    },
    /// What an event means (clause 6).
    PutEvent(EventDefinition),
    /// A schema (clause 7); its `created_at` is replaced by the time of the write.
    PutSchema(PayloadSchema),
}

/// How an agent is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How; never [`AgentStatus::Expired`], which is for who reads to find out.
    pub status: AgentStatus,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

impl Standing {
    /// Ready, which needs no reason.
    pub const READY: Self = Self { status: AgentStatus::Ready, reason: None };
}

/// That something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The revision that the row has now.
    pub revision: u64,
    /// Whether there was nothing before.
    pub made: bool,
}

/// Why one write was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such agent.
    #[error("there is no such agent")]
    NotFound,
    /// There is such a schema.
    #[error("there is such a schema")]
    AlreadyExists,
    /// The agent was heard in the meantime.
    #[error("the agent was heard in the meantime")]
    Conflict,
}

/// From where changes are read: 0 is the beginning, and [`RegistryPage::next`] what comes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadFrom {
    /// After which revision.
    pub after: u64,
    /// The store's last revision when he who reads began at 0; 0 where that is not known.
    pub began: u64,
}

impl ReadFrom {
    /// Returns where one began who asks now, of a store with this last revision that has forgotten removals up to another.
    ///
    /// # Errors
    /// [`RegistryStoreError::Gone`], where he cannot go on (clauses 13, 16).
    pub fn admit(self, last: u64, forgotten: u64) -> Result<u64, RegistryStoreError> {
        let began = if self.after == 0 { last } else { self.began };
        let known = began.max(self.after);
        if known < forgotten || known > last { Err(RegistryStoreError::Gone(self.after)) } else { Ok(began) }
    }
}

impl From<u64> for ReadFrom {
    fn from(after: u64) -> Self {
        Self { after, began: 0 }
    }
}

/// Some of the changes.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryPage {
    /// The changes.
    pub changes: Vec<RegistryChange>,
    /// Up to which revision they go: ask on after this. Not below what was asked after.
    pub upto: u64,
    /// Whether there are more at this moment.
    pub more: bool,
    /// Where he who reads began, to be given back.
    pub began: u64,
}

impl RegistryPage {
    /// Returns from where to read on.
    pub const fn next(&self) -> ReadFrom {
        ReadFrom { after: self.upto, began: self.began }
    }
}

/// One row, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryChange {
    /// Its revision.
    pub revision: u64,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is.
    pub row: RegistryRow,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub enum RegistryRow {
    /// An agent.
    Agent {
        /// What it says of itself.
        agent: Box<AgentRecord>,
        /// How it is.
        standing: Standing,
        /// When it registered first.
        registered_at: Timestamp,
        /// When it was last heard.
        heard_at: Timestamp,
    },
    /// A sign of life of an agent whose record is the same as before (clause 11).
    Heard {
        /// Which.
        agent: Name,
        /// How it is.
        standing: Standing,
        /// When it was last heard.
        heard_at: Timestamp,
    },
    /// An agent that was removed.
    Removed {
        /// Which.
        agent: Name,
    },
    /// An event definition.
    Event(Box<EventDefinition>),
    /// A schema.
    Schema(Box<PayloadSchema>),
}

/// Why the store did not do as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryStoreError {
    /// What happened after this revision was forgotten in part, or it is none of the store's: begin anew from 0.
    #[error("changes after revision {0} are not all known any more")]
    Gone(u64),
    /// The request cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// The store has no room; nothing was written.
    #[error("the registry has no room: {0}. Free some space; nothing that was accepted is lost")]
    Full(String),
    /// The store is away; whether something was written may be unknown.
    #[error("the registry is not available: {0}")]
    Unavailable(String),
    /// The store holds something it should not.
    #[error("the registry is damaged: {0}")]
    Corrupt(String),
}

/// What a caller is told. Of a store that does not serve, nothing but that: its own words may say where it is, and are for the log.
impl From<RegistryStoreError> for Error {
    fn from(error: RegistryStoreError) -> Self {
        match error {
            RegistryStoreError::Invalid(message) => Self::invalid(message),
            RegistryStoreError::Full(_) => Self::unavailable(
                "the registry has no room. Free some space; nothing that was accepted is lost",
            )
            .retry_after(Duration::from_secs(5)),
            RegistryStoreError::Unavailable(_) => {
                Self::unavailable("the registry's store is away; try again in a moment")
                    .retry_after(Duration::from_secs(1))
            }
            RegistryStoreError::Gone(_) => Self::internal(error.to_string()),
            RegistryStoreError::Corrupt(_) => {
                Self::internal("the registry is damaged; its operator is told more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::ErrorCode;

    use super::*;

    #[test]
    fn a_caller_is_not_told_where_the_registry_is_kept() {
        let inner = || "ada@10.0.0.7:5432/agents refuses".to_owned();
        for (error, code) in [
            (RegistryStoreError::Full(inner()), ErrorCode::Unavailable),
            (RegistryStoreError::Unavailable(inner()), ErrorCode::Unavailable),
            (RegistryStoreError::Corrupt(inner()), ErrorCode::Internal),
        ] {
            assert!(error.to_string().contains("10.0.0.7"), "who watches is told");
            let told = Error::from(error);
            assert_eq!(told.code, code);
            assert!(!told.message.contains("10.0.0.7"), "{told}");
            assert_eq!(told.retry_after.is_some(), code == ErrorCode::Unavailable);
        }
    }
}
