//! Topics as the bits of a number, by which SQL can filter.

use soorma_core::Topic;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TopicSet(i64);

impl TopicSet {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(i64::MAX);

    pub(crate) fn contains(self, topic: Topic) -> bool {
        self.meets(topic.into())
    }

    /// Whether they have a topic in common.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// For SQL: `?1 >> topic & 1`.
    pub(crate) fn bits(self) -> i64 {
        self.0
    }
}

impl From<Topic> for TopicSet {
    fn from(topic: Topic) -> Self {
        Self(1_i64.checked_shl(topic.number().into()).unwrap_or_default())
    }
}

impl FromIterator<Topic> for TopicSet {
    fn from_iter<I: IntoIterator<Item = Topic>>(topics: I) -> Self {
        topics.into_iter().fold(Self::NONE, |set, topic| set.union(topic.into()))
    }
}
