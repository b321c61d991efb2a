//! The rows of one tenant, read and written: a statement for all of a kind, however many there are.

use soorma_ports::Generation;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::batch::{Change, Held, Row, Slot, Wanted, whose_is};
use super::entry::owner;
use super::words;
use crate::PostgresError;

/// Reads and locks what writes are about, in an order that is the same for all who do.
pub(super) async fn fetch(
    transaction: &mut PgConnection,
    tenant: &str,
    wanted: &Wanted,
    held: &mut Held,
) -> Result<(), PostgresError> {
    let ids: Vec<Uuid> = wanted.ids.iter().copied().collect();
    let (mut whoses, mut kinds, mut groups, mut keys) = (vec![], vec![], vec![], vec![]);
    for Slot { whose, kind, group, key } in &wanted.slots {
        whoses.push(whose.as_str());
        kinds.push(kind.as_str());
        groups.push(group.as_str());
        keys.push(key.as_str());
    }
    let rows = sqlx::query(
        // Row by row, by one index each: a table that has just grown is thought to be small, and other plans read all of a tenant for each row.
        "WITH wanted AS (SELECT unnest($2::uuid[]) AS id UNION \
         SELECT k.id FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS n (whose, kind, grp, key) \
         CROSS JOIN LATERAL (SELECT e.id FROM memory_entries e WHERE e.tenant = $1 AND e.whose = n.whose AND e.kind = n.kind \
         AND e.grp = n.grp AND e.key = n.key LIMIT 1) AS k) \
         SELECT e.id, e.service_tenant, e.owner, e.whose, e.kind, e.grp, e.key, e.public, e.text, e.labels, e.created_at, \
         e.expires_at, e.revision \
         FROM (SELECT id FROM wanted ORDER BY id) AS w \
         CROSS JOIN LATERAL (SELECT * FROM memory_entries e WHERE e.tenant = $1 AND e.id = w.id FOR NO KEY UPDATE) AS e",
    )
    .bind(tenant)
    .bind(ids)
    .bind(whoses)
    .bind(kinds)
    .bind(groups)
    .bind(keys)
    .fetch_all(transaction)
    .await?;
    for row in &rows {
        held.hold(row.try_get(0)?, stored(row)?);
    }
    Ok(())
}

fn stored(row: &PgRow) -> Result<Row, PostgresError> {
    let key: Option<String> = row.try_get(6)?;
    let slot = match key {
        Some(key) => {
            Some(Slot { whose: row.try_get(3)?, kind: row.try_get(4)?, group: row.try_get(5)?, key })
        }
        None => None,
    };
    Ok(Row {
        owner: owner(row.try_get(1)?, row.try_get(2)?)?,
        slot,
        public: row.try_get(7)?,
        text: row.try_get(8)?,
        labels: row.try_get(9)?,
        created_at: row.try_get(10)?,
        expires_at: row.try_get(11)?,
        revision: row.try_get(12)?,
        change: Change { stands: true, ..Change::default() },
    })
}

/// Writes what writes have changed.
pub(super) async fn save(
    transaction: &mut PgConnection,
    tenant: &str,
    held: &Held,
    vector_type: &str,
    number: impl Fn(&Generation) -> Option<i32>,
) -> Result<(), PostgresError> {
    let gone: Vec<Uuid> = held.rows().filter(|(_, row)| row.change.goes).map(|(id, _)| *id).collect();
    if !gone.is_empty() {
        let done = sqlx::query("DELETE FROM memory_entries WHERE tenant = $1 AND id = ANY ($2)");
        let done = done.bind(tenant).bind(&gone).execute(&mut *transaction).await?;
        all_written("removals", tenant, gone.len(), done.rows_affected())?;
        drop_what_belongs(transaction, tenant, &gone).await?;
    }
    let is_put = |row: &Row| row.change.put.is_some() && row.change.stands && !row.change.goes;
    let other: Vec<Uuid> =
        held.rows().filter(|(_, row)| is_put(row) && row.change.drops_vectors).map(|(id, _)| *id).collect();
    if !other.is_empty() {
        drop_vectors(transaction, tenant, &other).await?;
    }
    save_entries(transaction, tenant, held).await?;
    save_words(transaction, tenant, held).await?;
    save_vectors(transaction, tenant, held, vector_type, number).await?;
    let expiring = held
        .rows()
        .filter(|(_, row)| is_put(row) && !row.change.drops_vectors && row.change.expires_otherwise);
    let (ids, times): (Vec<Uuid>, Vec<Option<i64>>) = expiring.map(|(id, row)| (*id, row.expires_at)).unzip();
    if !ids.is_empty() {
        sqlx::query(
            "UPDATE memory_vectors AS v SET expires_at = n.expires_at FROM unnest($2::uuid[], $3::bigint[]) AS n (id, expires_at) \
             WHERE v.tenant = $1 AND v.id = n.id",
        )
        .bind(tenant)
        .bind(ids)
        .bind(times)
        .execute(transaction)
        .await?;
    }
    Ok(())
}

/// A wall that hides rows would hide that they were not written.
fn all_written(what: &str, tenant: &str, wanted: usize, written: u64) -> Result<(), PostgresError> {
    if u64::try_from(wanted) == Ok(written) {
        return Ok(());
    }
    Err(PostgresError::Corrupt(format!("{written} of {wanted} {what} of tenant '{tenant}' could be written")))
}

async fn save_entries(
    transaction: &mut PgConnection,
    tenant: &str,
    held: &Held,
) -> Result<(), PostgresError> {
    let (mut ids, mut service_tenants, mut owners, mut publics) = (vec![], vec![], vec![], vec![]);
    let (mut kinds, mut groups, mut keys, mut texts, mut bodies, mut labels) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let (mut created, mut updated, mut from, mut until, mut expires, mut revisions) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for (id, row) in held.rows() {
        let Some(put) = &row.change.put else { continue };
        let draft = &put.draft;
        ids.push(*id);
        service_tenants.push(row.owner.service_tenant());
        owners.push(row.owner.user());
        publics.push(draft.public);
        kinds.push(draft.kind.as_str());
        groups.push(draft.group.as_str());
        keys.push(draft.key.as_deref());
        texts.push(draft.text.as_deref());
        bodies.push(draft.body.as_str());
        labels.push(as_json(&draft.labels)?);
        created.push(row.created_at);
        updated.push(put.updated_at);
        from.push(draft.valid_from.map(soorma_core::Timestamp::micros));
        until.push(draft.valid_until.map(soorma_core::Timestamp::micros));
        expires.push(row.expires_at);
        revisions.push(row.revision);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let count = ids.len();
    let done = sqlx::query(
        "INSERT INTO memory_entries (tenant, id, service_tenant, owner, public, kind, grp, key, text, body, labels, created_at, \
         updated_at, valid_from, valid_until, expires_at, revision) \
         SELECT $1, n.id, n.service_tenant, n.owner, n.public, n.kind, n.grp, n.key, n.text, n.body, \
         ARRAY(SELECT json_array_elements_text(n.labels::json)), n.created_at, n.updated_at, n.valid_from, n.valid_until, \
         n.expires_at, n.revision \
         FROM unnest($2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], \
         $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[]) \
         AS n (id, service_tenant, owner, public, kind, grp, key, text, body, labels, created_at, updated_at, valid_from, \
         valid_until, expires_at, revision) \
         ON CONFLICT (tenant, id) DO UPDATE SET public = excluded.public, kind = excluded.kind, grp = excluded.grp, \
         key = excluded.key, text = excluded.text, body = excluded.body, labels = excluded.labels, updated_at = excluded.updated_at, \
         valid_from = excluded.valid_from, valid_until = excluded.valid_until, expires_at = excluded.expires_at, \
         revision = excluded.revision",
    )
    .bind(tenant)
    .bind(ids)
    .bind(service_tenants)
    .bind(owners)
    .bind(publics)
    .bind(kinds)
    .bind(groups)
    .bind(keys)
    .bind(texts)
    .bind(bodies)
    .bind(labels)
    .bind(created)
    .bind(updated)
    .bind(from)
    .bind(until)
    .bind(expires)
    .bind(revisions)
    .execute(transaction)
    .await?;
    all_written("entries", tenant, count, done.rows_affected())
}

/// Labels of one entry among those of others, as the server has no lists of lists of different length.
fn as_json(labels: &[String]) -> Result<String, PostgresError> {
    serde_json::to_string(labels)
        .map_err(|error| PostgresError::Invalid(format!("labels cannot be written: {error}")))
}

async fn save_words(transaction: &mut PgConnection, tenant: &str, held: &Held) -> Result<(), PostgresError> {
    let (mut ids, mut indexed, mut without) = (vec![], vec![], vec![]);
    for (id, row) in held.rows() {
        if row.change.put.is_none() || !row.change.has_other_words {
            continue;
        }
        match words::indexed(tenant, &whose_is(row), row.text.as_deref(), &row.labels) {
            Some(words) => {
                ids.push(*id);
                indexed.push(words);
            }
            None if row.change.stands && !row.change.goes => without.push(*id),
            None => {}
        }
    }
    if !without.is_empty() {
        let done = sqlx::query("DELETE FROM memory_words WHERE tenant = $1 AND id = ANY ($2)");
        done.bind(tenant).bind(without).execute(&mut *transaction).await?;
    }
    if ids.is_empty() {
        return Ok(());
    }
    let count = ids.len();
    let done = sqlx::query(
        "INSERT INTO memory_words (tenant, id, words) SELECT $1, n.id, n.words::tsvector FROM unnest($2::uuid[], $3::text[]) \
         AS n (id, words) ON CONFLICT (tenant, id) DO UPDATE SET words = excluded.words",
    );
    let done = done.bind(tenant).bind(ids).bind(indexed).execute(transaction).await?;
    all_written("words", tenant, count, done.rows_affected())
}

async fn save_vectors(
    transaction: &mut PgConnection,
    tenant: &str,
    held: &Held,
    vector_type: &str,
    number: impl Fn(&Generation) -> Option<i32>,
) -> Result<(), PostgresError> {
    let (mut ids, mut generations, mut vectors) = (vec![], vec![], vec![]);
    let (mut whoses, mut kinds, mut groups, mut created, mut expires) =
        (vec![], vec![], vec![], vec![], vec![]);
    for (id, row) in held.rows() {
        let Some(put) = &row.change.put else { continue };
        for embedded in &put.vectors {
            let unknown =
                || PostgresError::Corrupt(format!("generation {} has no number", embedded.generation));
            ids.push(*id);
            generations.push(number(&embedded.generation).ok_or_else(unknown)?);
            vectors.push(as_text(&embedded.vector));
            whoses.push(whose_is(row));
            kinds.push(put.draft.kind.as_str());
            groups.push(put.draft.group.as_str());
            created.push(row.created_at);
            expires.push(row.expires_at);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let count = ids.len();
    let done = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO memory_vectors (tenant, id, generation, whose, kind, grp, created_at, expires_at, embedding) \
         SELECT $1, n.id, n.generation, n.whose, n.kind, n.grp, n.created_at, n.expires_at, n.embedding::{vector_type} \
         FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[]) \
         AS n (id, generation, whose, kind, grp, created_at, expires_at, embedding) \
         ON CONFLICT (tenant, id, generation) DO UPDATE SET expires_at = excluded.expires_at, embedding = excluded.embedding"
    )));
    let done =
        done.bind(tenant).bind(ids).bind(generations).bind(whoses).bind(kinds).bind(groups).bind(created);
    let done = done.bind(expires).bind(vectors).execute(transaction).await?;
    all_written("vectors", tenant, count, done.rows_affected())
}

/// A vector as the extension reads it; each number reads back as it was.
pub(super) fn as_text(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// Removes words and vectors of entries that are gone; returns of how many vectors of which.
pub(super) async fn drop_what_belongs(
    transaction: &mut PgConnection,
    tenant: &str,
    gone: &[Uuid],
) -> Result<Vec<Uuid>, PostgresError> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let words = sqlx::query("DELETE FROM memory_words WHERE tenant = $1 AND id = ANY ($2)");
    words.bind(tenant).bind(gone).execute(&mut *transaction).await?;
    drop_vectors(transaction, tenant, gone).await
}

async fn drop_vectors(
    transaction: &mut PgConnection,
    tenant: &str,
    of: &[Uuid],
) -> Result<Vec<Uuid>, PostgresError> {
    let vectors =
        sqlx::query_scalar("DELETE FROM memory_vectors WHERE tenant = $1 AND id = ANY ($2) RETURNING id");
    Ok(vectors.bind(tenant).bind(of).fetch_all(transaction).await?)
}
