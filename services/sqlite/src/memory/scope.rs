//! Owners, scopes and generations by their numbers.

use rusqlite::{Connection, OptionalExtension as _, params};
use soorma_core::{MemoryKind, MemoryScope, Owner};
use soorma_ports::{Generation, MemoryFilter, Seen};

/// The owner of what is public.
pub(super) const NOBODY: i64 = 0;

/// Which scopes a filter looks at: at most two of each kind.
pub(super) fn seen(
    connection: &Connection,
    scope: &MemoryScope,
    filter: &MemoryFilter,
) -> rusqlite::Result<Vec<i64>> {
    let mut select = connection.prepare_cached(
        "WITH seen(tenant, owner) AS (
            SELECT o.tenant, o.id FROM tenants t CROSS JOIN memory_owners o ON o.tenant = t.id
                WHERE t.name = ?1 AND o.service_tenant = ?2 AND o.user = ?3 AND ?4
            UNION ALL SELECT t.id, 0 FROM tenants t WHERE t.name = ?1 AND ?5)
         SELECT s.id FROM seen CROSS JOIN memory_scopes s ON s.tenant = seen.tenant AND s.owner = seen.owner
         WHERE ?6 IS NULL OR s.kind = ?6",
    )?;
    let (owner, kind) = (&scope.owner, filter.kind.as_ref().map(MemoryKind::as_str));
    let (private, public) = (filter.reach != Seen::Public, filter.reach != Seen::Private);
    let params = params![scope.tenant.as_str(), owner.service_tenant(), owner.user(), private, public, kind];
    select.query_map(params, |row| row.get(0))?.collect()
}

pub(super) fn known_owner(
    connection: &Connection,
    tenant: i64,
    owner: &Owner,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM memory_owners WHERE tenant = ?1 AND service_tenant = ?2 AND user = ?3",
        )?
        .query_row(params![tenant, owner.service_tenant(), owner.user()], |row| row.get(0))
        .optional()
}

/// Returns the number of an owner, or gives it one.
pub(super) fn owner(connection: &Connection, tenant: i64, owner: &Owner) -> rusqlite::Result<i64> {
    if let Some(id) = known_owner(connection, tenant, owner)? {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO memory_owners(tenant, service_tenant, user) VALUES (?1, ?2, ?3)")?
        .insert(params![tenant, owner.service_tenant(), owner.user()])
}

pub(super) fn known_scope(
    connection: &Connection,
    tenant: i64,
    owner: i64,
    kind: &MemoryKind,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM memory_scopes WHERE tenant = ?1 AND owner = ?2 AND kind = ?3")?
        .query_row(params![tenant, owner, kind.as_str()], |row| row.get(0))
        .optional()
}

/// Returns the number of a scope, or gives it one.
pub(super) fn scope(
    connection: &Connection,
    tenant: i64,
    owner: i64,
    kind: &MemoryKind,
) -> rusqlite::Result<i64> {
    if let Some(id) = known_scope(connection, tenant, owner, kind)? {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO memory_scopes(tenant, owner, kind) VALUES (?1, ?2, ?3)")?
        .insert(params![tenant, owner, kind.as_str()])
}

pub(super) fn known_generation(
    connection: &Connection,
    generation: &Generation,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM memory_generations WHERE name = ?1")?
        .query_row([generation.to_string()], |row| row.get(0))
        .optional()
}

/// Returns the number of a generation, or gives it one.
pub(super) fn generation(connection: &Connection, generation: &Generation) -> rusqlite::Result<i64> {
    if let Some(id) = known_generation(connection, generation)? {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO memory_generations(name) VALUES (?1)")?
        .insert([generation.to_string()])
}
