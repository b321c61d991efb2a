//! The machine's own clock and randomness.

use soorma_core::Timestamp;
use soorma_ports::{Clock, Entropy};

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The machine's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineEntropy;

impl Entropy for MachineEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // A machine without randomness would give ids that repeat: a crash is better.
        #[expect(clippy::expect_used, reason = "see above; Linux fails here at boot alone")]
        getrandom::fill(buffer).expect("the machine gives random bytes");
    }
}
