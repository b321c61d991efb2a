//! Entries in an order, on a reader's connection: some of each scope, merged.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use soorma_core::{MemoryScope, Timestamp};
use soorma_ports::{
    MemoryAfter, MemoryEntry, MemoryFilter, MemoryOrder, MemoryPage, MemoryQuery, MemoryStoreError,
};
use uuid::Uuid;

use super::entry::{self, columns};
use super::filter::Condition;
use super::scope;
use crate::numbers::{count, unsigned};

/// Returns a page, or why who asks cannot go on from where he is.
pub(super) fn page(
    connection: &Connection,
    scope: &MemoryScope,
    now: Timestamp,
    query: &MemoryQuery,
) -> rusqlite::Result<Result<MemoryPage, MemoryStoreError>> {
    let MemoryQuery { filter, order, after, limit } = query;
    let after = match after.as_ref().map(|after| place(after, *order)).transpose() {
        Ok(after) => after,
        Err(error) => return Ok(Err(error)),
    };
    let one_more = limit.saturating_add(1);
    let mut entries: Vec<MemoryEntry> = Vec::new();
    for scope in scope::seen(connection, scope, filter)? {
        for range in ranges(*order, after.as_ref()) {
            // That by the last change has no index.
            let in_order = matches!(order, MemoryOrder::Newest | MemoryOrder::Oldest);
            let mut condition = Condition::new(connection, scope, filter, now, in_order)?;
            let (id, value) = match after.clone() {
                Some((value, id)) => (condition.bind(id.as_bytes().to_vec().into()), condition.bind(value)),
                None => Default::default(),
            };
            condition.sql.push_str(&range.replace("$id", &id).replace("$value", &value));
            let limit = condition.bind(count(one_more).into());
            let (from, taken, direction, by) =
                (condition.from, &condition.sql, direction(*order), by(*order));
            let columns = columns!();
            let sql = format!(
                "SELECT {columns} FROM {from} CROSS JOIN memory_scopes s ON s.id = e.scope CROSS JOIN memory_owners w ON w.id = e.owner
                 WHERE {taken} ORDER BY {by} {direction}, e.id {direction} LIMIT {limit}"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let mut has = 0;
            for read in select.query_map(params_from_iter(condition.params), entry::read)? {
                // One more than is answered says that there are more.
                let is_enough = has >= MemoryPage::MOST_BYTES;
                let read = read?;
                has += bytes(&read);
                entries.push(read);
                if is_enough {
                    break;
                }
            }
        }
    }
    sort(&mut entries, *order);
    let mut has = 0;
    let fit = entries.iter().take_while(|entry| {
        let is_enough = has >= MemoryPage::MOST_BYTES;
        has += bytes(entry);
        !is_enough
    });
    let fit = fit.count().min(*limit);
    let more = entries.len() > fit;
    entries.truncate(fit);
    Ok(Ok(MemoryPage { entries, more }))
}

fn bytes(entry: &MemoryEntry) -> usize {
    entry.text.as_ref().map_or(0, String::len) + entry.body.len()
}

/// Keys and revisions in a bundle of one scope, in the order of keys. The index leads to them, and the rows are not read to their ends.
pub(super) fn states(
    connection: &Connection,
    scope: i64,
    now: Timestamp,
    bundle: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<(String, u64)>> {
    let beyond = if after.is_some() { ">" } else { ">=" };
    let sql = format!(
        "SELECT name, revision FROM memory_entries INDEXED BY memory_entries_name
         WHERE scope = ?1 AND bundle = ?2 AND name {beyond} ?3 AND (expires_at IS NULL OR expires_at > ?4)
         ORDER BY name LIMIT ?5"
    );
    let params = params![scope, bundle, after.unwrap_or_default(), now.micros(), count(limit)];
    let read = |row: &Row<'_>| Ok((row.get(0)?, unsigned(row.get(1)?)));
    connection.prepare_cached(&sql)?.query_map(params, read)?.collect()
}

/// The ids of the newest, at most so many, newest first.
pub(super) fn newest(
    connection: &Connection,
    scopes: &[i64],
    now: Timestamp,
    filter: &MemoryFilter,
    limit: usize,
) -> rusqlite::Result<Vec<Uuid>> {
    let mut found: Vec<(i64, Uuid)> = Vec::new();
    for scope in scopes {
        let mut condition = Condition::new(connection, *scope, filter, now, true)?;
        let limit = condition.bind(count(limit).into());
        let (from, taken) = (condition.from, &condition.sql);
        let sql = format!(
            "SELECT e.created_at, e.id FROM {from} WHERE {taken} ORDER BY e.created_at DESC, e.id DESC LIMIT {limit}"
        );
        let mut select = connection.prepare_cached(&sql)?;
        for read in select
            .query_map(params_from_iter(condition.params), |row| Ok((row.get(0)?, entry::id(row, 1)?)))?
        {
            found.push(read?);
        }
    }
    if scopes.len() > 1 {
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(limit);
    }
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn by(order: MemoryOrder) -> &'static str {
    match order {
        MemoryOrder::Newest | MemoryOrder::Oldest => "e.created_at",
        MemoryOrder::Updated => "e.updated_at",
        MemoryOrder::Key => "e.name",
    }
}

fn direction(order: MemoryOrder) -> &'static str {
    match order {
        MemoryOrder::Newest | MemoryOrder::Updated => "DESC",
        MemoryOrder::Oldest | MemoryOrder::Key => "ASC",
    }
}

/// What is looked through, each by an index where there is one: of those without a key, who come first, and those with one that
/// is two parts.
fn ranges(order: MemoryOrder, after: Option<&(Value, Uuid)>) -> &'static [&'static str] {
    match (order, after) {
        (MemoryOrder::Newest | MemoryOrder::Oldest | MemoryOrder::Updated, None) => &[""],
        (MemoryOrder::Newest, Some(_)) => &[" AND (e.created_at, e.id) < ($value, $id)"],
        (MemoryOrder::Oldest, Some(_)) => &[" AND (e.created_at, e.id) > ($value, $id)"],
        (MemoryOrder::Updated, Some(_)) => &[" AND (e.updated_at, e.id) < ($value, $id)"],
        (MemoryOrder::Key, None) => &[" AND e.name IS NULL", " AND e.name >= ''"],
        (MemoryOrder::Key, Some((Value::Text(key), _))) if key.is_empty() => {
            &[" AND e.name IS NULL AND $value = '' AND e.id > $id", " AND (e.name, e.id) > ($value, $id)"]
        }
        (MemoryOrder::Key, Some(_)) => &[" AND (e.name, e.id) > ($value, $id)"],
    }
}

fn place(after: &MemoryAfter, order: MemoryOrder) -> Result<(Value, Uuid), MemoryStoreError> {
    match (after, order) {
        (MemoryAfter::Key(key, id), MemoryOrder::Key) => Ok((key.clone().into(), *id)),
        (MemoryAfter::At(time, id), MemoryOrder::Newest | MemoryOrder::Oldest | MemoryOrder::Updated) => {
            Ok((time.micros().into(), *id))
        }
        _ => Err(MemoryStoreError::Invalid("this is no place in that order".into())),
    }
}

fn sort(entries: &mut [MemoryEntry], order: MemoryOrder) {
    entries.sort_by(|one, other| match order {
        MemoryOrder::Newest => (other.created_at, other.id).cmp(&(one.created_at, one.id)),
        MemoryOrder::Oldest => (one.created_at, one.id).cmp(&(other.created_at, other.id)),
        MemoryOrder::Updated => (other.updated_at, other.id).cmp(&(one.updated_at, one.id)),
        MemoryOrder::Key => {
            let key = |entry: &MemoryEntry| (entry.key.as_deref().unwrap_or_default().to_owned(), entry.id);
            key(one).cmp(&key(other))
        }
    });
}
