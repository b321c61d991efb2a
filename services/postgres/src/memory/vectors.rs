//! Vectors that are added to entries, missed, and dropped.

use std::collections::BTreeMap;

use soorma_core::TenantId;
use soorma_ports::{Generation, NewVector, Unembedded};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::near::{Near, sound};
use super::rows::as_text;
use super::write::set_tenant;
use super::{PostgresMemory, unsigned};
use crate::PostgresError;

/// Reads of the node itself: all that it sees is of one moment.
pub(super) const READ_ALL: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL soorma.reach = 'every tenant'";
/// How many entries are looked at by one statement.
const WINDOW: i64 = 20_000;
/// How many bytes of text are returned at once, at least one text.
const MOST_TEXT: i64 = 4 << 20;
/// How many rows one transaction removes.
pub(super) const AT_ONCE: i64 = 10_000;

/// Vectors of one tenant, by entry and revision, with how many were brought for it.
type Added<'a> = BTreeMap<(Uuid, i64), (&'a NewVector, u64)>;

impl PostgresMemory {
    pub(super) async fn add_vectors(
        &self,
        generation: &Generation,
        vectors: &[NewVector],
    ) -> Result<u64, PostgresError> {
        let number = self.generations.number(&self.connections, generation).await?;
        // Of several for one revision of an entry the last stays, and all are added.
        let mut of: BTreeMap<&str, Added<'_>> = BTreeMap::new();
        for vector in vectors {
            let revision = i64::try_from(vector.revision).unwrap_or(i64::MAX);
            let same = of
                .entry(vector.tenant.as_str())
                .or_default()
                .entry((vector.id, revision))
                .or_insert((vector, 0));
            *same = (vector, same.1 + 1);
        }
        let mut transaction = self.connections.begin("BEGIN").await?;
        let mut added = 0;
        for (tenant, vectors) in of {
            set_tenant(&mut transaction, tenant).await?;
            let (mut ids, mut revisions, mut texts) = (vec![], vec![], vec![]);
            for ((id, revision), (new, _)) in &vectors {
                ids.push(*id);
                revisions.push(*revision);
                texts.push(as_text(&new.vector));
            }
            // Entries are held until the commit: who changes one finds its vector, and who was faster is seen.
            let done = sqlx::query_as(AssertSqlSafe(format!(
                "WITH held AS MATERIALIZED (SELECT e.*, n.embedding FROM unnest($3::uuid[], $4::bigint[], $5::text[]) AS n (id, revision, embedding) \
                 CROSS JOIN LATERAL (SELECT e.id, e.revision, e.whose, e.kind, e.grp, e.created_at, e.expires_at FROM memory_entries e \
                 WHERE e.tenant = $1 AND e.id = n.id AND e.revision = n.revision FOR SHARE) AS e), \
                 added AS (INSERT INTO memory_vectors (tenant, id, generation, whose, kind, grp, created_at, expires_at, embedding) \
                 SELECT $1, id, $2, whose, kind, grp, created_at, expires_at, embedding::{} FROM held \
                 ON CONFLICT (tenant, id, generation) DO UPDATE SET expires_at = excluded.expires_at, embedding = excluded.embedding) \
                 SELECT id, revision FROM held",
                self.vector_type
            )));
            let done = done.bind(tenant).bind(number).bind(ids).bind(revisions).bind(texts);
            let done: Vec<(Uuid, i64)> = done.fetch_all(&mut *transaction).await?;
            added += done.iter().filter_map(|place| vectors.get(place)).map(|(_, count)| count).sum::<u64>();
        }
        transaction.commit().await?;
        Ok(added)
    }

    pub(super) async fn missing(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, PostgresError> {
        let number = self.generations.find(&self.connections, generation).await?.unwrap_or_default();
        let near = Near::new(generation, number, &self.vector_schema);
        let missing = format!(
            "SELECT tenant, id, revision, text FROM (SELECT *, sum(octet_length(text)) OVER (ORDER BY id, tenant) - octet_length(text) AS before \
             FROM (SELECT e.tenant, e.id, e.revision, e.text FROM memory_entries e WHERE e.text IS NOT NULL \
             AND ($1::uuid IS NULL OR e.id > $1) AND ($2::uuid IS NULL OR e.id <= $2) AND NOT EXISTS (SELECT FROM memory_vectors v \
             WHERE v.tenant = e.tenant AND v.id = e.id AND v.generation = $3 AND {} OFFSET 0) ORDER BY e.id, e.tenant LIMIT $4) AS few) AS summed \
             WHERE before < $5 ORDER BY id, tenant",
            sound("v.embedding", &near)
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut transaction = self.connections.begin(READ_ALL).await?;
        let mut after = after;
        let rows = loop {
            // By parts: most have a vector, and a statement that looks at all of them may take too long.
            let upto: Option<Uuid> = sqlx::query_scalar(
                "SELECT id FROM memory_entries WHERE text IS NOT NULL AND ($1::uuid IS NULL OR id > $1) ORDER BY id OFFSET $2 LIMIT 1",
            )
            .bind(after)
            .bind(WINDOW)
            .fetch_optional(&mut *transaction)
            .await?;
            let rows: Vec<(String, Uuid, i64, String)> = sqlx::query_as(AssertSqlSafe(missing.clone()))
                .bind(after)
                .bind(upto)
                .bind(number)
                .bind(limit)
                .bind(MOST_TEXT)
                .fetch_all(&mut *transaction)
                .await?;
            if !rows.is_empty() || upto.is_none() {
                break rows;
            }
            after = upto;
        };
        transaction.commit().await?;
        rows.into_iter()
            .map(|(tenant, id, revision, text)| {
                let broken =
                    |error| PostgresError::Corrupt(format!("'{tenant}' is written as a tenant: {error}"));
                let tenant = TenantId::new(&tenant).map_err(broken)?;
                Ok(Unembedded { tenant, id, revision: unsigned(revision), text })
            })
            .collect()
    }

    pub(super) async fn drop_all_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, PostgresError> {
        let kept = match but {
            Some(generation) => self.generations.find(&self.connections, generation).await?,
            None => None,
        };
        let tenants = match tenant {
            Some(tenant) => vec![tenant.to_string()],
            None => {
                let mut transaction = self.connections.begin(READ_ALL).await?;
                let tenants = sqlx::query_scalar(
                    "SELECT DISTINCT tenant FROM memory_vectors WHERE generation IS DISTINCT FROM $1",
                );
                let tenants = tenants.bind(kept).fetch_all(&mut *transaction).await?;
                transaction.commit().await?;
                tenants
            }
        };
        let mut dropped = 0;
        for tenant in tenants {
            loop {
                let mut transaction = self.connections.begin("BEGIN").await?;
                set_tenant(&mut transaction, &tenant).await?;
                let done = sqlx::query(
                    "DELETE FROM memory_vectors WHERE tenant = $1 AND generation IS DISTINCT FROM $2 AND id = ANY (ARRAY \
                     (SELECT id FROM memory_vectors WHERE tenant = $1 AND generation IS DISTINCT FROM $2 LIMIT $3))",
                );
                let done = done.bind(&tenant).bind(kept).bind(AT_ONCE).execute(&mut *transaction).await?;
                transaction.commit().await?;
                dropped += done.rows_affected();
                if done.rows_affected() == 0 {
                    break;
                }
            }
        }
        Ok(dropped)
    }
}
