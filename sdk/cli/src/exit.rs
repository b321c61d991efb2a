//! How a failure is said, and with which status the process ends.

use std::process::ExitCode;

use soorma::{Error, ErrorCode};

use crate::print::Printer;

/// Says on standard error what went wrong; returns the status.
pub(crate) fn code(error: &anyhow::Error, printer: Printer) -> ExitCode {
    // A reader that has seen enough, such as `head`, closes the pipe: that is no failure.
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    let known = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    printer.failure(&format!("{error:#}"), known.map(|error| error.code));
    ExitCode::from(known.map_or(1, |error| status(error.code)))
}

/// 2 is also what wrong arguments give.
const fn status(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::Internal => 1,
        ErrorCode::Invalid => 2,
        ErrorCode::NotFound => 3,
        ErrorCode::AlreadyExists | ErrorCode::Conflict => 4,
        ErrorCode::Unauthenticated | ErrorCode::Forbidden => 5,
        ErrorCode::RateLimited | ErrorCode::Overloaded => 6,
        ErrorCode::Unavailable => 7,
        ErrorCode::Timeout => 8,
        ErrorCode::Cancelled => 130,
    }
}
