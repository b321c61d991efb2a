//! Handing out, in the writer's transaction: what is due again, then what is new.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, OptionalExtension as _, Row, params};
use soorma_core::{Event, Topic};
use soorma_ports::{Delivery, DeliveryId};

use super::bury::bury;
use super::group::{Group, MOST_WAITING, used};
use super::keys::{closed, is_busy, key_of};
use super::read::{envelope, event};
use super::unreadable::UNREADABLE;
use crate::error::Failure;
use crate::numbers::{count, position, size, topic};
use crate::topic_set::TopicSet;
use crate::writer::Tx;

/// How many new events that cannot be handed out are taken in at once, while others wait: a few milliseconds.
const MOST_PASSED: usize = 500;

/// What was handed out, or when there will be something.
#[derive(Debug, Default)]
pub(super) struct HandedOut {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) due: Option<i64>,
    /// There may be more, which was not looked for yet: to be asked for again at once.
    pub(super) goes_on: bool,
}

/// Who hands out to whom.
#[derive(Clone, Copy)]
struct Round {
    group: i64,
    wanted: TopicSet,
    /// When what is handed out now is to be settled.
    due: i64,
}

/// Hands out events of these topics; `None` where there is no such group.
pub(super) fn hand_out(
    tx: &mut Tx<'_>,
    id: i64,
    wanted: TopicSet,
    max: usize,
) -> Result<Option<HandedOut>, Failure> {
    if !used(tx, id)? {
        return Ok(None);
    }
    expire(tx, id)?;
    let Some(group) = tx.state.groups.get(&id) else { return Ok(None) };
    let credit = if group.paused { 0 } else { group.max_unsettled.saturating_sub(group.in_hand) };
    let round = Round { group: id, wanted, due: tx.now.saturating_add(group.ack_within) };
    let most = size(credit.min(count(max)));
    let mut handed = HandedOut::default();
    if most > 0 {
        let left_out = again(tx, round, most, &mut handed.deliveries)?;
        handed.goes_on = fresh(tx, round, most, &mut handed.deliveries)? || left_out;
        if !handed.deliveries.is_empty() {
            tx.state.signals.falls_due(id, round.due);
        }
    }
    let is_full = handed.deliveries.len() >= max;
    if handed.deliveries.is_empty() {
        handed.due = next_due(tx, id, wanted)?;
        tx.state.signals.waits_until(id, wanted, handed.due);
    } else if (is_full || handed.goes_on) && tx.state.groups.get(&id).is_some_and(Group::has_credit) {
        // It got all that it asked for: there may be more for the next.
        tx.state.signals.available(id, wanted);
    }
    Ok(Some(handed))
}

/// Takes back what was not settled in time; what has used up its attempts becomes a dead letter.
fn expire(tx: &mut Tx<'_>, id: i64) -> rusqlite::Result<()> {
    let Some(group) = tx.state.groups.get_mut(&id) else { return Ok(()) };
    if group.in_hand == 0 {
        return Ok(());
    }
    let late = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = 0 WHERE consumer = ?1 AND state = 1 AND due_at <= ?2 AND attempt < ?3",
        )?
        .execute(params![id, tx.now, group.max_attempts])?;
    group.in_hand -= count(late);
    group.waiting += count(late);
    let mut select = tx.connection.prepare_cached(
        "SELECT position FROM deliveries WHERE consumer = ?1 AND state = 1 AND due_at <= ?2 ORDER BY due_at, position",
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

/// Hands out what waits and is due; says whether it left out what is damaged, so that more may be due.
fn again(
    tx: &mut Tx<'_>,
    round: Round,
    most: usize,
    deliveries: &mut Vec<Delivery>,
) -> rusqlite::Result<bool> {
    let Round { group: id, wanted, due } = round;
    if tx.state.groups.get(&id).is_none_or(|group| group.waiting == 0) {
        return Ok(false);
    }
    // The index has all of this: what is not wanted costs little.
    let mut select = tx.connection.prepare_cached(
        "SELECT position, topic FROM deliveries
         WHERE consumer = ?1 AND state = 0 AND due_at <= ?2 AND ?3 >> topic & 1
         ORDER BY due_at, position LIMIT ?4",
    )?;
    let found = select.query_map(params![id, tx.now, wanted.bits(), count(most)], |row| {
        Ok((row.get::<_, i64>(0)?, topic(1, row)?))
    })?;
    let found: Vec<(i64, Topic)> = found.collect::<rusqlite::Result<_>>()?;
    let mut update = tx.connection.prepare_cached(
        "UPDATE deliveries SET state = 1, attempt = attempt + 1, due_at = ?3, set_at = ?4,
            first_at = coalesce(first_at, ?5)
         WHERE consumer = ?1 AND position = ?2 RETURNING attempt, envelope",
    )?;
    let mut select = tx.connection.prepare_cached("SELECT envelope FROM events WHERE position = ?1")?;
    tx.state.waits_less(id, count(found.len()));
    let mut left_out = false;
    for (at, topic) in found {
        let read = |row: &Row<'_>, column| Ok(event(position(at), envelope(row, column)?));
        let (attempt, own): (u32, _) =
            update.query_row(params![id, at, due, tx.now, tx.wall.micros()], |row| {
                let own = if row.get_ref(1)? == ValueRef::Null { None } else { Some(read(row, 1)?) };
                Ok((row.get(0)?, own))
            })?;
        let event = match own {
            Some(event) => Some(event),
            None => select.query_row([at], |row| read(row, 0)).optional()?,
        };
        let Some(event) = event else {
            // Retention keeps what is open, so this is a damage; the rest of the group's work is not held up by it.
            tracing::error!(position = at, "event of an open delivery is missing, dropping the delivery");
            drop_delivery(tx, id, at)?;
            left_out = true;
            continue;
        };
        if let Some(group) = tx.state.groups.get_mut(&id) {
            group.in_hand += 1;
        }
        match event {
            Ok(event) => {
                let id = DeliveryId { topic, position: position(at), attempt };
                deliveries.push(Delivery { id, event });
            }
            Err(_) => {
                bury(tx, id, at, UNREADABLE)?;
                left_out = true;
            }
        }
    }
    Ok(left_out)
}

/// Drops a delivery that is not counted any more; the next of its key takes its place.
fn drop_delivery(tx: &mut Tx<'_>, id: i64, at: i64) -> rusqlite::Result<()> {
    let key = tx
        .connection
        .prepare_cached("DELETE FROM deliveries WHERE consumer = ?1 AND position = ?2 RETURNING key")?
        .query_row(params![id, at], |row| row.get(0))?;
    closed(tx, id, key)
}

/// Hands out what the group has not seen, in the order in which it was appended; says whether it stopped to let others go first.
fn fresh(
    tx: &mut Tx<'_>,
    round: Round,
    most: usize,
    deliveries: &mut Vec<Delivery>,
) -> rusqlite::Result<bool> {
    let mut taking = Taking::prepare(tx)?;
    let mut passed = 0;
    loop {
        let room = most.saturating_sub(deliveries.len());
        let is_held_up = tx.state.groups.get(&round.group).is_none_or(|group| group.waiting >= MOST_WAITING);
        if room == 0 || is_held_up {
            return Ok(false);
        }
        if passed >= MOST_PASSED {
            return Ok(true);
        }
        let found = look(tx, round, room)?;
        let is_all = found.len() < room;
        for (at, topic) in found {
            match taking.take(tx, round, at, topic)? {
                Some(event) => {
                    let id = DeliveryId { topic, position: position(at), attempt: 1 };
                    deliveries.push(Delivery { id, event });
                }
                None => passed += 1,
            }
        }
        if is_all {
            return Ok(false);
        }
    }
}

/// Returns the first events that the group has not seen, and moves its cursors behind them.
fn look(tx: &mut Tx<'_>, round: Round, most: usize) -> rusqlite::Result<Vec<(i64, Topic)>> {
    let Some(group) = tx.state.groups.get_mut(&round.group) else { return Ok(Vec::new()) };
    let mut found: Vec<(i64, Topic)> = Vec::new();
    // Topics of which all that there is was found: the group has then come to the end of them.
    let mut ends: Vec<(Topic, i64)> = Vec::new();
    for (topic, cursor) in group.cursors.iter().filter(|(topic, _)| round.wanted.contains(**topic)) {
        let row = *tx.state.topics.of(*topic);
        let after = (*cursor).max(row.before_first);
        if after >= row.head {
            continue;
        }
        let mut select = tx.connection.prepare_cached(
            "SELECT position FROM events WHERE tenant = ?1 AND topic = ?2 AND position > ?3 ORDER BY position LIMIT ?4",
        )?;
        let before = found.len();
        let wanted = params![group.tenant, topic.number(), after, count(most)];
        for at in select.query_map(wanted, |row| row.get(0))? {
            found.push((at?, *topic));
        }
        if found.len() - before < most {
            ends.push((*topic, row.head));
        }
    }
    found.sort_unstable_by_key(|(at, _)| *at);
    let left_out = found.split_off(found.len().min(most));

    let mut update = tx
        .connection
        .prepare_cached("UPDATE consumer_topics SET cursor = ?3 WHERE consumer = ?1 AND topic = ?2")?;
    for (topic, cursor) in &mut group.cursors {
        if let Some((last, _)) = found.iter().rev().find(|(_, of)| of == topic) {
            *cursor = *last;
            update.execute(params![round.group, topic.number(), last])?;
        }
    }
    for (topic, head) in ends {
        if left_out.iter().all(|(_, left)| *left != topic) {
            // Only in memory: it saves looking again for what is not there.
            group.cursors.insert(topic, head);
        }
    }
    Ok(found)
}

/// The statements that take an event from the log.
struct Taking<'a> {
    select: CachedStatement<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> Taking<'a> {
    fn prepare(tx: &Tx<'a>) -> rusqlite::Result<Self> {
        let select = tx.connection.prepare_cached("SELECT envelope FROM events WHERE position = ?1")?;
        let insert = tx.connection.prepare_cached(
            "INSERT INTO deliveries(consumer, position, topic, attempt, state, due_at, set_at, first_at, key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(consumer, position) DO NOTHING",
        )?;
        Ok(Self { select, insert })
    }

    /// Takes an event, and returns it if it can be handed out: it is parked when another of its key is dealt with, after a seek
    /// it may be open already, and it is given up when it cannot be read.
    fn take(
        &mut self,
        tx: &mut Tx<'_>,
        round: Round,
        at: i64,
        topic: Topic,
    ) -> rusqlite::Result<Option<Arc<Event>>> {
        let event = self.select.query_row([at], |row| Ok(event(position(at), envelope(row, 0)?)))?.ok();
        let key = event.as_ref().and_then(|event| key_of(tx, round.group, event));
        let is_parked = is_busy(tx, round.group, key)?;
        let (state, attempt, due, first_at) =
            if is_parked { (2, 0, tx.now, None) } else { (1, 1, round.due, Some(tx.wall.micros())) };
        let inserted = self.insert.execute(params![
            round.group,
            at,
            topic.number(),
            attempt,
            state,
            due,
            tx.now,
            first_at,
            key
        ])?;
        let Some(group) = tx.state.groups.get_mut(&round.group).filter(|_| inserted > 0) else {
            return Ok(None);
        };
        if is_parked {
            group.waiting += 1;
            return Ok(None);
        }
        group.in_hand += 1;
        if event.is_none() {
            bury(tx, round.group, at, UNREADABLE)?;
        }
        Ok(event)
    }
}

/// When a lease ends, or something that waits can be handed out to one who wants these topics.
fn next_due(tx: &Tx<'_>, id: i64, wanted: TopicSet) -> rusqlite::Result<Option<i64>> {
    let Some(group) = tx.state.groups.get(&id) else { return Ok(None) };
    let mut select = tx.connection.prepare_cached(
        "SELECT due_at FROM deliveries WHERE consumer = ?1 AND state = ?2 AND ?3 >> topic & 1
         ORDER BY due_at LIMIT 1",
    )?;
    let mut earliest = |state: i64, of: TopicSet| {
        select.query_row(params![id, state, of.bits()], |row| row.get(0)).optional()
    };
    let lease = if group.in_hand > 0 { earliest(1, TopicSet::ALL)? } else { None };
    let can_take = group.waiting > 0 && group.has_credit() && !group.paused;
    let waiting = if can_take { earliest(0, wanted)? } else { None };
    Ok([lease, waiting].into_iter().flatten().min())
}
