//! What groups are, on a reader's connection: at one moment, which may be a little behind the writer.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use soorma_core::{Name, TenantId, Timestamp, Topic};
use soorma_ports::{GroupKey, GroupPlace, GroupStatus, Reach};

use super::group::{open, parsed, parsed_key};
use super::read::bounds;
use crate::error::Failure;
use crate::numbers::{count, position, signed, topic, unsigned};

/// A group, without its numbers.
struct Found {
    id: i64,
    tenant: i64,
    status: GroupStatus,
}

pub(super) fn one(
    connection: &Connection,
    tenant: &TenantId,
    group: &Name,
    to_wall: impl Fn(i64) -> Timestamp,
) -> Result<Option<GroupStatus>, Failure> {
    let found = connection
        .prepare_cached(
            "SELECT c.id, t.id, t.name, c.name, c.paused, c.used_at, c.key, c.expire_after
             FROM tenants t JOIN consumers c ON c.tenant = t.id WHERE t.name = ?1 AND c.name = ?2",
        )?
        .query_row(params![tenant.as_str(), group.as_str()], |row| read(row, &to_wall))
        .optional()?;
    Ok(found.map(|found| status(connection, found, &to_wall)).transpose()?)
}

pub(super) fn how_many(connection: &Connection, tenant: &TenantId) -> rusqlite::Result<u64> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM consumers WHERE tenant = (SELECT id FROM tenants WHERE name = ?1)",
        )?
        .query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(unsigned(count))
}

pub(super) fn list(
    connection: &Connection,
    reach: &Reach,
    after: Option<&GroupKey>,
    limit: usize,
    to_wall: impl Fn(i64) -> Timestamp,
) -> Result<Vec<GroupStatus>, Failure> {
    let whose = match reach {
        Reach::Tenant(tenant) => Some(tenant.as_str()),
        Reach::Platform => None,
    };
    // No name is empty, so all stand after this.
    let (tenant, group) = after.map_or(("", ""), |(tenant, group)| (tenant.as_str(), group.as_str()));
    let mut select = connection.prepare_cached(
        "SELECT c.id, t.id, t.name, c.name, c.paused, c.used_at, c.key, c.expire_after
         FROM tenants t JOIN consumers c ON c.tenant = t.id
         WHERE (?1 IS NULL OR t.name = ?1) AND t.name >= ?2 AND (t.name, c.name) > (?2, ?3)
         ORDER BY t.name, c.name LIMIT ?4",
    )?;
    let found = select.query_map(params![whose, tenant, group, count(limit)], |row| read(row, &to_wall))?;
    let found: Vec<Found> = found.collect::<rusqlite::Result<_>>()?;
    let statuses = found.into_iter().map(|found| status(connection, found, &to_wall));
    Ok(statuses.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>, to_wall: impl Fn(i64) -> Timestamp) -> rusqlite::Result<Found> {
    Ok(Found {
        id: row.get(0)?,
        tenant: row.get(1)?,
        status: GroupStatus {
            tenant: parsed(row, 2, TenantId::new)?,
            group: parsed(row, 3, |name| Name::new(name))?,
            topics: BTreeMap::new(),
            in_hand: 0,
            waiting: 0,
            dead_letters: 0,
            paused: row.get(4)?,
            oldest: None,
            used_at: to_wall(row.get(5)?),
            key: parsed_key(row, 6)?,
            expire_after: row.get::<_, Option<i64>>(7)?.map(|after| Duration::from_micros(unsigned(after))),
        },
    })
}

fn status(
    connection: &Connection,
    found: Found,
    to_wall: impl Fn(i64) -> Timestamp,
) -> rusqlite::Result<GroupStatus> {
    let Found { id, tenant, mut status } = found;
    let (in_hand, waiting) = open(connection, id)?;
    (status.in_hand, status.waiting) = (unsigned(in_hand), unsigned(waiting));
    status.dead_letters = connection
        .prepare_cached("SELECT count(*) FROM dead_letters WHERE consumer = ?1")?
        .query_row([id], |row| row.get(0).map(unsigned))?;
    let mut oldest: Option<i64> = oldest_open(connection, id)?;
    let mut select =
        connection.prepare_cached("SELECT topic, cursor FROM consumer_topics WHERE consumer = ?1")?;
    let mut rows = select.query([id])?;
    while let Some(row) = rows.next()? {
        let (topic, cursor) = (topic(0, row)?, row.get::<_, i64>(1)?);
        let (lag, first) = behind(connection, tenant, topic, cursor)?;
        oldest = [oldest, first].into_iter().flatten().min();
        status.topics.insert(topic, GroupPlace { position: position(cursor), lag });
    }
    status.oldest = oldest.map(to_wall);
    Ok(status)
}

/// When the first of the open events was appended. Of one that was redriven the event may be gone; then, when it was redriven.
fn oldest_open(connection: &Connection, id: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT coalesce(e.appended_at, d.set_at) FROM deliveries d LEFT JOIN events e ON e.position = d.position
             WHERE d.consumer = ?1 ORDER BY d.position LIMIT 1",
        )?
        .query_row([id], |row| row.get(0))
        .optional()
}

/// How many events of a tenant stand behind a cursor, and when the first of them was appended.
fn behind(
    connection: &Connection,
    tenant: i64,
    topic: Topic,
    cursor: i64,
) -> rusqlite::Result<(u64, Option<i64>)> {
    // What retention has passed may still be there for another group.
    let cursor = cursor.max(signed(bounds(connection, topic)?.before_first.0));
    let of = params![tenant, topic.number(), cursor];
    let lag = connection
        .prepare_cached("SELECT count(*) FROM events WHERE tenant = ?1 AND topic = ?2 AND position > ?3")?
        .query_row(of, |row| row.get(0).map(unsigned))?;
    let first = connection
        .prepare_cached(
            "SELECT appended_at FROM events WHERE tenant = ?1 AND topic = ?2 AND position > ?3
             ORDER BY position LIMIT 1",
        )?
        .query_row(of, |row| row.get(0))
        .optional()?;
    Ok((lag, first))
}
