//! Whether there is a connection, for those who wait for an answer over it.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use soorma_ports::EventLogError;
use tokio::sync::{Notify, watch};

/// Who asks over a connection that is lost is answered at once, and so is who waits when it gets lost: the client library would keep
/// what is asked for until there is a connection again.
#[derive(Debug)]
pub(crate) struct Link {
    answer_within: Duration,
    /// How often the connection was lost.
    losses: watch::Sender<u64>,
    /// That it was made anew, for the one who waits for that.
    connected: Notify,
    /// Why there was no connection the last time that somebody was told.
    said: Mutex<String>,
}

impl Link {
    pub(crate) fn new(answer_within: Duration) -> Self {
        Self {
            answer_within,
            losses: watch::Sender::new(0),
            connected: Notify::new(),
            said: Mutex::default(),
        }
    }

    /// Waits for an answer, as long as there is a connection, and not longer than an answer may take.
    ///
    /// What was sent may be done later, though nobody hears of it.
    pub(crate) async fn answer<T, E: From<EventLogError>>(
        &self,
        client: &Client,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        // Before the state is looked at, so that no loss is missed in between.
        let mut losses = self.losses.subscribe();
        if client.connection_state() != State::Connected {
            // Who asks again and again lets those work who make it anew.
            tokio::task::yield_now().await;
            return Err(self.no_connection().into());
        }
        tokio::select! {
            biased;
            answer = tokio::time::timeout(self.answer_within, answer) => answer.unwrap_or_else(|_| {
                Err(EventLogError::Unavailable("the NATS server has not answered in time".into()).into())
            }),
            _ = losses.changed() => {
                Err(EventLogError::Unavailable("the connection to NATS was lost before the answer came".into()).into())
            }
        }
    }

    fn no_connection(&self) -> EventLogError {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = if said.is_empty() { String::new() } else { format!(" ({said})") };
        EventLogError::Unavailable(format!("there is no connection to NATS now{reason}; trying again"))
    }

    pub(crate) fn lost(&self) {
        self.losses.send_modify(|losses| *losses += 1);
    }

    pub(crate) fn made(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if *self.losses.borrow() > 0 {
            self.connected.notify_one();
        }
    }

    /// Waits until a connection that was lost is made anew, or was since the last time; for one who waits.
    pub(crate) async fn connected(&self) {
        self.connected.notified().await;
    }

    /// Notes why there is no connection; says whether it is another reason than before.
    pub(crate) fn is_new(&self, reason: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *said != reason;
        if is_new {
            reason.clone_into(&mut said);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_connection_that_was_lost_is_made_anew() {
        let link = Link::new(Duration::from_secs(1));
        link.made();
        assert!(futures_util::poll!(Box::pin(link.connected())).is_pending());
        link.lost();
        link.made();
        link.connected().await;
        assert!(futures_util::poll!(Box::pin(link.connected())).is_pending());
    }

    #[test]
    fn a_reason_is_new_once_until_there_was_a_connection() {
        let link = Link::new(Duration::from_secs(1));
        assert_eq!(
            ["a", "a", "b", "b", "a"].map(|reason| link.is_new(reason)),
            [true, false, true, false, true]
        );
        link.made();
        assert!(link.is_new("a"));
    }
}
