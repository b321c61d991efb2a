//! The problem document (RFC 9457), and the one place where error codes become HTTP statuses and back.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use soorma_core::{Error, ErrorCode};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, for people in `detail` and for programs in the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:soorma:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong and what to do.
    pub detail: String,
    /// The code.
    pub code: ErrorCode,
    /// What is wrong with the request, part by part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Violation>,
    /// How long to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The earliest position that a stream can be resumed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<String>,
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The rule that is broken.
    #[serde(rename = "type")]
    pub rule: String,
    /// Where, from the outside in.
    pub loc: Vec<Part>,
    /// What the rule says.
    pub msg: String,
    /// What was sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// One step on the way to a part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// A name.
    Name(String),
    /// A place in a list or text.
    Nth(u64),
}

impl From<&str> for Part {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl Problem {
    /// Makes a problem with the status of its code.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let status = status_of(code);
        Self {
            kind: format!("urn:soorma:problem:{code}"),
            title: title_of(status).to_owned(),
            status,
            detail: detail.into(),
            code,
            errors: Vec::new(),
            retry_after_ms: None,
            earliest: None,
        }
    }

    /// Says it with a narrower status than the one of the code.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        title_of(status).clone_into(&mut self.title);
        self
    }

    /// Says part by part what is wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Violation>) -> Self {
        self.errors = errors;
        self
    }

    /// Returns what the `Retry-After` header says: whole seconds, at least one.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Self::new(error.code, error.message);
        problem.retry_after_ms =
            error.retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        problem
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let error = Self::new(problem.code, problem.detail);
        match problem.retry_after_ms {
            Some(ms) => error.retry_after(Duration::from_millis(ms)),
            None => error,
        }
    }
}

/// Returns the HTTP status of a code.
pub const fn status_of(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::NotFound => 404,
        ErrorCode::AlreadyExists | ErrorCode::Conflict => 409,
        ErrorCode::Invalid => 422,
        ErrorCode::Unauthenticated => 401,
        ErrorCode::Forbidden => 403,
        ErrorCode::RateLimited | ErrorCode::Overloaded => 429,
        ErrorCode::Timeout => 504,
        ErrorCode::Unavailable => 503,
        ErrorCode::Cancelled => 499,
        ErrorCode::Internal => 500,
    }
}

/// Returns the code of an HTTP status, for answers that are no problem document, such as a proxy's.
pub const fn code_of(status: u16) -> ErrorCode {
    match status {
        404 | 410 => ErrorCode::NotFound,
        409 | 412 => ErrorCode::Conflict,
        401 | 407 => ErrorCode::Unauthenticated,
        403 => ErrorCode::Forbidden,
        429 => ErrorCode::Overloaded,
        408 | 504 => ErrorCode::Timeout,
        502 | 503 => ErrorCode::Unavailable,
        499 => ErrorCode::Cancelled,
        400..=498 => ErrorCode::Invalid,
        _ => ErrorCode::Internal,
    }
}

/// The reason phrases of the statuses that are answered.
const fn title_of(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        499 => "Client Closed Request",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_the_way_to_a_status_and_back_but_for_those_that_share_one() {
        for code in ErrorCode::ALL {
            let back = match code {
                ErrorCode::AlreadyExists => ErrorCode::Conflict,
                ErrorCode::RateLimited => ErrorCode::Overloaded,
                own => own,
            };
            assert_eq!(code_of(status_of(code)), back, "{code}");
        }
    }

    #[test]
    fn a_status_that_may_be_retried_maps_to_a_code_that_may() {
        for status in 400..=599 {
            let retry = matches!(status, 408 | 429 | 502 | 503 | 504);
            assert_eq!(code_of(status).may_retry(), retry, "{status}");
        }
    }

    #[test]
    fn an_error_survives_the_way_through_a_problem() {
        for error in [
            Error::invalid("say it otherwise"),
            Error::unavailable("the log is away").retry_after(Duration::from_millis(1_500)),
        ] {
            let problem = Problem::from(error.clone());
            let text = serde_json::to_string(&problem).expect("serialises");
            let read: Problem = serde_json::from_str(&text).expect("reads");
            assert_eq!(read, problem);
            assert_eq!(Error::from(read), error);
        }
    }

    #[test]
    fn retry_after_is_never_zero_and_never_early() {
        for (ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2)] {
            let error = Error::unavailable("away").retry_after(Duration::from_millis(ms));
            assert_eq!(Problem::from(error).retry_after_seconds(), Some(seconds));
        }
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_leaves_out_what_it_does_not_know() {
        let value =
            serde_json::to_value(Problem::new(ErrorCode::NotFound, "no such thing")).expect("serialises");
        assert_eq!(
            value,
            serde_json::json!({
                "type": "urn:soorma:problem:not_found", "title": "Not Found", "status": 404,
                "detail": "no such thing", "code": "not_found",
            })
        );
    }
}
