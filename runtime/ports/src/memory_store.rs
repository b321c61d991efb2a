//! Where memory is kept.

use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Error, MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use uuid::Uuid;

use crate::Generation;

/// Entries of all tenants: texts, what belongs to them, and vectors by which their meaning is found.
///
/// A store knows no kinds of memory. An entry has a kind, whose it is, a group within the kind, perhaps a key that is its own there, labels by which it is looked
/// up, a body that the store does not read, and perhaps a text that is searched. Several processes may stand on one store.
///
/// # Contract
/// 1. **Durable when answered.** What [`write`](Self::write) answered is in the store and stays there when the process is killed at that moment, and so do
///    vectors that were answered. What a kill interrupts is there wholly or not at all: an entry, its labels, its words and its vector never disagree.
/// 2. **Each for itself.** The writes of one call are carried out in their order and each sees those before it. One that is refused leaves nothing
///    behind and undoes none of the others.
/// 3. **Keys.** Of a kind and a group, an owner has one private entry of a key, and a tenant one public entry of it, whoever put it. Private and public entries of one key are two. Entries without
///    a key are each their own.
/// 4. **Put** where there is none, an entry is made: it has the id of the draft and was created at the time of the write. Put where there is one, all but its id, owner and
///    `created_at` is replaced. [`When`] says what must be there; [`MemoryRefused`] why it was not done.
/// 5. **Revisions.** Each write that changes an entry gives it a revision that is greater than all that it had before, and than all that an entry in its place had that is gone:
///    nobody who compares revisions takes one state for another.
/// 6. **Vectors.** A draft may bring a vector of one generation. A put that changes the text drops all vectors of the entry but the one it brings; one that leaves the text as it is keeps
///    them. [`put_vectors`](Self::put_vectors) adds vectors to entries that still have the revision that they were made of; others are passed over.
/// 7. **Walls.** Nothing of one tenant is read, counted, ranked or changed for another. Within a tenant, an owner sees private entries of its own alone, and public ones of all; it removes its own alone.
/// 8. **Expired** entries, from `expires_at` on, are not there for any call that says what time it is; [`expire`](Self::expire) removes them, and until then those that say no
///    time count and erase them.
/// 9. **Lists** are in the order that is asked for, ties by id in the same direction, and each entry stands in them once as long as nothing is written; who goes on after the last of a page misses nothing that stands behind it. A page ends
///    at the entry with which it has [`MemoryPage::MOST_BYTES`] of texts and bodies, and says that there are more where there are.
/// 10. **Ranks.** [`rank`](Self::rank) answers up to three lists of the same filter, each at most as deep as asked and best first: by the cosine of vectors of the given generation and no other; by words of the query
///     that the text has, rare ones counting more; by time, newest first. An entry without a vector of that generation is in the other lists. The list by time is as deep as asked whenever that many entries fit, so
///     who asks for k finds k whenever there are k. The list by vectors may be approximate: of the true first ten, 95 in 100 are found on average, and as many come as are there.
/// 11. **Words** are sequences of letters and digits, whatever their case; no character of a query has a meaning of its own.
/// 12. **Kept as said.** What is read back equals what was written.
/// 13. **What is damaged is not trusted.** A vector that cannot be read, has another length than its generation or is not of length 1 is as if it were not there, and is told by [`unembedded`](Self::unembedded); an index that disagrees with the entries is made anew from them.
/// 14. **Erased**, nothing of an owner, service tenant or tenant is left: entries, labels, words, vectors; the receipt counts them. Public entries of an owner are erased with it.
#[async_trait]
pub trait MemoryStore: Send + Sync + std::fmt::Debug + 'static {
    /// Carries out writes, in one transaction; an answer for each, in order (clauses 1 to 7).
    async fn write(
        &self,
        writes: Vec<MemoryWrite>,
    ) -> Result<Vec<Result<MemoryDone, MemoryRefused>>, MemoryStoreError>;

    /// Returns the entries at these places, each or nothing, as they are at a time (clauses 7, 8, 12).
    async fn get(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        places: &[MemoryPlace],
    ) -> Result<Vec<Option<MemoryEntry>>, MemoryStoreError>;

    /// Lists entries (clauses 7 to 9).
    async fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError>;

    /// Returns keys and revisions of the private entries of the owner of a kind and a group, in the order of keys, byte by byte, after a key, at most `limit`; those without a
    /// key are left out. It reads no texts and bodies: to see what has changed costs little (clauses 7, 8).
    async fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        place: (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, MemoryStoreError>;

    /// Ranks entries (clauses 7, 8, 10, 11).
    async fn rank(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, MemoryStoreError>;

    /// Adds vectors of one generation; returns how many were added (clause 6).
    async fn put_vectors(
        &self,
        generation: &Generation,
        vectors: Vec<NewVector>,
    ) -> Result<u64, MemoryStoreError>;

    /// Returns entries of all tenants that have a text and no sound vector of a generation, by id, after an id, at most `limit` of them and of some MiB of text.
    async fn unembedded(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, MemoryStoreError>;

    /// Drops vectors: of one tenant where one is given, of all generations but one where one is given; returns how many.
    async fn drop_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, MemoryStoreError>;

    /// Counts what a tenant has, or one owner in it: by kind, in the order of their names.
    async fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, MemoryStoreError>;

    /// Removes what has expired by a time, at most so many of all tenants at once; returns how many (clause 8).
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<u64, MemoryStoreError>;

    /// Removes entries of a kind, of all tenants, that were created before a time, at most so many at once; returns how many.
    async fn retire(
        &self,
        kind: &MemoryKind,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, MemoryStoreError>;

    /// Erases (clause 14).
    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<Vec<KindErased>, MemoryStoreError>;

    /// Says whether the store can take a write now.
    async fn check(&self) -> Result<(), MemoryStoreError>;
}

/// One thing to write, and for whom.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryWrite {
    /// For whom.
    pub scope: MemoryScope,
    /// When: the time that is written down, and by which something has expired.
    pub at: Timestamp,
    /// What.
    pub act: MemoryAct,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum MemoryAct {
    /// Puts an entry (clauses 3 to 6).
    Put {
        /// What it is to be.
        draft: Box<MemoryDraft>,
        /// What must be there.
        when: When,
    },
    /// Removes one entry of the owner's; [`MemoryRefused::NotFound`] where there is none.
    Remove {
        /// Which.
        place: MemoryPlace,
        /// Only if it has this revision.
        revision: Option<u64>,
    },
    /// Removes all private entries of the owner of a kind and a group; there may be none.
    RemoveGroup {
        /// Of which kind.
        kind: MemoryKind,
        /// Of which group.
        group: String,
    },
}

/// What must be there so that an entry is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Anything.
    #[default]
    Any,
    /// Nothing, or it is [`MemoryRefused::AlreadyExists`].
    Absent,
    /// An entry, or it is [`MemoryRefused::NotFound`].
    Present,
    /// An entry of this revision, or it is [`MemoryRefused::Conflict`].
    Revision(u64),
}

/// An entry that is to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoryDraft {
    /// Its id, if it is made.
    pub id: Uuid,
    /// Its kind.
    pub kind: MemoryKind,
    /// The group that it is in; empty where there is none. At most 255 bytes.
    pub group: String,
    /// Its key, at most 512 bytes.
    pub key: Option<String>,
    /// Whether all of the tenant see it.
    pub public: bool,
    /// By what it is searched.
    pub text: Option<String>,
    /// What belongs to it; the store does not read it.
    pub body: String,
    /// By what it is looked up: at most 1,024 of at most 512 bytes, without order, each once.
    pub labels: Vec<String>,
    /// From when it holds.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, not with that moment.
    pub valid_until: Option<Timestamp>,
    /// When it is gone.
    pub expires_at: Option<Timestamp>,
    /// The vector of its text.
    pub vector: Option<Embedded>,
}

/// A vector of length 1, and the generation that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Which model made it.
    pub generation: Generation,
    /// As many numbers as the generation says.
    pub vector: Vec<f32>,
}

/// Where an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryPlace {
    /// By its id: private or public.
    Id(Uuid),
    /// By its key.
    Key {
        /// Its kind.
        kind: MemoryKind,
        /// Its group.
        group: String,
        /// Its key.
        key: String,
        /// Whether the public one is meant.
        public: bool,
    },
}

/// An entry as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryEntry {
    /// Its id.
    pub id: Uuid,
    /// Who put it first.
    pub owner: Owner,
    /// Its kind.
    pub kind: MemoryKind,
    /// Its group; empty where there is none.
    pub group: String,
    /// Its key.
    pub key: Option<String>,
    /// Whether all of the tenant see it.
    pub public: bool,
    /// By what it is searched.
    pub text: Option<String>,
    /// What belongs to it.
    pub body: String,
    /// By what it is looked up, in order.
    pub labels: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was put last.
    pub updated_at: Timestamp,
    /// From when it holds.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds.
    pub valid_until: Option<Timestamp>,
    /// When it is gone.
    pub expires_at: Option<Timestamp>,
    /// Its revision.
    pub revision: u64,
}

impl MemoryPage {
    /// After how many bytes of texts and bodies a page ends.
    pub const MOST_BYTES: usize = 4 * 1_024 * 1_024;
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub enum MemoryDone {
    /// An entry was put.
    Put {
        /// Its id.
        id: Uuid,
        /// Its revision now.
        revision: u64,
        /// Whether there was none before.
        made: bool,
        /// When it was made.
        created_at: Timestamp,
        /// Who put it first.
        owner: Owner,
    },
    /// So many entries were removed.
    Removed(u64),
}

/// Why one write was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryRefused {
    /// There is no such entry.
    #[error("there is no such entry")]
    NotFound,
    /// There is such an entry.
    #[error("there is such an entry")]
    AlreadyExists,
    /// The entry has another revision, or there is none.
    #[error("it has changed in the meantime")]
    Conflict {
        /// The revision that it has; nothing where it is not there.
        revision: Option<u64>,
    },
}

/// Which entries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoryFilter {
    /// Of this kind; of all where none is given.
    pub kind: Option<MemoryKind>,
    /// Of this group.
    pub group: Option<String>,
    /// With all of these labels.
    pub labels: Vec<String>,
    /// Private ones, public ones, or both.
    pub reach: Seen,
    /// Created at or after this.
    pub since: Option<Timestamp>,
    /// Created before this.
    pub before: Option<Timestamp>,
    /// That hold at this time.
    pub valid_at: Option<Timestamp>,
}

/// Whose entries are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seen {
    /// The private ones of the owner.
    #[default]
    Private,
    /// Those that are public in the tenant.
    Public,
    /// Both.
    Both,
}

/// Some entries, in an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoryQuery {
    /// Which.
    pub filter: MemoryFilter,
    /// In which order.
    pub order: MemoryOrder,
    /// After this place in it.
    pub after: Option<MemoryAfter>,
    /// At most so many.
    pub limit: usize,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemoryOrder {
    /// Created last first.
    #[default]
    Newest,
    /// Created first first.
    Oldest,
    /// Put last first.
    Updated,
    /// By key, byte by byte; those without one come first.
    Key,
}

/// A place in an order: what an entry is ordered by, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryAfter {
    /// In an order by time.
    At(Timestamp, Uuid),
    /// In the order by key; an empty text stands for none.
    Key(String, Uuid),
}

impl MemoryAfter {
    /// Returns the place of an entry in an order.
    pub fn of(entry: &MemoryEntry, order: MemoryOrder) -> Self {
        match order {
            MemoryOrder::Newest | MemoryOrder::Oldest => Self::At(entry.created_at, entry.id),
            MemoryOrder::Updated => Self::At(entry.updated_at, entry.id),
            MemoryOrder::Key => Self::Key(entry.key.clone().unwrap_or_default(), entry.id),
        }
    }
}

/// Some of the entries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemoryPage {
    /// The entries.
    pub entries: Vec<MemoryEntry>,
    /// Whether there are more after them.
    pub more: bool,
}

/// By what entries are ranked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RankQuery {
    /// Which.
    pub filter: MemoryFilter,
    /// By this vector, where one is given.
    pub meaning: Option<Embedded>,
    /// By the words of this text, where one is given.
    pub words: Option<String>,
    /// By time, where that is wanted.
    pub time: bool,
    /// How deep each list is at most.
    pub depth: usize,
}

/// Entries, best first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranks {
    /// By meaning, with the cosine.
    pub meaning: Vec<(Uuid, f32)>,
    /// By words, with a score that is greater for what fits better.
    pub words: Vec<(Uuid, f32)>,
    /// By the time of their creation, newest first.
    pub time: Vec<Uuid>,
}

/// A vector for an entry that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVector {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: Uuid,
    /// Of which revision the text was.
    pub revision: u64,
    /// The vector.
    pub vector: Vec<f32>,
}

/// An entry that has no vector of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Unembedded {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: Uuid,
    /// Its revision.
    pub revision: u64,
    /// Its text.
    pub text: String,
}

/// How much there is of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCount {
    /// The kind.
    pub kind: MemoryKind,
    /// How many entries.
    pub entries: u64,
    /// How many of them are public.
    pub public: u64,
    /// The bytes of their texts and bodies.
    pub bytes: u64,
    /// How many have a text.
    pub texts: u64,
    /// How many have a vector of the generation that was asked for.
    pub embedded: u64,
}

/// Whose is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// One owner's.
    Owner(Owner),
    /// All of a service tenant.
    ServiceTenant(String),
    /// All of the tenant.
    Tenant,
}

/// What was erased of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindErased {
    /// The kind.
    pub kind: MemoryKind,
    /// How many entries.
    pub entries: u64,
    /// How many vectors.
    pub vectors: u64,
}

/// Why the store did not do as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryStoreError {
    /// The request cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// The store has no room; nothing was written.
    #[error("the memory has no room: {0}. Free some space; nothing that was accepted is lost")]
    Full(String),
    /// The store is away; whether something was written may be unknown.
    #[error("the memory is not available: {0}")]
    Unavailable(String),
    /// The store holds something it should not.
    #[error("the memory is damaged: {0}")]
    Corrupt(String),
}

/// What a caller is told. Of a store that does not serve, nothing but that: its own words may say where it is, and are for the log.
impl From<MemoryStoreError> for Error {
    fn from(error: MemoryStoreError) -> Self {
        match error {
            MemoryStoreError::Invalid(message) => Self::invalid(message),
            MemoryStoreError::Full(_) => Self::unavailable(
                "the memory has no room. Free some space; nothing that was accepted is lost",
            )
            .retry_after(Duration::from_secs(5)),
            MemoryStoreError::Unavailable(_) => {
                Self::unavailable("the memory's store is away; try again in a moment")
                    .retry_after(Duration::from_secs(1))
            }
            MemoryStoreError::Corrupt(_) => {
                Self::internal("the memory is damaged; its operator is told more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::ErrorCode;

    use super::*;

    #[test]
    fn a_caller_is_not_told_where_memory_is_kept() {
        let inner = || "ada@10.0.0.7:5432/memory refuses".to_owned();
        for (error, code) in [
            (MemoryStoreError::Full(inner()), ErrorCode::Unavailable),
            (MemoryStoreError::Unavailable(inner()), ErrorCode::Unavailable),
            (MemoryStoreError::Corrupt(inner()), ErrorCode::Internal),
        ] {
            assert!(error.to_string().contains("10.0.0.7"), "who watches is told");
            let told = Error::from(error);
            assert_eq!(told.code, code);
            assert!(!told.message.contains("10.0.0.7"), "{told}");
        }
    }
}
