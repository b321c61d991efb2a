//! An entry as it is read.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use soorma_core::{MemoryKind, MemoryScope, Owner, Timestamp};
use soorma_ports::{MemoryEntry, MemoryPlace};
use uuid::Uuid;

/// What is read of one, in this order.
macro_rules! columns {
    () => {
        "e.id, w.service_tenant, w.user, s.kind, e.bundle, e.name, e.public, e.text, e.body, e.labels, e.created_at, \
         e.updated_at, e.valid_from, e.valid_until, e.expires_at, e.revision"
    };
}
pub(super) use columns;

const PRIVATE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM tenants t
      CROSS JOIN memory_owners w ON w.tenant = t.id AND w.service_tenant = ?2 AND w.user = ?3
      CROSS JOIN memory_scopes s ON s.tenant = t.id AND s.owner = w.id AND s.kind = ?4
      CROSS JOIN memory_entries e ON e.scope = s.id AND e.bundle = ?5 AND e.name = ?6
      WHERE t.name = ?1 AND (e.expires_at IS NULL OR e.expires_at > ?7)"
);
const PUBLIC: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM tenants t
      CROSS JOIN memory_scopes s ON s.tenant = t.id AND s.owner = 0 AND s.kind = ?2
      CROSS JOIN memory_entries e ON e.scope = s.id AND e.bundle = ?3 AND e.name = ?4
      CROSS JOIN memory_owners w ON w.id = e.owner
      WHERE t.name = ?1 AND (e.expires_at IS NULL OR e.expires_at > ?5)"
);
const BY_ID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM tenants t
      CROSS JOIN memory_entries e ON e.id = ?4 AND e.tenant = t.id
      CROSS JOIN memory_scopes s ON s.id = e.scope
      CROSS JOIN memory_owners w ON w.id = e.owner
      WHERE t.name = ?1 AND (e.public OR (w.service_tenant = ?2 AND w.user = ?3))
          AND (e.expires_at IS NULL OR e.expires_at > ?5)"
);

/// Returns what a scope sees at a place.
pub(super) fn get(
    connection: &Connection,
    scope: &MemoryScope,
    now: Timestamp,
    place: &MemoryPlace,
) -> rusqlite::Result<Option<MemoryEntry>> {
    let (tenant, owner, now) = (scope.tenant.as_str(), &scope.owner, now.micros());
    let (of, user) = (owner.service_tenant(), owner.user());
    match place {
        MemoryPlace::Id(id) => {
            connection.prepare_cached(BY_ID)?.query_row(params![tenant, of, user, id.as_bytes(), now], read)
        }
        MemoryPlace::Key { kind, group, key, public: false } => connection
            .prepare_cached(PRIVATE)?
            .query_row(params![tenant, of, user, kind.as_str(), group, key, now], read),
        MemoryPlace::Key { kind, group, key, public: true } => connection
            .prepare_cached(PUBLIC)?
            .query_row(params![tenant, kind.as_str(), group, key, now], read),
    }
    .optional()
}

/// Reads the columns.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<MemoryEntry> {
    let time =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros));
    Ok(MemoryEntry {
        id: id(row, 0)?,
        owner: owner(row, 1)?,
        kind: kind(row, 3)?,
        group: row.get(4)?,
        key: row.get(5)?,
        public: row.get(6)?,
        text: row.get(7)?,
        body: row.get(8)?,
        labels: labels(row, 9)?,
        created_at: Timestamp::from_micros(row.get(10)?),
        updated_at: Timestamp::from_micros(row.get(11)?),
        valid_from: time(12)?,
        valid_until: time(13)?,
        expires_at: time(14)?,
        revision: crate::numbers::unsigned(row.get(15)?),
    })
}

/// What a column holds and should not.
fn damaged(
    column: usize,
    of: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, of, Box::new(error))
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// Reads two columns.
pub(super) fn owner(row: &Row<'_>, column: usize) -> rusqlite::Result<Owner> {
    let (service_tenant, user) = (row.get_ref(column)?.as_str()?, row.get_ref(column + 1)?.as_str()?);
    Owner::new(service_tenant, user).map_err(|error| damaged(column, Type::Text, error))
}

pub(super) fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<MemoryKind> {
    let text: String = row.get(column)?;
    MemoryKind::new(text).map_err(|error| damaged(column, Type::Text, error))
}

fn labels(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let Some(json) = row.get_ref(column)?.as_str_or_null()? else { return Ok(Vec::new()) };
    serde_json::from_str(json).map_err(|error| damaged(column, Type::Text, error))
}
