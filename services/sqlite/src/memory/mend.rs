//! The index of words, made anew from the texts.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::words;

/// Makes it anew where its words were cut by other rules than ours: what it has could not be taken out again.
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

/// Makes it anew, in a transaction; returns how many texts it has.
pub(super) fn anew(connection: &Connection) -> rusqlite::Result<u64> {
    connection.execute("INSERT INTO memory_words(memory_words) VALUES ('delete-all')", [])?;
    connection.execute("UPDATE memory SET letters = ?1", [words::letters()])?;
    let mut select =
        connection.prepare("SELECT key, scope, text, words FROM memory_entries WHERE text IS NOT NULL")?;
    let mut insert = connection.prepare("INSERT INTO memory_words(rowid, words) VALUES (?1, ?2)")?;
    let mut update = connection.prepare("UPDATE memory_entries SET words = ?2 WHERE key = ?1")?;
    let mut rows = select.query([])?;
    let mut made = 0;
    while let Some(row) = rows.next()? {
        let (key, scope): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (terms, count) = words::terms(scope, row.get_ref(2)?.as_str()?);
        if count > 0 {
            insert.execute(params![key, terms])?;
            made += 1;
        }
        if count != row.get::<_, i64>(3)? {
            update.execute(params![key, count])?;
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
