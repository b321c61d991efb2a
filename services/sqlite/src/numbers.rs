//! SQLite knows signed integers only.

use std::time::Duration;

use soorma_core::{Position, Topic};

/// Later than anything that is waited for: 100 years. Keeps sums of times far from overflow.
const FAR: Duration = Duration::from_secs(100 * 366 * 86_400);

pub(crate) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(crate) fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) fn size(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.min(FAR).as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn position(row: i64) -> Position {
    Position(unsigned(row))
}

/// Reads the number of a topic.
pub(crate) fn topic(column: usize, row: &rusqlite::Row<'_>) -> rusqlite::Result<Topic> {
    let number: u8 = row.get(column)?;
    Topic::from_number(number)
        .ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(column, i64::from(number)))
}
