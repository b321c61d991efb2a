//! Whether the embedder is worth waiting for. Where it is away, or always late, nobody waits for it each time: now and then one asks, to find out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soorma_core::retry_after;
use soorma_ports::EmbedderError;
use tokio::time::Instant;

/// How long it is left alone after it has failed once, and at most.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How many answers in a row are late before it counts as slow: one alone may be chance.
const LATE: u32 = 8;
/// For how long nobody waits for one that is slow.
const SLOW: Duration = Duration::from_secs(5);
/// How long who asks to find out has for it.
const PROBE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Health {
    /// An answer that took no longer is in time.
    in_time: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many calls in a row have failed.
    failed: u32,
    /// How many answers in a row came too late for who waited.
    late: u32,
    /// Until when it is left alone, since it has failed.
    rest_until: Option<Instant>,
    /// Until when nobody waits for it, since it is slow.
    slow_until: Option<Instant>,
}

impl Health {
    pub(super) fn new(in_time: Duration) -> Self {
        Self { in_time, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to ask it now. After a rest, one may. Who is in no hurry also asks one that is slow.
    pub(super) fn may_ask(&self, in_a_hurry: bool) -> bool {
        let now = Instant::now();
        let state = &mut *self.state();
        let mut may = true;
        for until in [Some(&mut state.rest_until), in_a_hurry.then_some(&mut state.slow_until)] {
            let Some(Some(until)) = until.map(Option::as_mut) else { continue };
            may = may && now >= *until;
            if may {
                *until = now + PROBE;
            }
        }
        may
    }

    /// Whether it did not answer when it was asked last.
    pub(super) fn is_away(&self) -> bool {
        self.state().failed > 0
    }

    /// A call was answered.
    pub(super) fn answered(&self, took: Duration) {
        let mut state = self.state();
        let failed = std::mem::take(&mut state.failed);
        if failed > 0 {
            tracing::info!(failed, "the embedder is back");
        }
        if took <= self.in_time {
            *state = State::default();
        } else {
            state.rest_until = None;
        }
    }

    /// A call has failed.
    pub(super) fn failed(&self, error: &EmbedderError) {
        let mut state = self.state();
        state.failed = state.failed.saturating_add(1);
        if state.failed == 1 {
            tracing::warn!(%error, "the embedder has failed; what is written gets its vector later, and is found by words and time");
        } else {
            tracing::debug!(%error, failed = state.failed, "the embedder fails still");
        }
        let rest = match error {
            EmbedderError::Busy { retry_after: Some(after), .. } => (*after).min(REST.1),
            _ => retry_after(state.failed, REST.0, REST.1, u64::from(state.failed)),
        };
        state.rest_until = Some(Instant::now() + rest);
    }

    /// Somebody has waited in vain.
    pub(super) fn late(&self) {
        let mut state = self.state();
        state.late = state.late.saturating_add(1);
        if state.late >= LATE {
            state.slow_until = Some(Instant::now() + SLOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn away() -> EmbedderError {
        EmbedderError::Unavailable("unplugged".into())
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_is_left_alone_for_longer_and_longer_and_then_tried_by_one() {
        let health = Health::new(SECOND);
        assert!(health.may_ask(true) && !health.is_away());
        health.failed(&away());
        assert!(!health.may_ask(true) && health.is_away());
        assert!(!health.may_ask(false), "in a hurry or not");
        tokio::time::advance(SECOND).await;
        assert!(health.may_ask(true), "one finds out");
        assert!(!health.may_ask(true), "and nobody beside it");
        health.failed(&away());
        tokio::time::advance(SECOND).await;
        assert!(!health.may_ask(true), "twice is longer");
        tokio::time::advance(SECOND).await;
        assert!(health.may_ask(true));
        health.answered(Duration::ZERO);
        assert!(health.may_ask(true) && health.may_ask(true) && !health.is_away());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_always_late_is_not_waited_for_each_time() {
        let health = Health::new(SECOND);
        for _ in 1..LATE {
            health.late();
        }
        health.answered(5 * SECOND);
        assert!(health.may_ask(true));
        health.late();
        assert!(!health.may_ask(true));
        health.answered(5 * SECOND);
        assert!(!health.may_ask(true) && !health.is_away(), "it answers, too late");
        assert!(health.may_ask(false) && health.may_ask(false), "who is in no hurry does not mind");
        tokio::time::advance(SLOW).await;
        assert!(health.may_ask(true) && !health.may_ask(true));
        health.late();
        tokio::time::advance(SLOW).await;
        health.answered(SECOND);
        assert!(health.may_ask(true) && health.may_ask(true), "it is in time again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_says_when_to_come_back_is_asked_then() {
        let health = Health::new(SECOND);
        health.failed(&EmbedderError::Busy { message: "full".into(), retry_after: Some(7 * SECOND) });
        tokio::time::advance(6 * SECOND).await;
        assert!(!health.may_ask(true));
        tokio::time::advance(SECOND).await;
        assert!(health.may_ask(true));
    }
}
