//! Dead letters: listing them on a reader's connection, giving back and dropping in the writer's transaction.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use soorma_core::{Name, TenantId, Timestamp};
use soorma_ports::{DeadLetter, DeadLetterFilter};

use super::group::parsed;
use super::keys::{is_busy, key_of};
use super::read::{envelope, event};
use super::unreadable::stand_in;
use crate::error::Failure;
use crate::numbers::{count, position, signed, topic, unsigned};
use crate::topic_set::TopicSet;
use crate::writer::Tx;

pub(super) fn list(
    connection: &Connection,
    tenant: &TenantId,
    filter: &DeadLetterFilter,
    after: u64,
    limit: usize,
) -> Result<Vec<DeadLetter>, Failure> {
    // Named, since without statistics SQLite takes the primary key and reads all letters.
    let index = match (&filter.group, &filter.kind) {
        (Some(_), _) => "INDEXED BY dead_letters_of_group",
        (None, Some(_)) => "INDEXED BY dead_letters_of_kind",
        (None, None) => "",
    };
    let mut sql = format!(
        "SELECT l.id, c.name, l.position, l.cause, l.attempts, l.first_at, l.last_at, l.envelope, l.topic, l.kind
         FROM dead_letters l {index} JOIN consumers c ON c.id = l.consumer
         WHERE l.tenant = (SELECT id FROM tenants WHERE name = ?1) AND l.id > ?2"
    );
    let mut values = vec![Value::from(tenant.to_string()), signed(after).into()];
    let mut only = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {condition} = ?{}", values.len()));
    };
    if let Some(group) = &filter.group {
        let Some(id) = consumer(connection, tenant, group)? else { return Ok(Vec::new()) };
        only("l.consumer", id.into());
    }
    if let Some(topic) = filter.topic {
        only("l.topic", i64::from(topic.number()).into());
    }
    if let Some(kind) = &filter.kind {
        only("l.kind", kind.clone().into());
    }
    values.push(count(limit).into());
    sql.push_str(&format!(" ORDER BY l.id LIMIT ?{}", values.len()));
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, last_at): (i64, _) = (row.get(2)?, Timestamp::from_micros(row.get(6)?));
        let (id, position) = (unsigned(row.get(0)?), position(at));
        let event = match event(position, envelope(row, 7)?) {
            Ok(event) => event,
            // Left out, it could not be found to be dropped.
            Err(error) => {
                tracing::warn!(%error, letter = id, "dead letter cannot be read, listing what is known of it");
                stand_in(
                    connection,
                    at,
                    (topic(8, row)?, row.get_ref(9)?.as_str().unwrap_or("")),
                    last_at,
                    &error,
                )?
            }
        };
        letters.push(DeadLetter {
            id,
            group: parsed(row, 1, |name| Name::new(name))?,
            position,
            cause: row.get(3)?,
            attempts: row.get(4)?,
            first_at: Timestamp::from_micros(row.get(5)?),
            last_at,
            event,
        });
    }
    Ok(letters)
}

fn consumer(connection: &Connection, tenant: &TenantId, group: &Name) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT c.id FROM tenants t JOIN consumers c ON c.tenant = t.id WHERE t.name = ?1 AND c.name = ?2",
        )?
        .query_row(params![tenant.as_str(), group.as_str()], |row| row.get(0))
        .optional()
}

pub(super) fn redrive(tx: &mut Tx<'_>, tenant: &TenantId, ids: &[u64]) -> rusqlite::Result<Vec<u64>> {
    let Some(tenant) = tx.state.known_tenant(tx.connection, tenant)? else { return Ok(Vec::new()) };
    let mut given_back = Vec::new();
    for id in ids {
        if give_back(tx, tenant, *id)? {
            given_back.push(*id);
        }
    }
    Ok(given_back)
}

/// Says whether the letter was there, and its group has not got the event already, as after a seek.
fn give_back(tx: &mut Tx<'_>, tenant: i64, id: u64) -> rusqlite::Result<bool> {
    let found = tx
        .connection
        .prepare_cached(
            "SELECT consumer, position, topic, envelope FROM dead_letters WHERE tenant = ?1 AND id = ?2",
        )?
        .query_row(params![tenant, signed(id)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, topic(2, row)?, envelope(row, 3)?.to_vec()))
        })
        .optional()?;
    let Some((consumer, at, topic, envelope)) = found else { return Ok(false) };
    // One that cannot be read has no key, and is given up again when it would be handed out.
    let key = event(position(at), &envelope).ok().and_then(|event| key_of(tx, consumer, &event));
    let is_parked = is_busy(tx, consumer, key)?;
    let given_back = tx
        .connection
        .prepare_cached(
            "INSERT INTO deliveries(consumer, position, topic, attempt, state, due_at, set_at, envelope, key)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?5, CAST(?6 AS TEXT), ?7) ON CONFLICT(consumer, position) DO NOTHING",
        )?
        .execute(params![
            consumer,
            at,
            topic.number(),
            if is_parked { 2 } else { 0 },
            tx.now,
            envelope,
            key
        ])?;
    if given_back == 0 {
        return Ok(false);
    }
    if let Some(group) = tx.state.groups.get_mut(&consumer) {
        group.waiting += 1;
    }
    tx.state.signals.available(consumer, TopicSet::from(topic));
    remove(tx, tenant, id)
}

pub(super) fn discard(tx: &mut Tx<'_>, tenant: &TenantId, ids: &[u64]) -> rusqlite::Result<Vec<u64>> {
    let Some(tenant) = tx.state.known_tenant(tx.connection, tenant)? else { return Ok(Vec::new()) };
    let mut dropped = Vec::new();
    for id in ids {
        if remove(tx, tenant, *id)? {
            dropped.push(*id);
        }
    }
    Ok(dropped)
}

fn remove(tx: &Tx<'_>, tenant: i64, id: u64) -> rusqlite::Result<bool> {
    let removed = tx
        .connection
        .prepare_cached("DELETE FROM dead_letters WHERE tenant = ?1 AND id = ?2")?
        .execute(params![tenant, signed(id)])?;
    Ok(removed > 0)
}
