//! Why something was found.

use serde::{Deserialize, Serialize};

/// Where an entry stands in one list, from 1, and with which score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The how-manieth it is, from 1.
    pub rank: u32,
    /// By meaning, the cosine; by words, a score that is greater for what fits better; by time, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// Why an entry was found where it is: its places in the lists that were fused, and what came of them.
///
/// `fused` is the sum of weight / (60 + rank) over the lists that it is in (reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009), over the most that
/// it can be: from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// What came of it, from 0 to 1.
    pub fused: f32,
    /// Its place by meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Place>,
    /// Its place by words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Place>,
    /// Its place by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recency: Option<Place>,
}
