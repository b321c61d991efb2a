//! The proxy of a connected agent: takes events from the group for it, and settles what it has dealt with.
//!
//! It runs beside the connection, so that leases are kept and events given back whatever the client does. What it has in hand when it
//! crashes comes back to the group when the leases run out.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use soorma_ports::{Acks, Bus, Consumer, Delivery, EventLogError, Settle};
use soorma_supervise::TaskCx;
use tokio::time::{Instant, sleep_until};

use crate::dispatcher::or_never;
use crate::external::hand::{End, Said, Settlements};
use crate::external::line::Line;
use crate::external::roster::{Fate, Roster, Seat};

/// How many events are asked for at once.
const BATCH: usize = 64;
/// How long the group may let us wait for an event before we ask again.
const WAIT: Duration = Duration::from_secs(30);
/// How long we leave a log alone that has just failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long nothing happens at most before we look.
const LOOK: Duration = Duration::from_secs(60);

type Asking = Pin<Box<dyn Future<Output = Result<Vec<Delivery>, EventLogError>> + Send>>;
type Settling = Pin<Box<dyn Future<Output = (Batch, Result<Vec<bool>, EventLogError>)> + Send>>;
type Joining = Pin<Box<dyn Future<Output = Result<Arc<dyn Consumer>, soorma_core::Error>> + Send>>;

/// What the log is told at once.
struct Batch {
    /// Follows from what is in hand: what is not settled follows from it again.
    hand: Settlements,
    /// Is out of hand already.
    rest: Settlements,
}

pub(super) struct Proxy {
    bus: Arc<dyn Bus>,
    roster: Arc<Roster>,
    seat: Seat,
    consumer: Arc<dyn Consumer>,
    rest: Settlements,
    asking: Option<Asking>,
    settling: Option<Settling>,
    /// After the log has failed: the group may be gone, and is joined anew.
    joining: Option<Joining>,
    /// Before this, the log is left alone.
    not_before: Instant,
    /// Before this, nothing is asked for: what has just run out goes to another first, if there is one.
    ask_after: Instant,
}

/// Why the proxy ends.
#[derive(Debug, Clone, Copy)]
enum Why {
    Connection(End),
    Stopping,
    LogFailed,
}

impl Proxy {
    pub(super) fn new(
        bus: Arc<dyn Bus>,
        roster: Arc<Roster>,
        seat: Seat,
        consumer: Arc<dyn Consumer>,
    ) -> Self {
        Self {
            bus,
            roster,
            seat,
            consumer,
            rest: Vec::new(),
            asking: None,
            settling: None,
            joining: None,
            not_before: Instant::now(),
            ask_after: Instant::now(),
        }
    }

    fn line(&self) -> &Arc<Line> {
        &self.seat.line
    }

    /// Runs until the connection ends, and gives back what is in hand.
    pub(super) async fn run(mut self, cx: TaskCx) {
        let why = loop {
            let now = Instant::now();
            if let Some(end) = self.line().lock().ending {
                break Why::Connection(end);
            }
            self.start_settling(now);
            self.start_asking(now);
            let wake = self.wake_at(now);
            let line = Arc::clone(self.line());
            tokio::select! {
                biased;
                () = cx.stopping() => break Why::Stopping,
                (batch, answer) = or_never(&mut self.settling) => self.settled(batch, answer),
                joined = or_never(&mut self.joining) => if let Err(error) = self.joined(joined) {
                    tracing::error!(%error, connection = line.agent.connection_id, "group cannot be joined any more");
                    break Why::LogFailed;
                },
                answer = or_never(&mut self.asking) => {
                    self.asking = None;
                    match answer {
                        Ok(deliveries) => self.take(deliveries),
                        Err(error) if !may_pass(&error) => {
                            tracing::error!(%error, connection = line.agent.connection_id, "group gives no events");
                            break Why::LogFailed;
                        }
                        Err(error) => self.failed(&error),
                    }
                }
                () = line.work.notified() => {}
                () = sleep_until(wake) => {}
            }
        };
        self.end(why).await;
    }

    fn take(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let id = delivery.id;
            match self.roster.place(&self.seat.line, delivery) {
                Fate::Taken => {}
                Fate::Unwanted => self.rest.push((id, Settle::Ack)),
                Fate::TooLate => self.rest.push((id, Settle::Release { after: Duration::ZERO })),
                // At once, it would come to us again and again.
                Fate::NoRoom => self.rest.push((id, Settle::Release { after: PAUSE })),
                Fate::Lapsed => {
                    self.rest.push((id, Settle::Release { after: Duration::ZERO }));
                    self.ask_after = Instant::now() + PAUSE;
                }
            }
        }
    }

    /// An acknowledgement may be late by a lease; a third leaves time to try again.
    fn renew_after(&self) -> Duration {
        self.line().terms.lease() / 3
    }

    fn start_settling(&mut self, now: Instant) {
        let renew_after = self.renew_after();
        let line = Arc::clone(self.line());
        let mut state = line.lock();
        if line.is_explicit() {
            let failed = state.hand.expire(now, line.terms.lease());
            if failed > 0 {
                // What this one has let lie goes to others first, if there are any.
                self.asking = None;
                self.ask_after = now + PAUSE;
                let tally = super::hand::Tally { succeeded: 0, failed };
                state.count(tally, now, &line.agent);
            }
        }
        let allowed = state.breaker.allows(line.agent.credit, now);
        if state.breaker.until().is_some_and(|until| until <= now) {
            // The pause is over: one may be shown.
            line.show.notify_one();
        }
        if allowed < line.agent.credit {
            // Others may have better luck with what this one is not shown.
            let most = allowed.saturating_sub(state.hand.open_shown());
            self.rest.append(&mut state.hand.release_beyond(most));
            if allowed <= state.hand.open() {
                // What was asked for when there was room would have none, and lose its place in the order.
                self.asking = None;
            }
        }
        if self.settling.is_some() || now < self.not_before {
            return;
        }
        let done = match line.agent.acks {
            Acks::Implied { settle_after } => state.hand.done(now, settle_after),
            Acks::Explicit => Vec::new(),
        };
        let mut old = state.hand.to_extend(now, renew_after, !line.is_explicit());
        drop(state);
        let is_done: HashSet<_> = done.iter().copied().collect();
        old.retain(|id| !is_done.contains(id));
        let done = done.into_iter().map(|id| (id, Settle::Ack));
        let hand: Settlements = done.chain(old.into_iter().map(|id| (id, Settle::Extend))).collect();
        let batch = Batch { hand, rest: std::mem::take(&mut self.rest) };
        if batch.hand.is_empty() && batch.rest.is_empty() {
            return;
        }
        let consumer = Arc::clone(&self.consumer);
        self.settling = Some(Box::pin(async move {
            let all = batch.hand.iter().chain(&batch.rest).cloned().collect();
            let answer = consumer.settle(all).await;
            (batch, answer)
        }));
    }

    fn settled(&mut self, mut batch: Batch, answer: Result<Vec<bool>, EventLogError>) {
        self.settling = None;
        match answer {
            Ok(counted) => {
                let mut said = Said::default();
                for ((id, settle), counted) in batch.hand.into_iter().zip(counted) {
                    said.note(id, settle, counted);
                }
                self.line().settled(&said);
            }
            Err(error) => {
                batch.rest.append(&mut self.rest);
                self.rest = batch.rest;
                self.failed(&error);
            }
        }
    }

    /// The log is away, or the group was removed: it is joined anew after a pause.
    fn failed(&mut self, error: &EventLogError) {
        let agent = &self.line().agent;
        tracing::warn!(%error, connection = agent.connection_id, "the log fails a connected agent; trying again");
        let at = Instant::now() + PAUSE;
        self.not_before = at;
        if self.joining.is_none() {
            let (bus, line) = (Arc::clone(&self.bus), Arc::clone(self.line()));
            self.joining = Some(Box::pin(async move {
                sleep_until(at).await;
                bus.join(line.terms.for_member(&line.agent.group)).await
            }));
        }
    }

    /// Fails where the group will never be joined again.
    fn joined(
        &mut self,
        joined: Result<Arc<dyn Consumer>, soorma_core::Error>,
    ) -> Result<(), soorma_core::Error> {
        self.joining = None;
        match joined {
            Ok(consumer) => self.consumer = consumer,
            Err(error) if error.code.may_retry() => self.failed(&EventLogError::Unavailable(error.message)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn start_asking(&mut self, now: Instant) {
        let at = self.not_before.max(self.ask_after);
        if self.asking.is_some() || self.joining.is_some() || now < at {
            return;
        }
        let line = self.line();
        let room = {
            let state = line.lock();
            state.breaker.allows(line.agent.credit, now).saturating_sub(state.hand.open())
        };
        if room > 0 {
            // To ask is to use the group: it is not forgotten while somebody waits for its events.
            let wait = line.agent.group.expire_after.map_or(WAIT, |after| WAIT.min(after / 4));
            let consumer = Arc::clone(&self.consumer);
            self.asking = Some(Box::pin(async move { consumer.next(room.min(BATCH), wait).await }));
        }
    }

    /// Returns when to look again if nothing happens.
    fn wake_at(&self, now: Instant) -> Instant {
        let line = self.line();
        let renew_after = self.renew_after();
        let state = line.lock();
        let mut wake = now + LOOK;
        let mut earlier = |at: Option<Instant>| wake = at.map_or(wake, |at| wake.min(at));
        if line.is_explicit() {
            earlier(state.hand.expire_at(line.terms.lease()));
        }
        earlier(state.breaker.until().filter(|until| *until > now));
        if self.settling.is_none() {
            let due = match line.agent.acks {
                Acks::Implied { settle_after } => state.hand.done_at(settle_after),
                Acks::Explicit => None,
            };
            let extend = state.hand.extend_at(renew_after, !line.is_explicit());
            // What is due and was not settled just now waits for the log.
            earlier(due.into_iter().chain(extend).min().map(|at| at.max(self.not_before)));
        }
        earlier(Some(self.not_before.max(self.ask_after)).filter(|at| *at > now));
        wake
    }

    async fn end(mut self, why: Why) {
        let line = Arc::clone(self.line());
        tracing::debug!(?why, connection = line.agent.connection_id, "connection of an agent ends");
        // Nothing may be handed to us any more before we give back what we have.
        self.asking = None;
        if let Some(settling) = self.settling.take() {
            let (batch, answer) = settling.await;
            self.settled(batch, answer);
        }
        let end = match why {
            Why::Connection(end) => end,
            Why::Stopping | Why::LogFailed => End::Node,
        };
        {
            let mut state = line.lock();
            state.over = true;
            let (mut back, tally) = state.hand.give_back(end);
            state.count(tally, Instant::now(), &line.agent);
            self.rest.append(&mut back);
        }
        if !self.rest.is_empty()
            && let Err(error) = self.consumer.settle(std::mem::take(&mut self.rest)).await
        {
            tracing::warn!(%error, "events in hand come back to their group when their leases run out");
        }
    }
}

/// Whether the log may answer otherwise later.
fn may_pass(error: &EventLogError) -> bool {
    match error {
        EventLogError::Unavailable(_) | EventLogError::Full(_) => true,
        EventLogError::Gone { .. }
        | EventLogError::Beyond { .. }
        | EventLogError::Invalid(_)
        | EventLogError::Corrupt(_) => false,
    }
}
