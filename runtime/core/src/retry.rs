//! How long to wait before something is tried again. Pure.

use std::time::Duration;

/// The longest share of a wait that jitter takes off.
const JITTER: f64 = 0.25;

/// Returns how long to wait after the `attempt`th attempt (from 1) has failed: `first`, doubled with every further one, at most
/// `longest`, less up to a quarter by chance, which follows from `seed`: so what failed together does not come back together.
pub fn retry_after(attempt: u32, first: Duration, longest: Duration, seed: u64) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(longest);
    // splitmix64 of seed and attempt.
    let mut x = (seed ^ u64::from(attempt)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    let chance = f64::from(u32::try_from(x >> 32).unwrap_or_default()) / f64::from(u32::MAX);
    doubled.mul_f64(1.0 - JITTER * chance)
}
