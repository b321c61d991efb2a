//! Waiting for what others write.
//!
//! One connection listens for all who wait in this process. What it does is one piece of work that goes on whoever waits: it is
//! polled by one of them, and stands still where that one goes away, to be taken up by the next. So a wait that is dropped costs no
//! connection, however often that is.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::PostgresError;
use crate::connections::{Connections, Place};

/// How long is waited to be told before the table is looked at: a connection on which nothing comes any more says nothing of it, and
/// one that listens may not be to be had.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

type Listening = Pin<Box<dyn Future<Output = PostgresError> + Send>>;

/// The connection that listens, when somebody waits.
pub(super) struct Listen {
    connections: Arc<Connections>,
    channel: String,
    latest: Arc<watch::Sender<u64>>,
    /// Held by the one of those who wait that polls it.
    listening: Mutex<Option<Listening>>,
}

impl Listen {
    /// Sends `latest` what it hears.
    pub(super) fn new(
        connections: Arc<Connections>,
        channel: String,
        latest: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self { connections, channel, latest, listening: Mutex::new(None) }
    }

    /// Listens until the connection is lost, or says why there is none. To drop it loses nothing.
    pub(super) async fn listen(&self) -> PostgresError {
        let mut listening = self.listening.lock().await;
        let work = listening.get_or_insert_with(|| {
            let place = self.connections.place().clone();
            let prepare = self.connections.prepare().to_owned();
            let (channel, latest) = (self.channel.clone(), self.latest.clone());
            Box::pin(async move {
                match listen(&place, prepare, &channel, &latest).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                }
            })
        });
        let ended = work.await;
        *listening = None;
        ended
    }
}

impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listen").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        // The listener of sqlx takes leave in a task when it is dropped, and panics where there is no runtime for it.
        if tokio::runtime::Handle::try_current().is_err() {
            std::mem::forget(self.listening.get_mut().take());
        }
    }
}

async fn listen(
    place: &Place,
    prepare: String,
    channel: &str,
    latest: &watch::Sender<u64>,
) -> Result<std::convert::Infallible, PostgresError> {
    let late = |_| {
        PostgresError::Unavailable(format!("a connection that listens was not to be had in {LOOK_EVERY:?}"))
    };
    // The pool that the listener of sqlx wants does not say that nobody answers, but tries again.
    drop(place.connect().await?);
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.acquire_timeout(LOOK_EVERY).connect_lazy_with(place.options().clone());
    let mut listener = timeout(LOOK_EVERY, PgListener::connect_with(&pool)).await.map_err(late)??;
    // A lost connection is not made anew here, where nobody would see that something may have been missed.
    listener.eager_reconnect(false);
    listener.execute(AssertSqlSafe(prepare)).await?;
    listener.listen(channel).await?;
    loop {
        // What was written before it listened was not told.
        let before = *latest.borrow();
        let look = sqlx::query_scalar::<_, i64>("SELECT revision FROM registry_revision");
        let looked = timeout(2 * LOOK_EVERY, look.fetch_one(&mut listener)).await.map_err(late)??;
        super::looked(latest, before, super::unsigned(looked));
        let until = Instant::now() + LOOK_EVERY;
        // Until nothing is told for that long; while this stands still, what is told waits to be read.
        while let Ok(told) = timeout_at(until, listener.try_recv()).await {
            let lost = || PostgresError::Unavailable("the connection that listens was lost".into());
            let told = told?.ok_or_else(lost)?;
            let revision =
                told.payload().strip_prefix("registry ").and_then(|revision| revision.parse().ok());
            super::seen(latest, revision.unwrap_or_default());
        }
    }
}
