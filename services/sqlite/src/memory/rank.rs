//! Three lists of one filter, on a ranking thread's connection.

use rusqlite::{Connection, ErrorCode};
use soorma_core::{MemoryScope, Timestamp};
use soorma_ports::{RankQuery, Ranks};
use uuid::Uuid;

use super::admitted::Admitted;
use super::meaning::{Source, Vectors};
use super::sets::Sets;
use super::{list, matches, scope};

/// What was found.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) ranks: Ranks,
    /// The keys of vectors that are damaged.
    pub(super) damaged: Vec<i64>,
    /// Whether the index of words does not have what the entries have; there is no list by words then.
    pub(super) misses_words: bool,
}

pub(super) fn rank(
    connection: &Connection,
    sets: &Sets,
    scope: &MemoryScope,
    now: Timestamp,
    query: &RankQuery,
) -> rusqlite::Result<Ranked> {
    let RankQuery { filter, meaning, words, time, depth } = query;
    let group = filter.group.as_deref();
    let mut ranked = Ranked { ranks: Ranks::default(), damaged: Vec::new(), misses_words: false };
    let scopes = scope::seen(connection, scope, filter)?;
    // Before the moment that is looked at begins: what is read into memory must be what is committed now.
    let mut vectors = None;
    if let Some(asked) = meaning
        && let Some(generation) = scope::known_generation(connection, &asked.generation)?
    {
        let dimensions = asked.generation.dimensions();
        let mut found = Vectors { connection, sets, generation, dimensions, damaged: Vec::new() };
        let sources = scopes.iter().map(|scope| found.source(*scope)).collect::<Result<Vec<_>, _>>()?;
        vectors = Some((found, sources, asked.vector.as_slice()));
    }
    let _moment = connection.unchecked_transaction()?;
    let admitted = if vectors.is_some() || words.is_some() {
        scopes
            .iter()
            .map(|scope| Admitted::new(connection, *scope, filter, now))
            .collect::<Result<Vec<_>, _>>()?
    } else {
        Vec::new()
    };
    if let Some((mut vectors, sources, vector)) = vectors {
        ranked.ranks.meaning = by_meaning(&mut vectors, &sources, &admitted, group, vector, *depth)?;
        ranked.damaged = vectors.damaged;
    }
    if let Some(words) = words {
        match by_words(connection, sets, &admitted, group, words, *depth) {
            Ok(Some(found)) => ranked.ranks.words = found,
            Ok(None) => ranked.misses_words = true,
            // What else is damaged is found by the rest, or by who makes the index anew.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                ranked.misses_words = true;
            }
            Err(error) => return Err(error),
        }
    }
    if *time {
        ranked.ranks.time = match by_time(&admitted, *depth) {
            Some(known) => known,
            None => list::newest(connection, &scopes, now, filter, *depth)?,
        };
    }
    Ok(ranked)
}

fn by_meaning(
    vectors: &mut Vectors<'_>,
    sources: &[Source],
    admitted: &[Admitted],
    group: Option<&str>,
    vector: &[f32],
    depth: usize,
) -> rusqlite::Result<Vec<(Uuid, f32)>> {
    let mut best = Vec::new();
    for (source, admitted) in sources.iter().zip(admitted) {
        if depth > 0 && !admitted.is_empty() {
            best.extend(vectors.nearest(source, admitted, group, vector, depth)?);
        }
    }
    best.sort_by(|(id, one), (other_id, other): &(Uuid, f32)| {
        other.total_cmp(one).then_with(|| id.cmp(other_id))
    });
    best.truncate(depth);
    Ok(best)
}

/// Nothing where it was not found out which entries are admitted.
fn by_time(admitted: &[Admitted], depth: usize) -> Option<Vec<Uuid>> {
    let (first, others) = admitted.split_first()?;
    let mut times: Vec<_> = first.times()?.iter().take(depth).collect();
    for other in others {
        times.extend(other.times()?.iter().take(depth));
    }
    times.sort_unstable_by(|one, other| other.cmp(one));
    Some(times.into_iter().take(depth).map(|(_, id)| *id).collect())
}

/// Nothing where the index does not have what the entries have.
fn by_words(
    connection: &Connection,
    sets: &Sets,
    admitted: &[Admitted],
    group: Option<&str>,
    words: &str,
    depth: usize,
) -> rusqlite::Result<Option<Vec<(Uuid, f32)>>> {
    for Admitted { scope, .. } in admitted {
        // Once in the life of the process, as a set of vectors is read once.
        if sets.checked().scopes.contains(scope) {
            continue;
        }
        if !matches::agrees(connection, *scope)? {
            return Ok(None);
        }
        sets.has_words(*scope);
    }
    matches::best(connection, admitted, group, words, depth).map(Some)
}
