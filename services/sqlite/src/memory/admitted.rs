//! Which entries of a scope a ranking may answer with, by their keys.

use rusqlite::{Connection, Row, params, params_from_iter};
use soorma_core::Timestamp;
use soorma_ports::MemoryFilter;

use super::filter::{Condition, takes_all};

#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) scope: i64,
    which: Which,
    /// How many of them have a text, and how many words these have together.
    pub(super) texts: i64,
    pub(super) words: i64,
}

/// Keys, in order.
#[derive(Debug)]
enum Which {
    AllBut(Vec<i64>),
    Only(Vec<i64>),
}

/// Keys, and what they have of texts and words.
#[derive(Debug, Default)]
struct Found {
    keys: Vec<i64>,
    texts: i64,
    words: i64,
}

impl Found {
    fn of(rows: impl Iterator<Item = rusqlite::Result<(i64, i64, i64)>>) -> rusqlite::Result<Self> {
        let mut found = Self::default();
        for row in rows {
            let (key, texts, words) = row?;
            found.keys.push(key);
            found.texts += texts;
            found.words += words;
        }
        found.keys.sort_unstable();
        Ok(found)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(i64, i64, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

impl Admitted {
    pub(super) fn new(
        connection: &Connection,
        scope: i64,
        filter: &MemoryFilter,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        if takes_all(filter) {
            let mut select = connection.prepare_cached(
                "SELECT key, text IS NOT NULL, words FROM memory_entries INDEXED BY memory_entries_expired
                 WHERE scope = ?1 AND expires_at <= ?2",
            )?;
            let hidden = Found::of(select.query_map(params![scope, now.micros()], read)?)?;
            let (texts, words): (i64, i64) = connection
                .prepare_cached("SELECT texts, words FROM memory_scopes WHERE id = ?1")?
                .query_row([scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (texts, words) = (texts - hidden.texts, words - hidden.words);
            return Ok(Self { scope, which: Which::AllBut(hidden.keys), texts, words });
        }
        let Condition { from, sql, params, .. } = Condition::new(connection, scope, filter, now, false)?;
        let sql = format!("SELECT e.key, e.text IS NOT NULL, e.words FROM {from} WHERE {sql}");
        let mut select = connection.prepare_cached(&sql)?;
        let Found { keys, texts, words } = Found::of(select.query_map(params_from_iter(params), read)?)?;
        Ok(Self { scope, which: Which::Only(keys), texts, words })
    }

    pub(super) fn has(&self, key: i64) -> bool {
        match &self.which {
            Which::AllBut(keys) => keys.is_empty() || keys.binary_search(&key).is_err(),
            Which::Only(keys) => keys.binary_search(&key).is_ok(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.which, Which::Only(keys) if keys.is_empty())
    }
}
