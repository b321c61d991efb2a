//! What is counted, and what goes.

use std::collections::BTreeMap;

use soorma_core::{MemoryKind, Owner, TenantId};
use soorma_ports::{Erased, Generation, KindCount, KindErased};
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use super::asked::of_tenant;
use super::near::{Near, sound};
use super::vectors::AT_ONCE;
use super::write::set_tenant;
use super::{PostgresMemory, count, entry, rows, unsigned};
use crate::PostgresError;
use crate::names::literal;

/// To know whose there are; to remove them, each tenant is said.
const FIND_ALL: &str = "BEGIN; SET LOCAL soorma.reach = 'every tenant'; SET LOCAL soorma.words = ''':'''";

impl PostgresMemory {
    pub(super) async fn count_of(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, PostgresError> {
        let number = match generation {
            Some(generation) => self.generations.find(&self.connections, generation).await?,
            None => None,
        };
        let is_sound = generation.map_or_else(
            || "false".to_owned(),
            |generation| {
                sound("v.embedding", &Near::new(generation, number.unwrap_or_default(), &self.vector_schema))
            },
        );
        let statement = format!(
            "SELECT e.kind, count(*), count(*) FILTER (WHERE e.public), \
             sum(coalesce(octet_length(e.text), 0) + octet_length(e.body))::bigint, count(e.text), count(*) FILTER (WHERE EXISTS \
             (SELECT FROM memory_vectors v WHERE v.tenant = $1 AND v.id = e.id AND v.generation = $4 AND {is_sound} OFFSET 0)) \
             FROM memory_entries e \
             WHERE e.tenant = $1 AND ($2::text IS NULL OR (e.service_tenant = $2 AND e.owner = $3)) \
             GROUP BY e.kind ORDER BY e.kind COLLATE \"C\""
        );
        let begin = format!("BEGIN READ ONLY; {}", of_tenant(tenant.as_str()));
        let mut transaction = self.connections.begin_with(begin).await?;
        let rows: Vec<(String, i64, i64, i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(tenant.as_str())
            .bind(owner.map(Owner::service_tenant))
            .bind(owner.map(Owner::user))
            .bind(number)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        rows.into_iter()
            .map(|(kind, entries, public, bytes, texts, embedded)| {
                Ok(KindCount {
                    kind: entry::kind(&kind)?,
                    entries: unsigned(entries),
                    public: unsigned(public),
                    bytes: unsigned(bytes),
                    texts: unsigned(texts),
                    embedded: unsigned(embedded),
                })
            })
            .collect()
    }

    pub(super) async fn expire_by(&self, now: i64, limit: usize) -> Result<u64, PostgresError> {
        self.remove_found(None, now, limit).await
    }

    pub(super) async fn retire_before(
        &self,
        kind: &MemoryKind,
        before: i64,
        limit: usize,
    ) -> Result<u64, PostgresError> {
        self.remove_found(Some(kind.as_str()), before, limit).await
    }

    /// Removes what has expired by a time; of a kind, what was created before it.
    async fn remove_found(&self, kind: Option<&str>, time: i64, limit: usize) -> Result<u64, PostgresError> {
        let which = match kind {
            None => "expires_at <= $1 AND $2::text IS NULL",
            Some(_) => "created_at < $1 AND kind = $2",
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut transaction = self.connections.begin(FIND_ALL).await?;
        let found: Vec<(String, Uuid)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT tenant, id FROM memory_entries WHERE {which} LIMIT $3"
        )))
        .bind(time)
        .bind(kind)
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await?;
        transaction.execute("SET LOCAL soorma.reach = ''").await?;
        let mut of: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
        for (tenant, id) in found {
            of.entry(tenant).or_default().push(id);
        }
        let mut removed = 0;
        for (tenant, ids) in of {
            set_tenant(&mut transaction, &tenant).await?;
            // It may have been put anew since it was found.
            let gone: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(format!(
                "DELETE FROM memory_entries WHERE {which} AND tenant = $3 AND id = ANY ($4) RETURNING id"
            )))
            .bind(time)
            .bind(kind)
            .bind(&tenant)
            .bind(ids)
            .fetch_all(&mut *transaction)
            .await?;
            rows::drop_what_belongs(&mut transaction, &tenant, &gone).await?;
            removed += count(gone.len());
        }
        transaction.commit().await?;
        Ok(removed)
    }

    /// Erases some.
    pub(super) async fn erase_some(&self, tenant: &TenantId, whose: &Erased) -> Result<Gone, PostgresError> {
        let (which, service_tenant, user) = match whose {
            Erased::Owner(owner) => (
                "service_tenant = $2 AND owner = $3 AND (whose = $2 || chr(31) || $3 OR whose = '')",
                owner.service_tenant(),
                Some(owner.user()),
            ),
            Erased::ServiceTenant(of) => ("service_tenant = $2 AND $3::text IS NULL", of.as_str(), None),
            Erased::Tenant => ("$2::text IS NOT NULL AND $3::text IS NULL", "", None),
        };
        let tenant = tenant.as_str();
        let begin =
            format!("BEGIN; {}; SET LOCAL soorma.words = {}", of_tenant(tenant), literal(super::words::ALL));
        let mut transaction = self.connections.begin_with(begin).await?;
        let gone: Vec<(Uuid, String)> = sqlx::query_as(AssertSqlSafe(format!(
            // By their ids, one by one: a join of the two reads all of the tenant for each part.
            "DELETE FROM memory_entries WHERE tenant = $1 AND id = ANY (ARRAY \
             (SELECT id FROM memory_entries WHERE tenant = $1 AND {which} LIMIT $4)) RETURNING id, kind"
        )))
        .bind(tenant)
        .bind(service_tenant)
        .bind(user)
        .bind(AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
        let ids: Vec<Uuid> = gone.iter().map(|(id, _)| *id).collect();
        let vectors = rows::drop_what_belongs(&mut transaction, tenant, &ids).await?;
        transaction.commit().await?;
        Ok(Gone { entries: gone.into_iter().collect(), vectors })
    }
}

/// What was removed at once: entries with their kinds, and of which of them vectors.
#[derive(Debug)]
pub(super) struct Gone {
    entries: BTreeMap<Uuid, String>,
    vectors: Vec<Uuid>,
}

/// How many entries and vectors, by kind.
pub(super) type Tally = BTreeMap<String, (u64, u64)>;

impl Gone {
    /// Adds what is gone to a tally; returns whether it was nothing, so that there is no more.
    pub(super) fn add_to(&self, tally: &mut Tally) -> bool {
        for kind in self.entries.values() {
            tally.entry(kind.clone()).or_default().0 += 1;
        }
        for kind in self.vectors.iter().filter_map(|id| self.entries.get(id)) {
            tally.entry(kind.clone()).or_default().1 += 1;
        }
        self.entries.is_empty()
    }
}

/// The receipt, by kind.
pub(super) fn receipt(erased: Tally) -> Result<Vec<KindErased>, PostgresError> {
    let lines = erased
        .into_iter()
        .map(|(kind, (entries, vectors))| Ok(KindErased { kind: entry::kind(&kind)?, entries, vectors }));
    lines.collect()
}
