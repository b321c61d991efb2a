//! What the server answers, as sentences.

use soorma_ports::{MemoryStoreError, RegistryStoreError};
use sqlx::Error as Sql;

/// Why Postgres did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// It cannot be used as it is, or as we are; somebody has to change something.
    #[error("{0}")]
    Invalid(String),
    /// It has no room; nothing was written.
    #[error("Postgres has no room: {0}")]
    Full(String),
    /// It is away; whether something was written may be unknown.
    #[error("Postgres is not available: {0}")]
    Unavailable(String),
    /// It undid what others had written to at the same time; the same may succeed at once.
    #[error("Postgres could not do it beside others: {0}")]
    Undone(String),
    /// It holds something that it should not.
    #[error("the tables are damaged: {0}")]
    Corrupt(String),
}

impl From<PostgresError> for RegistryStoreError {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Invalid(said) => Self::Invalid(said),
            PostgresError::Full(said) => Self::Full(said),
            PostgresError::Unavailable(said) | PostgresError::Undone(said) => Self::Unavailable(said),
            PostgresError::Corrupt(said) => Self::Corrupt(said),
        }
    }
}

impl From<PostgresError> for MemoryStoreError {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Invalid(said) => Self::Invalid(said),
            PostgresError::Full(said) => Self::Full(said),
            PostgresError::Unavailable(said) | PostgresError::Undone(said) => Self::Unavailable(said),
            PostgresError::Corrupt(said) => Self::Corrupt(said),
        }
    }
}

/// Codes that the server gives its errors (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(crate) mod code {
    pub(crate) const WRONG_PASSWORD: &str = "28P01";
    pub(crate) const NOT_LET_IN: &str = "28000";
    pub(crate) const NO_SUCH_DATABASE: &str = "3D000";
    pub(crate) const NOT_ALLOWED: &str = "42501";
    pub(crate) const NO_SUCH_NAME: &str = "42704";
    pub(crate) const EXISTS: [&str; 2] = ["42710", "23505"];
    pub(crate) const INTERNAL: &str = "XX000";
    pub(super) const DISK_FULL: &str = "53100";
    pub(super) const DAMAGED: [&str; 2] = ["XX001", "XX002"];
    pub(super) const READ_ONLY: &str = "25006";
    pub(super) const NOT_IN_TEXT: [&str; 2] = ["22021", "22P05"];
    /// There is no such extension: its file is not there.
    pub(crate) const NOT_INSTALLED: &str = "0A000";
    pub(crate) const NO_SUCH_FILE: &str = "58P01";
    /// Not serializable, a deadlock, and a key that another has put since it was looked.
    pub(super) const UNDONE: [&str; 3] = ["40001", "40P01", "23505"];
    /// Ended by somebody, by a crash of another process of the server, starting, database gone, idle in a transaction, idle.
    pub(super) const ENDED: [&str; 6] = ["57P01", "57P02", "57P03", "57P04", "25P03", "57P05"];
    /// A lock was waited for too long; a statement took too long.
    pub(super) const TOO_LONG: [&str; 2] = ["55P03", "57014"];
}

/// Returns the server's code, where it was the server that refused.
pub(crate) fn code_of(error: &Sql) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

pub(crate) fn has_code(error: &Sql, codes: &[&str]) -> bool {
    code_of(error).is_some_and(|code| codes.contains(&code.as_str()))
}

/// Whether the connection is of no more use.
pub(crate) fn is_lost(error: &Sql) -> bool {
    match error {
        Sql::Database(_) => has_code(error, &code::ENDED),
        Sql::Io(_) | Sql::Tls(_) | Sql::Protocol(_) | Sql::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether the server gave it up, as it took too long; it may serve others.
pub(crate) fn is_too_long(error: &Sql) -> bool {
    has_code(error, &code::TOO_LONG)
}

impl From<Sql> for PostgresError {
    /// What went wrong at work.
    fn from(error: Sql) -> Self {
        if is_lost(&error) {
            return Self::Unavailable(format!("the connection was lost: {}", said(&error)));
        }
        match &error {
            Sql::Database(_) => {}
            Sql::ColumnDecode { .. }
            | Sql::Decode(_)
            | Sql::RowNotFound
            | Sql::ColumnNotFound(_)
            | Sql::ColumnIndexOutOfBounds { .. }
            | Sql::TypeNotFound { .. } => return Self::Corrupt(error.to_string()),
            _ => return Self::Unavailable(error.to_string()),
        }
        let code = code_of(&error).unwrap_or_default();
        let said = format!("it says '{}' ({code})", said(&error));
        match code.as_str() {
            code::DISK_FULL => Self::Full(said),
            code::READ_ONLY => {
                Self::Unavailable(format!("{said}. Is it a standby? Only the primary takes writes"))
            }
            code if code::DAMAGED.contains(&code) => Self::Corrupt(said),
            code if code::UNDONE.contains(&code) => Self::Undone(said),
            code if code::NOT_IN_TEXT.contains(&code) => Self::Invalid(said),
            code if code::TOO_LONG.contains(&code) => {
                Self::Unavailable(format!("{said}. It is busy, or something else holds a lock"))
            }
            _ => Self::Unavailable(said),
        }
    }
}

/// The server's own words, without ours around them.
pub(crate) fn said(error: &Sql) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("so it is")]
    struct Answer(&'static str);

    impl DatabaseError for Answer {
        fn message(&self) -> &str {
            "so it is"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(Cow::Borrowed(self.0))
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn answer(code: &'static str) -> PostgresError {
        Sql::Database(Box::new(Answer(code))).into()
    }

    #[test]
    fn what_the_server_answers_is_told_apart() {
        assert!(matches!(answer("53100"), PostgresError::Full(_)));
        assert!(matches!(answer("XX001"), PostgresError::Corrupt(_)));
        assert!(matches!(answer("22021"), PostgresError::Invalid(_)));
        assert!(matches!(answer("40P01"), PostgresError::Undone(_)));
        for (code, says) in [
            ("25006", "standby"),
            ("55P03", "holds a lock"),
            ("57014", "busy"),
            ("57P01", "the connection was lost"),
            ("42P01", "'so it is' (42P01)"),
        ] {
            let said = answer(code);
            assert!(
                matches!(&said, PostgresError::Unavailable(said) if said.contains(says)),
                "{code}: {said}"
            );
        }
        assert!(matches!(Sql::RowNotFound.into(), PostgresError::Corrupt(_)));
        let lost = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(matches!(Sql::Io(lost).into(), PostgresError::Unavailable(_)));
    }
}
