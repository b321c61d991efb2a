//! What would be logged again and again is logged now and then, with how often it happened.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts what happens between two log lines.
#[derive(Debug, Default)]
pub struct Rarely(Mutex<(Option<Instant>, u64)>);

impl Rarely {
    /// How often the same is logged at most.
    pub const EVERY: Duration = Duration::from_secs(60);

    /// It happened; returns how often since it was logged last, when it is time to log it again.
    pub fn happened(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (said, count) = &mut *state;
        *count += 1;
        if said.is_some_and(|said| now.duration_since(said) < Self::EVERY) {
            return None;
        }
        *said = Some(now);
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_said_at_once_and_then_once_a_minute_with_its_count() {
        let rarely = Rarely::default();
        assert_eq!(rarely.happened(), Some(1));
        assert_eq!((rarely.happened(), rarely.happened()), (None, None));
        tokio::time::advance(Rarely::EVERY).await;
        assert_eq!(rarely.happened(), Some(3));
        assert_eq!(rarely.happened(), None);
    }
}
