//! What a member of a group holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::Topic;
use soorma_ports::{Consumer, Delivery, DeliveryId, EventLogError, Settle};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::state::MOST_BURIED;
use super::worker::Ask;
use crate::log::Shared;
use crate::signals::Hint;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) asks: mpsc::Sender<Ask>,
    /// What it is handed out.
    pub(crate) topics: Arc<BTreeSet<Topic>>,
    /// Keeps the workers and the connection.
    pub(crate) _shared: Arc<Shared>,
}

/// Deliveries on their way to a member. If nobody takes them, they go back.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) hint: Arc<Hint>,
}

impl Handed {
    fn take(mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if !self.deliveries.is_empty() {
            self.hint.give_back(self.deliveries.iter().map(|delivery| delivery.id));
        }
    }
}

fn closed<E>(_: E) -> EventLogError {
    EventLogError::Unavailable("the log was closed".into())
}

#[async_trait]
impl Consumer for Member {
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>, EventLogError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let until = Instant::now().checked_add(wait);
        let topics = self.topics.clone();
        self.asks.send(Ask::Next { max, until, topics, reply }).await.map_err(closed)?;
        answer.await.map_err(closed)?.map(Handed::take)
    }

    async fn settle(&self, settlements: Vec<(DeliveryId, Settle)>) -> Result<Vec<bool>, EventLogError> {
        settle(&self.asks, settlements).await
    }
}

/// Has a worker settle deliveries.
pub(crate) async fn settle(
    asks: &mpsc::Sender<Ask>,
    settlements: Vec<(DeliveryId, Settle)>,
) -> Result<Vec<bool>, EventLogError> {
    let mut counted = Vec::with_capacity(settlements.len());
    // Each of them may become a dead letter.
    for some in settlements.chunks(MOST_BURIED) {
        let (reply, answer) = oneshot::channel();
        asks.send(Ask::Settle { settlements: some.to_vec(), reply }).await.map_err(closed)?;
        counted.extend(answer.await.map_err(closed)??);
    }
    Ok(counted)
}
