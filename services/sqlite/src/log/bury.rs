//! Giving an event up, in the writer's transaction: its dead letter, the event that tells of it, and what comes after it.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, params};
use soorma_core::{Event, TenantId, Timestamp, Topic};
use soorma_ports::DeadLetter;

use super::append::{Row, append};
use super::group::parsed;
use super::keys::closed;
use super::read::{envelope, event};
use super::unreadable::stand_in;
use crate::numbers::{position, topic, unsigned};
use crate::writer::Tx;

/// What an open event leaves.
struct Remains {
    topic: Topic,
    attempts: u32,
    first_at: Option<i64>,
    key: Option<i64>,
    envelope: Option<Vec<u8>>,
}

/// Makes a dead letter of an event in hand, with its own copy of the event.
pub(super) fn bury(tx: &mut Tx<'_>, group: i64, at: i64, cause: &str) -> rusqlite::Result<()> {
    let Some(of) = tx.state.groups.get(&group) else { return Ok(()) };
    let (tenant, name) = (of.tenant, of.name.clone());
    let remains = tx
        .connection
        .prepare_cached(
            "SELECT d.topic, d.attempt, d.first_at, d.key, coalesce(d.envelope, e.envelope)
             FROM deliveries d LEFT JOIN events e ON e.position = d.position
             WHERE d.consumer = ?1 AND d.position = ?2",
        )?
        .query_row(params![group, at], |row| {
            Ok(Remains {
                topic: topic(0, row)?,
                attempts: row.get(1)?,
                first_at: row.get(2)?,
                key: row.get(3)?,
                envelope: match row.get_ref(4)? {
                    ValueRef::Null => None,
                    _ => Some(envelope(row, 4)?.to_vec()),
                },
            })
        })
        .optional()?;
    let Some(Remains { topic, attempts, first_at, key, envelope }) = remains else { return Ok(()) };
    tx.connection
        .prepare_cached("DELETE FROM deliveries WHERE consumer = ?1 AND position = ?2")?
        .execute(params![group, at])?;
    tx.state.leaves_hand(group);
    closed(tx, group, key)?;
    let Some(envelope) = envelope else {
        // As in handing out: retention keeps what is open, so this is a damage, and the group's work is not held up by it.
        tracing::error!(position = at, "event of an open delivery is missing, dropping the delivery");
        return Ok(());
    };
    let about = event(position(at), &envelope);
    let kind = about.as_ref().map_or("", |event| event.kind.as_str());
    let (id, tenant_id) = tx
        .connection
        .prepare_cached(
            "UPDATE tenants SET last_dead_letter = last_dead_letter + 1 WHERE id = ?1 RETURNING last_dead_letter, name",
        )?
        .query_row([tenant], |row| Ok((row.get::<_, i64>(0)?, parsed(row, 1, TenantId::new)?)))?;
    let first_at = first_at.unwrap_or_else(|| tx.wall.micros());
    tx.connection
        .prepare_cached(
            "INSERT INTO dead_letters(
                tenant, id, consumer, topic, position, cause, attempts, first_at, last_at, envelope, kind
             ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CAST(?10 AS TEXT), ?11)",
        )?
        .execute(params![
            tenant,
            id,
            group,
            topic.number(),
            at,
            cause,
            attempts,
            first_at,
            tx.wall.micros(),
            envelope,
            kind
        ])?;
    let event = match about {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(%error, letter = id, "event was given up that cannot be read");
            stand_in(tx.connection, at, (topic, ""), tx.wall, &error)?
        }
    };
    let letter = DeadLetter {
        id: unsigned(id),
        group: name,
        position: position(at),
        cause: cause.into(),
        attempts,
        first_at: Timestamp::from_micros(first_at),
        last_at: tx.wall,
        event,
    };
    announce(tx, tenant, letter.announcement(&tenant_id))
}

fn announce(tx: &mut Tx<'_>, tenant: i64, announcement: Option<Event>) -> rusqlite::Result<()> {
    let Some(event) = announcement else { return Ok(()) };
    append(tx, tenant, &[Row::new(Arc::new(event))]).map(|_| ())
}
