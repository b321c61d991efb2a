//! How much there is, and how it is looked after.

use async_trait::async_trait;
use soorma_core::{Error, MemoryReceipt, MemoryStats, Owner, TenantId};

use crate::Erased;

/// Looks after memory.
#[async_trait]
pub trait Upkeep {
    /// Says how much a tenant has, or one owner in it, and how far its vectors are.
    async fn stats(&self, tenant: &TenantId, owner: Option<&Owner>) -> Result<MemoryStats, Error>;

    /// Erases all of an owner, service tenant or tenant, and says what it was.
    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<MemoryReceipt, Error>;

    /// Drops the vectors of a tenant and has them made anew in the background; says how many were dropped. Searches go by words and time until they are there.
    async fn reembed(&self, tenant: &TenantId) -> Result<u64, Error>;

    /// Counts, for who watches over the whole node: of no tenant, and to be shown to none.
    fn tally(&self) -> MemoryTally;

    /// Says whether memory answers, and whether it can be written to.
    async fn check_memory(&self) -> Result<(), Error>;
}

/// What the memory of a node counts, since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryTally {
    /// How many texts were turned into vectors.
    pub embedded: u64,
    /// How many texts were stored without a vector, since none could be had in time.
    pub deferred: u64,
    /// How many searches went without the meaning, since it could not be had in time.
    pub without_meaning: u64,
    /// How many entries were removed since their time was over.
    pub expired: u64,
    /// Whether the embedder is away: it did not answer when it was asked last. Where there is none, none is away.
    pub embedder_away: bool,
}
