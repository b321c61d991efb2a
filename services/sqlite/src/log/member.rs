//! A member of a group: waits, and has the writer hand out and settle.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::Name;
use soorma_ports::{Consumer, Delivery, DeliveryId, EventLogError, Settle};
use tokio::sync::futures::Notified;
use tokio::sync::watch;
use tokio::time::Instant;

use super::command::removed;
use super::hand_out::{HandedOut, hand_out};
use super::log_clock::LogClock;
use super::settle::settle;
use super::signal::Signal;
use crate::topic_set::TopicSet;
use crate::writer::{Kind, WeakWriter, Writer};

#[derive(Debug)]
pub(super) struct Member {
    writer: Writer,
    time: LogClock,
    group: i64,
    name: Name,
    topics: TopicSet,
    signal: Arc<Signal>,
}

/// What was handed out, on its way to the member. Dropped before it was taken, it gives itself back, so that a call
/// of `next` that is called off does not keep events from others until their time is up.
struct Parcel {
    handed: HandedOut,
    group: i64,
    writer: WeakWriter,
}

impl Parcel {
    fn take(mut self) -> HandedOut {
        std::mem::take(&mut self.handed)
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if self.handed.deliveries.is_empty() {
            return;
        }
        let release = |one: &Delivery| (one.id, Settle::Release { after: Duration::ZERO });
        let settlements: Vec<_> = self.handed.deliveries.iter().map(release).collect();
        let group = self.group;
        if !self.writer.tell(Kind::Written, move |tx| Ok(settle(tx, group, &settlements).map(|_| ())?)) {
            tracing::debug!(group, "hand-out that nobody took stays in hand until its time is up");
        }
    }
}

/// A call that a member may have heard. Dropped before the member knows what it was about, it is passed on to another who waits.
struct Call<'a>(Option<&'a Signal>);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(signal) = self.0 {
            signal.available.notify_one();
        }
    }
}

impl Member {
    pub(super) fn new(
        writer: Writer,
        time: LogClock,
        group: (i64, Name),
        topics: TopicSet,
        signal: Arc<Signal>,
    ) -> Self {
        let (group, name) = group;
        Self { writer, time, group, name, topics, signal }
    }

    async fn ask(&self, max: usize) -> Result<HandedOut, EventLogError> {
        let mut call = Call(Some(&self.signal));
        let (group, topics, writer) = (self.group, self.topics, self.writer.downgrade());
        let parcel = self
            .writer
            .ask_with(
                Kind::HandOut,
                move |tx| hand_out(tx, group, topics, max),
                move |handed| handed.map(|handed| Parcel { handed, group, writer }),
            )
            .await?;
        call.0 = None;
        parcel.map(Parcel::take).ok_or_else(|| removed(&self.name))
    }

    /// Waits until there may be something, or until the deadline.
    async fn wait(
        &self,
        mut available: Pin<&mut Notified<'_>>,
        dues: &mut watch::Receiver<Option<Instant>>,
        mut due: Option<Instant>,
        deadline: Option<Instant>,
    ) {
        loop {
            let until = [due, deadline].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = available.as_mut() => return,
                Ok(()) = dues.changed() => {
                    // Earlier than what is known, so only the timer changes.
                    due = [due, *dues.borrow_and_update()].into_iter().flatten().min();
                }
                () = sleep_until(until) => return,
            }
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[async_trait]
impl Consumer for Member {
    async fn next(&self, max: usize, wait: Duration) -> Result<Vec<Delivery>, EventLogError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now().checked_add(wait);
        let mut dues = self.signal.due.subscribe();
        loop {
            // Both before asking, so that nothing is missed between the answer and the wait.
            let available = self.signal.available.notified();
            tokio::pin!(available);
            available.as_mut().enable();
            dues.mark_unchanged();
            let HandedOut { deliveries, due, goes_on } = self.ask(max).await?;
            if deliveries.is_empty() && goes_on {
                continue;
            }
            if !deliveries.is_empty() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(deliveries);
            }
            let due = due.and_then(|due| self.time.instant(due));
            self.wait(available.as_mut(), &mut dues, due, deadline).await;
        }
    }

    async fn settle(&self, settlements: Vec<(DeliveryId, Settle)>) -> Result<Vec<bool>, EventLogError> {
        let group = self.group;
        let counted = self.writer.ask(Kind::Written, move |tx| Ok(settle(tx, group, &settlements)?)).await?;
        counted.ok_or_else(|| removed(&self.name))
    }
}
