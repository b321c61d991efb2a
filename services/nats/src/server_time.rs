//! The server's clock, which all processes that share a group go by.
//!
//! It is asked once and then runs on with tokio's clock, so a wall clock that jumps, ours or the server's, moves nothing that
//! is due. Between two processes it differs by at most what the answer took.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use soorma_ports::EventLogError;
use tokio::time::Instant;

use crate::wire::Wire;

/// How often it is asked again: two clocks drift apart by some milliseconds in that time.
const ASK_EVERY: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(crate) struct ServerTime {
    asked: Mutex<Asked>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    /// When the answer came.
    at: Instant,
    /// What it said; the server's clock showed this or a little more when it came.
    said: i64,
    /// How much more at most.
    slack: i64,
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
        Ok(Self { asked: Mutex::new(ask(wire, stream).await?) })
    }

    /// Asks again, if it was long ago.
    pub(crate) async fn refresh(&self, wire: &Wire, stream: &str) -> Result<(), EventLogError> {
        if self.asked().at.elapsed() >= ASK_EVERY {
            let asked = ask(wire, stream).await?;
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Now {
        let asked = self.asked();
        let earliest = asked.said.saturating_add(micros(asked.at.elapsed()));
        Now { earliest, latest: earliest.saturating_add(asked.slack) }
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

async fn ask(wire: &Wire, stream: &str) -> Result<Asked, EventLogError> {
    let started = Instant::now();
    let said =
        wire.ends(stream).await?.at.ok_or_else(|| {
            EventLogError::Unavailable("the NATS server does not say what time it is".into())
        })?;
    let at = Instant::now();
    Ok(Asked { at, said: said.micros(), slack: micros(at.duration_since(started)) })
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
