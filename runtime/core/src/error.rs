//! The one closed set of error codes. Mapped once to HTTP (edge), once back (SDK), once to exit codes (CLI).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of thing went wrong; decides status, exit code and whether a retry may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// What was named does not exist (or is not the caller's to see).
    NotFound,
    /// It exists and may not be made again.
    AlreadyExists,
    /// The state it was based on has changed.
    Conflict,
    /// The request itself is wrong; the same request will never work.
    Invalid,
    /// Nobody proved who is asking.
    Unauthenticated,
    /// Who asks may not do this.
    Forbidden,
    /// A quota of the caller is used up for now.
    RateLimited,
    /// We are full; nothing was taken on.
    Overloaded,
    /// No answer in the time allowed; the outcome may be unknown.
    Timeout,
    /// Something below us is away.
    Unavailable,
    /// The caller, or a stop, called it off.
    Cancelled,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of their declaration.
    pub const ALL: [Self; 12] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::RateLimited,
        Self::Overloaded,
        Self::Timeout,
        Self::Unavailable,
        Self::Cancelled,
        Self::Internal,
    ];

    /// Returns the code's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// Returns whether the same request may succeed later, unchanged.
    pub const fn may_retry(self) -> bool {
        match self {
            Self::RateLimited | Self::Overloaded | Self::Timeout | Self::Unavailable => true,
            Self::NotFound
            | Self::AlreadyExists
            | Self::Conflict
            | Self::Invalid
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Cancelled
            | Self::Internal => false,
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with its code, a sentence that says what to do, and when to come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind.
    pub code: ErrorCode,
    /// What went wrong and what to do, for the caller to read.
    pub message: String,
    /// How long to wait before trying again, where that is known.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// Makes an error.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// Makes an [`ErrorCode::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    /// Makes an [`ErrorCode::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// Makes an [`ErrorCode::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }

    /// Makes an [`ErrorCode::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}
