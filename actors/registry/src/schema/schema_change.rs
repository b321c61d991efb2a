//! What differs between two versions of a schema.

/// Whom a change breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Nobody: what was valid is, and the other way round.
    Compatible,
    /// Who reads new payloads by the old version: they may hold what it did not allow, or lack what it promised. The
    /// change is not *forward* compatible.
    BreaksConsumers,
    /// Who still writes payloads of the old version: they may be refused by the new one. The change is not *backward*
    /// compatible.
    BreaksProducers,
    /// It cannot be told.
    Unknown,
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Compatible => "compatible",
            Self::BreaksConsumers => "breaks consumers",
            Self::BreaksProducers => "breaks producers",
            Self::Unknown => "unknown",
        })
    }
}

/// One difference between two versions of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaChange {
    /// The place, as a JSON pointer into the new version; for what was removed, where it would stand.
    pub pointer: String,
    /// What is different, as a sentence without a full stop.
    pub sentence: String,
    /// Whom it breaks.
    pub effect: Effect,
}

impl std::fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}: {} ({})", self.pointer, self.sentence, self.effect)
    }
}
