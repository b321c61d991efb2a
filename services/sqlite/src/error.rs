//! What SQLite answers, as the log's errors.

use rusqlite::{Error as Sql, ErrorCode};
use soorma_ports::{EventLogError, MemoryStoreError, RegistryStoreError};

/// Why a piece of work did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was refused before it wrote anything: an answer like any other.
    Refused(EventLogError),
    /// The database failed: what it has written so far is to be undone.
    Sql(Sql),
}

impl From<Sql> for Failure {
    fn from(error: Sql) -> Self {
        Self::Sql(error)
    }
}

impl From<EventLogError> for Failure {
    fn from(error: EventLogError) -> Self {
        Self::Refused(error)
    }
}

/// Whether the file holds something it should not.
pub(crate) fn is_damage(error: &Sql) -> bool {
    matches!(log_error(error), EventLogError::Corrupt(_))
}

pub(crate) fn log_error(error: &Sql) -> EventLogError {
    match error {
        Sql::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => EventLogError::Full(error.to_string()),
            // Nothing that we write breaks a rule of the tables, unless they hold something else than they should: an index of words of
            // which a part is missing takes the name of a part that is there.
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
                EventLogError::Corrupt(error.to_string())
            }
            _ => EventLogError::Unavailable(error.to_string()),
        },
        // What was read is not of the type that we write.
        Sql::FromSqlConversionFailure(..)
        | Sql::IntegralValueOutOfRange(..)
        | Sql::InvalidColumnType(..)
        | Sql::Utf8Error(..)
        | Sql::QueryReturnedNoRows => EventLogError::Corrupt(error.to_string()),
        _ => EventLogError::Unavailable(error.to_string()),
    }
}

/// What the writer and the readers answer, as the registry's errors.
pub(crate) fn registry_error(error: EventLogError) -> RegistryStoreError {
    match error {
        EventLogError::Full(reason) => RegistryStoreError::Full(reason),
        EventLogError::Unavailable(reason) => RegistryStoreError::Unavailable(reason),
        EventLogError::Corrupt(reason) => RegistryStoreError::Corrupt(reason),
        EventLogError::Invalid(reason) => RegistryStoreError::Invalid(reason),
        // Of places in topics, which the registry has none of.
        error @ (EventLogError::Gone { .. } | EventLogError::Beyond { .. }) => {
            RegistryStoreError::Invalid(error.to_string())
        }
    }
}

/// What the writer and the readers answer, as the memory's errors.
pub(crate) fn memory_error(error: EventLogError) -> MemoryStoreError {
    match error {
        EventLogError::Full(reason) => MemoryStoreError::Full(reason),
        EventLogError::Unavailable(reason) => MemoryStoreError::Unavailable(reason),
        EventLogError::Corrupt(reason) => MemoryStoreError::Corrupt(reason),
        EventLogError::Invalid(reason) => MemoryStoreError::Invalid(reason),
        // Of places in topics, which memory has none of.
        error @ (EventLogError::Gone { .. } | EventLogError::Beyond { .. }) => {
            MemoryStoreError::Invalid(error.to_string())
        }
    }
}

pub(crate) fn corrupt(what: &str, error: impl std::fmt::Display) -> EventLogError {
    EventLogError::Corrupt(format!("{what}: {error}"))
}

pub(crate) fn closed() -> EventLogError {
    EventLogError::Unavailable("it was closed".into())
}
