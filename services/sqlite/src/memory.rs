//! The memory's store, in the file of the log: its writes go to the log's writer and share its commits, its reads to the log's readers, and
//! what is ranked to threads of its own, since that takes longer.
//!
//! `draft`, `write`, `rows` and `removal` are what is done in the transaction; `entry`, `list` and `upkeep` look at what was committed;
//! `rank` asks `meaning` (over the `sets` in memory) and `matches` (over the index of words). `admitted` and `filter` say what may be
//! answered.

mod admitted;
mod changes;
mod checksum;
mod draft;
mod entry;
mod filter;
mod list;
mod matches;
mod meaning;
mod mend;
mod postings;
mod rank;
mod removal;
mod resident;
mod rows;
mod scope;
mod sets;
mod shelf;
mod tidying;
mod upkeep;
mod words;
mod write;

pub(crate) use changes::Changes;
pub(crate) use mend::keep_up;
pub(crate) use sets::Sets;
pub(crate) use tidying::Tidying;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    Erased, EventLogError, Generation, KindCount, KindErased, MemoryDone, MemoryEntry, MemoryFilter,
    MemoryPage, MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore, MemoryStoreError, MemoryWrite,
    NewVector, RankQuery, Ranks, Unembedded,
};
use uuid::Uuid;

use crate::error::memory_error;
use crate::rankers::Rankers;
use crate::readers::Readers;
use crate::writer::{Kind, Tx, Writer};

/// So often what is damaged is looked for and made anew in the life of a process. Where it does not help, the disk is to be looked at.
const MENDS: u32 = 4;

/// The memory's store in the file of a [`SqliteLog`](crate::SqliteLog), for one process.
///
/// What is put or removed is synced to the disk before it is answered; what is put is refused when the file has its largest size. Vectors are
/// rows of the file, and those of scopes that are asked are in memory, too, as far as the bound allows; a scope that is larger than
/// the bound is read from the file for each search, and found in exactly.
pub struct SqliteMemory {
    writer: Writer,
    readers: Arc<Readers>,
    rankers: Arc<Rankers>,
    sets: Arc<Sets>,
    /// How often damage was looked for; one at a time does it, for all who have met it.
    mended: AtomicU32,
    mending: tokio::sync::Mutex<()>,
    /// What is damaged and cannot be made anew. It stays so until the file is another.
    lost: OnceLock<String>,
}

impl std::fmt::Debug for SqliteMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteMemory").finish_non_exhaustive()
    }
}

impl SqliteMemory {
    pub(crate) fn new(writer: Writer, readers: Arc<Readers>, rankers: Arc<Rankers>, sets: Arc<Sets>) -> Self {
        Self {
            writer,
            readers,
            rankers,
            sets,
            mended: AtomicU32::new(0),
            mending: tokio::sync::Mutex::default(),
            lost: OnceLock::new(),
        }
    }

    /// Does what is asked; where it meets damage, once more after what is damaged was made anew.
    async fn sound<T, A: Future<Output = Result<T, EventLogError>>>(
        &self,
        ask: impl Fn() -> A,
    ) -> Result<T, MemoryStoreError> {
        let mended = self.mended.load(Ordering::Relaxed);
        match ask().await {
            Err(EventLogError::Corrupt(reason)) if self.mend(&reason, mended, false).await => ask().await,
            done => done,
        }
        .map_err(memory_error)
    }

    /// Has a piece of work done by the writer.
    async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl Fn(&mut Tx<'_>) -> rusqlite::Result<T> + Clone + Send + Sync + 'static,
    ) -> Result<T, MemoryStoreError> {
        let ask = || {
            let work = work.clone();
            self.writer.ask(kind, move |tx| Ok(work(tx)?))
        };
        self.sound(ask).await
    }

    /// Looks for damage and makes anew what can be, unless that was done since it was looked for `mended` times; says whether it was done. That
    /// the index of `words` is damaged may be known already.
    async fn mend(&self, reason: &str, mended: u32, words: bool) -> bool {
        let _alone = self.mending.lock().await;
        let times = self.mended.load(Ordering::Relaxed);
        if times > mended {
            return true;
        }
        if times >= MENDS {
            return false;
        }
        self.mended.store(times + 1, Ordering::Relaxed);
        match self.mend_once(reason, words).await {
            Ok(is_mended) => {
                if is_mended && times + 1 == MENDS {
                    let _first = self.lost.set(format!("{reason}, and that not for the first time"));
                }
                is_mended
            }
            Err(error) => {
                tracing::error!(%error, reason, "memory is damaged and cannot be made anew");
                if let EventLogError::Corrupt(_) = &error {
                    let _first = self.lost.set(error.to_string());
                }
                false
            }
        }
    }

    async fn mend_once(&self, reason: &str, words: bool) -> Result<bool, EventLogError> {
        let mut damage = self.readers.read(|connection| Ok(mend::Damage::find(connection)?)).await?;
        damage.words |= words;
        if !damage.lost.is_empty() {
            tracing::error!(
                ?damage,
                reason,
                "memory is damaged, its file is to be replaced by a copy that is not"
            );
            let _first = self.lost.set(format!("{} cannot be read", damage.lost.join(", ")));
            return Ok(false);
        }
        if damage.is_none() {
            return Ok(false);
        }
        let made = format!("{damage:?}");
        self.writer.alone(move |connection| damage.mend(connection)).await?;
        self.sets.clear();
        tracing::warn!(damage = made, reason, "what was damaged in memory's file is made anew");
        Ok(true)
    }

    /// Drops vectors that were found damaged: their entries are told of as those that have none.
    async fn drop_damaged(&self, damaged: Vec<i64>) -> Result<(), MemoryStoreError> {
        if !damaged.is_empty() {
            let dropped = self.ask(Kind::Synced, move |tx| removal::drop_damaged(tx, &damaged)).await?;
            tracing::warn!(count = dropped, "vectors were damaged and are dropped");
        }
        Ok(())
    }

    /// Removes so many in as many transactions as the others can wait for.
    async fn remove(
        &self,
        limit: usize,
        some: impl Fn(&mut Tx<'_>, u64) -> rusqlite::Result<(u64, bool)> + Clone + Send + Sync + 'static,
    ) -> Result<u64, MemoryStoreError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let mut removed = 0;
        loop {
            let (some, left) = (some.clone(), limit - removed);
            let (count, has_more) = self.ask(Kind::Synced, move |tx| some(tx, left)).await?;
            removed += count;
            if !has_more || removed >= limit {
                return Ok(removed);
            }
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&rusqlite::Connection) -> rusqlite::Result<T> + Clone + Send + Sync + 'static,
    ) -> Result<T, MemoryStoreError> {
        let ask = || {
            let read = read.clone();
            self.readers.read(move |connection| Ok(read(connection)?))
        };
        self.sound(ask).await
    }

    /// The same, where it takes longer: in the turn of a tenant, or of nobody where it is for all.
    async fn look<T: Send + 'static>(
        &self,
        tenant: Option<&TenantId>,
        look: impl Fn(&rusqlite::Connection) -> rusqlite::Result<T> + Clone + Send + Sync + 'static,
    ) -> Result<T, MemoryStoreError> {
        let ask = || {
            let look = look.clone();
            self.rankers.ask(tenant.cloned(), move |connection: &_| Ok(look(connection)?))
        };
        self.sound(ask).await
    }

    async fn rank_once(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<rank::Ranked, MemoryStoreError> {
        let (sets, scope, query) = (self.sets.clone(), scope.clone(), query.clone());
        let tenant = scope.tenant.clone();
        let rank = move |connection: &_| rank::rank(connection, &sets, &scope, now, &query);
        let mut ranked = self.look(Some(&tenant), rank).await?;
        self.drop_damaged(std::mem::take(&mut ranked.damaged)).await?;
        Ok(ranked)
    }
}

#[async_trait]
impl MemoryStore for SqliteMemory {
    async fn write(
        &self,
        writes: Vec<MemoryWrite>,
    ) -> Result<Vec<Result<MemoryDone, MemoryRefused>>, MemoryStoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        // Here and not in the writer, where all others would wait for it.
        let writes: Arc<[draft::Write]> =
            writes.into_iter().map(draft::Write::new).collect::<Result<_, _>>()?;
        let (kind, bytes) = (draft::kind(&writes), draft::indexed_bytes(&writes));
        let ask = || {
            let writes = writes.clone();
            self.writer.ask_for(kind, bytes, move |tx| Ok(write::write(tx, &writes)?))
        };
        self.sound(ask).await
    }

    async fn get(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        places: &[MemoryPlace],
    ) -> Result<Vec<Option<MemoryEntry>>, MemoryStoreError> {
        let (scope, places) = (scope.clone(), places.to_vec());
        self.read(move |connection| {
            places.iter().map(|place| entry::get(connection, &scope, now, place)).collect()
        })
        .await
    }

    async fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError> {
        let (scope, query) = (scope.clone(), query.clone());
        self.read(move |connection| list::page(connection, &scope, now, &query)).await?
    }

    async fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        (kind, group): (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, MemoryStoreError> {
        let (scope, group, after) = (scope.clone(), group.to_owned(), after.map(ToOwned::to_owned));
        let filter = MemoryFilter { kind: Some(kind.clone()), ..MemoryFilter::default() };
        self.read(move |connection| {
            let Some(scope) = scope::seen(connection, &scope, &filter)?.pop() else { return Ok(Vec::new()) };
            list::states(connection, scope, now, &group, after.as_deref(), limit)
        })
        .await
    }

    async fn rank(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, MemoryStoreError> {
        if let Some(asked) = &query.meaning {
            checksum::check(&asked.generation, &asked.vector)?;
        }
        let mended = self.mended.load(Ordering::Relaxed);
        let ranked = self.rank_once(scope, now, query).await?;
        if !ranked.misses_words {
            return Ok(ranked.ranks);
        }
        let reason = "it does not have the words of all texts";
        if self.mend(reason, mended, true).await {
            let ranked = self.rank_once(scope, now, query).await?;
            if !ranked.misses_words {
                return Ok(ranked.ranks);
            }
        }
        Err(MemoryStoreError::Corrupt(format!("the index of words: {reason}")))
    }

    async fn put_vectors(
        &self,
        generation: &Generation,
        vectors: Vec<NewVector>,
    ) -> Result<u64, MemoryStoreError> {
        if vectors.is_empty() {
            return Ok(0);
        }
        let late = |NewVector { tenant, id, revision, vector }: NewVector| {
            let vector = draft::Vector::new(generation.clone(), vector)?;
            Ok(write::Late { tenant, id, revision, vector })
        };
        let vectors: Arc<[write::Late]> =
            vectors.into_iter().map(late).collect::<Result<_, MemoryStoreError>>()?;
        self.ask(Kind::Grows, move |tx| write::put_vectors(tx, &vectors)).await
    }

    async fn unembedded(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, MemoryStoreError> {
        if after.is_none() {
            // The writer sees whether another process has written to the file since.
            self.ask(Kind::Written, |_| Ok(())).await?;
            let (sets, generation) = (self.sets.clone(), generation.clone());
            let damaged = self
                .look(None, move |connection: &_| upkeep::damaged(connection, &sets, &generation))
                .await?;
            self.drop_damaged(damaged).await?;
        }
        let generation = generation.clone();
        self.look(None, move |connection: &_| upkeep::unembedded(connection, &generation, after, limit)).await
    }

    async fn drop_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, MemoryStoreError> {
        let mut dropped = 0;
        loop {
            let (tenant, but) = (tenant.cloned(), but.cloned());
            let some = self
                .ask(Kind::Synced, move |tx| removal::drop_vectors(tx, tenant.as_ref(), but.as_ref()))
                .await?;
            dropped += some;
            if some == 0 {
                return Ok(dropped);
            }
        }
    }

    async fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, MemoryStoreError> {
        let (tenant, owner, generation) = (tenant.clone(), owner.cloned(), generation.cloned());
        self.read(move |connection| upkeep::kinds(connection, &tenant, owner.as_ref(), generation.as_ref()))
            .await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<u64, MemoryStoreError> {
        self.remove(limit, move |tx, limit| removal::expire(tx, now.micros(), limit)).await
    }

    async fn retire(
        &self,
        kind: &MemoryKind,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, MemoryStoreError> {
        let kind = kind.clone();
        self.remove(limit, move |tx, limit| removal::retire(tx, &kind, before.micros(), limit)).await
    }

    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<Vec<KindErased>, MemoryStoreError> {
        let mut receipt = removal::Receipt::new();
        loop {
            let (tenant, whose) = (tenant.clone(), whose.clone());
            let part = self.ask(Kind::Synced, move |tx| removal::erase(tx, &tenant, &whose)).await?;
            for (kind, erased) in part.receipt {
                let line =
                    receipt.entry(kind).or_insert(KindErased { entries: 0, vectors: 0, ..erased.clone() });
                line.entries += erased.entries;
                line.vectors += erased.vectors;
            }
            if part.is_last {
                break;
            }
        }
        Ok(receipt.into_values().collect())
    }

    async fn check(&self) -> Result<(), MemoryStoreError> {
        if let Some(lost) = self.lost.get() {
            return Err(MemoryStoreError::Corrupt(lost.clone()));
        }
        self.ask(Kind::Grows, |tx| tx.state.probe(tx.connection)).await
    }
}
