//! Dead letters: listing them on a reader's connection, giving back and dropping in the writer's transaction.

use rusqlite::{Connection, OptionalExtension as _, params};
use soorma_core::{Name, TenantId, Timestamp};
use soorma_ports::{DeadLetter, DeadLetterFilter};

use super::read::event;
use crate::error::{Failure, corrupt};
use crate::numbers::{count, position, signed, topic, unsigned};
use crate::writer::Tx;

pub(super) fn list(
    connection: &Connection,
    tenant: &TenantId,
    filter: &DeadLetterFilter,
    after: u64,
    limit: usize,
) -> Result<Vec<DeadLetter>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT l.id, c.name, l.position, l.cause, l.attempts, l.first_at, l.last_at, l.envelope
         FROM dead_letters l JOIN consumers c ON c.id = l.consumer
         WHERE l.tenant = (SELECT id FROM tenants WHERE name = ?1) AND l.id > ?2
            AND (?3 IS NULL OR c.name = ?3) AND (?4 IS NULL OR l.topic = ?4)
         ORDER BY l.id LIMIT ?5",
    )?;
    let group = filter.group.as_ref().map(Name::as_str);
    let topic = filter.topic.map(soorma_core::Topic::number);
    let mut rows = select.query(params![tenant.as_str(), signed(after), group, topic, count(limit)])?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let position = position(row.get(2)?);
        letters.push(DeadLetter {
            id: unsigned(row.get(0)?),
            group: Name::new(row.get::<_, String>(1)?)
                .map_err(|error| corrupt("the name of a group", error))?,
            position,
            cause: row.get(3)?,
            attempts: row.get(4)?,
            first_at: Timestamp::from_micros(row.get(5)?),
            last_at: Timestamp::from_micros(row.get(6)?),
            event: event(position, row.get_ref(7)?.as_str().map_err(rusqlite::Error::from)?)?,
        });
    }
    Ok(letters)
}

pub(super) fn redrive(tx: &mut Tx<'_>, tenant: &TenantId, ids: &[u64]) -> rusqlite::Result<Vec<u64>> {
    let Some(tenant) = tx.state.known_tenant(tx.connection, tenant)? else { return Ok(Vec::new()) };
    let mut given_back = Vec::new();
    for id in ids {
        let found = tx
            .connection
            .prepare_cached("SELECT consumer, topic FROM dead_letters WHERE tenant = ?1 AND id = ?2")?
            .query_row(params![tenant, signed(*id)], |row| Ok((row.get::<_, i64>(0)?, topic(1, row)?)))
            .optional()?;
        let Some((consumer, topic)) = found else { continue };
        let Some(group) = tx.state.groups.get_mut(&consumer) else { continue };
        if !group.cursors.contains_key(&topic) {
            continue;
        }
        group.waiting += 1;
        tx.connection
            .prepare_cached(
                "INSERT INTO deliveries(consumer, position, topic, attempt, leased, due_at, set_at, envelope)
                 SELECT consumer, position, topic, 0, 0, ?3, ?3, envelope
                 FROM dead_letters WHERE tenant = ?1 AND id = ?2",
            )?
            .execute(params![tenant, signed(*id), tx.now])?;
        remove(tx, tenant, *id)?;
        tx.state.available(consumer);
        given_back.push(*id);
    }
    Ok(given_back)
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
