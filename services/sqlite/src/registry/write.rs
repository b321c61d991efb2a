//! Writing, in the writer's transaction.

use rusqlite::{Connection, OptionalExtension as _, params};
use soorma_core::{Name, SchemaVersion, Timestamp, Topic};
use soorma_ports::{Refused, Standing, Written};

use super::draft::{Draft, What};
use crate::numbers::{signed, unsigned};
use crate::writer::Tx;

/// What became of one write; the outer error undoes all of the call.
type Outcome = rusqlite::Result<Result<Written, Refused>>;

/// Returns the last revision that was given.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT revision FROM registry")?.query_row([], |row| row.get(0)).map(unsigned)
}

pub(super) fn write(tx: &mut Tx<'_>, drafts: &[Draft]) -> rusqlite::Result<Vec<Result<Written, Refused>>> {
    let mut rows = Rows { connection: tx.connection, last: last(tx.connection)? };
    let before = rows.last;
    let mut answers = Vec::with_capacity(drafts.len());
    for Draft { tenant, at, what } in drafts {
        let tenant = match what {
            // Nothing of a tenant is there that was never seen; and who asks in vain leaves nothing behind.
            What::Hear { .. } | What::RemoveAgent { .. } => tx.state.known_tenant(tx.connection, tenant)?,
            _ => Some(tx.state.tenant(tx.connection, tenant)?),
        };
        let Some(tenant) = tenant else {
            answers.push(Err(Refused::NotFound));
            continue;
        };
        answers.push(match what {
            What::PutAgent { id, document, standing } => {
                rows.put_agent(tenant, id, document, standing, *at)?
            }
            What::Hear { id, standing } => rows.hear(tenant, id, standing.as_ref(), *at)?,
            What::RemoveAgent { id, unless_heard_after } => {
                rows.remove_agent(tenant, id, *unless_heard_after, *at)?
            }
            What::PutEvent { name, topic, document } => rows.put_event(tenant, name, *topic, document)?,
            What::PutSchema { name, version, document } => {
                rows.put_schema(tenant, name, version, document)?
            }
        });
    }
    let last = rows.last;
    if last != before {
        tx.connection.prepare_cached("UPDATE registry SET revision = ?1")?.execute([signed(last)])?;
        tx.state.registry.gives(last);
    }
    Ok(answers)
}

/// Forgets that agents were removed before a time; returns how many.
pub(super) fn forget(tx: &mut Tx<'_>, removed_before: Timestamp) -> rusqlite::Result<u64> {
    let before = removed_before.micros();
    let passed: Option<i64> = tx.connection.query_row(
        "SELECT max(revision) FROM registry_removed WHERE removed_at < ?1",
        [before],
        |row| row.get(0),
    )?;
    let Some(passed) = passed else { return Ok(0) };
    tx.connection.execute("UPDATE registry SET forgotten = max(forgotten, ?1)", [passed])?;
    let forgotten = tx.connection.execute("DELETE FROM registry_removed WHERE removed_at < ?1", [before])?;
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}

/// The tables, and the last revision that was given.
struct Rows<'a> {
    connection: &'a Connection,
    last: u64,
}

/// An agent, as far as a sign of life needs it.
struct Agent {
    key: i64,
    /// The last of its two revisions.
    revision: u64,
    heard_at: i64,
}

impl Rows<'_> {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    fn agent(&self, tenant: i64, id: &Name) -> rusqlite::Result<Option<Agent>> {
        self.connection
            .prepare_cached(
                "SELECT a.key, coalesce(h.revision, a.said), h.heard_at
                 FROM registry_agents a JOIN registry_heard h ON h.agent = a.key WHERE a.tenant = ?1 AND a.id = ?2",
            )?
            .query_row(params![tenant, id.as_str()], |row| {
                Ok(Agent { key: row.get(0)?, revision: unsigned(row.get(1)?), heard_at: row.get(2)? })
            })
            .optional()
    }

    fn put_agent(&mut self, tenant: i64, id: &Name, document: &str, standing: &Standing, at: i64) -> Outcome {
        let (revision, id) = (self.next(), id.as_str());
        let known = self
            .connection
            .prepare_cached(
                "UPDATE registry_agents SET said = ?3, document = ?4 WHERE tenant = ?1 AND id = ?2 RETURNING key",
            )?
            .query_row(params![tenant, id, signed(revision), document], |row| row.get(0))
            .optional()?;
        let key: i64 = match known {
            Some(key) => key,
            None => {
                self.execute(
                    "INSERT INTO registry_agents(tenant, id, said, registered_at, document) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![tenant, id, signed(revision), at, document],
                )?;
                let key = self.connection.last_insert_rowid();
                self.execute(
                    "DELETE FROM registry_removed WHERE tenant = ?1 AND id = ?2",
                    params![tenant, id],
                )?;
                key
            }
        };
        self.execute(
            "REPLACE INTO registry_heard(agent, revision, heard_at, status, reason) VALUES (?1, NULL, ?2, ?3, ?4)",
            params![key, at, standing.status.as_str(), standing.reason],
        )?;
        Ok(Ok(Written { revision, made: known.is_none() }))
    }

    fn hear(&mut self, tenant: i64, id: &Name, standing: Option<&Standing>, at: i64) -> Outcome {
        let Some(agent) = self.agent(tenant, id)? else { return Ok(Err(Refused::NotFound)) };
        let Agent { key, revision: before, heard_at } = agent;
        let (next, heard_at) = (self.last + 1, heard_at.max(at));
        // What is the same as before is no change, and has no revision of its own.
        let changed = match standing {
            Some(Standing { status, reason }) => self.execute(
                "UPDATE registry_heard SET revision = ?2, heard_at = ?3, status = ?4, reason = ?5
                 WHERE agent = ?1 AND (heard_at IS NOT ?3 OR status IS NOT ?4 OR reason IS NOT ?5)",
                params![key, signed(next), heard_at, status.as_str(), reason],
            )?,
            None => self.execute(
                "UPDATE registry_heard SET revision = ?2, heard_at = ?3 WHERE agent = ?1 AND heard_at < ?3",
                params![key, signed(next), heard_at],
            )?,
        };
        let revision = if changed > 0 { self.next() } else { before };
        Ok(Ok(Written { revision, made: false }))
    }

    fn remove_agent(&mut self, tenant: i64, id: &Name, unless_heard_after: Option<i64>, at: i64) -> Outcome {
        let Some(agent) = self.agent(tenant, id)? else { return Ok(Err(Refused::NotFound)) };
        if unless_heard_after.is_some_and(|limit| agent.heard_at > limit) {
            return Ok(Err(Refused::Conflict));
        }
        let revision = self.next();
        self.execute("DELETE FROM registry_agents WHERE key = ?1", [agent.key])?;
        self.execute("DELETE FROM registry_heard WHERE agent = ?1", [agent.key])?;
        self.execute(
            "INSERT INTO registry_removed(tenant, id, revision, removed_at) VALUES (?1, ?2, ?3, ?4)",
            params![tenant, id.as_str(), signed(revision), at],
        )?;
        Ok(Ok(Written { revision, made: false }))
    }

    fn put_event(&mut self, tenant: i64, name: &Name, topic: Topic, document: &str) -> Outcome {
        let (revision, name) = (self.next(), name.as_str());
        let replaced = self.execute(
            "UPDATE registry_events SET revision = ?3, document = ?4 WHERE tenant = ?1 AND name = ?2",
            params![tenant, name, signed(revision), document],
        )?;
        if replaced == 0 {
            self.execute(
                "INSERT INTO registry_events(tenant, name, revision, topic, document) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![tenant, name, signed(revision), topic.number(), document],
            )?;
        }
        Ok(Ok(Written { revision, made: replaced == 0 }))
    }

    fn put_schema(&mut self, tenant: i64, name: &Name, version: &SchemaVersion, document: &str) -> Outcome {
        let made = self.execute(
            "INSERT INTO registry_schemas(tenant, name, version, revision, document) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(tenant, name, version) DO NOTHING",
            params![tenant, name.as_str(), version.as_str(), signed(self.last + 1), document],
        )?;
        if made == 0 {
            return Ok(Err(Refused::AlreadyExists));
        }
        Ok(Ok(Written { revision: self.next(), made: true }))
    }
}
