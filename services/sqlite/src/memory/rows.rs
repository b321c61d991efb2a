//! The tables, in the writer's transaction: an entry with its labels, words and vectors, and what its scope counts.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::changes::Change;
use super::draft::{Draft, Vector};
use super::words::Cut;
use super::{checksum, scope};
use crate::writer::Tx;

/// What a scope counts.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    entries: i64,
    bytes: i64,
    texts: i64,
    words: i64,
}

/// An entry as far as writing needs it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: i64,
    pub(super) scope: i64,
    pub(super) owner: i64,
    pub(super) id: [u8; 16],
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) revision: i64,
    bundle: String,
    labels: Option<String>,
    text: Option<String>,
    bytes: i64,
    words: i64,
}

/// What is read of a [`Known`].
macro_rules! known {
    () => {
        "e.key, e.scope, e.owner, e.id, e.created_at, e.expires_at, e.revision, e.bundle, e.labels, e.text, e.bytes, \
         e.words"
    };
}
pub(super) use known;

impl Known {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            scope: row.get(1)?,
            owner: row.get(2)?,
            id: row.get(3)?,
            created_at: row.get(4)?,
            expires_at: row.get(5)?,
            revision: row.get(6)?,
            bundle: row.get(7)?,
            labels: row.get(8)?,
            text: row.get(9)?,
            bytes: row.get(10)?,
            words: row.get(11)?,
        })
    }

    fn tally(&self) -> Tally {
        Tally { entries: 1, bytes: self.bytes, texts: i64::from(self.text.is_some()), words: self.words }
    }
}

/// Entries that were looked for.
pub(super) struct Found {
    pub(super) known: Vec<Known>,
    /// Whether there may be more of them.
    pub(super) has_more: bool,
}

/// Writes of one call. What scopes count is written at its end.
pub(super) struct Rows<'a, 'b> {
    pub(super) tx: &'a mut Tx<'b>,
    revision: i64,
    before: i64,
    tallies: BTreeMap<i64, Tally>,
}

impl<'a, 'b> Rows<'a, 'b> {
    pub(super) fn new(tx: &'a mut Tx<'b>) -> rusqlite::Result<Self> {
        tx.state.tidying.wipe(tx.connection, true)?;
        let revision =
            tx.connection.prepare_cached("SELECT revision FROM memory")?.query_row([], |row| row.get(0))?;
        Ok(Self { tx, revision, before: revision, tallies: BTreeMap::new() })
    }

    pub(super) fn connection(&self) -> &'b Connection {
        self.tx.connection
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.tx.connection.prepare_cached(sql)?.execute(params)
    }

    pub(super) fn find(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Option<Known>> {
        self.tx.connection.prepare_cached(sql)?.query_row(params, Known::read).optional()
    }

    pub(super) fn all(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Known>> {
        self.tx.connection.prepare_cached(sql)?.query_map(params, Known::read)?.collect()
    }

    /// Returns what is found until it has more than so many bytes of text.
    pub(super) fn some(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        most: usize,
    ) -> rusqlite::Result<Found> {
        let mut select = self.tx.connection.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let (mut found, mut bytes) = (Found { known: Vec::new(), has_more: false }, 0);
        while let Some(row) = rows.next()? {
            let known = Known::read(row)?;
            bytes += known.text.as_ref().map_or(0, String::len);
            found.known.push(known);
            if bytes > most {
                found.has_more = true;
                break;
            }
        }
        Ok(found)
    }

    fn count(&mut self, scope: i64, more: Tally, less: Tally) {
        let tally = self.tallies.entry(scope).or_default();
        tally.entries += more.entries - less.entries;
        tally.bytes += more.bytes - less.bytes;
        tally.texts += more.texts - less.texts;
        tally.words += more.words - less.words;
    }

    /// Writes down what was counted.
    pub(super) fn finish(&mut self) -> rusqlite::Result<()> {
        if self.revision != self.before {
            self.execute("UPDATE memory SET revision = ?1", [self.revision])?;
        }
        for (scope, tally) in std::mem::take(&mut self.tallies) {
            let Tally { entries, bytes, texts, words } = tally;
            if (entries, bytes, texts, words) != (0, 0, 0, 0) {
                self.execute(
                    "UPDATE memory_scopes SET entries = entries + ?2, bytes = bytes + ?3, texts = texts + ?4, words = words + ?5
                     WHERE id = ?1",
                    params![scope, entries, bytes, texts, words],
                )?;
            }
        }
        Ok(())
    }

    /// Makes an entry; returns its revision.
    pub(super) fn make(
        &mut self,
        tenant: i64,
        owner: i64,
        scope: i64,
        draft: &Draft,
        at: i64,
    ) -> rusqlite::Result<i64> {
        self.revision += 1;
        let count = draft.words.as_ref().map_or(0, |words| words.count);
        let key = self
            .tx
            .connection
            .prepare_cached(
                "INSERT INTO memory_entries(scope, tenant, owner, public, id, bundle, name, text, body, labels, created_at, updated_at,
                     valid_from, valid_until, expires_at, revision, bytes, words)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?
            .insert(params![
                scope,
                tenant,
                owner,
                draft.public,
                draft.id.as_bytes(),
                draft.group,
                draft.key,
                draft.text,
                draft.body,
                draft.labels_json,
                at,
                draft.valid_from,
                draft.valid_until,
                draft.expires_at,
                self.revision,
                draft.bytes,
                count,
            ])?;
        self.label(scope, key, &draft.labels)?;
        self.add_words(scope, key, draft.words.as_ref())?;
        if let Some(vector) = &draft.vector {
            self.insert_vector(scope, key, checksum::part(&draft.group), vector)?;
        }
        let texts = i64::from(draft.text.is_some());
        let tally = Tally { entries: 1, bytes: draft.bytes, texts, words: count };
        self.count(scope, tally, Tally::default());
        Ok(self.revision)
    }

    /// Puts a draft in the place of an entry; returns its revision.
    pub(super) fn replace(&mut self, known: &Known, draft: &Draft, at: i64) -> rusqlite::Result<i64> {
        self.revision += 1;
        let (key, scope, revision) = (known.key, known.scope, self.revision);
        let is_other = known.text != draft.text;
        let words = draft.words.as_ref().filter(|_| is_other);
        let count = if is_other { words.map_or(0, |words| words.count) } else { known.words };
        if is_other {
            self.forget_words(known)?;
            self.forget_vectors(scope, key)?;
        }
        self.execute(
            "UPDATE memory_entries SET text = ?2, body = ?3, labels = ?4, updated_at = ?5, valid_from = ?6, valid_until = ?7,
                 expires_at = ?8, revision = ?9, bytes = ?10, words = ?11 WHERE key = ?1",
            params![
                key,
                draft.text,
                draft.body,
                draft.labels_json,
                at,
                draft.valid_from,
                draft.valid_until,
                draft.expires_at,
                revision,
                draft.bytes,
                count,
            ],
        )?;
        if known.labels != draft.labels_json {
            self.unlabel(known)?;
            self.label(scope, key, &draft.labels)?;
        }
        self.add_words(scope, key, words)?;
        if let Some(vector) = &draft.vector {
            self.insert_vector(scope, key, checksum::part(&draft.group), vector)?;
        }
        let texts = i64::from(draft.text.is_some());
        let tally = Tally { entries: 1, bytes: draft.bytes, texts, words: count };
        self.count(scope, tally, known.tally());
        Ok(revision)
    }

    /// Removes an entry with all that belongs to it; returns how many vectors it had.
    pub(super) fn remove(&mut self, known: &Known) -> rusqlite::Result<usize> {
        self.unlabel(known)?;
        self.forget_words(known)?;
        let vectors = self.forget_vectors(known.scope, known.key)?;
        self.execute("DELETE FROM memory_entries WHERE key = ?1", [known.key])?;
        self.count(known.scope, Tally::default(), known.tally());
        Ok(vectors)
    }

    /// Puts a vector in the place of one of its generation.
    pub(super) fn put_vector(&mut self, known: &Known, vector: &Vector) -> rusqlite::Result<()> {
        self.insert_vector(known.scope, known.key, checksum::part(&known.bundle), vector)
    }

    fn insert_vector(&mut self, scope: i64, entry: i64, part: i64, vector: &Vector) -> rusqlite::Result<()> {
        let generation = scope::generation(self.tx.connection, &vector.generation)?;
        self.execute(
            "REPLACE INTO memory_vectors(generation, scope, entry, part, checksum, vector) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![generation, scope, entry, part, vector.checksum, vector.bytes],
        )?;
        let vector = vector.numbers.clone();
        self.tx.state.memory.note(Change::Put { scope, generation, entry, part, vector });
        Ok(())
    }

    fn forget_vectors(&mut self, scope: i64, entry: i64) -> rusqlite::Result<usize> {
        let gone = self.execute("DELETE FROM memory_vectors WHERE entry = ?1", [entry])?;
        if gone > 0 {
            self.tx.state.memory.note(Change::Remove { scope, entry });
        }
        Ok(gone)
    }

    fn add_words(&self, scope: i64, key: i64, words: Option<&Cut>) -> rusqlite::Result<()> {
        if let Some(words) = words.filter(|words| words.count > 0) {
            let terms = words.terms(scope);
            self.execute("INSERT INTO memory_words(rowid, words) VALUES (?1, ?2)", params![key, terms])?;
        }
        Ok(())
    }

    /// The index of words is told what it has, since it keeps no text.
    fn forget_words(&self, known: &Known) -> rusqlite::Result<()> {
        if let Some(text) = known.text.as_deref().filter(|_| known.words > 0) {
            self.execute(
                "INSERT INTO memory_words(memory_words, rowid, words) VALUES ('delete', ?1, ?2)",
                params![known.key, Cut::new(text).terms(known.scope)],
            )?;
        }
        Ok(())
    }

    fn label(&self, scope: i64, key: i64, labels: &[String]) -> rusqlite::Result<()> {
        for label in labels {
            self.execute(
                "INSERT OR IGNORE INTO memory_labels(scope, label, entry) VALUES (?1, ?2, ?3)",
                params![scope, label, key],
            )?;
        }
        Ok(())
    }

    fn unlabel(&self, known: &Known) -> rusqlite::Result<()> {
        if let Some(labels) = &known.labels {
            self.execute(
                "DELETE FROM memory_labels WHERE scope = ?1 AND entry = ?2 AND label IN (SELECT value FROM json_each(?3))",
                params![known.scope, known.key, labels],
            )?;
        }
        Ok(())
    }
}
