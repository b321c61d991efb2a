//! The kinds of memory.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of memory, by name: 1 to 32 lower-case letters, digits and `_`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemoryKind(Cow<'static, str>);

/// Why a text is no [`MemoryKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a kind of memory has 1 to 32 lower-case letters, digits and _")]
pub struct InvalidKind;

impl MemoryKind {
    /// What is known.
    pub const SEMANTIC: Self = Self(Cow::Borrowed("semantic"));
    /// What happened.
    pub const EPISODIC: Self = Self(Cow::Borrowed("episodic"));
    /// How something is done.
    pub const PROCEDURAL: Self = Self(Cow::Borrowed("procedural"));
    /// What a plan has at hand.
    pub const WORKING: Self = Self(Cow::Borrowed("working"));
    /// Plans.
    pub const PLAN: Self = Self(Cow::Borrowed("plan"));
    /// Sessions.
    pub const SESSION: Self = Self(Cow::Borrowed("session"));
    /// What a task goes on with.
    pub const TASK_CONTEXT: Self = Self(Cow::Borrowed("task_context"));
    /// What a plan goes on with.
    pub const PLAN_CONTEXT: Self = Self(Cow::Borrowed("plan_context"));

    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::SEMANTIC,
        Self::EPISODIC,
        Self::PROCEDURAL,
        Self::WORKING,
        Self::PLAN,
        Self::SESSION,
        Self::TASK_CONTEXT,
        Self::PLAN_CONTEXT,
    ];

    /// Takes a text as a kind.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidKind> {
        let text = text.into();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(fits) {
            return Err(InvalidKind);
        }
        Ok(Self(Cow::Owned(text)))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MemoryKind {
    fn default() -> Self {
        Self::SEMANTIC
    }
}

impl fmt::Debug for MemoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MemoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for MemoryKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MemoryKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_short_plain_word() {
        for kind in MemoryKind::ALL {
            assert_eq!(MemoryKind::new(kind.as_str()), Ok(kind));
        }
        for text in ["", "Semantic", "a-b", "a b", &"x".repeat(33)] {
            assert_eq!(MemoryKind::new(text), Err(InvalidKind), "{text:?}");
        }
    }
}
