//! Settling, in the writer's transaction.

use rusqlite::{OptionalExtension as _, params};
use soorma_ports::{DeliveryId, Settle};

use super::bury::bury;
use super::group::used;
use super::keys::closed;
use super::state::later;
use crate::numbers::signed;
use crate::writer::Tx;

/// Says which settlements count; `None` where there is no such group.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    group: i64,
    settlements: &[(DeliveryId, Settle)],
) -> rusqlite::Result<Option<Vec<bool>>> {
    if !used(tx, group)? {
        return Ok(None);
    }
    settlements
        .iter()
        .map(|(id, settle)| settle_one(tx, group, *id, settle))
        .collect::<Result<_, _>>()
        .map(Some)
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
    let was: Option<(i64, Option<i64>)> = tx
        .connection
        .prepare_cached(
            "DELETE FROM deliveries WHERE consumer = ?1 AND position = ?2 AND topic = ?3 RETURNING state, key",
        )?
        .query_row(params![group, signed(id.position.0), id.topic.number()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match was {
        None => return Ok(false),
        Some((1, key)) => {
            tx.state.leaves_hand(group);
            closed(tx, group, key)?;
        }
        Some((state, key)) => {
            tx.state.waits_less(group, 1);
            // What is parked has another before it.
            closed(tx, group, key.filter(|_| state == 0))?;
        }
    }
    Ok(true)
}

fn extend(tx: &mut Tx<'_>, group: i64, id: DeliveryId) -> rusqlite::Result<bool> {
    let Some(due) = tx.state.groups.get(&group).map(|group| tx.now.saturating_add(group.ack_within)) else {
        return Ok(false);
    };
    let extended = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET due_at = ?5, set_at = ?6
             WHERE consumer = ?1 AND position = ?2 AND topic = ?3 AND attempt = ?4 AND state = 1",
        )?
        .execute(params![group, signed(id.position.0), id.topic.number(), id.attempt, due, tx.now])?;
    if extended > 0 {
        tx.state.signals.falls_due(group, due);
    }
    Ok(extended > 0)
}

/// Puts an event back until it is due, with so many attempts used.
fn wait(tx: &mut Tx<'_>, group: i64, id: DeliveryId, due: i64, attempts: u32) -> rusqlite::Result<bool> {
    let put_back = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = 0, attempt = ?7, due_at = ?5, set_at = ?6
             WHERE consumer = ?1 AND position = ?2 AND topic = ?3 AND attempt = ?4 AND state = 1",
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
    tx.state.leaves_hand(group);
    if let Some(group) = tx.state.groups.get_mut(&group) {
        group.waiting += 1;
    }
    if due <= tx.now {
        tx.state.signals.available(group, id.topic.into());
    } else {
        tx.state.signals.falls_due(group, due);
    }
    Ok(true)
}

fn give_up(tx: &mut Tx<'_>, group: i64, id: DeliveryId, cause: &str) -> rusqlite::Result<bool> {
    let is_held: Option<i64> = tx
        .connection
        .prepare_cached(
            "SELECT 1 FROM deliveries
             WHERE consumer = ?1 AND position = ?2 AND topic = ?3 AND attempt = ?4 AND state = 1",
        )?
        .query_row(params![group, signed(id.position.0), id.topic.number(), id.attempt], |row| row.get(0))
        .optional()?;
    if is_held.is_some() {
        bury(tx, group, signed(id.position.0), cause)?;
    }
    Ok(is_held.is_some())
}
