//! What the writer knows of a group.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use soorma_core::{Name, PartitionKey, TenantId, Topic};

use crate::numbers::{topic, unsigned};
use crate::writer::Tx;

/// With so many events of a group waiting, nothing new is handed out: what fails for all, such as a model provider that
/// is away, would else go through the whole log. Those that wait for another of their key count, too: when one key has that
/// many behind the one in hand, events of other keys that stand behind them in the log wait until it has fewer.
pub(super) const MOST_WAITING: i64 = 10_000;

/// How exactly it is written down when a group was used. Also for groups that are never forgotten: people look at it.
const USED_WITHIN: i64 = 60_000_000;

pub(super) struct Group {
    pub(super) tenant: i64,
    pub(super) name: Name,
    pub(super) ack_within: i64,
    pub(super) max_attempts: u32,
    pub(super) max_unsettled: i64,
    pub(super) key: Option<PartitionKey>,
    pub(super) paused: bool,
    /// Up to where it has looked in each topic: in the file stands the last event that it took.
    pub(super) cursors: BTreeMap<Topic, i64>,
    pub(super) in_hand: i64,
    /// Those that are parked included.
    pub(super) waiting: i64,
    expire_after: Option<i64>,
    used: i64,
    /// What stands in the file.
    used_at: i64,
}

impl Group {
    pub(super) fn load(connection: &Connection, id: i64, now: i64) -> rusqlite::Result<Self> {
        let mut group = connection
            .prepare_cached(
                "SELECT tenant, name, ack_within, max_attempts, max_unsettled, key, paused, expire_after, used_at
                 FROM consumers WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Self {
                    tenant: row.get(0)?,
                    name: parsed(row, 1, |name| Name::new(name))?,
                    ack_within: row.get(2)?,
                    max_attempts: row.get(3)?,
                    max_unsettled: row.get(4)?,
                    key: parsed_key(row, 5)?,
                    paused: row.get(6)?,
                    cursors: BTreeMap::new(),
                    in_hand: 0,
                    waiting: 0,
                    expire_after: row.get(7)?,
                    used: 0,
                    used_at: row.get(8)?,
                })
            })?;
        // It may have been used since, without that being written down: it is never forgotten too early.
        group.used = now.min(group.used_at.saturating_add(group.used_within()));
        let mut select =
            connection.prepare_cached("SELECT topic, cursor FROM consumer_topics WHERE consumer = ?1")?;
        let mut rows = select.query([id])?;
        while let Some(row) = rows.next()? {
            group.cursors.insert(topic(0, row)?, row.get(1)?);
        }
        (group.in_hand, group.waiting) = open(connection, id)?;
        Ok(group)
    }

    pub(super) fn has_credit(&self) -> bool {
        self.in_hand < self.max_unsettled
    }

    /// How long a member has, in words.
    pub(super) fn too_late(&self) -> String {
        format!("not settled within {:?}", Duration::from_micros(unsigned(self.ack_within)))
    }

    /// Whether nobody has used it for as long as it says.
    pub(super) fn is_idle(&self, now: i64) -> bool {
        self.expire_after.is_some_and(|after| now.saturating_sub(self.used) >= after)
    }

    fn used_within(&self) -> i64 {
        self.expire_after.map_or(USED_WITHIN, |after| USED_WITHIN.min(after / 8))
    }
}

/// Notes that a group is used now; says whether there is such a group.
pub(super) fn used(tx: &mut Tx<'_>, id: i64) -> rusqlite::Result<bool> {
    let Some(group) = tx.state.groups.get_mut(&id) else { return Ok(false) };
    group.used = tx.now;
    if tx.now.saturating_sub(group.used_at) > group.used_within() {
        tx.connection
            .prepare_cached("UPDATE consumers SET used_at = ?2 WHERE id = ?1")?
            .execute(params![id, tx.now])?;
        group.used_at = tx.now;
    }
    Ok(true)
}

/// How many events a group has in hand, and how many wait.
pub(super) fn open(connection: &Connection, id: i64) -> rusqlite::Result<(i64, i64)> {
    let mut select =
        connection.prepare_cached("SELECT count(*) FROM deliveries WHERE consumer = ?1 AND state = ?2")?;
    let mut count = |state: i64| select.query_row(params![id, state], |row| row.get::<_, i64>(0));
    let (waiting, in_hand, parked) = (count(0)?, count(1)?, count(2)?);
    Ok((in_hand, waiting + parked))
}

/// Finds a group by its name.
pub(super) fn group_id(tx: &mut Tx<'_>, tenant: &TenantId, name: &Name) -> rusqlite::Result<Option<i64>> {
    let Some(tenant) = tx.state.known_tenant(tx.connection, tenant)? else { return Ok(None) };
    tx.connection
        .prepare_cached("SELECT id FROM consumers WHERE tenant = ?1 AND name = ?2")?
        .query_row(params![tenant, name.as_str()], |row| row.get(0))
        .optional()
}

/// Reads a text that we wrote.
pub(super) fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    parse(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// The same of one that may be missing.
pub(super) fn parsed_key(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<PartitionKey>> {
    if row.get_ref(column)? == ValueRef::Null { Ok(None) } else { parsed(row, column, str::parse).map(Some) }
}
