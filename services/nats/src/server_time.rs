//! The server's clock, which all processes that share a group go by.
//!
//! It is asked once and then runs on with tokio's clock, so a wall clock that jumps, ours or the server's, moves nothing that
//! is due. Between two processes it differs by at most what the answer took.
//!
//! It is asked again now and then. Where the server's clock was set meanwhile (or we were suspended), it is not jumped after, which would
//! end all leases at once, but caught up with: nothing is early by more than a tenth of its time. Until then two processes that
//! have asked before and after differ by what it was set.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use soorma_ports::EventLogError;
use tokio::time::Instant;

use crate::wire::Wire;

/// How often it is asked again: two clocks drift apart by some milliseconds in that time.
const ASK_EVERY: Duration = Duration::from_secs(3_600);
/// How much is drift. A bad clock drifts by 200 parts in a million, 0.7 s an hour; what is more, somebody has set.
const MOST_DRIFT: i64 = 1_000_000;
/// One part of so many is how much faster or slower time passes until it is where the server's clock was set to: a lease of 30 s
/// ends 3 s early at most, and ten minutes are caught up with in 100.
const CATCH_UP: i64 = 10;

#[derive(Debug)]
pub(crate) struct ServerTime {
    asked: Mutex<Asked>,
    /// Whether it was said that the server's clock was set.
    is_apart: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// When the answer came.
    at: Instant,
    /// What it said; the server's clock showed this or a little more when it came.
    said: i64,
    /// How much more at most.
    slack: i64,
    /// What is to be caught up with.
    apart: i64,
}

/// A moment, between two bounds, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// By this, things fall due.
    pub(crate) earliest: i64,
    /// From this on, it is counted when they do.
    pub(crate) latest: i64,
}

impl Now {
    /// When it is to be due after a time.
    pub(crate) fn after(self, by: Duration) -> i64 {
        if by.is_zero() {
            return self.earliest;
        }
        self.latest.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
    }
}

impl ServerTime {
    pub(crate) async fn ask(wire: &Wire, stream: &str) -> Result<Self, EventLogError> {
        Ok(Self { asked: Mutex::new(ask(wire, stream).await?), is_apart: AtomicBool::new(false) })
    }

    /// Asks again, if it was long ago.
    pub(crate) async fn refresh(&self, wire: &Wire, stream: &str) -> Result<(), EventLogError> {
        if self.asked().at.elapsed() >= ASK_EVERY {
            let answer = ask(wire, stream).await?;
            let asked = answer.followed(self.asked());
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
            // Once, and not each time that it is still so.
            if !self.is_apart.swap(asked.apart != 0, Ordering::SeqCst) && asked.apart != 0 {
                tracing::warn!(
                    by_ms = asked.apart / 1_000,
                    "the clock of the nats server was set, following slowly"
                );
            }
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Now {
        self.asked().shows(Instant::now())
    }

    /// When a moment comes, on tokio's clock.
    pub(crate) fn instant(&self, due: i64) -> Instant {
        let wait = due.saturating_sub(self.now().earliest);
        Instant::now() + Duration::from_micros(u64::try_from(wait).unwrap_or(0)).min(ASK_EVERY)
    }

    fn asked(&self) -> Asked {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// What the server's clock shows at a moment, or is to have shown.
    fn shows(self, moment: Instant) -> Now {
        let passed = micros(moment.duration_since(self.at));
        let caught_up = self.apart.clamp(-passed / CATCH_UP, passed / CATCH_UP);
        let earliest = self.said.saturating_add(passed).saturating_add(caught_up);
        Now { earliest, latest: earliest.saturating_add(self.slack) }
    }

    /// Takes over an answer, or goes on from what was held before where that is too far from it.
    fn followed(self, held: Self) -> Self {
        let before = held.shows(self.at);
        let latest = self.said.saturating_add(self.slack);
        let is_drift = latest >= before.earliest.saturating_sub(MOST_DRIFT)
            && self.said <= before.latest.saturating_add(MOST_DRIFT);
        if is_drift {
            return self;
        }
        let apart = self.said.saturating_sub(before.earliest);
        Self { said: before.earliest, slack: self.slack.max(held.slack), apart, ..self }
    }
}

async fn ask(wire: &Wire, stream: &str) -> Result<Asked, EventLogError> {
    let started = Instant::now();
    let said =
        wire.ends(stream).await?.at.ok_or_else(|| {
            EventLogError::Unavailable("the NATS server does not say what time it is".into())
        })?;
    let at = Instant::now();
    Ok(Asked { at, said: said.micros(), slack: micros(at.duration_since(started)), apart: 0 })
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const MINUTE: Duration = Duration::from_secs(60);
    const SECOND: i64 = 1_000_000;

    fn asked(at: Instant, said: i64) -> Asked {
        Asked { at, said, slack: 1_000, apart: 0 }
    }

    #[test]
    fn a_clock_that_drifts_is_followed_at_once() {
        let start = Instant::now();
        for drift in [0, 5_000, -5_000, SECOND, -SECOND] {
            let answer = asked(start + HOUR, micros(HOUR) + drift);
            assert_eq!(answer.followed(asked(start, 0)), answer, "{drift}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_caught_up_with() {
        let start = Instant::now();
        for set in [10 * micros(MINUTE), -10 * micros(MINUTE)] {
            let followed = asked(start + HOUR, micros(HOUR) + set).followed(asked(start, 0));
            let off = |after: Duration| {
                followed.shows(start + HOUR + after).earliest - micros(HOUR) - micros(after)
            };
            assert_eq!(off(Duration::ZERO), 0, "nothing falls due at once");
            assert_eq!(off(MINUTE).abs(), micros(MINUTE) / 10, "and a minute is at most a tenth shorter");
            assert_eq!(off(100 * MINUTE), set);
            assert_eq!(off(200 * MINUTE), set, "and no more than it was set");
            let again = asked(start + 2 * HOUR, 2 * micros(HOUR) + set).followed(followed);
            assert_eq!(again.apart, set - set / set.abs() * micros(HOUR) / 10, "what is left of it");
            let again = asked(start + 3 * HOUR, 3 * micros(HOUR) + set).followed(again);
            assert_eq!(again, asked(start + 3 * HOUR, 3 * micros(HOUR) + set));
        }
    }
}
