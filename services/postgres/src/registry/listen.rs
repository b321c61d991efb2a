//! Waiting for what others write.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Mutex;

use super::PostgresRegistry;
use crate::PostgresError;

/// How long is waited to be told before the table is looked at: a connection on which nothing comes any more says nothing of it, and
/// one that listens may not be to be had.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The connection that listens, when somebody waits.
#[derive(Debug)]
pub(super) struct Listen {
    options: PgConnectOptions,
    channel: String,
    /// Held by the one of those who wait that listens for all.
    listener: Mutex<Option<PgListener>>,
}

impl Listen {
    pub(super) fn new(options: PgConnectOptions, channel: String) -> Self {
        Self { options, channel, listener: Mutex::new(None) }
    }

    async fn connect(&self) -> Option<PgListener> {
        let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_lazy_with(self.options.clone());
        let listen = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(&self.channel).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        tokio::time::timeout(LOOK_EVERY, listen).await.ok()?.ok()
    }
}

impl PostgresRegistry {
    /// Waits until somebody has written past a revision.
    pub(super) async fn listen_past(&self, after: u64) -> Result<(), PostgresError> {
        let mut listener = self.listen.listener.lock().await;
        loop {
            let revision = self.in_time(self.read_revision()).await?;
            self.seen(revision);
            if revision > after {
                return Ok(());
            }
            let Some(listening) = listener.as_mut() else {
                let began = tokio::time::Instant::now();
                *listener = self.listen.connect().await;
                if listener.is_none() {
                    tokio::time::sleep_until(began + LOOK_EVERY).await;
                }
                // What was written before it listened was not told.
                continue;
            };
            match tokio::time::timeout(LOOK_EVERY, listening.try_recv()).await {
                Ok(Ok(Some(told))) => {
                    let revision = told.payload().parse().unwrap_or_default();
                    self.seen(revision);
                    if revision > after {
                        return Ok(());
                    }
                }
                // The connection was lost.
                Ok(Ok(None) | Err(_)) => *listener = None,
                Err(_) => {}
            }
        }
    }
}
