//! How long to wait before a restart.

use std::time::Duration;

/// Waiting times that double: `first`, twice that, and so on up to `max`, each shortened by chance by up to
/// `jitter` of itself; forgotten once the child has been up for `calm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The wait before the first restart. Zero restarts at once, however often.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// The share of a wait that chance may take off, 0 to 1: children that failed together do not come back together.
    pub jitter: f64,
    /// How long a child must be up for its failures to be forgotten.
    pub calm: Duration,
}

impl Backoff {
    /// Restarts at once.
    pub const NONE: Self =
        Self { first: Duration::ZERO, max: Duration::ZERO, jitter: 0.0, calm: Duration::from_secs(30) };

    /// Waits that double from `first` to `max`, with a jitter of a fifth and a calm of 30 seconds.
    pub const fn exponential(first: Duration, max: Duration) -> Self {
        Self { first, max, jitter: 0.2, calm: Duration::from_secs(30) }
    }

    /// Returns the wait after `failures` failures before this one. The same seed gives the same wait.
    pub(crate) fn delay(&self, failures: u32, seed: u64) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        // 2^20 times the first wait is days: the bound has long been reached.
        let full = self.first.saturating_mul(1 << failures.min(20)).min(self.max);
        let chance = unit(seed ^ u64::from(failures).wrapping_mul(0xa076_1d64_78bd_642f));
        full.mul_f64(1.0 - self.jitter.clamp(0.0, 1.0) * chance)
    }
}

impl Default for Backoff {
    /// From 10 ms to 10 s.
    fn default() -> Self {
        Self::exponential(Duration::from_millis(10), Duration::from_secs(10))
    }
}

/// Mixes a seed into a number from 0 up to, not including, 1 (splitmix64).
fn unit(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // 32 bits convert to f64 without loss.
    f64::from(u32::try_from((x ^ (x >> 31)) >> 32).unwrap_or(0)) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::exponential(Duration::from_millis(10), Duration::from_millis(70))
        };
        let waits: Vec<_> = (0..6).map(|n| backoff.delay(n, 7).as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 70, 70, 70]);
        assert_eq!(backoff.delay(u32::MAX, 7).as_millis(), 70);
    }

    #[test]
    fn none_never_waits() {
        assert_eq!(Backoff::NONE.delay(1_000, 3), Duration::ZERO);
    }

    #[test]
    fn jitter_shortens_by_at_most_its_share_and_follows_from_the_seed() {
        let backoff =
            Backoff { jitter: 0.5, ..Backoff::exponential(Duration::from_secs(1), Duration::from_secs(1)) };
        let waits: Vec<_> = (0..1_000).map(|seed| backoff.delay(0, seed)).collect();
        assert!(
            waits.iter().all(|wait| *wait > Duration::from_millis(499) && *wait <= Duration::from_secs(1))
        );
        let mean = waits.iter().sum::<Duration>() / 1_000;
        assert!((700..800).contains(&mean.as_millis()), "chance is spread evenly: {mean:?}");
        assert_eq!(waits, (0..1_000).map(|seed| backoff.delay(0, seed)).collect::<Vec<_>>());
    }
}
