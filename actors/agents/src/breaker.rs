//! Whether an agent that keeps failing is given more to do. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits;

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// It has just opened, for this long.
    Opened(Duration),
    /// It has opened too often.
    GiveUp,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    limits: limits::Breaker,
    failures: u32,
    /// How often it has opened since the last success.
    opened: u32,
    until: Option<Instant>,
}

impl Breaker {
    pub(crate) fn new(limits: limits::Breaker) -> Self {
        Self { limits, failures: 0, opened: 0, until: None }
    }

    /// How many events may be in hand, of as many as there is room for.
    pub(crate) fn allows(&self, capacity: usize, now: Instant) -> usize {
        match self.until {
            None => capacity,
            Some(until) if now < until => 0,
            Some(_) => 1,
        }
    }

    /// Until when it is open.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether it has nothing to remember.
    pub(crate) fn is_calm(&self) -> bool {
        self.failures == 0 && self.until.is_none()
    }

    pub(crate) fn succeeded(&mut self) {
        (self.failures, self.opened, self.until) = (0, 0, None);
    }

    pub(crate) fn failed(&mut self, now: Instant) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        // What was in hand when it opened fails as well: only what comes after the pause counts against it.
        let open = self.until.is_some_and(|until| now < until);
        if open || (self.until.is_none() && self.failures < self.limits.after) {
            return Verdict::GoOn;
        }
        if self.opened >= self.limits.tries {
            return Verdict::GiveUp;
        }
        let pause = self.limits.pause.saturating_mul(1 << self.opened.min(20)).min(self.limits.max_pause);
        self.opened += 1;
        self.until = Some(now + pause);
        Verdict::Opened(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn breaker() -> Breaker {
        Breaker::new(limits::Breaker { after: 3, pause: secs(5), max_pause: secs(12), tries: 3 })
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_only() {
        let (mut breaker, now) = (breaker(), Instant::now());
        for _ in 0..10 {
            assert_eq!(breaker.failed(now), Verdict::GoOn);
            assert_eq!(breaker.failed(now), Verdict::GoOn);
            breaker.succeeded();
        }
        assert_eq!(breaker.failed(now), Verdict::GoOn);
        assert_eq!(breaker.failed(now), Verdict::GoOn);
        assert_eq!(breaker.failed(now), Verdict::Opened(secs(5)));
        assert_eq!(breaker.allows(8, now), 0);
        assert_eq!(breaker.failed(now), Verdict::GoOn, "what was in hand");
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_try_decides() {
        let (mut breaker, mut now) = (breaker(), Instant::now());
        for _ in 0..3 {
            breaker.failed(now);
        }
        for pause in [10, 12] {
            now = breaker.until().unwrap();
            assert_eq!(breaker.allows(8, now), 1);
            assert_eq!(breaker.failed(now), Verdict::Opened(secs(pause)));
        }
        now = breaker.until().unwrap();
        assert_eq!(breaker.failed(now), Verdict::GiveUp);
        breaker.succeeded();
        assert_eq!(breaker.allows(8, now), 8);
    }
}
