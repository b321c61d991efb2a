//! Making a group, or joining it.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use soorma_core::Topic;
use soorma_ports::{ConsumerSpec, EventLogError, Start};

use super::group::group_id;
use super::read::within;
use super::signal::Signal;
use crate::error::Failure;
use crate::numbers::{micros, signed};
use crate::topic_set::TopicSet;
use crate::writer::Tx;

/// The newest spec holds for all members, but a group keeps every topic that it ever had.
pub(super) fn join(tx: &mut Tx<'_>, spec: &ConsumerSpec) -> Result<(i64, Arc<Signal>), Failure> {
    check(spec)?;
    // A refusal must not have written anything, not even the name of a tenant.
    let existing = group_id(tx, &spec.tenant, &spec.group)?;
    let mut starts = Vec::with_capacity(spec.topics.len());
    for topic in &spec.topics {
        starts.push((*topic, start(tx, spec, *topic, existing.is_none())?));
    }
    let tenant = tx.state.tenant(tx.connection, &spec.tenant)?;
    let id = put(tx, tenant, spec)?;
    for (topic, start) in starts {
        tx.connection
            .prepare_cached(
                "INSERT INTO consumer_topics(consumer, topic, cursor) VALUES (?1, ?2, ?3)
                 ON CONFLICT(consumer, topic) DO NOTHING",
            )?
            .execute(params![id, topic.number(), start])?;
    }
    if tx.state.groups.get(&id).is_some_and(|group| group.key != spec.key) {
        forget_keys(tx.connection, id, tx.now)?;
    }
    tx.state.load_group(tx.connection, id, tx.now)?;
    // Members that wait ask again: there may be more for them than before.
    tx.state.signals.available(id, TopicSet::ALL);
    let topics = spec.topics.iter().copied().collect();
    Ok((id, tx.state.signals.of(id, topics)))
}

/// What is open was taken under another order; the new one holds for what is taken from now on.
fn forget_keys(connection: &Connection, id: i64, now: i64) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE deliveries SET key = NULL, state = 0, due_at = ?2, set_at = ?2 WHERE consumer = ?1 AND state = 2",
        params![id, now],
    )?;
    connection.execute("UPDATE deliveries SET key = NULL WHERE consumer = ?1", [id])?;
    Ok(())
}

fn check(spec: &ConsumerSpec) -> Result<(), EventLogError> {
    let wrong = |message: &str| Err(EventLogError::Invalid(message.into()));
    if spec.topics.is_empty() {
        return wrong("a consumer needs at least one topic");
    }
    if spec.max_attempts == 0 || spec.max_unsettled == 0 || spec.ack_within.is_zero() {
        return wrong("max_attempts, max_unsettled and ack_within of a consumer must be more than zero");
    }
    if spec.expire_after.is_some_and(|after| after < Duration::from_secs(1)) {
        return wrong("expire_after of a consumer must be at least a second");
    }
    Ok(())
}

/// After which position a topic that is new to the group starts.
fn start(tx: &mut Tx<'_>, spec: &ConsumerSpec, topic: Topic, is_new: bool) -> Result<i64, EventLogError> {
    let row = *tx.state.topics.of(topic);
    match &spec.start {
        Start::Earliest if is_new => Ok(row.before_first),
        Start::After(cursor) if is_new => {
            let Some(after) = cursor.get(topic) else { return Ok(row.head) };
            within(topic, after, row.bounds())?;
            Ok(signed(after.0))
        }
        Start::Now | Start::Earliest | Start::After(_) => Ok(row.head),
    }
}

fn put(tx: &Tx<'_>, tenant: i64, spec: &ConsumerSpec) -> rusqlite::Result<i64> {
    tx.connection
        .prepare_cached(
            "INSERT INTO consumers(tenant, name, ack_within, max_attempts, max_unsettled, key, expire_after, used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT(tenant, name) DO UPDATE SET ack_within = excluded.ack_within,
                max_attempts = excluded.max_attempts, max_unsettled = excluded.max_unsettled, key = excluded.key,
                expire_after = excluded.expire_after, used_at = excluded.used_at
             RETURNING id",
        )?
        .query_row(
            params![
                tenant,
                spec.group.as_str(),
                // A lease of no time at all would never be in hand.
                micros(spec.ack_within).max(1),
                spec.max_attempts,
                spec.max_unsettled,
                spec.key.as_ref().map(ToString::to_string),
                spec.expire_after.map(micros),
                tx.now
            ],
            |row| row.get(0),
        )
}
