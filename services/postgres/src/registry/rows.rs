//! The rows of one tenant, read and written: a statement for all of a kind, however many there are.

use sqlx::postgres::PgConnection;

use super::batch::{Agent, Change, Event, Held, Schema, Stood, Wanted};
use crate::PostgresError;

/// Id, revision, at which revision said, status, reason, when registered, when heard, whether it was removed.
type AgentRow = (String, i64, i64, String, Option<String>, i64, i64, bool);

/// Reads what stands of what a batch is about.
pub(super) async fn fetch(
    transaction: &mut PgConnection,
    tenant: &str,
    wanted: &Wanted<'_>,
) -> Result<Held, PostgresError> {
    let mut held = Held::default();
    if !wanted.agents.is_empty() {
        let ids: Vec<&str> = wanted.agents.iter().copied().collect();
        let rows: Vec<AgentRow> = sqlx::query_as(
            // Nothing is said of what was removed, or an index of what was not could be thought to be of use here.
            "SELECT id, revision, said, status, reason, registered_at, heard_at, removed_at IS NOT NULL FROM registry_agents \
             WHERE tenant = $1 AND id = ANY ($2)",
        )
        .bind(tenant)
        .bind(ids)
        .fetch_all(&mut *transaction)
        .await?;
        for (id, revision, said, status, reason, registered_at, heard_at, is_removed) in rows {
            if !is_removed {
                let (stood, change) = (Stood { status, reason }, Change::Nothing);
                let agent =
                    Agent { revision, said, stood, registered_at, heard_at, removed_at: None, change };
                held.agents.insert(id, agent);
            }
        }
    }
    if !wanted.events.is_empty() {
        let names: Vec<&str> = wanted.events.iter().copied().collect();
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT name FROM registry_events WHERE tenant = $1 AND name = ANY ($2)")
                .bind(tenant)
                .bind(names)
                .fetch_all(&mut *transaction)
                .await?;
        held.events.extend(rows.into_iter().map(|name| (name, Event::There)));
    }
    if !wanted.schemas.is_empty() {
        let (names, versions): (Vec<&str>, Vec<&str>) = wanted.schemas.iter().copied().unzip();
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT s.name, s.version FROM registry_schemas AS s \
             JOIN unnest($2::text[], $3::text[]) AS w (name, version) ON s.name = w.name AND s.version = w.version \
             WHERE s.tenant = $1",
        )
        .bind(tenant)
        .bind(names)
        .bind(versions)
        .fetch_all(&mut *transaction)
        .await?;
        held.schemas.extend(rows.into_iter().map(|key| (key, None)));
    }
    Ok(held)
}

/// Writes what a batch has changed.
pub(super) async fn save(
    transaction: &mut PgConnection,
    tenant: &str,
    held: &Held,
) -> Result<(), PostgresError> {
    save_whole(transaction, tenant, held).await?;
    save_heard(transaction, tenant, held).await?;
    save_events(transaction, tenant, held).await?;
    save_schemas(transaction, tenant, held).await
}

/// A wall that hides rows would hide that they were not written.
fn all_written(what: &str, tenant: &str, wanted: usize, written: u64) -> Result<(), PostgresError> {
    if u64::try_from(wanted) == Ok(written) {
        return Ok(());
    }
    Err(PostgresError::Corrupt(format!("{written} of {wanted} {what} of tenant '{tenant}' could be written")))
}

async fn save_whole(transaction: &mut PgConnection, tenant: &str, held: &Held) -> Result<(), PostgresError> {
    let (mut ids, mut revisions, mut said, mut records) = (vec![], vec![], vec![], vec![]);
    let (mut status, mut reasons) = (vec![], vec![]);
    let (mut registered_at, mut heard_at, mut removed_at) = (vec![], vec![], vec![]);
    for (id, agent) in &held.agents {
        let Change::Whole(record) = &agent.change else { continue };
        ids.push(id.as_str());
        revisions.push(agent.revision);
        said.push(agent.said);
        records.push(record.as_str());
        status.push(agent.stood.status.as_str());
        reasons.push(agent.stood.reason.as_deref());
        registered_at.push(agent.registered_at);
        heard_at.push(agent.heard_at);
        removed_at.push(agent.removed_at);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let count = ids.len();
    let done = sqlx::query(
        "INSERT INTO registry_agents (tenant, id, revision, said, record, status, reason, registered_at, heard_at, removed_at) \
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], \
         $9::bigint[], $10::bigint[]) \
         ON CONFLICT (tenant, id) DO UPDATE SET revision = excluded.revision, said = excluded.said, record = excluded.record, \
         status = excluded.status, reason = excluded.reason, registered_at = excluded.registered_at, \
         heard_at = excluded.heard_at, removed_at = excluded.removed_at",
    )
    .bind(tenant)
    .bind(ids)
    .bind(revisions)
    .bind(said)
    .bind(records)
    .bind(status)
    .bind(reasons)
    .bind(registered_at)
    .bind(heard_at)
    .bind(removed_at)
    .execute(transaction)
    .await?;
    all_written("agents", tenant, count, done.rows_affected())
}

async fn save_heard(transaction: &mut PgConnection, tenant: &str, held: &Held) -> Result<(), PostgresError> {
    let (mut ids, mut revisions, mut status, mut reasons, mut heard_at) =
        (vec![], vec![], vec![], vec![], vec![]);
    for (id, agent) in held.agents.iter().filter(|(_, agent)| agent.change == Change::Heard) {
        ids.push(id.as_str());
        revisions.push(agent.revision);
        status.push(agent.stood.status.as_str());
        reasons.push(agent.stood.reason.as_deref());
        heard_at.push(agent.heard_at);
    }
    if ids.is_empty() {
        return Ok(());
    }
    let count = ids.len();
    let done = sqlx::query(
        "UPDATE registry_agents AS a SET revision = n.revision, status = n.status, reason = n.reason, heard_at = n.heard_at \
         FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) AS n (id, revision, status, reason, heard_at) \
         WHERE a.tenant = $1 AND a.id = n.id",
    )
    .bind(tenant)
    .bind(ids)
    .bind(revisions)
    .bind(status)
    .bind(reasons)
    .bind(heard_at)
    .execute(transaction)
    .await?;
    all_written("signs of life", tenant, count, done.rows_affected())
}

async fn save_events(transaction: &mut PgConnection, tenant: &str, held: &Held) -> Result<(), PostgresError> {
    let (mut names, mut revisions, mut topics, mut definitions) = (vec![], vec![], vec![], vec![]);
    for (name, event) in &held.events {
        let Event::Put { revision, topic, definition } = event else { continue };
        names.push(name.as_str());
        revisions.push(*revision);
        topics.push(*topic);
        definitions.push(definition.as_str());
    }
    if names.is_empty() {
        return Ok(());
    }
    let count = names.len();
    let done = sqlx::query(
        "INSERT INTO registry_events (tenant, name, revision, topic, definition) \
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[]) \
         ON CONFLICT (tenant, name) DO UPDATE SET revision = excluded.revision, definition = excluded.definition",
    )
    .bind(tenant)
    .bind(names)
    .bind(revisions)
    .bind(topics)
    .bind(definitions)
    .execute(transaction)
    .await?;
    all_written("definitions", tenant, count, done.rows_affected())
}

async fn save_schemas(
    transaction: &mut PgConnection,
    tenant: &str,
    held: &Held,
) -> Result<(), PostgresError> {
    let (mut names, mut versions, mut revisions, mut schemas) = (vec![], vec![], vec![], vec![]);
    for ((name, version), schema) in &held.schemas {
        let Some(Schema { revision, text }) = schema else { continue };
        names.push(name.as_str());
        versions.push(version.as_str());
        revisions.push(*revision);
        schemas.push(text.as_str());
    }
    if names.is_empty() {
        return Ok(());
    }
    let count = names.len();
    let done = sqlx::query(
        "INSERT INTO registry_schemas (tenant, name, version, revision, schema) \
         SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[])",
    )
    .bind(tenant)
    .bind(names)
    .bind(versions)
    .bind(revisions)
    .bind(schemas)
    .execute(transaction)
    .await?;
    all_written("schemas", tenant, count, done.rows_affected())
}
