//! Why a schema is refused.

/// One thing that is wrong with a schema: where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// The place in the schema, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong there, as a sentence without a full stop.
    pub sentence: String,
}

impl SchemaFault {
    /// How many faults one refusal names at most.
    pub(super) const MOST: usize = 16;

    pub(super) fn new(pointer: &str, sentence: impl Into<String>) -> Self {
        Self { pointer: super::excerpt::pointer_excerpt(pointer), sentence: sentence.into() }
    }
}

impl std::fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}: {}", self.pointer, self.sentence)
    }
}
