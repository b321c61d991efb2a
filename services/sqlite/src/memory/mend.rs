//! What is damaged of memory's tables, and how it is made anew from what is not.
//!
//! The index of words, the labels and all other indexes can be made from the entries. Vectors cannot, but their model makes them again. Of
//! a tree in which something is damaged, nothing is given back: what looks like its pages may be those of others. They are left to `VACUUM`.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::words::{self, Cut};
use crate::error::is_damage;

const WORDS: &str = "memory_words";
const LABELS: &str = "memory_labels";
const VECTORS: &str = "memory_vectors";
/// Where the index of words is kept.
const OF_WORDS: [&str; 3] = ["memory_words_data", "memory_words_idx", "memory_words_config"];
/// What can be made from nothing else.
const OTHERS: [&str; 5] =
    ["memory_entries", "memory_scopes", "memory_owners", "memory_generations", "memory"];

/// What is not as it should be.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// The index of words does not have what the entries have, or cannot be read.
    pub(super) words: bool,
    labels: bool,
    vectors: bool,
    /// Tables that can be read, with indexes that cannot, or that do not have what the table has.
    indexes: Vec<&'static str>,
    /// Tables that cannot be read, and made from nothing else.
    pub(super) lost: Vec<&'static str>,
}

impl Damage {
    pub(super) fn is_none(&self) -> bool {
        !(self.words || self.labels || self.vectors) && self.indexes.is_empty() && self.lost.is_empty()
    }

    /// Looks through all of memory: called where something was damaged already.
    pub(super) fn find(connection: &Connection) -> rusqlite::Result<Self> {
        // What was read before the damage says nothing.
        connection.execute_batch("PRAGMA shrink_memory")?;
        let mut damage = Self::default();
        for table in OTHERS {
            if !is_sound(connection, table)? {
                if can_be_read(connection, table)? {
                    damage.indexes.push(table);
                } else {
                    damage.lost.push(table);
                }
            }
        }
        if !is_sound(connection, VECTORS)? {
            if can_be_read(connection, VECTORS)? {
                damage.indexes.push(VECTORS);
            } else {
                damage.vectors = true;
            }
        }
        damage.labels = !is_sound(connection, LABELS)?;
        damage.words = !has_sound_words(connection)? || !is_sound(connection, WORDS)? || !agrees(connection)?;
        Ok(damage)
    }

    /// Makes anew what is damaged.
    pub(super) fn mend(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("PRAGMA shrink_memory")?;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        for table in &self.indexes {
            reindex(&transaction, table)?;
        }
        if self.vectors {
            again(&transaction, VECTORS)?;
        }
        if self.labels {
            again(&transaction, LABELS)?;
            transaction.execute(
                "INSERT OR IGNORE INTO memory_labels(scope, label, entry)
                 SELECT e.scope, l.value, e.key FROM memory_entries e, json_each(e.labels) l WHERE e.labels IS NOT NULL",
                [],
            )?;
        }
        if self.words {
            anew(&transaction)?;
        }
        transaction.commit()
    }
}

/// Takes damage for an answer.
fn or_damaged<T>(answer: rusqlite::Result<T>, damaged: T) -> rusqlite::Result<T> {
    match answer {
        Err(error) if is_damage(&error) => Ok(damaged),
        answer => answer,
    }
}

/// Whether a table and its indexes can be read and agree.
fn is_sound(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let check = format!("PRAGMA integrity_check({table})");
    or_damaged(connection.query_row(&check, [], |row| Ok(row.get_ref(0)?.as_str()? == "ok")), false)
}

/// Whether all rows of a table can be read, whatever its indexes are like.
fn can_be_read(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let read = || {
        let mut select = connection.prepare(&format!("SELECT * FROM {table} NOT INDEXED"))?;
        let mut rows = select.query([])?;
        while rows.next()?.is_some() {}
        Ok(true)
    };
    or_damaged(read(), false)
}

fn has_sound_words(connection: &Connection) -> rusqlite::Result<bool> {
    for table in OF_WORDS {
        if !is_sound(connection, table)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the index of words has as many as all entries.
fn agrees(connection: &Connection) -> rusqlite::Result<bool> {
    let compare = "SELECT (SELECT coalesce(sum(cnt), 0) FROM memory_word_counts)
                       = (SELECT coalesce(sum(words), 0) FROM memory_entries NOT INDEXED)";
    or_damaged(connection.query_row(compare, [], |row| row.get(0)), false)
}

/// Makes the indexes of a table anew.
fn reindex(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let of_table = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1";
    let indexes: Vec<(String, Option<String>)> = connection
        .prepare(of_table)?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, sql) in indexes {
        match sql {
            // It belongs to its table.
            None => connection.execute_batch(&format!("REINDEX {name}"))?,
            Some(sql) => {
                unlink(connection, "name = ?1", &name)?;
                connection.execute_batch(&sql)?;
            }
        }
    }
    Ok(())
}

/// Makes a table with its indexes anew, with nothing in it.
fn again(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let of_table =
        "SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND sql IS NOT NULL ORDER BY type = 'index'";
    let made: Vec<String> =
        connection.prepare(of_table)?.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    unlink(
        connection,
        "tbl_name = ?1 OR (?1 = 'memory_words' AND tbl_name LIKE 'memory\\_words\\_%' ESCAPE '\\')",
        table,
    )?;
    made.iter().try_for_each(|sql| connection.execute_batch(sql))
}

/// Takes something out of the schema, whatever its pages are like.
fn unlink(connection: &Connection, which: &str, name: &str) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")?;
    let unlinked = connection.execute(&format!("DELETE FROM sqlite_schema WHERE {which}"), [name]);
    // It also has the schema read again.
    connection.execute_batch("PRAGMA writable_schema = RESET")?;
    unlinked.map(|_| ())
}

/// Makes the index of words anew where its words were cut by other rules than ours: what it has could not be taken out again.
pub(crate) fn keep_up(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let letters: String = transaction.query_row("SELECT letters FROM memory", [], |row| row.get(0))?;
    if letters != words::letters() {
        let count = anew(&transaction)?;
        if count > 0 {
            tracing::info!(
                count,
                from = letters,
                to = words::letters(),
                "index of words made anew for other tables of letters"
            );
        }
    }
    transaction.commit()
}

/// Makes the index of words anew, in a transaction; returns how many texts it has.
fn anew(connection: &Connection) -> rusqlite::Result<u64> {
    let empty = "INSERT INTO memory_words(memory_words) VALUES ('delete-all')";
    if !has_sound_words(connection)? || connection.execute(empty, []).is_err() {
        again(connection, WORDS)?;
    }
    connection.execute("UPDATE memory SET letters = ?1", [words::letters()])?;
    let mut select =
        connection.prepare("SELECT key, scope, text, words FROM memory_entries WHERE text IS NOT NULL")?;
    let mut insert = connection.prepare("INSERT INTO memory_words(rowid, words) VALUES (?1, ?2)")?;
    let mut update = connection.prepare("UPDATE memory_entries SET words = ?2 WHERE key = ?1")?;
    let mut rows = select.query([])?;
    let mut made = 0;
    while let Some(row) = rows.next()? {
        let (key, scope): (i64, i64) = (row.get(0)?, row.get(1)?);
        let cut = Cut::new(row.get_ref(2)?.as_str()?);
        if cut.count > 0 {
            insert.execute(params![key, cut.terms(scope)])?;
            made += 1;
        }
        if cut.count != row.get::<_, i64>(3)? {
            update.execute(params![key, cut.count])?;
        }
    }
    // They are what the index is compared with.
    connection.execute(
        "UPDATE memory_scopes SET (texts, words) = (
             SELECT count(text), coalesce(sum(words), 0) FROM memory_entries e WHERE e.scope = memory_scopes.id)",
        [],
    )?;
    Ok(made)
}
