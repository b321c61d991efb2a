//! What is told of an event whose envelope is damaged in the file.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::json;
use soorma_core::{Data, Event, Name, Timestamp, Topic};
use soorma_ports::EventLogError;

use super::group::parsed;

/// Why an event is given up that nobody was shown.
pub(super) const UNREADABLE: &str = "the event cannot be read, since it is damaged in the log";

/// Stands in for the event: with its id where the log still has it, and with what is wrong in place of its data.
pub(super) fn stand_in(
    connection: &Connection,
    at: i64,
    (topic, kind): (Topic, &str),
    time: Timestamp,
    error: &EventLogError,
) -> rusqlite::Result<Arc<Event>> {
    let mut select = connection
        .prepare_cached("SELECT id FROM events WHERE position = ?1 UNION ALL SELECT 'position-' || ?1")?;
    let mut ids = select.query_map([at], |row| parsed(row, 0, |id| Name::new(id)))?;
    let id = ids.find_map(Result::ok).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let mut event = Event::new(id, "", kind, time, topic);
    event.data = Data::from_value(&json!({ "unreadable": error.to_string() })).ok();
    Ok(Arc::new(event))
}
