//! Handing out, in the writer's transaction: what is due again, then what is new.

use rusqlite::params;
use soorma_core::Topic;
use soorma_ports::DeliveryId;

use super::settle::bury;
use super::state::Group;
use crate::error::Failure;
use crate::numbers::{count, position, size, topic};
use crate::writer::Tx;

/// With so many events of a group waiting to be tried again, nothing new is handed out: what fails for all, such as a
/// model provider that is away, would else go through the whole log.
const MOST_WAITING: i64 = 10_000;

/// What was handed out, or when there will be something.
#[derive(Debug, Default)]
pub(super) struct HandedOut {
    pub(super) deliveries: Vec<(DeliveryId, String)>,
    pub(super) due: Option<i64>,
}

/// An event that can be handed out.
struct Ready {
    position: i64,
    topic: Topic,
    /// How many attempts were used.
    attempts: u32,
    envelope: Option<String>,
}

pub(super) fn hand_out(tx: &mut Tx<'_>, id: i64, max: usize) -> Result<HandedOut, Failure> {
    expire(tx, id)?;
    let Some(group) = tx.state.groups.get(&id) else { return Ok(HandedOut::default()) };
    let (tenant, ack_within) = (group.tenant, group.ack_within);
    let most = group.max_unsettled.saturating_sub(group.in_hand).min(count(max));
    let mut deliveries = Vec::new();
    if most > 0 {
        let due = tx.now.saturating_add(ack_within);
        if group.waiting > 0 {
            again(tx, id, most, due, &mut deliveries)?;
        }
        let room = most - count(deliveries.len());
        if room > 0 && tx.state.groups.get(&id).is_some_and(|group| group.waiting < MOST_WAITING) {
            fresh(tx, id, tenant, room, due, &mut deliveries)?;
        }
        if !deliveries.is_empty() {
            tx.state.falls_due(id, due);
        }
    }
    let mut due = None;
    let is_full = deliveries.len() >= max;
    if deliveries.is_empty() {
        due = next_due(tx, id)?;
        if let Some(group) = tx.state.groups.get_mut(&id) {
            group.announced = due;
        }
    } else if is_full && tx.state.groups.get(&id).is_some_and(Group::has_credit) {
        // It got all that it asked for: there may be more for the next.
        tx.state.available(id);
    }
    Ok(HandedOut { deliveries, due })
}

/// Takes back what was not settled in time; what has used up its attempts becomes a dead letter.
fn expire(tx: &mut Tx<'_>, id: i64) -> rusqlite::Result<()> {
    let Some(group) = tx.state.groups.get_mut(&id) else { return Ok(()) };
    if group.in_hand == 0 {
        return Ok(());
    }
    let max_attempts = group.max_attempts;
    let late = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET leased = 0 WHERE consumer = ?1 AND leased = 1 AND due_at <= ?2 AND attempt < ?3",
        )?
        .execute(params![id, tx.now, max_attempts])?;
    group.in_hand -= count(late);
    group.waiting += count(late);
    let mut select = tx.connection.prepare_cached(
        "SELECT position FROM deliveries WHERE consumer = ?1 AND leased = 1 AND due_at <= ?2 ORDER BY due_at, position",
    )?;
    let given_up: Vec<i64> =
        select.query_map(params![id, tx.now], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if let Some(cause) = tx.state.groups.get(&id).filter(|_| !given_up.is_empty()).map(Group::too_late) {
        for position in given_up {
            bury(tx, id, position, &cause)?;
        }
    }
    Ok(())
}

/// Hands out what waits and is due.
fn again(
    tx: &mut Tx<'_>,
    id: i64,
    most: i64,
    due: i64,
    deliveries: &mut Vec<(DeliveryId, String)>,
) -> rusqlite::Result<()> {
    let mut select = tx.connection.prepare_cached(
        "SELECT d.position, d.topic, d.attempt, coalesce(d.envelope, e.envelope)
         FROM deliveries d LEFT JOIN events e ON e.position = d.position
         WHERE d.consumer = ?1 AND d.leased = 0 AND d.due_at <= ?2 ORDER BY d.due_at, d.position LIMIT ?3",
    )?;
    let found = select.query_map(params![id, tx.now, most], |row| {
        Ok(Ready {
            position: row.get(0)?,
            topic: topic(1, row)?,
            attempts: row.get(2)?,
            envelope: row.get(3)?,
        })
    })?;
    let found: Vec<Ready> = found.collect::<rusqlite::Result<_>>()?;
    let Some(group) = tx.state.groups.get_mut(&id) else { return Ok(()) };
    let mut update = tx.connection.prepare_cached(
        "UPDATE deliveries SET leased = 1, attempt = attempt + 1, due_at = ?3, set_at = ?4,
            first_at = coalesce(first_at, ?5)
         WHERE consumer = ?1 AND position = ?2",
    )?;
    let mut delete =
        tx.connection.prepare_cached("DELETE FROM deliveries WHERE consumer = ?1 AND position = ?2")?;
    for Ready { position: at, topic, attempts, envelope } in found {
        group.waiting -= 1;
        let Some(envelope) = envelope else {
            // Retention keeps what is open, so this is a damage; the rest of the group's work is not held up by it.
            tracing::error!(position = at, "event of an open delivery is missing, dropping the delivery");
            delete.execute(params![id, at])?;
            continue;
        };
        update.execute(params![id, at, due, tx.now, tx.wall.micros()])?;
        group.in_hand += 1;
        deliveries.push((DeliveryId { topic, position: position(at), attempt: attempts + 1 }, envelope));
    }
    Ok(())
}

/// Hands out what the group has not seen, in the order in which it was appended.
fn fresh(
    tx: &mut Tx<'_>,
    id: i64,
    tenant: i64,
    room: i64,
    due: i64,
    deliveries: &mut Vec<(DeliveryId, String)>,
) -> rusqlite::Result<()> {
    let Some(group) = tx.state.groups.get_mut(&id) else { return Ok(()) };
    let mut found: Vec<(i64, Topic)> = Vec::new();
    // Topics of which all that there is was found: the group has then come to the end of them.
    let mut ends: Vec<(Topic, i64)> = Vec::new();
    for (topic, cursor) in &group.cursors {
        let row = *tx.state.topics.of(*topic);
        let after = (*cursor).max(row.before_first);
        if after >= row.head {
            continue;
        }
        let mut select = tx.connection.prepare_cached(
            "SELECT position FROM events WHERE tenant = ?1 AND topic = ?2 AND position > ?3 ORDER BY position LIMIT ?4",
        )?;
        let before = found.len();
        for at in select.query_map(params![tenant, topic.number(), after, room], |row| row.get(0))? {
            found.push((at?, *topic));
        }
        if count(found.len() - before) < room {
            ends.push((*topic, row.head));
        }
    }
    found.sort_unstable_by_key(|(at, _)| *at);
    let left_out = found.split_off(found.len().min(size(room)));

    let mut select = tx.connection.prepare_cached("SELECT envelope FROM events WHERE position = ?1")?;
    let mut insert = tx.connection.prepare_cached(
        "INSERT INTO deliveries(consumer, position, topic, attempt, leased, due_at, set_at, first_at)
         VALUES (?1, ?2, ?3, 1, 1, ?4, ?5, ?6)",
    )?;
    let mut moved: Vec<Topic> = Vec::new();
    for (at, topic) in found {
        let envelope = select.query_row([at], |row| row.get(0))?;
        insert.execute(params![id, at, topic.number(), due, tx.now, tx.wall.micros()])?;
        group.in_hand += 1;
        group.cursors.insert(topic, at);
        if !moved.contains(&topic) {
            moved.push(topic);
        }
        deliveries.push((DeliveryId { topic, position: position(at), attempt: 1 }, envelope));
    }
    for (topic, head) in ends {
        if left_out.iter().all(|(_, left)| *left != topic) {
            // Only in memory, unless it is written anyway: it saves looking through the events of others again.
            group.cursors.insert(topic, head);
        }
    }
    let mut update = tx
        .connection
        .prepare_cached("UPDATE consumer_topics SET cursor = ?3 WHERE consumer = ?1 AND topic = ?2")?;
    for topic in moved {
        update.execute(params![id, topic.number(), group.cursors.get(&topic)])?;
    }
    Ok(())
}

/// When a lease ends, or something that waits can be handed out.
fn next_due(tx: &Tx<'_>, id: i64) -> rusqlite::Result<Option<i64>> {
    let Some(group) = tx.state.groups.get(&id) else { return Ok(None) };
    let mut select = tx
        .connection
        .prepare_cached("SELECT min(due_at) FROM deliveries WHERE consumer = ?1 AND leased = ?2")?;
    let mut earliest = |leased: bool, count: i64| -> rusqlite::Result<Option<i64>> {
        if count == 0 { Ok(None) } else { select.query_row(params![id, leased], |row| row.get(0)) }
    };
    let lease = earliest(true, group.in_hand)?;
    let waiting = if group.has_credit() { earliest(false, group.waiting)? } else { None };
    Ok([lease, waiting].into_iter().flatten().min())
}
