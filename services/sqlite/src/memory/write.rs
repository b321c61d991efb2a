//! Puts and removals, in the writer's transaction.

use rusqlite::params;
use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{MemoryDone, MemoryPlace, MemoryRefused};
use uuid::Uuid;

use super::draft::{Act, Draft, Must, Vector, Write};
use super::rows::{Known, Rows, known};
use super::scope::{self, NOBODY};
use crate::numbers::unsigned;
use crate::writer::Tx;

/// What became of one write; the outer error undoes all of the call.
type Outcome = rusqlite::Result<Result<MemoryDone, MemoryRefused>>;

/// A vector for an entry that is there.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) tenant: TenantId,
    pub(super) id: Uuid,
    pub(super) revision: u64,
    pub(super) vector: Vector,
}

pub(super) fn write(
    tx: &mut Tx<'_>,
    writes: &[Write],
) -> rusqlite::Result<Vec<Result<MemoryDone, MemoryRefused>>> {
    let mut rows = Rows::new(tx)?;
    let mut answers = Vec::with_capacity(writes.len());
    for Write { scope, at, act } in writes {
        answers.push(match act {
            Act::Put { draft, when } => put(&mut rows, scope, *at, draft, *when)?,
            Act::Remove { place, revision } => remove(&mut rows, scope, *at, place, *revision)?,
            Act::RemoveGroup { kind, group } => remove_group(&mut rows, scope, *at, kind, group)?,
        });
    }
    rows.finish()?;
    Ok(answers)
}

/// Adds vectors to entries that still are what they were made of; returns how many.
pub(super) fn put_vectors(tx: &mut Tx<'_>, vectors: &[Late]) -> rusqlite::Result<u64> {
    let mut rows = Rows::new(tx)?;
    let mut added = 0;
    for Late { tenant, id, revision, vector } in vectors {
        let Some(tenant) = known_tenant(&mut rows, tenant)? else { continue };
        let Some(known) = by_id(&rows, tenant, *id)?.filter(|known| unsigned(known.revision) == *revision)
        else {
            continue;
        };
        rows.put_vector(&known, vector)?;
        added += 1;
    }
    Ok(added)
}

fn known_tenant(rows: &mut Rows<'_, '_>, tenant: &TenantId) -> rusqlite::Result<Option<i64>> {
    let connection = rows.connection();
    rows.tx.state.known_tenant(connection, tenant)
}

fn by_id(rows: &Rows<'_, '_>, tenant: i64, id: Uuid) -> rusqlite::Result<Option<Known>> {
    let sql = concat!("SELECT ", known!(), " FROM memory_entries e WHERE e.id = ?1 AND e.tenant = ?2");
    rows.find(sql, params![id.as_bytes(), tenant])
}

/// What stands under a key, expired or not. Who owns what is private must be known by then.
fn by_key(
    rows: &Rows<'_, '_>,
    tenant: i64,
    owner: Option<i64>,
    (kind, group, key, public): (&MemoryKind, &str, &str, bool),
) -> rusqlite::Result<Option<Known>> {
    let Some(owner) = (if public { Some(NOBODY) } else { owner }) else { return Ok(None) };
    let Some(scope) = scope::known_scope(rows.connection(), tenant, owner, kind)? else { return Ok(None) };
    let sql = concat!(
        "SELECT ",
        known!(),
        " FROM memory_entries e WHERE e.scope = ?1 AND e.bundle = ?2 AND e.name = ?3"
    );
    rows.find(sql, params![scope, group, key])
}

fn known_owner(rows: &Rows<'_, '_>, tenant: i64, owner: &Owner) -> rusqlite::Result<Option<i64>> {
    scope::known_owner(rows.connection(), tenant, owner)
}

fn is_there(known: &Known, at: i64) -> bool {
    known.expires_at.is_none_or(|expires_at| expires_at > at)
}

fn put(rows: &mut Rows<'_, '_>, scope: &MemoryScope, at: i64, draft: &Draft, when: Must) -> Outcome {
    // Who is refused leaves nothing behind, so nobody gets a number before.
    let tenant = known_tenant(rows, &scope.tenant)?;
    let mut holder = None;
    if let (Some(tenant), Some(key)) = (tenant, &draft.key) {
        let owner = if draft.public { None } else { known_owner(rows, tenant, &scope.owner)? };
        holder = by_key(rows, tenant, owner, (&draft.kind, &draft.group, key, draft.public))?;
    }
    let before = holder.as_ref().filter(|known| is_there(known, at));
    match (when, before.map(|known| known.revision)) {
        (Must::Absent, Some(_)) => return Ok(Err(MemoryRefused::AlreadyExists)),
        (Must::Present, None) => return Ok(Err(MemoryRefused::NotFound)),
        (Must::Revision(expected), revision) if revision != Some(expected) => {
            return Ok(Err(MemoryRefused::Conflict { revision: revision.map(unsigned) }));
        }
        _ => {}
    }
    if let Some(known) = before {
        let revision = rows.replace(known, draft, at)?;
        let owner = owner_of(rows, known)?;
        let (id, created_at) = (Uuid::from_bytes(known.id), Timestamp::from_micros(known.created_at));
        return Ok(Ok(MemoryDone::Put { id, revision: unsigned(revision), made: false, created_at, owner }));
    }
    // An id is the caller's to choose, and his fault when it is taken.
    if let Some(tenant) = tenant
        && holder.as_ref().is_none_or(|known| known.id != *draft.id.as_bytes())
        && by_id(rows, tenant, draft.id)?.is_some()
    {
        return Ok(Err(MemoryRefused::AlreadyExists));
    }
    if let Some(expired) = &holder {
        rows.remove(expired)?;
    }
    let connection = rows.connection();
    let tenant = rows.tx.state.tenant(connection, &scope.tenant)?;
    let owner = scope::owner(connection, tenant, &scope.owner)?;
    let of = if draft.public { NOBODY } else { owner };
    let place = scope::scope(connection, tenant, of, &draft.kind)?;
    let revision = rows.make(tenant, owner, place, draft, at)?;
    Ok(Ok(MemoryDone::Put {
        id: draft.id,
        revision: unsigned(revision),
        made: true,
        created_at: Timestamp::from_micros(at),
        owner: scope.owner.clone(),
    }))
}

fn owner_of(rows: &Rows<'_, '_>, known: &Known) -> rusqlite::Result<Owner> {
    rows.connection()
        .prepare_cached("SELECT service_tenant, user FROM memory_owners WHERE id = ?1")?
        .query_row([known.owner], |row| super::entry::owner(row, 0))
}

fn remove(
    rows: &mut Rows<'_, '_>,
    scope: &MemoryScope,
    at: i64,
    place: &MemoryPlace,
    revision: Option<i64>,
) -> Outcome {
    let Some(tenant) = known_tenant(rows, &scope.tenant)? else { return Ok(Err(MemoryRefused::NotFound)) };
    let Some(owner) = known_owner(rows, tenant, &scope.owner)? else {
        return Ok(Err(MemoryRefused::NotFound));
    };
    let found = match place {
        MemoryPlace::Id(id) => by_id(rows, tenant, *id)?,
        MemoryPlace::Key { kind, group, key, public } => {
            by_key(rows, tenant, Some(owner), (kind, group, key, *public))?
        }
    };
    let Some(known) = found.filter(|known| known.owner == owner && is_there(known, at)) else {
        return Ok(Err(MemoryRefused::NotFound));
    };
    if revision.is_some_and(|expected| expected != known.revision) {
        return Ok(Err(MemoryRefused::Conflict { revision: Some(unsigned(known.revision)) }));
    }
    rows.remove(&known)?;
    Ok(Ok(MemoryDone::Removed(1)))
}

fn remove_group(
    rows: &mut Rows<'_, '_>,
    scope: &MemoryScope,
    at: i64,
    kind: &MemoryKind,
    group: &str,
) -> Outcome {
    let mut removed = 0;
    if let Some(tenant) = known_tenant(rows, &scope.tenant)?
        && let Some(owner) = known_owner(rows, tenant, &scope.owner)?
        && let Some(scope) = scope::known_scope(rows.connection(), tenant, owner, kind)?
    {
        let sql = concat!(
            "SELECT ",
            known!(),
            " FROM memory_entries e WHERE e.scope = ?1 AND e.bundle = ?2 AND (e.expires_at IS NULL OR e.expires_at > ?3)"
        );
        for known in rows.all(sql, params![scope, group, at])? {
            rows.remove(&known)?;
            removed += 1;
        }
    }
    Ok(Ok(MemoryDone::Removed(removed)))
}
