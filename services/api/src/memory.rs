//! Memory (CONTRACT 2.8): answers have camelCase keys, requests may have either case. What is answered are the records of `soorma_core`.
//!
//! A list of a published route is an array; where it goes on stands in the header [`NEXT_CURSOR`](crate::header::NEXT_CURSOR). The lists that
//! are ours are a [`Page`].

mod requests;
mod value;

use serde::{Deserialize, Serialize};
use soorma_core::{Episode, WorkingChange};

pub use requests::{
    ChangePlanContext, ChangeTaskContext, LogEpisode, MakePlan, MakeSession, RecallQuery, SetPlanStatus,
    StoreFact, StorePlanContext, StoreSkill, StoreTaskContext,
};
pub use value::{ChangeValue, SetValue};

/// The rows of a [`Page`], where nothing is said.
pub const PAGE_ROWS: usize = 50;
/// The most rows of a [`Page`].
pub const MAX_PAGE_ROWS: usize = 200;
/// The keys of a plan in one answer, where nothing is said, and the most.
pub const MAX_KEYS: usize = 500;
/// How many tokens the end of a conversation has, where nothing is said.
pub const WINDOW_TOKENS: usize = 4_000;
/// The most tokens of the end of a conversation.
pub const MAX_WINDOW_TOKENS: usize = 1_000_000;
/// The most seconds after which a value may be gone: ten years.
pub const MAX_TTL_SECONDS: u64 = 315_360_000;

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// What there is.
    pub items: Vec<T>,
    /// How many these are.
    pub count: usize,
    /// After which to go on, where there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The end of a conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpisodeWindow {
    /// What was said, oldest first.
    pub episodes: Vec<Episode>,
    /// How many tokens it is: about one for four bytes.
    pub tokens: usize,
    /// Whether there is more before it that did not fit.
    pub cut: bool,
}

/// A value was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueRemoved {
    /// Always true; what failed is a problem.
    pub success: bool,
    /// Always true; what is not there is a problem.
    pub deleted: bool,
    /// The same in words.
    pub message: String,
}

/// All values of a plan were removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCleared {
    /// Always true; what failed is a problem.
    pub success: bool,
    /// How many there were.
    pub count_deleted: u64,
    /// The same in words.
    pub message: String,
}

/// Vectors are made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reembedding {
    /// How many were dropped and are made again.
    pub dropped: u64,
}

/// The data of the first frame of a watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// The id of the connection.
    pub connection_id: String,
    /// The plan that is watched.
    pub plan_id: String,
}

/// The data of a frame that says how a plan is when it begins to be watched. There may be several, one behind the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkingSnapshot {
    /// The values; a value that is in none of the frames is not there. One that is removed meanwhile is told so in a later frame.
    pub changes: Vec<WorkingChange>,
    /// Whether this is the last of them.
    pub complete: bool,
}
