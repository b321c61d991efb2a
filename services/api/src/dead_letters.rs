//! Events that a group gave up.

use serde::{Deserialize, Serialize};
use soorma_core::{Event, Timestamp};

/// Which dead letters are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterQuery {
    /// Of one group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Of one topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Of one event type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only those after this id: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetterItem {
    /// Its id; grows.
    pub id: u64,
    /// The group that gave up.
    pub group: String,
    /// The event's topic.
    pub topic: String,
    /// Where the event stands in its topic.
    pub position: u64,
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// Who sent the event.
    pub source: String,
    /// Why the last attempt failed.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first handed out.
    pub first_at: Timestamp,
    /// When it was given up.
    pub last_at: Timestamp,
    /// The event; only where one dead letter is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// A page of dead letters, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetterPage {
    /// The page.
    pub dead_letters: Vec<DeadLetterItem>,
    /// What to send as `after` for the next page; null when there is none.
    pub next: Option<u64>,
}

/// Which dead letters to deal with: `ids`, or `all` of a group and topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// These.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<u64>>,
    /// All of them, as far as the next three allow, at most [`MAX_IDS`](Self::MAX_IDS) in one request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Those of one group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Those of one topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Those of one event type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of all, only those after this id: the `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Of all, at most so many in this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl Selection {
    /// The most ids that one request names.
    pub const MAX_IDS: usize = 1_000;
}

/// Which dead letters were dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    /// How many.
    pub count: usize,
    /// Which.
    pub ids: Vec<u64>,
    /// Those that were not dealt with: they are not there, or their group has as much open as it may.
    pub missing: Vec<u64>,
    /// Of all, what to send as `after` to go on; null when all were dealt with.
    #[serde(default)]
    pub next: Option<u64>,
}
