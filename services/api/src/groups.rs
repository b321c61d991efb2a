//! Groups: how far they are, and what is done with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soorma_core::Timestamp;

/// Which groups are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupQuery {
    /// Only those after this name: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of groups, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPage {
    /// The page.
    pub groups: Vec<GroupItem>,
    /// What to send as `after` for the next page; null when there is none.
    pub next: Option<String>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupItem {
    /// Its name.
    pub name: String,
    /// How many events it has not settled: those that it has not taken yet, those in hand, those that wait.
    pub behind: u64,
    /// How old the oldest of them is, in seconds; null where all are settled.
    pub oldest_seconds: Option<f64>,
    /// How many events members have in hand.
    pub in_hand: u64,
    /// How many wait to be tried again, or for another of their key.
    pub waiting: u64,
    /// How many dead letters it has.
    pub dead_letters: u64,
    /// Whether it hands out nothing.
    pub paused: bool,
    /// How many streams of this node are members of it.
    pub streams: usize,
    /// Where it is in each of its topics.
    pub topics: BTreeMap<String, GroupTopic>,
    /// What events that are to stay in order have in common.
    pub partitionkey: Option<String>,
    /// When it was last used.
    pub used_at: Timestamp,
    /// After how many seconds without use it is forgotten; null for never.
    pub expire_after_seconds: Option<u64>,
}

/// Where a group is in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTopic {
    /// Up to here it has taken events.
    pub position: u64,
    /// How many stand behind that.
    pub lag: u64,
}

/// Where a group is to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    /// `now`, `earliest`, or a position such as `action-requests=7`.
    pub to: String,
}
