//! Settling, in the writer's transaction.

use rusqlite::{OptionalExtension as _, params};
use soorma_ports::{DeliveryId, Settle};

use super::state::later;
use crate::numbers::signed;
use crate::writer::Tx;

pub(super) fn settle(
    tx: &mut Tx<'_>,
    group: i64,
    settlements: &[(DeliveryId, Settle)],
) -> rusqlite::Result<Vec<bool>> {
    settlements.iter().map(|(id, settle)| settle_one(tx, group, *id, settle)).collect()
}

fn settle_one(tx: &mut Tx<'_>, group: i64, id: DeliveryId, settle: &Settle) -> rusqlite::Result<bool> {
    match settle {
        Settle::Ack => ack(tx, group, id),
        Settle::Extend => extend(tx, group, id),
        Settle::Release { after } => wait(tx, group, id, later(tx.now, *after), id.attempt.saturating_sub(1)),
        Settle::Retry { after, cause } => {
            let most = tx.state.groups.get(&group).map_or(0, |group| group.max_attempts);
            if id.attempt < most {
                wait(tx, group, id, later(tx.now, *after), id.attempt)
            } else {
                give_up(tx, group, id, cause)
            }
        }
        Settle::Reject { cause } => give_up(tx, group, id, cause),
    }
}

/// Whoever sends it.
fn ack(tx: &mut Tx<'_>, group: i64, id: DeliveryId) -> rusqlite::Result<bool> {
    let was_leased: Option<bool> = tx
        .connection
        .prepare_cached(
            "DELETE FROM deliveries WHERE consumer = ?1 AND position = ?2 AND topic = ?3 RETURNING leased",
        )?
        .query_row(params![group, signed(id.position.0), id.topic.number()], |row| row.get(0))
        .optional()?;
    if let Some(was_leased) = was_leased {
        closed(tx, group, was_leased);
    }
    Ok(was_leased.is_some())
}

fn extend(tx: &mut Tx<'_>, group: i64, id: DeliveryId) -> rusqlite::Result<bool> {
    let Some(due) = tx.state.groups.get(&group).map(|group| tx.now.saturating_add(group.ack_within)) else {
        return Ok(false);
    };
    let extended = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET due_at = ?5, set_at = ?6
             WHERE consumer = ?1 AND position = ?2 AND topic = ?3 AND attempt = ?4 AND leased = 1",
        )?
        .execute(params![group, signed(id.position.0), id.topic.number(), id.attempt, due, tx.now])?;
    if extended > 0 {
        tx.state.falls_due(group, due);
    }
    Ok(extended > 0)
}

/// Puts an event back until it is due, with so many attempts used.
fn wait(tx: &mut Tx<'_>, group: i64, id: DeliveryId, due: i64, attempts: u32) -> rusqlite::Result<bool> {
    let put_back = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET leased = 0, attempt = ?7, due_at = ?5, set_at = ?6
             WHERE consumer = ?1 AND position = ?2 AND topic = ?3 AND attempt = ?4 AND leased = 1",
        )?
        .execute(params![
            group,
            signed(id.position.0),
            id.topic.number(),
            id.attempt,
            due,
            tx.now,
            attempts
        ])?;
    if put_back == 0 {
        return Ok(false);
    }
    closed(tx, group, true);
    if let Some(group) = tx.state.groups.get_mut(&group) {
        group.waiting += 1;
    }
    if due <= tx.now {
        tx.state.available(group);
    } else {
        tx.state.falls_due(group, due);
    }
    Ok(true)
}

fn give_up(tx: &mut Tx<'_>, group: i64, id: DeliveryId, cause: &str) -> rusqlite::Result<bool> {
    let is_held: Option<i64> = tx
        .connection
        .prepare_cached(
            "SELECT 1 FROM deliveries
             WHERE consumer = ?1 AND position = ?2 AND topic = ?3 AND attempt = ?4 AND leased = 1",
        )?
        .query_row(params![group, signed(id.position.0), id.topic.number(), id.attempt], |row| row.get(0))
        .optional()?;
    if is_held.is_some() {
        bury(tx, group, signed(id.position.0), cause)?;
    }
    Ok(is_held.is_some())
}

/// Makes a dead letter of an event in hand, with its own copy of the event.
pub(super) fn bury(tx: &mut Tx<'_>, group: i64, position: i64, cause: &str) -> rusqlite::Result<()> {
    let Some(tenant) = tx.state.groups.get(&group).map(|group| group.tenant) else { return Ok(()) };
    let letter: i64 = tx
        .connection
        .prepare_cached(
            "UPDATE tenants SET last_dead_letter = last_dead_letter + 1 WHERE id = ?1 RETURNING last_dead_letter",
        )?
        .query_row([tenant], |row| row.get(0))?;
    tx.connection
        .prepare_cached(
            "INSERT INTO dead_letters(
                tenant, id, consumer, topic, position, cause, attempts, first_at, last_at, envelope
             )
             SELECT ?1, ?2, d.consumer, d.topic, d.position, ?5, d.attempt, coalesce(d.first_at, ?6), ?6,
                coalesce(d.envelope, e.envelope)
             FROM deliveries d LEFT JOIN events e ON e.position = d.position
             WHERE d.consumer = ?3 AND d.position = ?4",
        )?
        .execute(params![tenant, letter, group, position, cause, tx.wall.micros()])?;
    tx.connection
        .prepare_cached("DELETE FROM deliveries WHERE consumer = ?1 AND position = ?2")?
        .execute(params![group, position])?;
    closed(tx, group, true);
    Ok(())
}

/// Counts an event that is no longer in hand, or no longer waits.
fn closed(tx: &mut Tx<'_>, id: i64, was_leased: bool) {
    let Some(group) = tx.state.groups.get_mut(&id) else { return };
    if !was_leased {
        group.waiting -= 1;
        return;
    }
    let had_credit = group.has_credit();
    group.in_hand -= 1;
    if !had_credit && group.has_credit() {
        // Members may have waited for credit only.
        tx.state.available(id);
    }
}
