//! What all changes come to, in the words of schema registries.

use super::schema_change::{Effect, SchemaChange};

/// How two versions of a schema go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Backward and forward: consumers and producers may move to the new version in any order.
    Full,
    /// Old payloads are valid under the new version, not the other way round: consumers move first.
    Backward,
    /// New payloads are valid under the old version, not the other way round: producers move first.
    Forward,
    /// Neither, or it cannot be told: both must move at once, or the new version needs a name of its own.
    Breaking,
}

impl Verdict {
    /// Sums up changes. What cannot be told is not promised.
    pub fn of(changes: &[SchemaChange]) -> Self {
        let any =
            |effect| changes.iter().any(|change| change.effect == effect || change.effect == Effect::Unknown);
        match (any(Effect::BreaksProducers), any(Effect::BreaksConsumers)) {
            (false, false) => Self::Full,
            (false, true) => Self::Backward,
            (true, false) => Self::Forward,
            (true, true) => Self::Breaking,
        }
    }

    /// Whether payloads of the old version are promised to be valid under the new one.
    pub fn is_backward(self) -> bool {
        matches!(self, Self::Full | Self::Backward)
    }

    /// Whether payloads of the new version are promised to be valid under the old one.
    pub fn is_forward(self) -> bool {
        matches!(self, Self::Full | Self::Forward)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "fully compatible",
            Self::Backward => "backward compatible",
            Self::Forward => "forward compatible",
            Self::Breaking => "breaking",
        })
    }
}
