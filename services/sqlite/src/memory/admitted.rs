//! Which entries of a scope a ranking may answer with, by their keys.
//!
//! The usual filter takes nearly all of a scope, and so it is only looked up what it does not take. What filters by labels or by time is
//! looked up entry by entry.

use rusqlite::{Connection, Row, params_from_iter};
use soorma_core::Timestamp;
use soorma_ports::MemoryFilter;
use uuid::Uuid;

use super::filter::Condition;
use super::{checksum, entry};

#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) scope: i64,
    which: Which,
    /// Those of one group alone, which `has` does not know of.
    pub(super) part: Option<i64>,
    /// How many have a text, and how many words these have together; of all that is there where no more than the time or the group is
    /// asked for.
    pub(super) texts: i64,
    pub(super) words: i64,
}

/// Keys, in order.
#[derive(Debug)]
enum Which {
    AllBut(Vec<i64>),
    /// And when each was made, newest first.
    Only(Vec<i64>, Vec<(i64, Uuid)>),
}

/// What is not there any more, until it is removed.
const EXPIRED: &str = "
    SELECT key, text IS NOT NULL, words FROM memory_entries INDEXED BY memory_entries_expired
    WHERE scope = ?1 AND expires_at <= ?2";
/// What does not hold at a time. That may be much, as facts are overtaken: no more is read than the indexes have.
const INVALID: &str = "
    SELECT key FROM memory_entries INDEXED BY memory_entries_from WHERE scope = ?1 AND valid_from > ?2
    UNION ALL SELECT key FROM memory_entries INDEXED BY memory_entries_until WHERE scope = ?1 AND valid_until <= ?2";

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
        let MemoryFilter { kind: _, group, labels, reach: _, since, before, valid_at } = filter;
        if !labels.is_empty() || since.is_some() || before.is_some() {
            return Self::only(connection, scope, filter, now);
        }
        let (mut texts, mut words): (i64, i64) = connection
            .prepare_cached("SELECT texts, words FROM memory_scopes WHERE id = ?1")?
            .query_row([scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut hidden = Vec::new();
        for expired in connection.prepare_cached(EXPIRED)?.query_map([scope, now.micros()], read)? {
            let (key, of_texts, of_words) = expired?;
            hidden.push(key);
            texts -= of_texts;
            words -= of_words;
        }
        if let Some(time) = valid_at {
            let mut select = connection.prepare_cached(INVALID)?;
            for invalid in select.query_map([scope, time.micros()], |row| row.get(0))? {
                hidden.push(invalid?);
            }
        }
        hidden.sort_unstable();
        let part = group.as_deref().map(checksum::part);
        Ok(Self { scope, which: Which::AllBut(hidden), part, texts, words })
    }

    fn only(
        connection: &Connection,
        scope: i64,
        filter: &MemoryFilter,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        let Condition { from, sql, params } = Condition::new(connection, scope, filter, now, false)?;
        let sql =
            format!("SELECT e.key, e.text IS NOT NULL, e.words, e.created_at, e.id FROM {from} WHERE {sql}");
        let mut select = connection.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(params))?;
        let (mut keys, mut times) = (Vec::new(), Vec::new());
        let (mut texts, mut words) = (0, 0);
        while let Some(row) = rows.next()? {
            let (key, of_texts, of_words) = read(row)?;
            keys.push(key);
            times.push((row.get(3)?, entry::id(row, 4)?));
            texts += of_texts;
            words += of_words;
        }
        keys.sort_unstable();
        times.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Self { scope, which: Which::Only(keys, times), part: None, texts, words })
    }

    /// Whether a filter takes an entry, but for its group.
    pub(super) fn has(&self, key: i64) -> bool {
        match &self.which {
            Which::AllBut(keys) => keys.is_empty() || keys.binary_search(&key).is_err(),
            Which::Only(keys, _) => keys.binary_search(&key).is_ok(),
        }
    }

    /// Returns when each was made, newest first, if that is known.
    pub(super) fn times(&self) -> Option<&[(i64, Uuid)]> {
        match &self.which {
            Which::AllBut(_) => None,
            Which::Only(_, times) => Some(times),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.which, Which::Only(keys, _) if keys.is_empty())
    }
}
