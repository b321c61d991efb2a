//! What there is, and what has no vector, on a reader's connection.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use soorma_core::{Owner, TenantId};
use soorma_ports::{Generation, KindCount, Unembedded};
use uuid::Uuid;

use super::sets::Sets;
use super::{checksum, entry, scope};
use crate::numbers::{count, unsigned};

/// How much text a page of what has no vector has, but for its last entry.
const TEXT: usize = 4 * 1_024 * 1_024;

/// Returns the keys of damaged vectors among those of a generation that were not looked at in this process.
pub(super) fn damaged(
    connection: &Connection,
    sets: &Sets,
    generation: &Generation,
) -> rusqlite::Result<Vec<i64>> {
    let mut damaged = Vec::new();
    let Some(id) = scope::known_generation(connection, generation)? else { return Ok(damaged) };
    let checked = sets.checked().vectors.get(&id).copied().unwrap_or(0);
    let mut upto = checked;
    let mut select = connection.prepare_cached(
        "SELECT key, checksum, vector FROM memory_vectors NOT INDEXED WHERE key > ?1 AND generation = ?2 ORDER BY key",
    )?;
    let mut rows = select.query([checked, id])?;
    let mut vector = Vec::with_capacity(generation.dimensions());
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(2)?.as_blob().unwrap_or_default();
        upto = row.get(0)?;
        if !checksum::read(bytes, row.get(1)?, generation.dimensions(), &mut vector) {
            damaged.push(upto);
        }
    }
    sets.checked().vectors.insert(id, upto);
    Ok(damaged)
}

pub(super) fn unembedded(
    connection: &Connection,
    generation: &Generation,
    after: Option<Uuid>,
    limit: usize,
) -> rusqlite::Result<Vec<Unembedded>> {
    let generation = scope::known_generation(connection, generation)?;
    let after = after.map(|id| *id.as_bytes());
    let mut select = connection.prepare_cached(
        "SELECT t.name, e.id, e.revision, e.text FROM memory_entries e INDEXED BY memory_entries_id
         CROSS JOIN tenants t ON t.id = e.tenant
         WHERE e.id > ?1 AND e.text IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM memory_vectors v WHERE v.entry = e.key AND v.generation = ?2)
         ORDER BY e.id LIMIT ?3",
    )?;
    // What has no bytes is before all ids.
    let after = after.as_ref().map_or(&[][..], |id| &id[..]);
    let mut rows = select.query(params![after, generation, count(limit)])?;
    let (mut found, mut text) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let tenant = row.get_ref(0)?.as_str()?;
        let tenant =
            TenantId::new(tenant).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let one =
            Unembedded { tenant, id: entry::id(row, 1)?, revision: unsigned(row.get(2)?), text: row.get(3)? };
        text += one.text.len();
        found.push(one);
        if text >= TEXT {
            break;
        }
    }
    Ok(found)
}

/// Private entries, by what their scopes count; of one owner or of all, and public ones of all.
const BY_SCOPE: &str = "
    SELECT s.kind, s.entries, s.entries * (s.owner = 0), s.bytes, s.texts,
        (SELECT count(*) FROM memory_vectors v WHERE v.generation = ?3 AND v.scope = s.id)
    FROM memory_scopes s WHERE s.tenant = ?1 AND (?2 IS NULL OR s.owner = ?2) AND s.entries > 0";
/// Public entries of one owner.
const PUBLIC: &str = "
    SELECT s.kind, 1, 1, e.bytes, e.text IS NOT NULL,
        EXISTS (SELECT 1 FROM memory_vectors v WHERE v.entry = e.key AND v.generation = ?2)
    FROM memory_entries e CROSS JOIN memory_scopes s ON s.id = e.scope WHERE e.public AND e.owner = ?1";

pub(super) fn kinds(
    connection: &Connection,
    tenant: &TenantId,
    owner: Option<&Owner>,
    generation: Option<&Generation>,
) -> rusqlite::Result<Vec<KindCount>> {
    let known: Option<i64> = connection
        .prepare_cached("SELECT id FROM tenants WHERE name = ?1")?
        .query_row([tenant.as_str()], |row| row.get(0))
        .optional()?;
    let Some(tenant) = known else { return Ok(Vec::new()) };
    let generation = match generation {
        Some(generation) => scope::known_generation(connection, generation)?,
        None => None,
    };
    let mut kinds = BTreeMap::new();
    let owner = match owner {
        None => None,
        Some(owner) => match scope::known_owner(connection, tenant, owner)? {
            None => return Ok(Vec::new()),
            known => known,
        },
    };
    add(connection, BY_SCOPE, params![tenant, owner, generation], &mut kinds)?;
    if let Some(owner) = owner {
        add(connection, PUBLIC, params![owner, generation], &mut kinds)?;
    }
    Ok(kinds.into_values().collect())
}

fn add(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    kinds: &mut BTreeMap<String, KindCount>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    while let Some(row) = rows.next()? {
        let number = |column| Ok::<_, rusqlite::Error>(unsigned(row.get(column)?));
        let kind = entry::kind(row, 0)?;
        let none = KindCount { kind: kind.clone(), entries: 0, public: 0, bytes: 0, texts: 0, embedded: 0 };
        let line = kinds.entry(kind.to_string()).or_insert(none);
        line.entries += number(1)?;
        line.public += number(2)?;
        line.bytes += number(3)?;
        line.texts += number(4)?;
        line.embedded += number(5)?;
    }
    Ok(())
}
