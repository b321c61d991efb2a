//! An answer that is a list: rows that are written already, put one behind the other.

use std::borrow::Cow;

use axum::http::HeaderValue;
use axum::response::Response;
use serde::Serialize;
use soorma_api::header;
use soorma_core::RankedBy;
use soorma_ports::{Found, Listed};

use crate::cursor;
use crate::reply::{json_text, json_within};

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
    /// Begins a list, with room for about so many rows; under a name where there is one, else as a bare array.
    fn new(name: Option<&str>, rows: usize) -> Self {
        let mut text = String::with_capacity((rows + 1).saturating_mul(USUAL_ROW).min(MAX_BYTES));
        match name {
            Some(name) => text.extend(["{\"", name, "\":["]),
            None => text.push('['),
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

    /// Ends a bare array.
    fn end_bare(self) -> Response {
        let Self { mut text, .. } = self;
        text.push(']');
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
    let list = filled(Some(name), found, row);
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
    filled(Some(name), found, row).end(Some(("ranking", by.as_str())))
}

/// Answers with a page of memory; or says how many rows an answer holds where it does not hold these, to ask for so many: only who lists them
/// knows where it goes on.
pub(crate) fn page<T: Serialize>(listed: &Listed<T>) -> Result<Response, usize> {
    let list = whole(Some("items"), &listed.items)?;
    let next = listed.next.as_ref().map(cursor::write_after);
    Ok(list.end(next.as_deref().map(|next| ("nextCursor", next))))
}

/// The same as a bare array, as the published services have it; where it goes on stands in a header.
pub(crate) fn bare_page<T: Serialize>(listed: &Listed<T>) -> Result<Response, usize> {
    let mut response = whole(None, &listed.items)?.end_bare();
    if let Some(next) = &listed.next {
        say(&mut response, header::NEXT_CURSOR, &cursor::write_after(next));
    }
    Ok(response)
}

/// Answers with what a search found, best first, as the published services have it; by what it is in order stands in a header. Of what an
/// answer does not hold the best are shown.
pub(crate) fn found<T: Serialize>(found: &Found<T>) -> Response {
    let mut response = filled(None, &found.items, |item| json_within(item).into()).end_bare();
    say(&mut response, header::RANKED_BY, found.by.as_str());
    response
}

/// Fills a list with all rows, or says how many it holds.
fn whole<T: Serialize>(name: Option<&str>, items: &[T]) -> Result<Rows, usize> {
    let list = filled(name, items, |item| json_within(item).into());
    if list.count < items.len() { Err(list.count) } else { Ok(list) }
}

fn say(response: &mut Response, name: &'static str, value: &str) {
    // A word of ours or a cursor, which is digits.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Begins a list with as many rows as there is room for. What is behind them is not even written: an answer must not take more memory than
/// it may be long.
fn filled<'r, R>(name: Option<&str>, found: &'r [R], row: impl Fn(&'r R) -> Cow<'r, str>) -> Rows {
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
            let list = filled(Some("rows"), &found, |_| {
                written.set(written.get() + 1);
                "x".repeat(bytes).into()
            });
            assert_eq!(list.count, shown);
            assert!(written.get() <= shown + 1, "{} of {shown} with {bytes} bytes", written.get());
            assert!(list.text.len() <= MAX_BYTES.max(bytes) + 64);
        }
    }

    #[test]
    fn a_page_that_an_answer_does_not_hold_is_asked_for_anew_with_as_many_rows_as_it_holds() {
        let long = || "x".repeat(MAX_BYTES / 4);
        let listed = |rows: usize| Listed { items: vec![long(); rows], next: None };
        assert_eq!(page(&listed(4)).expect_err("too long"), 3);
        assert_eq!(bare_page(&listed(4)).expect_err("too long"), 3);
        assert!(page(&listed(3)).is_ok());
        let next = Some(soorma_ports::After { at: soorma_core::Timestamp::default(), id: uuid::Uuid::nil() });
        let response = bare_page(&Listed { items: vec![1], next }).expect("short");
        let said = response.headers().get(header::NEXT_CURSOR).and_then(|next| next.to_str().ok());
        assert_eq!(said.and_then(cursor::after).map(|after| after.id), Some(uuid::Uuid::nil()));
    }
}
