//! The kinds of memory, a module each: how one stands in the store, and what its bounds are.
//!
//! A body is JSON that its kind alone reads. Members that are not known are passed over and those that are missing have a value, so that what another version of
//! this program wrote can be read.

pub(crate) mod episodic;
mod labels;
pub(crate) mod plan;
pub(crate) mod plan_context;
pub(crate) mod procedural;
pub(crate) mod semantic;
pub(crate) mod session;
pub(crate) mod task_context;
pub(crate) mod working;

use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_core::{Data, Error, ErrorCode, MemoryKind, MemoryScope};
use soorma_ports::{Listed, MemoryEntry, MemoryFilter, MemoryOrder, MemoryPlace, MemoryQuery, MemoryRefused};
use uuid::Uuid;

use crate::bounds::{KEY_BYTES, stored};
use crate::shared::Shared;

/// Writes a body.
fn body<T: Serialize>(body: &T) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|error| Error::internal(format!("it cannot be kept: {error}")))
}

/// Reads a body.
fn read<T: DeserializeOwned>(kind: &MemoryKind, body: &str) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|error| unreadable(kind, &error))
}

/// What is told of an entry that cannot be read.
fn unreadable(kind: &MemoryKind, error: &dyn std::fmt::Display) -> Error {
    tracing::error!(%kind, %error, "an entry of memory cannot be read");
    Error::internal(format!("an entry of {kind} memory cannot be read; its operator is told more"))
}

/// Data without members, for where there is none.
fn nothing() -> Result<Data, Error> {
    Data::from_json("{}").map_err(|error| Error::internal(error.to_string()))
}

/// Returns a place by key in no group. What is no key finds nothing.
fn by_key(kind: MemoryKind, key: &str) -> MemoryPlace {
    let key = stored(key, KEY_BYTES).into_owned();
    MemoryPlace::Key { kind, group: String::new(), key, public: false }
}

/// What is told where the store does as it was not asked.
fn refused(refused: MemoryRefused) -> Error {
    match refused {
        MemoryRefused::NotFound => Error::not_found("there is no such entry"),
        MemoryRefused::AlreadyExists => Error::new(ErrorCode::AlreadyExists, "there is such an entry"),
        MemoryRefused::Conflict { .. } => {
            Error::new(ErrorCode::Conflict, "it has changed in the meantime; read it and try again")
        }
    }
}

/// Makes of each entry of a list what it is. One that cannot be read is left out, and told where that is found: it keeps nobody from the others.
fn listed<T>(
    list: Listed<MemoryEntry>,
    read: impl Fn(MemoryEntry) -> Result<T, Error>,
) -> Result<Listed<T>, Error> {
    let items = list.items.into_iter().filter_map(|entry| read(entry).ok()).collect();
    Ok(Listed { items, next: list.next })
}

/// Removes an entry of a kind by its id; says whether it was there.
async fn remove(shared: &Shared, scope: &MemoryScope, kind: &MemoryKind, id: Uuid) -> Result<bool, Error> {
    let _held = shared.reading(&scope.tenant)?;
    let place = MemoryPlace::Id(id);
    // An id is never one of another kind.
    match shared.get(scope, place.clone()).await?.filter(|entry| entry.kind == *kind) {
        Some(_) => shared.remove(scope, place).await,
        None => Ok(false),
    }
}

/// Removes an entry by its key; says whether it was there.
pub(crate) async fn remove_by_key(
    shared: &Shared,
    scope: &MemoryScope,
    kind: MemoryKind,
    key: &str,
) -> Result<bool, Error> {
    shared.remove(scope, by_key(kind, key)).await
}

/// Returns the entry with a label that was put last.
async fn stored_last(
    shared: &Shared,
    scope: &MemoryScope,
    kind: MemoryKind,
    label: String,
) -> Result<Option<MemoryEntry>, Error> {
    let filter = MemoryFilter { kind: Some(kind), labels: vec![label], ..MemoryFilter::default() };
    let query = MemoryQuery { filter, order: MemoryOrder::Updated, after: None, limit: 1 };
    let _held = shared.reading(&scope.tenant)?;
    Ok(shared.list(scope, query).await?.items.pop())
}
