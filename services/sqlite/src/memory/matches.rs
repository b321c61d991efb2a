//! The list by words: BM25 (Robertson and Zaragoza 2009) over what may be seen, so that no score tells of the rest.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::admitted::Admitted;
use super::entry;
use super::postings::{Found, Hit, gather};
use super::words::{distinct, term};
use crate::numbers::count;

/// How soon the same word again counts less, and how much a long text counts less: the usual values.
const K1: f32 = 1.2;
const B: f32 = 0.75;
/// So many words of a query are looked for: as many as 8 KiB of it can have.
const MOST_WORDS: usize = 4_096;
/// So many texts for each that was asked for, and so many at least, are scored to the end; the others by words alone, as if all were of
/// one length.
const SCORED_FOR_EACH: usize = 4;
const SCORED: usize = 256;
/// A group of so many is known by the keys of its members.
const MOST_MEMBERS: usize = 10_000;

/// Whether the index has as many words of a scope as its entries.
pub(super) fn agrees(connection: &Connection, scope: i64) -> rusqlite::Result<bool> {
    // Behind `_` comes `` ` ``: all between are words of this scope.
    let (from, to) = (term(scope, ""), format!("{scope}`"));
    connection
        .prepare_cached(
            "SELECT (SELECT coalesce(sum(cnt), 0) FROM memory_word_counts WHERE term >= ?2 AND term < ?3)
                 = (SELECT coalesce(sum(words), 0) FROM memory_scopes WHERE id = ?1)",
        )?
        .query_row(params![scope, from, to], |row| row.get(0))
}

/// Returns the best of the admitted entries that are in a group.
pub(super) fn best(
    connection: &Connection,
    admitted: &[Admitted],
    group: Option<&str>,
    query: &str,
    depth: usize,
) -> rusqlite::Result<Vec<(Uuid, f32)>> {
    let having_text: i64 = admitted.iter().map(|one| one.texts).sum();
    let words: i64 = admitted.iter().map(|one| one.words).sum();
    if having_text <= 0 || words <= 0 || depth == 0 {
        return Ok(Vec::new());
    }
    let members = match group {
        Some(group) => members(connection, admitted, group)?,
        None => None,
    };
    let words_of_query: Vec<String> = distinct(query).into_iter().take(MOST_WORDS).collect();
    let gathered = gather(words_of_query.len(), |nth, most| {
        let word = words_of_query.get(nth).map_or("", String::as_str);
        of_word(connection, admitted, members.as_deref(), (nth, word), most)
    })?;
    let weight = |having| {
        let (all, having) = (number(having_text), number(having));
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    };
    let weights: Vec<f32> = gathered.iter().map(|found| weight(found.having)).collect();
    let mut hits: Vec<Hit> = gathered.into_iter().flat_map(|found| found.hits).collect();
    // A stable sort: within a text the words stay in their order, and so do the sums.
    hits.sort_by_key(|hit| hit.entry);
    let score = |hits: &[Hit], length: f32| -> f32 {
        let of = |hit: &Hit| {
            let weight = weights.get(hit.word).copied().unwrap_or(0.0);
            weight * hit.often * (K1 + 1.0) / (hit.often + K1 * (1.0 - B + B * length))
        };
        hits.iter().map(of).sum()
    };
    let mut texts: Vec<(f32, &[Hit])> =
        hits.chunk_by(|one, other| one.entry == other.entry).map(|hits| (score(hits, 1.0), hits)).collect();
    let scored = depth.saturating_mul(SCORED_FOR_EACH).max(SCORED);
    if (group.is_none() || members.is_some()) && texts.len() > scored {
        texts.select_nth_unstable_by(scored, |(one, _), (other, _)| other.total_cmp(one));
        texts.truncate(scored);
    }
    texts.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mean = number(words) / number(having_text);
    let mut select = connection.prepare_cached(
        "SELECT id, words FROM memory_entries WHERE key = ?1 AND (?2 IS NULL OR bundle = ?2)",
    )?;
    let mut best = Vec::with_capacity(scored.min(texts.len()));
    for (_, hits) in texts {
        let Some(first) = hits.first() else { continue };
        let read = |row: &Row<'_>| Ok((entry::id(row, 0)?, row.get(1)?));
        if let Some((id, length)) = select.query_row(params![first.entry, group], read).optional()? {
            best.push((id, score(hits, number(length) / mean)));
        }
        if best.len() >= scored {
            break;
        }
    }
    best.sort_by(|(id, one), (other_id, other)| other.total_cmp(one).then_with(|| id.cmp(other_id)));
    best.truncate(depth);
    Ok(best)
}

/// The keys of a group in order, where they are not many; what is in a larger one is looked up.
fn members(
    connection: &Connection,
    admitted: &[Admitted],
    group: &str,
) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut keys = Vec::new();
    for scope in admitted {
        let mut select = connection.prepare_cached(
            "SELECT key FROM memory_entries INDEXED BY memory_entries_bundle WHERE scope = ?1 AND bundle = ?2 LIMIT ?3",
        )?;
        for key in select.query_map(params![scope.scope, group, count(MOST_MEMBERS + 1)], |row| row.get(0))? {
            keys.push(key?);
        }
        if keys.len() > MOST_MEMBERS {
            return Ok(None);
        }
    }
    keys.sort_unstable();
    Ok(Some(keys))
}

/// Returns the admitted texts that have a word, as far as so many places go.
fn of_word(
    connection: &Connection,
    admitted: &[Admitted],
    members: Option<&[i64]>,
    (nth, word): (usize, &str),
    most: usize,
) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    let mut select =
        connection.prepare_cached("SELECT doc FROM memory_word_places WHERE term = ?1 LIMIT ?2")?;
    for scope in admitted {
        let left = most.saturating_sub(found.places);
        let mut rows = select.query(params![term(scope.scope, word), count(left)])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            found.places += 1;
            let entry: i64 = row.get(0)?;
            if last == Some(entry) {
                // A place more in the same text.
                if let Some(hit) = found.hits.last_mut().filter(|hit| hit.entry == entry) {
                    hit.often += 1.0;
                }
                continue;
            }
            last = Some(entry);
            if scope.has(entry) {
                found.having += 1;
                if members.is_none_or(|members| members.binary_search(&entry).is_ok()) {
                    found.hits.push(Hit { entry, word: nth, often: 1.0 });
                }
            }
        }
    }
    Ok(found)
}

#[expect(clippy::cast_precision_loss, reason = "a score need not tell sixteen million texts from one more")]
fn number(of: i64) -> f32 {
    of as f32
}
