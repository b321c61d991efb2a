//! How many restarts are too many.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A bound on restarts: more than `max` of them `within` a time, and the supervisor gives up.
///
/// Across levels intensities multiply: a supervisor that may fail 3 times over one that may fail 5 times
/// lets a child fail 23 times before it gives up itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// How many restarts are still fine.
    pub max: u32,
    /// In which time.
    pub within: Duration,
}

impl Intensity {
    /// A bound of `max` restarts in a time.
    pub const fn new(max: u32, within: Duration) -> Self {
        Self { max, within }
    }
}

impl Default for Intensity {
    /// 5 restarts in 10 seconds: a fault that passes is survived, a loop ends in seconds.
    fn default() -> Self {
        Self::new(5, Duration::from_secs(10))
    }
}

/// The restarts that still count.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<Instant>);

impl Window {
    /// Counts a restart; returns whether it is one too many.
    pub(crate) fn exceeds(&mut self, intensity: Intensity, now: Instant) -> bool {
        while self.0.front().is_some_and(|then| now.duration_since(*then) > intensity.within) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() > usize::try_from(intensity.max).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeds(max: u32, within: u64, at: &[u64]) -> Vec<bool> {
        let zero = Instant::now();
        let mut window = Window::default();
        at.iter()
            .map(|ms| {
                window.exceeds(
                    Intensity::new(max, Duration::from_millis(within)),
                    zero + Duration::from_millis(*ms),
                )
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_than_max_within_the_time_exceeds() {
        assert_eq!(exceeds(2, 100, &[0, 1, 2]), [false, false, true]);
        assert_eq!(exceeds(0, 100, &[0]), [true]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_lies_further_back_is_forgotten() {
        assert_eq!(exceeds(2, 100, &[0, 50, 101, 152]), [false, false, false, false]);
        assert_eq!(exceeds(2, 100, &[0, 50, 100]), [false, false, true]);
    }
}
