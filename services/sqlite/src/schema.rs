//! The tables, and who may open them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use soorma_ports::EventLogError;

use crate::error::log_error;
use crate::numbers::{count, size};

/// "Soor", in the header of the file.
const APPLICATION: i64 = 0x536f_6f72;
/// What makes each version of the tables out of the one before. A change of the tables is a new entry; a file of a version that
/// has none here is refused.
const CHANGES: [&str; 4] = [
    include_str!("schema/version_1.sql"),
    include_str!("schema/version_2.sql"),
    include_str!("schema/version_3.sql"),
    include_str!("schema/version_4.sql"),
];

/// How long a file that is busy is waited for.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// Opens the connection that writes; makes the tables where there are none, and new ones of old ones.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, EventLogError> {
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(EventLogError::Invalid(
            "the event log needs the path of a file; memory is not durable".into(),
        ));
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| match log_error(&error) {
        EventLogError::Unavailable(reason) => {
            EventLogError::Unavailable(format!("{} cannot be opened: {reason}", path.display()))
        }
        EventLogError::Corrupt(reason) => EventLogError::Corrupt(format!("{}: {reason}", path.display())),
        other => other,
    };
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // Before anything is written: the file may belong to another program.
    admit(path, &connection).map_err(failed)??;
    tune(&connection).map_err(failed)?;
    change(&connection).map_err(failed)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, EventLogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "query_only", true)?;
        // The statements of the log and the registry, and those of memory with their filters.
        connection.set_prepared_statement_cache_capacity(96);
        Ok(connection)
    };
    open().map_err(|error| log_error(&error))
}

/// Refuses a file that is not ours, or not yet known.
fn admit(path: &Path, connection: &Connection) -> rusqlite::Result<Result<(), EventLogError>> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(Ok(()));
    }
    if number(connection, "application_id")? != APPLICATION {
        let message =
            format!("{} is a database of another program; give the log a file of its own", path.display());
        return Ok(Err(EventLogError::Invalid(message)));
    }
    let (version, newest) = (number(connection, "user_version")?, CHANGES.len());
    if version > count(newest) {
        let message = format!(
            "{} was written by a newer version (schema {version}; this one knows up to {newest}). Start that version \
             again, or give this one another file",
            path.display()
        );
        return Ok(Err(EventLogError::Invalid(message)));
    }
    Ok(Ok(()))
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 32 MB: the index of ids is the only one that is not written at its end.
    connection.pragma_update(None, "cache_size", -32_768)?;
    // 4,096 pages (16 MB): four times the default, since at 30,000 events a second that would be a checkpoint every 100 ms.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4_096, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 * 1_024 * 1_024, |_| Ok(()))?;
    // The writer has some hundred statements.
    connection.set_prepared_statement_cache_capacity(160);
    Ok(())
}

/// Brings the tables to the newest version, all of the way or not at all.
fn change(connection: &Connection) -> rusqlite::Result<()> {
    // The version is read with the lock held: another process may have changed the tables just now.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let version = number(&transaction, "user_version")?;
    if version < count(CHANGES.len()) {
        for change in CHANGES.iter().skip(size(version)) {
            transaction.execute_batch(change)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", count(CHANGES.len()))?;
        if version > 0 {
            tracing::info!(
                from = version,
                to = CHANGES.len(),
                "tables of the event log brought to a newer version"
            );
        }
    }
    transaction.commit()
}
