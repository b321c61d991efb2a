//! How memory is searched: the question becomes a vector, the store ranks, the lists are fused, and what is found is read.

mod fuse;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use soorma_core::{Error, Explanation, MemoryKind, MemoryScope, RankedBy};
use soorma_ports::{
    Embedded, Found, MemoryEntry, MemoryFilter, MemoryPlace, RankQuery, Ranks, Recall, RecallFilter, Weights,
};

use crate::bounds;
use crate::embedder::Lane;
use crate::shared::Shared;

/// So many more are ranked than are wanted, in case some are gone when they are read.
const RESERVE: usize = 16;
/// How often is ranked anew where still more are gone.
const TRIES: u32 = 3;
/// How deep lists are at least that are fused: what is far down in one may be far up in another.
const DEPTH: usize = 100;
/// How many entries are read at once.
const PIECE: usize = 100;

/// How an entry was found; nothing of one that was not searched for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Mark {
    pub(crate) score: Option<f32>,
    pub(crate) explanation: Option<Explanation>,
}

/// Searches among the entries of a filter; `read` makes of an entry what it is.
pub(crate) async fn search<T>(
    shared: &Shared,
    scope: &MemoryScope,
    filter: MemoryFilter,
    recall: &Recall,
    read: impl Fn(MemoryEntry, Mark) -> Result<T, Error>,
) -> Result<Found<T>, Error> {
    check(recall)?;
    let _held = shared.reading(&scope.tenant)?;
    let meaning = match recall.weights.meaning > 0.0 {
        true => vector(shared, scope, &recall.query).await,
        false => None,
    };
    let weights = with_what_there_is(recall.weights, meaning.is_some());
    let is_by_meaning_alone = meaning.is_some() && recall.weights == Weights::MEANING;
    let wanted = recall.limit + RESERVE;
    let query = RankQuery {
        filter,
        meaning: meaning.map(|(generation, vector)| Embedded { generation, vector: vector.to_vec() }),
        words: (weights.words > 0.0).then(|| recall.query.clone()),
        time: true,
        depth: if is_by_meaning_alone { wanted } else { (recall.limit * 2).max(DEPTH) + RESERVE },
    };
    let (mut found, mut by) = (Vec::new(), RankedBy::Words);
    for _ in 0..TRIES {
        let ranks = rank(shared, scope, &query, &recall.query).await?;
        by = by_what(&query, &ranks);
        let mut ranked = fuse::fuse(&ranks, with_what_there_is(recall.weights, by == RankedBy::Meaning));
        ranked.truncate(wanted);
        found = there(shared, scope, &ranked, recall.limit).await?;
        // More is gone than there was in reserve: what stands behind it is there.
        if found.len() >= recall.limit.min(ranked.len()) {
            break;
        }
    }
    if by == RankedBy::Words && query.meaning.is_some() {
        shared.without_meaning.fetch_add(1, Ordering::Relaxed);
    }
    // One that cannot be read is told where that is found, and keeps nobody from the others.
    let items = found.into_iter().filter_map(|(one, entry)| {
        let score = match is_by_meaning_alone && by == RankedBy::Meaning {
            true => one.meaning.and_then(|place| place.score).map(cosine),
            false => Some(one.fused),
        };
        read(entry, Mark { score, explanation: recall.explain.then_some(one) }).ok()
    });
    Ok(Found { by, items: items.collect() })
}

/// Has the store rank. Where some have no vector, as after a change of the model, those are told apart by their words; else time alone would be left for them.
async fn rank(shared: &Shared, scope: &MemoryScope, query: &RankQuery, words: &str) -> Result<Ranks, Error> {
    let mut ranks = shared.ask(shared.store.rank(scope, shared.now(), query)).await?;
    if query.meaning.is_some() && query.words.is_none() && ranks.meaning.len() < ranks.time.len() {
        let by_words = RankQuery {
            filter: query.filter.clone(),
            words: Some(words.to_owned()),
            // As many as were asked for, also where all that has a vector comes before them.
            depth: query.depth + ranks.meaning.len(),
            ..RankQuery::default()
        };
        ranks.words = shared.ask(shared.store.rank(scope, shared.now(), &by_words)).await?.words;
    }
    Ok(ranks)
}

/// Says by what was ranked: where something is there and nothing has a vector, it was not by meaning.
fn by_what(query: &RankQuery, ranks: &Ranks) -> RankedBy {
    match query.meaning.is_some() && (ranks.time.is_empty() || !ranks.meaning.is_empty()) {
        true => RankedBy::Meaning,
        false => RankedBy::Words,
    }
}

/// Reads the first of what was ranked that are there. The reserve is read where it is needed.
async fn there(
    shared: &Shared,
    scope: &MemoryScope,
    ranked: &[fuse::Ranked],
    limit: usize,
) -> Result<Vec<(Explanation, MemoryEntry)>, Error> {
    let mut found = Vec::with_capacity(limit.min(ranked.len()));
    let mut left = ranked;
    while found.len() < limit && !left.is_empty() {
        let (piece, rest) = left.split_at(left.len().min(PIECE).min(limit - found.len()));
        let places: Vec<_> = piece.iter().map(|one| MemoryPlace::Id(one.id)).collect();
        let entries = shared.ask(shared.store.get(scope, shared.now(), &places)).await?;
        found.extend(piece.iter().zip(entries).filter_map(|(one, entry)| Some((one.explanation, entry?))));
        left = rest;
    }
    Ok(found)
}

/// Returns the vector of a question, if there is one in time.
async fn vector(
    shared: &Shared,
    scope: &MemoryScope,
    question: &str,
) -> Option<(soorma_ports::Generation, Arc<[f32]>)> {
    let embedding = shared.embedding.as_ref()?;
    let of = |vector| (embedding.generation().clone(), vector);
    let lane = Lane::Question(&scope.tenant);
    if let Some(vector) = shared.questions.get(&scope.tenant, question) {
        return Some(of(vector));
    }
    match embedding.vector(lane, question, shared.config.search_within).await {
        Ok(vector) => Some(of(vector.into())),
        Err(why) => {
            tracing::debug!(%why, "a search goes by words and time");
            shared.without_meaning.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

/// Returns a product of two vectors of length 1 as the cosine that it is: rounding may lead beyond 1.
fn cosine(product: f32) -> f32 {
    product.clamp(-1.0, 1.0)
}

/// Where the meaning is not known, words stand in for it.
fn with_what_there_is(weights: Weights, knows_meaning: bool) -> Weights {
    match knows_meaning {
        true => weights,
        false => Weights { meaning: 0.0, words: weights.words.max(weights.meaning), ..weights },
    }
}

fn check(recall: &Recall) -> Result<(), Error> {
    if recall.query.trim().is_empty() {
        return Err(Error::invalid("query: say what is looked for"));
    }
    bounds::bytes("query", &recall.query, Recall::MAX_QUERY_BYTES)?;
    bounds::limit(recall.limit)?;
    let Weights { meaning, words, recency } = recall.weights;
    let all = [meaning, words, recency];
    // Beyond a million they are no weights, and their sum may be no number.
    if !all.iter().all(|weight| (0.0..=1e6).contains(weight)) || !all.iter().any(|weight| *weight > 0.0) {
        return Err(Error::invalid("weights: from 0 to 1000000 each, and one at least above 0"));
    }
    check_filter(&recall.filter)
}

/// Refuses a filter that no store could keep the words of.
pub(crate) fn check_filter(filter: &RecallFilter) -> Result<(), Error> {
    bounds::at_most("tags", filter.tags.len(), MOST_IN_FILTER, "in a filter")?;
    bounds::at_most("metadata", filter.metadata.len(), MOST_IN_FILTER, "in a filter")
}

/// The most labels of a sort that are asked for at once.
const MOST_IN_FILTER: usize = 100;

/// Returns which entries of a kind a filter means, but for the labels that its kind knows.
pub(crate) fn filter(
    kind: MemoryKind,
    group: Option<&str>,
    labels: Vec<String>,
    filter: &RecallFilter,
) -> MemoryFilter {
    MemoryFilter {
        kind: Some(kind),
        group: group.map(|group| bounds::stored(group, bounds::GROUP_BYTES).into_owned()),
        labels,
        since: filter.since,
        before: filter.before,
        ..MemoryFilter::default()
    }
}
