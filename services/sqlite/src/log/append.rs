//! Appending, in the writer's transaction.

use std::sync::Arc;

use rusqlite::params;
use soorma_core::{Event, Json};
use soorma_ports::Appended;

use crate::numbers::position;
use crate::writer::Tx;

/// An event, and how it is written.
pub(super) struct Row {
    event: Arc<Event>,
    envelope: String,
}

impl Row {
    pub(super) fn new(event: Arc<Event>) -> Self {
        let envelope = event.to_json(Json::Snake);
        Self { event, envelope }
    }
}

pub(super) fn append(tx: &mut Tx<'_>, tenant: i64, rows: &[Row]) -> rusqlite::Result<Vec<Appended>> {
    let mut insert = tx.connection.prepare_cached(
        "INSERT INTO events(position, tenant, topic, id, appended_at, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(tenant, topic, id) DO NOTHING",
    )?;
    let mut appended = Vec::with_capacity(rows.len());
    for Row { event, envelope } in rows {
        let (id, topic, next) = (event.id.as_str(), event.topic, tx.state.topics.last + 1);
        let inserted = insert.execute(params![next, tenant, topic.number(), id, tx.now, envelope])?;
        if inserted == 0 {
            let first = tx
                .connection
                .prepare_cached("SELECT position FROM events WHERE tenant = ?1 AND topic = ?2 AND id = ?3")?
                .query_row(params![tenant, topic.number(), id], |row| row.get(0))?;
            appended.push(Appended { position: position(first), duplicate: true });
            continue;
        }
        tx.state.topics.last = next;
        let row = tx.state.topics.of(topic);
        row.head = next;
        row.kept += 1;
        tx.state.appended(tenant, topic);
        appended.push(Appended { position: position(next), duplicate: false });
    }
    Ok(appended)
}
