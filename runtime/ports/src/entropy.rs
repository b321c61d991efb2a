//! Randomness.

use soorma_core::EventId;

use crate::Clock;

/// Random bytes.
///
/// 1. In production they cannot be guessed; in tests they follow from a seed.
pub trait Entropy: Send + Sync + std::fmt::Debug + 'static {
    /// Fills a buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Makes a new event id: a UUIDv7 of the time and ten random bytes.
pub fn new_event_id(clock: &dyn Clock, entropy: &dyn Entropy) -> EventId {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    EventId::uuid_v7(clock.now().unix_ms(), &random)
}
