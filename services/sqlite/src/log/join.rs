//! Making a group, or joining it.

use std::sync::Arc;

use rusqlite::{Connection, params};
use soorma_core::Topic;
use soorma_ports::{Bounds, ConsumerSpec, EventLogError, Start};

use super::read::within;
use super::signal::Signal;
use super::state::group_id;
use crate::error::Failure;
use crate::numbers::{micros, position, signed};
use crate::writer::Tx;

/// The newest spec holds for all members. What a topic that is left out still had open is dropped.
pub(super) fn join(tx: &mut Tx<'_>, spec: &ConsumerSpec) -> Result<(i64, Arc<Signal>), Failure> {
    check(spec)?;
    // A refusal must not have written anything, not even the name of a tenant.
    let existing = match tx.state.known_tenant(tx.connection, &spec.tenant)? {
        Some(tenant) => group_id(tx.connection, tenant, &spec.group)?,
        None => None,
    };
    let mut starts = Vec::with_capacity(spec.topics.len());
    for topic in &spec.topics {
        starts.push((*topic, start(tx, spec, *topic, existing.is_none())?));
    }
    let tenant = tx.state.tenant(tx.connection, &spec.tenant)?;
    let id = put(tx.connection, tenant, spec)?;
    let had: Vec<Topic> =
        tx.state.groups.get(&id).map(|group| group.cursors.keys().copied().collect()).unwrap_or_default();
    for topic in had.iter().filter(|topic| !spec.topics.contains(topic)) {
        let left = params![id, topic.number()];
        tx.connection.execute("DELETE FROM consumer_topics WHERE consumer = ?1 AND topic = ?2", left)?;
        tx.connection.execute("DELETE FROM deliveries WHERE consumer = ?1 AND topic = ?2", left)?;
    }
    for (topic, start) in starts.into_iter().filter(|(topic, _)| !had.contains(topic)) {
        tx.connection.execute(
            "INSERT INTO consumer_topics(consumer, topic, cursor) VALUES (?1, ?2, ?3)",
            params![id, topic.number(), start],
        )?;
    }
    tx.state.load_group(tx.connection, id)?;
    // Members that wait ask again: there may be more for them than before.
    tx.state.available(id);
    Ok((id, tx.state.signal(id)))
}

fn check(spec: &ConsumerSpec) -> Result<(), EventLogError> {
    let wrong = |message: &str| Err(EventLogError::Invalid(message.into()));
    if spec.topics.is_empty() {
        return wrong("a consumer needs at least one topic");
    }
    if spec.max_attempts == 0 || spec.max_unsettled == 0 || spec.ack_within.is_zero() {
        return wrong("max_attempts, max_unsettled and ack_within of a consumer must be more than zero");
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
            let bounds = Bounds { before_first: position(row.before_first), head: position(row.head) };
            within(topic, after, bounds)?;
            Ok(signed(after.0))
        }
        Start::Now | Start::Earliest | Start::After(_) => Ok(row.head),
    }
}

fn put(connection: &Connection, tenant: i64, spec: &ConsumerSpec) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO consumers(tenant, name, ack_within, max_attempts, max_unsettled) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(tenant, name) DO UPDATE SET ack_within = excluded.ack_within,
                max_attempts = excluded.max_attempts, max_unsettled = excluded.max_unsettled
             RETURNING id",
        )?
        .query_row(
            params![
                tenant,
                spec.group.as_str(),
                // A lease of no time at all would never be in hand.
                micros(spec.ack_within).max(1),
                spec.max_attempts,
                spec.max_unsettled
            ],
            |row| row.get(0),
        )
}
