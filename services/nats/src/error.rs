//! What the server answers, as the log's errors.

use async_nats::client::{RequestError, RequestErrorKind};
use serde::Deserialize;
use soorma_ports::EventLogError;

/// An error in an answer of JetStream.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ApiError {
    #[serde(default)]
    pub(crate) err_code: u64,
    #[serde(default)]
    pub(crate) description: String,
}

/// "wrong last sequence", with the number or without.
const WRONG_LAST_SEQUENCE: [u64; 2] = [10_071, 10_164];
/// Insufficient resources, storage resources exceeded, store failed, account limit.
const NO_ROOM: [u64; 7] = [10_002, 10_023, 10_028, 10_047, 10_077, 10_120, 10_122];
/// A message is larger than the stream takes.
const TOO_LARGE: u64 = 10_054;
/// No message was found.
const NOT_FOUND: u64 = 10_037;
/// A batch was not taken whole: too many were open at once, or a part came too late.
const BATCH_BROKEN: [u64; 4] = [10_175, 10_176, 10_210, 10_211];

/// Why something was not stored.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The subject has another last message than the one that was expected; which one, where the server says.
    Raced(Option<u64>),
    /// The batch was given up by the server; nothing of it was stored.
    BatchBroken(EventLogError),
    /// The log says why.
    Log(EventLogError),
}

impl From<EventLogError> for Refused {
    fn from(error: EventLogError) -> Self {
        Self::Log(error)
    }
}

impl Refused {
    /// The error, where a race cannot be.
    pub(crate) fn into_error(self) -> EventLogError {
        match self {
            Self::Log(error) | Self::BatchBroken(error) => error,
            Self::Raced(_) => EventLogError::Unavailable("others were faster too often; try again".into()),
        }
    }
}

impl ApiError {
    pub(crate) fn is_not_found(&self) -> bool {
        self.err_code == NOT_FOUND
    }

    pub(crate) fn refused(&self) -> Refused {
        if WRONG_LAST_SEQUENCE.contains(&self.err_code) {
            let last = self.description.rsplit_once(": ").and_then(|(_, number)| number.parse().ok());
            Refused::Raced(last)
        } else if BATCH_BROKEN.contains(&self.err_code) {
            Refused::BatchBroken(self.log_error())
        } else {
            Refused::Log(self.log_error())
        }
    }

    pub(crate) fn log_error(&self) -> EventLogError {
        let said = format!("JetStream says '{}' ({})", self.description, self.err_code);
        if NO_ROOM.contains(&self.err_code) {
            EventLogError::Full(said)
        } else if self.err_code == TOO_LARGE {
            EventLogError::Invalid(said)
        } else {
            EventLogError::Unavailable(said)
        }
    }
}

pub(crate) fn request_error(error: &RequestError) -> EventLogError {
    match error.kind() {
        RequestErrorKind::NoResponders => EventLogError::Unavailable(
            "nobody answers for the stream: JetStream is off, the stream was deleted, or it has no leader"
                .into(),
        ),
        RequestErrorKind::TimedOut => {
            EventLogError::Unavailable("the NATS server has not answered in time".into())
        }
        RequestErrorKind::MaxPayloadExceeded => EventLogError::Invalid(format!("it is too large: {error}")),
        RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
            EventLogError::Unavailable(error.to_string())
        }
    }
}

pub(crate) fn away(error: impl std::fmt::Display) -> EventLogError {
    EventLogError::Unavailable(error.to_string())
}

pub(crate) fn corrupt(what: &str, error: impl std::fmt::Display) -> EventLogError {
    EventLogError::Corrupt(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(err_code: u64, description: &str) -> ApiError {
        ApiError { err_code, description: description.into() }
    }

    #[test]
    fn a_race_says_who_was_first_where_the_server_does() {
        assert!(matches!(api(10_071, "wrong last sequence: 42").refused(), Refused::Raced(Some(42))));
        assert!(matches!(api(10_164, "wrong last sequence").refused(), Refused::Raced(None)));
    }

    #[test]
    fn a_full_disk_is_full_and_all_else_is_away() {
        assert!(matches!(api(10_047, "insufficient storage").log_error(), EventLogError::Full(_)));
        assert!(matches!(
            api(10_008, "JetStream system temporarily unavailable").log_error(),
            EventLogError::Unavailable(_)
        ));
    }
}
