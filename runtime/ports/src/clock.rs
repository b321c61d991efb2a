//! The wall clock.

use soorma_core::Timestamp;

/// What time it is.
///
/// 1. It may jump, forward and back: nothing may be lost when it does. How long something took, and when
///    something is due, is asked of tokio's clock instead.
pub trait Clock: Send + Sync + std::fmt::Debug + 'static {
    /// Returns the time.
    fn now(&self) -> Timestamp;
}
