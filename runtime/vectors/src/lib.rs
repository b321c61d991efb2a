//! Sets of unit vectors in memory, and the nearest of them.
//!
//! Small sets are read from end to end. Large ones have a code of a few bits a number beside each vector: the codes are read from end to
//! end, and the vectors that look near by them are measured, as many as it takes. There is no graph: a vector is gone when it is removed,
//! nothing is built before the first question, and who filters gets as many as who does not.
//!
//! Nothing here does I/O, reads a clock or knows what a vector stands for.
#![deny(missing_docs)]

mod best;
mod codes;
mod near;
mod product;
mod rotation;
mod search;
mod set;
mod view;
mod wrong_vector;

pub use near::Near;
pub use set::VectorSet;
pub use wrong_vector::WrongVector;
