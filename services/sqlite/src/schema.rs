//! The tables, and who may open them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use soorma_ports::EventLogError;

use crate::error::log_error;

/// "Soor", in the header of the file.
const APPLICATION: i64 = 0x536f_6f72;
/// Raised with every change of the tables; a file of a later one is refused.
const VERSION: i64 = 1;

/// Positions come from one sequence for all topics, so a position alone says what came first. An index on
/// (tenant, topic) is in order of positions, since SQLite ends every index entry with the row id.
const TABLES: &str = "
CREATE TABLE topics(
    topic INTEGER PRIMARY KEY,
    head INTEGER NOT NULL,
    before_first INTEGER NOT NULL,
    kept INTEGER NOT NULL
);
CREATE TABLE tenants(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_dead_letter INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE events(
    position INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    id TEXT NOT NULL,
    appended_at INTEGER NOT NULL,
    envelope TEXT NOT NULL
);
CREATE UNIQUE INDEX events_once ON events(tenant, topic, id);
CREATE INDEX events_of_tenant ON events(tenant, topic);
CREATE INDEX events_of_topic ON events(topic);
CREATE TABLE consumers(
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    ack_within INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    max_unsettled INTEGER NOT NULL,
    UNIQUE(tenant, name)
);
CREATE TABLE consumer_topics(
    consumer INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY(consumer, topic)
) WITHOUT ROWID;
-- What was handed out and not acknowledged: in hand (leased) or waiting to be tried again. `envelope` is there only
-- for what was redriven, since its event may be gone.
CREATE TABLE deliveries(
    consumer INTEGER NOT NULL,
    position INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    leased INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    first_at INTEGER,
    envelope TEXT,
    PRIMARY KEY(consumer, position)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries(consumer, leased, due_at);
CREATE TABLE dead_letters(
    tenant INTEGER NOT NULL,
    id INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    position INTEGER NOT NULL,
    cause TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    PRIMARY KEY(tenant, id)
) WITHOUT ROWID;
-- Where `check` tries whether there is room again.
CREATE TABLE probe(filler BLOB NOT NULL);
";

/// Opens the connection that writes; makes the tables where there are none.
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
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    // Before anything is written: the file may belong to another program.
    let is_new = admit(path, &connection).map_err(failed)??;
    tune(&connection).map_err(failed)?;
    if is_new {
        create(&connection).map_err(failed)?;
    }
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, EventLogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| log_error(&error))
}

/// Says whether the file is new, or refuses it.
fn admit(path: &Path, connection: &Connection) -> rusqlite::Result<Result<bool, EventLogError>> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(Ok(true));
    }
    if number("application_id")? != APPLICATION {
        let message =
            format!("{} is a database of another program; give the log a file of its own", path.display());
        return Ok(Err(EventLogError::Invalid(message)));
    }
    let version = number("user_version")?;
    if version > VERSION {
        let message = format!(
            "{} was written by a newer version (schema {version}; this one knows up to {VERSION}). Start that version \
             again, or give this one another file",
            path.display()
        );
        return Ok(Err(EventLogError::Invalid(message)));
    }
    Ok(Ok(false))
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
    // The writer has some thirty statements.
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
