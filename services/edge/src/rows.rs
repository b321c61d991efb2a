//! An answer that is a list: rows that are written already, put one behind the other.

use std::borrow::Cow;

use axum::response::Response;
use soorma_core::RankedBy;

use crate::cursor;
use crate::reply::json_text;

/// From how many bytes on an answer takes no more rows, so that none grows without bound; the rest is on the next page.
const MAX_BYTES: usize = 16 * 1_024 * 1_024;
/// About how long a row is, for the room that is made at once.
const USUAL_ROW: usize = 512;

/// A list on its way out.
#[derive(Debug)]
struct Rows {
    text: String,
    count: usize,
}

impl Rows {
    /// Begins a list under a name, with room for about so many rows.
    fn new(name: &str, rows: usize) -> Self {
        let mut text = String::with_capacity((rows + 1).saturating_mul(USUAL_ROW).min(MAX_BYTES));
        for part in ["{\"", name, "\":["] {
            text.push_str(part);
        }
        Self { text, count: 0 }
    }

    /// Adds a row that is JSON; says whether there was room. There is for the first one, however long.
    fn push(&mut self, row: &str) -> bool {
        if self.count > 0 {
            if self.text.len() + row.len() > MAX_BYTES {
                return false;
            }
            self.text.push(',');
        }
        self.text.push_str(row);
        self.count += 1;
        true
    }

    /// Ends the list, with a word more where there is one to say.
    fn end(self, more: Option<(&str, &str)>) -> Response {
        let Self { mut text, count } = self;
        text.push_str("],\"count\":");
        text.push_str(&count.to_string());
        if let Some((key, word)) = more {
            for part in [",\"", key, "\":\"", word, "\""] {
                text.push_str(part);
            }
        }
        text.push('}');
        json_text(text)
    }
}

/// Answers with rows, and with where to go on when there are more than these, or more than an answer holds.
pub(crate) fn list<'r, R, const N: usize>(
    name: &str,
    (found, more): (&'r [R], bool),
    row: impl Fn(&'r R) -> Cow<'r, str>,
    names: impl Fn(&'r R) -> [&'r str; N],
) -> Response {
    let list = filled(name, found, row);
    let shown = list.count;
    let last = found.iter().take(shown).next_back();
    let next = last.filter(|_| more || shown < found.len()).map(|row| cursor::write(&names(row)));
    list.end(next.as_deref().map(|next| ("nextCursor", next)))
}

/// Answers with rows, best first, and with what they are ranked by. Of those that an answer does not hold the best are shown: there is no
/// next page.
pub(crate) fn ranked<'r, R>(
    name: &str,
    found: &'r [R],
    by: RankedBy,
    row: impl Fn(&'r R) -> Cow<'r, str>,
) -> Response {
    filled(name, found, row).end(Some(("ranking", by.as_str())))
}

/// Begins a list with as many rows as there is room for. What is behind them is not even written: an answer must not take more memory than
/// it may be long.
fn filled<'r, R>(name: &str, found: &'r [R], row: impl Fn(&'r R) -> Cow<'r, str>) -> Rows {
    let mut list = Rows::new(name, found.len());
    for each in found {
        if !list.push(&row(each)) {
            break;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn no_more_rows_are_written_than_an_answer_holds_but_for_one() {
        let found: Vec<usize> = (0..1_000).collect();
        for (bytes, shown) in [(MAX_BYTES / 4, 3), (MAX_BYTES * 2, 1), (1_024, 1_000)] {
            let written = Cell::new(0);
            let list = filled("rows", &found, |_| {
                written.set(written.get() + 1);
                "x".repeat(bytes).into()
            });
            assert_eq!(list.count, shown);
            assert!(written.get() <= shown + 1, "{} of {shown} with {bytes} bytes", written.get());
            assert!(list.text.len() <= MAX_BYTES.max(bytes) + 64);
        }
    }
}
