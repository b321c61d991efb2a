//! Reading, on a reader's connection.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use soorma_core::{Event, Position, TenantId, Topic};
use soorma_ports::{Bounds, Entry, EventLogError, Page, Reach};

use crate::error::{Failure, corrupt};
use crate::numbers::{count, position, signed};

/// Refuses positions at which nothing can be read.
pub(super) fn within(topic: Topic, after: Position, bounds: Bounds) -> Result<(), EventLogError> {
    let Bounds { before_first, head } = bounds;
    if after < before_first {
        return Err(EventLogError::Gone { topic, after, before_first });
    }
    if after > head {
        return Err(EventLogError::Beyond { topic, after, head });
    }
    Ok(())
}

pub(super) fn page(
    connection: &Connection,
    reach: &Reach,
    topic: Topic,
    after: Position,
    limit: usize,
) -> Result<Page, Failure> {
    let bounds = bounds(connection, topic)?;
    within(topic, after, bounds)?;
    if limit == 0 || after == bounds.head {
        return Ok(Page { entries: Vec::new(), next: after });
    }
    let range = (signed(after.0), count(limit));
    let entries = match reach {
        Reach::Tenant(tenant) => of_tenant(connection, tenant, topic, range)?,
        Reach::Platform => of_all(connection, topic, range)?,
    };
    let next = match entries.last() {
        Some(last) if entries.len() >= limit => last.position,
        _ => bounds.head,
    };
    Ok(Page { entries, next })
}

pub(super) fn bounds(connection: &Connection, topic: Topic) -> rusqlite::Result<Bounds> {
    let found = connection
        .prepare_cached("SELECT before_first, head FROM topics WHERE topic = ?1")?
        .query_row([topic.number()], |row| {
            Ok(Bounds { before_first: position(row.get(0)?), head: position(row.get(1)?) })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn of_tenant(
    connection: &Connection,
    tenant: &TenantId,
    topic: Topic,
    (after, limit): (i64, i64),
) -> Result<Vec<Entry>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT position, envelope FROM events
         WHERE tenant = (SELECT id FROM tenants WHERE name = ?1) AND topic = ?2 AND position > ?3
         ORDER BY position LIMIT ?4",
    )?;
    let mut rows = select.query(params![tenant.as_str(), topic.number(), after, limit])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row, tenant.clone())?);
    }
    Ok(entries)
}

fn of_all(connection: &Connection, topic: Topic, (after, limit): (i64, i64)) -> Result<Vec<Entry>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT position, envelope, name FROM events JOIN tenants ON tenants.id = tenant
         WHERE topic = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
    )?;
    let mut rows = select.query(params![topic.number(), after, limit])?;
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(row) = rows.next()? {
        let name = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        // Neighbours are often of one tenant.
        let tenant = match entries.last() {
            Some(last) if last.tenant.as_str() == name => last.tenant.clone(),
            _ => TenantId::new(name).map_err(|error| corrupt("the name of a tenant", error))?,
        };
        entries.push(entry(row, tenant)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>, tenant: TenantId) -> Result<Entry, Failure> {
    let position = position(row.get(0)?);
    let event = event(position, envelope(row, 1)?)?;
    Ok(Entry { position, tenant, event })
}

/// Returns an envelope as it stands in the file, where a damage may have left anything: only who parses it says what is wrong.
pub(super) fn envelope<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => b"",
    })
}

pub(super) fn event(position: Position, envelope: &[u8]) -> Result<Arc<Event>, EventLogError> {
    let read = serde_json::from_slice(envelope);
    read.map(Arc::new).map_err(|error| corrupt(&format!("the event at {position}"), error))
}
