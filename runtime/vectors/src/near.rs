//! What is found.

/// A vector of a set, and how near it is to what was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Under which key it was inserted.
    pub key: i64,
    /// The cosine of the angle between the two: between -1 and 1, and never a negative zero.
    pub cosine: f32,
}
