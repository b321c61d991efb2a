//! When a stream shows a sign of life.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing was shown for a while.
    Heartbeat,
    /// A comment is due, whatever else was shown.
    Ping,
}

#[derive(Debug)]
pub(crate) struct Pulse {
    every: Duration,
    heartbeat_at: Instant,
    ping_at: Instant,
    /// May fire early, when something was shown meanwhile; never late.
    alarm: Pin<Box<Sleep>>,
}

impl Pulse {
    pub(crate) fn new(every: Duration) -> Self {
        // A period of zero would do nothing but beat.
        let every = every.max(Duration::from_millis(1));
        let first = Instant::now() + every;
        Self { every, heartbeat_at: first, ping_at: first, alarm: Box::pin(sleep_until(first)) }
    }

    /// Notes that a message was shown.
    pub(crate) fn shown(&mut self) {
        self.heartbeat_at = Instant::now() + self.every;
    }

    /// Waits for the next sign of life. Dropping the future loses nothing.
    pub(crate) async fn beat(&mut self) -> Beat {
        loop {
            self.alarm.as_mut().await;
            let now = Instant::now();
            let beat = if self.ping_at <= now {
                self.ping_at = now + self.every;
                Some(Beat::Ping)
            } else if self.heartbeat_at <= now {
                self.heartbeat_at = now + self.every;
                Some(Beat::Heartbeat)
            } else {
                None
            };
            self.alarm.as_mut().reset(self.ping_at.min(self.heartbeat_at));
            if let Some(beat) = beat {
                return beat;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pings_come_on_their_own_and_heartbeats_after_silence() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Duration::from_secs(15));
        let mut seen = Vec::new();
        tokio::time::advance(Duration::from_secs(10)).await;
        pulse.shown();
        for _ in 0..5 {
            let beat = pulse.beat().await;
            seen.push((beat, start.elapsed().as_secs()));
        }
        assert_eq!(
            seen,
            [
                (Beat::Ping, 15),
                (Beat::Heartbeat, 25),
                (Beat::Ping, 30),
                (Beat::Heartbeat, 40),
                (Beat::Ping, 45),
            ]
        );
    }
}
