//! Reading on as events come.

use std::sync::Arc;

use async_trait::async_trait;
use soorma_core::{Position, Topic};
use soorma_ports::{Bounds, Entry, EventLogError, Follower, Reach};
use tokio::sync::watch;

use super::read;
use crate::error::closed;
use crate::readers::Readers;

/// How many events it reads at once.
const AT_ONCE: usize = 256;

#[derive(Debug)]
pub(super) struct SqliteFollower {
    readers: Arc<Readers>,
    bounds: watch::Receiver<Bounds>,
    topic: Topic,
    after: Position,
}

impl SqliteFollower {
    pub(super) fn new(
        readers: Arc<Readers>,
        bounds: watch::Receiver<Bounds>,
        topic: Topic,
        after: Position,
    ) -> Self {
        Self { readers, bounds, topic, after }
    }
}

#[async_trait]
impl Follower for SqliteFollower {
    async fn next(&mut self) -> Result<Vec<Entry>, EventLogError> {
        let (topic, after) = (self.topic, self.after);
        self.bounds.wait_for(|bounds| bounds.head > after).await.map_err(|_| closed())?;
        let read = move |connection: &_| read::page(connection, &Reach::Platform, topic, after, AT_ONCE);
        let page = self.readers.read(read).await?;
        self.after = page.next;
        Ok(page.entries)
    }
}
