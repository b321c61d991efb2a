//! What is no vector of a set.

/// Why a vector cannot be in a set, nor be asked for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum WrongVector {
    /// It has more or fewer numbers than the vectors of the set.
    #[error("a vector has {found} numbers where the set has {expected}")]
    Dimensions {
        /// How many the vectors of the set have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// One of its numbers is infinite or none at all.
    #[error("a vector has a number that is not finite")]
    NotFinite,
    /// It is not of length 1, so that its products are no cosines.
    #[error("a vector has length {length} instead of 1")]
    NotUnit {
        /// How long it is.
        length: f32,
    },
}
