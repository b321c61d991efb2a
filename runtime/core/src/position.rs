//! Places in the log.

use std::collections::BTreeMap;
use std::fmt;

use crate::Topic;
use crate::excerpt::excerpt;

/// A place in the log of one topic; grows with every event of that topic, not always by one. Zero stands
/// before the first event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the logs of several topics: what a stream has seen. Written `action-requests=7,plan-events=2`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor(BTreeMap<Topic, Position>);

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a position of this stream; send back the id of a frame unchanged, or none to start at now"
)]
pub struct InvalidCursor(pub String);

impl Cursor {
    /// Returns the place in a topic, if the cursor knows that topic.
    pub fn get(&self, topic: Topic) -> Option<Position> {
        self.0.get(&topic).copied()
    }

    /// Moves forward in a topic; never back.
    pub fn advance(&mut self, topic: Topic, to: Position) {
        let place = self.0.entry(topic).or_default();
        *place = (*place).max(to);
    }

    /// Iterates over topics and places, by topic.
    pub fn iter(&self) -> impl Iterator<Item = (Topic, Position)> + '_ {
        self.0.iter().map(|(topic, position)| (*topic, *position))
    }
}

impl FromIterator<(Topic, Position)> for Cursor {
    fn from_iter<I: IntoIterator<Item = (Topic, Position)>>(places: I) -> Self {
        Self(places.into_iter().collect())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (topic, position)) in self.iter().enumerate() {
            if nth > 0 {
                f.write_str(",")?;
            }
            write!(f, "{topic}={position}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let wrong = || InvalidCursor(excerpt(text));
        let mut places = BTreeMap::new();
        for part in text.trim().split(',') {
            let (topic, position) = part.split_once('=').ok_or_else(wrong)?;
            let topic = topic.trim().parse().map_err(|_| wrong())?;
            let position = position.trim().parse().map(Position).map_err(|_| wrong())?;
            if places.insert(topic, position).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self(places))
    }
}
