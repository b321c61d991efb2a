//! How memory is searched and listed.

use soorma_core::{RankedBy, Timestamp};
use uuid::Uuid;

/// How much each list counts when they are fused by reciprocal ranks. None is negative, and one is above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// By meaning.
    pub meaning: f32,
    /// By words.
    pub words: f32,
    /// By time, newest first.
    pub recency: f32,
}

impl Weights {
    /// By meaning alone: what the contract's routes do where nothing else is asked. The score is the cosine.
    pub const MEANING: Self = Self { meaning: 1.0, words: 0.0, recency: 0.0 };
    /// By meaning and by words.
    pub const HYBRID: Self = Self { meaning: 1.0, words: 1.0, recency: 0.0 };
}

/// A search.
///
/// With [`Weights::MEANING`] a score is the cosine of the question and what was found; with others it is the fused one, from 0 to 1 (see [`Explanation`](soorma_core::Explanation)). What is found is
/// in the order of scores. What has no vector of the present generation comes behind what has one, without a score where only the meaning counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Recall {
    /// What is asked: not blank, at most [`MAX_QUERY_BYTES`](Self::MAX_QUERY_BYTES).
    pub query: String,
    /// How many are wanted, from 1 to [`MAX_LIMIT`](Self::MAX_LIMIT).
    pub limit: usize,
    /// How much each list counts.
    pub weights: Weights,
    /// Whether each is to be [explained](soorma_core::Explanation).
    pub explain: bool,
    /// Among which.
    pub filter: RecallFilter,
}

impl Recall {
    /// The most bytes of a question.
    pub const MAX_QUERY_BYTES: usize = 8 * 1_024;
    /// The most that one search returns.
    pub const MAX_LIMIT: usize = 1_000;

    /// Asks for some of what fits a question, by meaning alone.
    pub fn new(query: impl Into<String>, limit: usize) -> Self {
        Self {
            query: query.into(),
            limit,
            weights: Weights::MEANING,
            explain: false,
            filter: RecallFilter::default(),
        }
    }
}

/// Among which is searched or listed. Each kind uses what it has.
#[derive(Debug, Clone, PartialEq)]
pub struct RecallFilter {
    /// With all of these tags.
    pub tags: Vec<String>,
    /// With these values of metadata, name and value: a text as it is, a number or truth value as JSON.
    pub metadata: Vec<(String, String)>,
    /// From this source.
    pub source: Option<String>,
    /// Created at or after this.
    pub since: Option<Timestamp>,
    /// Created before this.
    pub before: Option<Timestamp>,
    /// That hold at this time: now, where none is given.
    pub valid_at: Option<Timestamp>,
    /// Also those that do not hold.
    pub also_invalid: bool,
    /// Also what is public in the tenant.
    pub public: bool,
    /// Only of this session.
    pub session: Option<String>,
    /// Only of this role.
    pub role: Option<soorma_core::Role>,
}

impl Default for RecallFilter {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            metadata: Vec::new(),
            source: None,
            since: None,
            before: None,
            valid_at: None,
            also_invalid: false,
            public: true,
            session: None,
            role: None,
        }
    }
}

/// What a search found, best first.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// By what it is in this order.
    pub by: RankedBy,
    /// What was found.
    pub items: Vec<T>,
}

/// After which entry of a list: by what it is ordered, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// When it was created or put last, as the list is ordered.
    pub at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// A list, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListQuery {
    /// Among which.
    pub filter: RecallFilter,
    /// After this one.
    pub after: Option<After>,
    /// At most so many.
    pub limit: usize,
}

/// Some of a list, each with its place in it.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// What there is.
    pub items: Vec<T>,
    /// The place of the last, where there are more after it.
    pub next: Option<After>,
}
