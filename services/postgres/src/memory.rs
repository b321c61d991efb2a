//! The memory's store.
//!
//! An entry is a row; its words and labels are a second, and its vectors others, each with a wall of its own. Writes, and all that belongs to an entry,
//! are of one transaction. What is asked in a scope is exact; only in one that has very many vectors an index is asked for those that are near, and
//! where it finds too few, all are compared.

mod asked;
mod batch;
mod entry;
mod fingerprint;
mod generations;
mod near;
mod rank;
mod read;
mod rows;
mod upkeep;
mod vectors;
mod words;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    Embedded, Erased, Generation, KindCount, KindErased, MemoryAct, MemoryDone, MemoryEntry, MemoryPage,
    MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore, MemoryStoreError, MemoryWrite, NewVector,
    RankQuery, Ranks, Unembedded,
};

use self::generations::Generations;
pub(crate) use self::near::{find_extension, make_extension, prepare};
use crate::PostgresError;
use crate::connections::Connections;

/// How often work is begun anew that stood in the way of another's, before that is said.
const TRIES: usize = 5;

/// The memory's store on Postgres.
#[derive(Debug)]
pub struct PostgresMemory {
    connections: Arc<Connections>,
    within: Duration,
    generations: Generations,
    /// Where the extension is, and its type, as they stand in statements.
    vector_schema: String,
    vector_type: String,
}

impl PostgresMemory {
    pub(crate) fn new(connections: Arc<Connections>, vector_schema: String, within: Duration) -> Self {
        let vector_type = format!("{vector_schema}.vector");
        Self { connections, within, generations: Generations::default(), vector_schema, vector_type }
    }

    /// Gives up what takes too long; what became of it is unknown. Begins anew what the server undid, as others wrote at the same time.
    async fn in_time<T, W>(&self, mut work: impl FnMut() -> W + Send) -> Result<T, PostgresError>
    where
        W: Future<Output = Result<T, PostgresError>> + Send,
    {
        // The server gives up a statement after that long, and there are several.
        let limit = self.within.saturating_mul(2);
        let tries = async {
            for _ in 1..TRIES {
                match work().await {
                    Err(PostgresError::Undone(_)) => {}
                    done => return done,
                }
            }
            work().await
        };
        tokio::time::timeout(limit, tries).await.unwrap_or_else(|_| {
            Err(PostgresError::Unavailable(format!(
                "it has not answered within {limit:?}. Is it overloaded?"
            )))
        })
    }

    async fn try_check(&self) -> Result<(), PostgresError> {
        let mut transaction = self.connections.begin("BEGIN").await?;
        let only_reads: bool = sqlx::query_scalar("SELECT current_setting('transaction_read_only')::bool")
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if only_reads {
            return Err(PostgresError::Unavailable(
                "it takes no writes now. Is it a standby? Only the primary takes writes".into(),
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl MemoryStore for PostgresMemory {
    async fn write(
        &self,
        writes: Vec<MemoryWrite>,
    ) -> Result<Vec<Result<MemoryDone, MemoryRefused>>, MemoryStoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        for write in &writes {
            if let MemoryAct::Put { draft, .. } = &write.act
                && let Some(Embedded { generation, vector }) = &draft.vector
            {
                admit(generation, vector)?;
            }
        }
        Ok(self.in_time(|| self.write_all(&writes)).await?)
    }

    async fn get(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        places: &[MemoryPlace],
    ) -> Result<Vec<Option<MemoryEntry>>, MemoryStoreError> {
        let mut found = match places {
            [] => Vec::new(),
            [MemoryPlace::Key { kind, group, key, public }] => {
                let place = (kind.as_str(), group.as_str(), key.as_str(), *public);
                vec![self.in_time(|| read::at_key(&self.connections, scope, place)).await?]
            }
            places => self.in_time(|| read::at_places(&self.connections, scope, places)).await?,
        };
        for one in &mut found {
            one.take_if(|entry| entry.expires_at.is_some_and(|expires_at| expires_at <= now));
        }
        Ok(found)
    }

    async fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError> {
        self.in_time(|| async { Ok(read::list(&self.connections, scope, now, query).await) }).await?
    }

    async fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        place: (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, MemoryStoreError> {
        Ok(self.in_time(|| read::states(&self.connections, scope, now, place, after, limit)).await?)
    }

    async fn rank(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, MemoryStoreError> {
        if let Some(Embedded { generation, vector }) = &query.meaning {
            admit(generation, vector)?;
        }
        Ok(self.in_time(|| self.rank_all(scope, now, query)).await?)
    }

    async fn put_vectors(
        &self,
        generation: &Generation,
        vectors: Vec<NewVector>,
    ) -> Result<u64, MemoryStoreError> {
        for new in &vectors {
            admit(generation, &new.vector)?;
        }
        Ok(self.in_time(|| self.add_vectors(generation, &vectors)).await?)
    }

    async fn unembedded(
        &self,
        generation: &Generation,
        after: Option<uuid::Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, MemoryStoreError> {
        Ok(self.in_time(|| self.missing(generation, after, limit)).await?)
    }

    async fn drop_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, MemoryStoreError> {
        Ok(self.drop_all_vectors(tenant, but).await?)
    }

    async fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, MemoryStoreError> {
        Ok(self.in_time(|| self.count_of(tenant, owner, generation)).await?)
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<u64, MemoryStoreError> {
        Ok(self.in_time(|| self.expire_by(now.micros(), limit)).await?)
    }

    async fn retire(
        &self,
        kind: &MemoryKind,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, MemoryStoreError> {
        Ok(self.in_time(|| self.retire_before(kind, before.micros(), limit)).await?)
    }

    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<Vec<KindErased>, MemoryStoreError> {
        let mut erased = BTreeMap::new();
        while !self.in_time(|| self.erase_some(tenant, whose)).await?.add_to(&mut erased) {}
        Ok(upkeep::receipt(erased)?)
    }

    async fn check(&self) -> Result<(), MemoryStoreError> {
        Ok(self.in_time(|| self.try_check()).await?)
    }
}

/// Refuses what is no vector of a generation.
fn admit(generation: &Generation, vector: &[f32]) -> Result<(), MemoryStoreError> {
    if vector.len() != generation.dimensions() || !vector.iter().all(|number| number.is_finite()) {
        return Err(MemoryStoreError::Invalid(format!(
            "a vector of {generation} has {} numbers, all of them finite",
            generation.dimensions()
        )));
    }
    Ok(())
}

/// Revisions and counts are never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
