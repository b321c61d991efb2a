//! Order by key, in the writer's transaction: of one key one event of a group is dealt with, the others that the group has
//! seen are parked.

use rusqlite::{OptionalExtension as _, params};
use soorma_core::Event;

use crate::numbers::topic;
use crate::writer::Tx;

/// Returns the key of an event in a group that has keys.
pub(super) fn key_of(tx: &Tx<'_>, group: i64, event: &Event) -> Option<i64> {
    let key = tx.state.groups.get(&group)?.key.as_ref()?;
    key.of(event).map(i64::from)
}

/// Whether an event of this key is being dealt with.
pub(super) fn is_busy(tx: &Tx<'_>, group: i64, key: Option<i64>) -> rusqlite::Result<bool> {
    let Some(key) = key else { return Ok(false) };
    tx.connection
        .prepare_cached("SELECT 1 FROM deliveries WHERE consumer = ?1 AND key = ?2 AND state < 2")?
        .query_row(params![group, key], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

/// An event of this key is dealt with: the first of those that are parked takes its place.
pub(super) fn closed(tx: &mut Tx<'_>, group: i64, key: Option<i64>) -> rusqlite::Result<()> {
    let Some(key) = key else { return Ok(()) };
    let next = tx
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = 0, due_at = ?3, set_at = ?3
             WHERE consumer = ?1 AND position = (
                SELECT position FROM deliveries INDEXED BY deliveries_parked
                WHERE consumer = ?1 AND key = ?2 AND state = 2 ORDER BY position LIMIT 1
             ) RETURNING topic",
        )?
        .query_row(params![group, key, tx.now], |row| topic(0, row))
        .optional()?;
    if let Some(topic) = next {
        tx.state.signals.available(group, topic.into());
    }
    Ok(())
}
