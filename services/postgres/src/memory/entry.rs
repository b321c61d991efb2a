//! An entry, read from a row.

use soorma_core::{MemoryKind, MemoryScope, Owner, Timestamp};
use soorma_ports::MemoryEntry;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::unsigned;
use crate::PostgresError;

/// What is read of an entry that is `e`, in the order in which it is read.
pub(super) const COLUMNS: &str = "e.id, e.service_tenant, e.owner, e.kind, e.grp, e.key, e.public, e.text, e.body, e.labels, e.created_at, \
     e.updated_at, e.valid_from, e.valid_until, e.expires_at, e.revision";

/// Who sees what is public, as it is written down.
pub(super) const PUBLIC: &str = "";

/// Who sees what is private, as it is written down: neither part of an owner has a control character.
pub(super) fn private(owner: &Owner) -> String {
    format!("{}\u{1f}{}", owner.service_tenant(), owner.user())
}

/// Who sees what one puts.
pub(super) fn whose(scope: &MemoryScope, public: bool) -> String {
    if public { PUBLIC.to_owned() } else { private(&scope.owner) }
}

pub(super) fn kind(text: &str) -> Result<MemoryKind, PostgresError> {
    MemoryKind::new(text)
        .map_err(|error| PostgresError::Corrupt(format!("'{text}' is written as a kind: {error}")))
}

pub(super) fn owner(service_tenant: &str, user: &str) -> Result<Owner, PostgresError> {
    Owner::new(service_tenant, user)
        .map_err(|error| PostgresError::Corrupt(format!("an owner is written that is none: {error}")))
}

/// Reads a row of [`COLUMNS`].
pub(super) fn entry(row: &PgRow) -> Result<MemoryEntry, PostgresError> {
    let time =
        |nth: usize| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(nth)?.map(Timestamp::from_micros));
    Ok(MemoryEntry {
        id: row.try_get(0)?,
        owner: owner(row.try_get(1)?, row.try_get(2)?)?,
        kind: kind(row.try_get(3)?)?,
        group: row.try_get(4)?,
        key: row.try_get(5)?,
        public: row.try_get(6)?,
        text: row.try_get(7)?,
        body: row.try_get(8)?,
        labels: row.try_get(9)?,
        created_at: Timestamp::from_micros(row.try_get(10)?),
        updated_at: Timestamp::from_micros(row.try_get(11)?),
        valid_from: time(12)?,
        valid_until: time(13)?,
        expires_at: time(14)?,
        revision: unsigned(row.try_get(15)?),
    })
}
