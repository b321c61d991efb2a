//! Removals of many entries and vectors, in the writer's transaction. All but small ones are done in parts, so that the log does not wait
//! for them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};
use soorma_core::{MemoryKind, TenantId};
use soorma_ports::{Erased, Generation, KindErased};

use super::changes::Change;
use super::rows::{Known, Rows, known};
use super::scope;
use crate::numbers::{count, signed};
use crate::writer::Tx;

/// How many entries are erased in one transaction.
const ENTRIES: i64 = 256;
/// How many bytes of text are erased in one transaction, but for the last of them: their words are what takes long.
const TEXT: usize = 1_024 * 1_024;
/// How many vectors are dropped in one transaction.
const VECTORS: i64 = 4_096;

/// Removes what has expired, at most so many; says how many, and whether more is left because they had much text.
pub(super) fn expire(tx: &mut Tx<'_>, now: i64, limit: u64) -> rusqlite::Result<(u64, bool)> {
    let sql = concat!(
        "SELECT ",
        known!(),
        " FROM memory_entries e WHERE e.expires_at <= ?1 ORDER BY e.expires_at LIMIT ?2"
    );
    remove(tx, sql, params![now, signed(limit)])
}

/// Removes what is older of a kind, at most so many; says how many, and whether more is left because they had much text.
pub(super) fn retire(
    tx: &mut Tx<'_>,
    kind: &MemoryKind,
    before: i64,
    limit: u64,
) -> rusqlite::Result<(u64, bool)> {
    let sql = concat!(
        "SELECT ",
        known!(),
        " FROM memory_scopes s CROSS JOIN memory_entries e ON e.scope = s.id
          WHERE s.kind = ?1 AND s.entries > 0 AND e.created_at < ?2 LIMIT ?3"
    );
    remove(tx, sql, params![kind.as_str(), before, signed(limit)])
}

fn remove(tx: &mut Tx<'_>, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<(u64, bool)> {
    let mut rows = Rows::new(tx)?;
    let found = rows.some(sql, params, TEXT)?;
    let mut removed = 0;
    for known in found.known {
        rows.remove(&known)?;
        removed += 1;
    }
    rows.finish()?;
    Ok((removed, found.has_more))
}

/// What was erased so far, by the name of its kind.
pub(super) type Receipt = BTreeMap<String, KindErased>;

/// What a part of an erasure has done.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) receipt: Receipt,
    /// Whether nothing is left.
    pub(super) is_last: bool,
}

const OF_TENANT: &str = concat!(
    "SELECT ",
    known!(),
    " FROM memory_scopes s CROSS JOIN memory_entries e ON e.scope = s.id
     WHERE s.tenant = ?1 AND s.entries > 0 LIMIT ?2"
);
const PRIVATE: &str = concat!(
    "SELECT ",
    known!(),
    " FROM memory_scopes s CROSS JOIN memory_entries e ON e.scope = s.id
     WHERE s.tenant = ?1 AND s.owner = ?2 AND s.entries > 0 LIMIT ?3"
);
const PUBLIC: &str =
    concat!("SELECT ", known!(), " FROM memory_entries e WHERE e.public AND e.owner = ?1 LIMIT ?2");

/// Erases some of what is to be erased.
pub(super) fn erase(tx: &mut Tx<'_>, tenant: &TenantId, whose: &Erased) -> rusqlite::Result<Part> {
    let mut part = Part { receipt: Receipt::new(), is_last: true };
    let Some(tenant) = tx.state.known_tenant(tx.connection, tenant)? else { return Ok(part) };
    let mut rows = Rows::new(tx)?;
    let owners: Vec<i64> = match whose {
        Erased::Tenant => {
            part.take(&mut rows, OF_TENANT, params![tenant, ENTRIES])?;
            Vec::new()
        }
        Erased::Owner(owner) => scope::known_owner(rows.connection(), tenant, owner)?.into_iter().collect(),
        Erased::ServiceTenant(of) => rows
            .connection()
            .prepare_cached(
                "SELECT id FROM memory_owners WHERE tenant = ?1 AND service_tenant = ?2 LIMIT ?3",
            )?
            .query_map(params![tenant, of, ENTRIES], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
    };
    if count(owners.len()) == ENTRIES {
        part.is_last = false;
    }
    let mut gone = Vec::new();
    for owner in owners {
        if part.entries() >= ENTRIES {
            part.is_last = false;
            break;
        }
        let whole = part.take(&mut rows, PRIVATE, params![tenant, owner, ENTRIES])?
            & part.take(&mut rows, PUBLIC, params![owner, ENTRIES])?;
        if whole {
            gone.push(owner);
        }
    }
    rows.finish()?;
    let connection = tx.connection;
    if !part.receipt.is_empty() {
        tx.state.tidying.erased(connection)?;
    }
    // Also the names of those whose memory it was.
    for owner in gone {
        connection
            .prepare_cached("DELETE FROM memory_scopes WHERE tenant = ?1 AND owner = ?2")?
            .execute([tenant, owner])?;
        connection.prepare_cached("DELETE FROM memory_owners WHERE id = ?1")?.execute([owner])?;
    }
    if matches!(whose, Erased::Tenant) && part.is_last {
        connection.prepare_cached("DELETE FROM memory_scopes WHERE tenant = ?1")?.execute([tenant])?;
        connection.prepare_cached("DELETE FROM memory_owners WHERE tenant = ?1")?.execute([tenant])?;
    }
    Ok(part)
}

impl Part {
    /// Removes what a query finds; says whether that was all.
    fn take(
        &mut self,
        rows: &mut Rows<'_, '_>,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<bool> {
        let found = rows.some(sql, params, TEXT)?;
        let is_all = count(found.known.len()) < ENTRIES && !found.has_more;
        self.is_last &= is_all;
        for known in found.known {
            let kind = kind_of(rows, &known)?;
            let vectors = u64::try_from(rows.remove(&known)?).unwrap_or(u64::MAX);
            let line =
                self.receipt.entry(kind.to_string()).or_insert(KindErased { kind, entries: 0, vectors: 0 });
            line.entries += 1;
            line.vectors += vectors;
        }
        Ok(is_all)
    }

    fn entries(&self) -> i64 {
        self.receipt.values().map(|line| signed(line.entries)).sum()
    }
}

fn kind_of(rows: &Rows<'_, '_>, known: &Known) -> rusqlite::Result<MemoryKind> {
    rows.connection()
        .prepare_cached("SELECT kind FROM memory_scopes WHERE id = ?1")?
        .query_row([known.scope], |row| super::entry::kind(row, 0))
}

/// Drops some of the vectors that are to go; returns how many, none when none is left.
pub(super) fn drop_vectors(
    tx: &mut Tx<'_>,
    tenant: Option<&TenantId>,
    but: Option<&Generation>,
) -> rusqlite::Result<u64> {
    let connection = tx.connection;
    let tenant = match tenant {
        None => None,
        Some(tenant) => match tx.state.known_tenant(connection, tenant)? {
            None => return Ok(0),
            known => known,
        },
    };
    let but = but.map(ToString::to_string);
    let generations: Vec<i64> = connection
        .prepare_cached("SELECT id FROM memory_generations WHERE ?1 IS NULL OR name <> ?1")?
        .query_map([but], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut dropped = 0;
    for generation in generations {
        let left = VECTORS - dropped;
        dropped += count(match tenant {
            None => connection
                .prepare_cached(
                    "DELETE FROM memory_vectors WHERE key IN (SELECT key FROM memory_vectors WHERE generation = ?1 LIMIT ?2)",
                )?
                .execute([generation, left])?,
            Some(tenant) => connection
                .prepare_cached(
                    "DELETE FROM memory_vectors WHERE key IN (
                         SELECT v.key FROM memory_scopes s CROSS JOIN memory_vectors v ON v.generation = ?1 AND v.scope = s.id
                         WHERE s.tenant = ?3 LIMIT ?2)",
                )?
                .execute([generation, left, tenant])?,
        });
        if dropped >= VECTORS {
            break;
        }
    }
    if dropped > 0 {
        tx.state.memory.note(Change::All);
    }
    Ok(crate::numbers::unsigned(dropped))
}

/// Drops vectors that were found damaged; returns how many.
pub(super) fn drop_damaged(tx: &mut Tx<'_>, keys: &[i64]) -> rusqlite::Result<usize> {
    let mut delete =
        tx.connection.prepare_cached("DELETE FROM memory_vectors WHERE key = ?1 RETURNING scope, entry")?;
    let mut dropped = 0;
    for key in keys {
        let gone = delete.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((scope, entry)) = gone {
            tx.state.memory.note(Change::Remove { scope, entry });
            dropped += 1;
        }
    }
    Ok(dropped)
}
