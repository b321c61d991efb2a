//! What is left of what was removed: bytes in pages that are free again, words that the index has only marked as removed, and what the
//! write-ahead log still has of both.

use std::time::Duration;

use rusqlite::Connection;

use crate::schema::BUSY;

/// How many pages of the index of words are written in one transaction: others wait for it.
const PAGES: i64 = 64;

/// How far it is with forgetting the words of what was erased, as it stands in the file: so it goes on after a restart.
const NOTHING: i64 = 0;
const TO_BEGIN: i64 = 1;
const GOING_ON: i64 = 2;
/// More was erased since it began.
const TO_BEGIN_AGAIN: i64 = 3;

/// What the writer has yet to do for what was erased, when nobody waits.
#[derive(Debug, Default)]
pub(crate) struct Tidying {
    /// Whether what is removed is written over.
    wipes: bool,
    /// Whether words are to be forgotten.
    is_due: bool,
    /// Whether the write-ahead log is to be emptied.
    has_log: bool,
}

impl Tidying {
    pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { is_due: state(connection)? != NOTHING, ..Self::default() })
    }

    /// Whether there is more of it to be done now.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Says whether what is removed is to be written over: memory's is, while events are removed by the thousand when they are old.
    pub(crate) fn wipe(&mut self, connection: &Connection, wipes: bool) -> rusqlite::Result<()> {
        if wipes != self.wipes {
            connection.pragma_update_and_check(None, "secure_delete", wipes, |_| Ok(()))?;
            self.wipes = wipes;
        }
        Ok(())
    }

    /// Notes that something was erased, in the transaction that did it.
    pub(super) fn erased(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let next = match state(connection)? {
            NOTHING => TO_BEGIN,
            GOING_ON => TO_BEGIN_AGAIN,
            state => state,
        };
        set_state(connection, next)?;
        self.is_due = true;
        Ok(())
    }

    /// Has the index of words drop some of what it has only marked, in a transaction.
    pub(crate) fn forget_words(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.wipe(connection, true)?;
        let before = state(connection)?;
        // With a number below zero all of the index is to become one part, in which nothing is only marked; with one above, that goes on.
        let (pages, after) = match before {
            TO_BEGIN => (-PAGES, GOING_ON),
            state => (PAGES, state),
        };
        let after = match after {
            NOTHING => NOTHING,
            _ if merge(connection, pages)? => after,
            TO_BEGIN_AGAIN => TO_BEGIN,
            _ => NOTHING,
        };
        if after != before {
            set_state(connection, after)?;
        }
        self.is_due = after != NOTHING;
        self.has_log |= !self.is_due;
        Ok(())
    }

    /// Does nothing more of it until something is erased again, or the file is opened.
    pub(crate) fn give_up(&mut self) {
        self.is_due = false;
    }

    /// Empties the write-ahead log of what was erased, unless somebody reads in it just now: then the next is asked to do it.
    pub(crate) fn empty_log(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.has_log {
            return Ok(());
        }
        connection.busy_timeout(Duration::ZERO)?;
        let checkpoint =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        connection.busy_timeout(BUSY)?;
        self.has_log = checkpoint?;
        Ok(())
    }
}

fn state(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT forgetting FROM memory")?.query_row([], |row| row.get(0))
}

fn set_state(connection: &Connection, state: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE memory SET forgetting = ?1")?.execute([state]).map(|_| ())
}

/// Says whether there is more to merge.
fn merge(connection: &Connection, pages: i64) -> rusqlite::Result<bool> {
    let changes = || connection.query_row("SELECT total_changes()", [], |row| row.get::<_, i64>(0));
    let before = changes()?;
    connection
        .prepare_cached("INSERT INTO memory_words(memory_words, rank) VALUES ('merge', ?1)")?
        .execute([pages])?;
    // Below two, nothing but this command itself was written.
    Ok(changes()? - before >= 2)
}
