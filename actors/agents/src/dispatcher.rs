//! Takes events from the agent's group as fast as there are instances free, and settles them by what came of them. Loses
//! nothing when it crashes: what was in hand goes back to the log.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use soorma_core::{AgentStatus, retry_after};
use soorma_ports::{Consumer, Delivery, DeliveryId, EventLogError, Settle};
use soorma_supervise::{Addr, Failure, Fatal, SupervisorHandle, TaskCx};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::breaker::{Breaker, Verdict};
use crate::handler::Fault;
use crate::instance::{Common, Msg};
use crate::lease::{self, Lease, Word};
use crate::limits::Limits;
use crate::pool::Pool;

/// What each incarnation of the dispatcher starts from.
pub(crate) struct Desk {
    pub(crate) of: Arc<Common>,
    /// One incarnation listens at a time. What is said while there is none is heard by the next.
    pub(crate) words: Mutex<UnboundedReceiver<Word>>,
    pub(crate) supervisor: SupervisorHandle,
    pub(crate) addrs: Vec<Addr<Msg>>,
    /// Seats are not used twice, also not by a later incarnation.
    pub(crate) next_seat: std::sync::atomic::AtomicU64,
}

/// How long one look into the log waits for something to come. The log wakes it earlier.
const LOOK: Duration = Duration::from_secs(30);
/// How long to wait when the log is away.
const AWAY: Duration = Duration::from_secs(1);

type Fetch = Pin<Box<dyn Future<Output = Result<Vec<Delivery>, EventLogError>> + Send>>;
type Settling =
    Pin<Box<dyn Future<Output = (Vec<(DeliveryId, Settle)>, Result<Vec<bool>, EventLogError>)> + Send>>;

struct Dispatcher {
    of: Arc<Common>,
    consumer: Arc<dyn Consumer>,
    pool: Pool,
    breaker: Breaker,
    in_hand: HashSet<DeliveryId>,
    settlements: Vec<(DeliveryId, Settle)>,
    fetch: Option<Fetch>,
    settling: Option<Settling>,
    /// When the log may be asked again after it was away.
    fetch_at: Instant,
    settle_at: Instant,
    extend_at: Instant,
}

impl Desk {
    pub(crate) async fn run(self: Arc<Self>, cx: TaskCx) -> Result<(), Failure> {
        let mut words = self.words.lock().await;
        let consumer = tokio::select! {
            consumer = self.join() => consumer?,
            () = cx.stopping() => return Ok(()),
        };
        if matches!(self.of.agent.instances, crate::limits::Instances::PerKey { .. }) {
            // Keyed instances of an incarnation before this one would work beside the new ones of the same keys.
            futures_util::future::join_all(self.supervisor.ids().iter().map(|id| self.supervisor.remove(id)))
                .await;
        }
        self.of.registrar.note(&self.of.id, AgentStatus::Ready, None);
        // Each incarnation has a billion seats of its own.
        let first = self.next_seat.fetch_add(1 << 30, std::sync::atomic::Ordering::Relaxed);
        let now = Instant::now();
        let limits = &self.of.agent.limits;
        let mut dispatcher = Dispatcher {
            of: Arc::clone(&self.of),
            consumer,
            pool: Pool::new(Arc::clone(&self.of), self.supervisor.clone(), &self.addrs, first),
            breaker: Breaker::new(limits.breaker),
            in_hand: HashSet::new(),
            settlements: Vec::new(),
            fetch: None,
            settling: None,
            fetch_at: now,
            settle_at: now,
            extend_at: now + limits.ack_within / 3,
        };
        dispatcher.run(&cx, &mut words).await
    }

    /// Joins the group, however long the log is away.
    async fn join(&self) -> Result<Arc<dyn Consumer>, Failure> {
        let agent = &self.of.agent;
        loop {
            match self.of.runtime.bus.join(agent.group()).await {
                Ok(consumer) => return Ok(consumer),
                Err(error) if error.code.may_retry() => {
                    tracing::warn!(agent = agent.name(), %error, "cannot join the group; trying again");
                    tokio::time::sleep(error.retry_after.unwrap_or(AWAY)).await;
                }
                Err(error) => {
                    return Err(Fatal(format!("cannot join the group {}: {error}", agent.name())).into());
                }
            }
        }
    }
}

impl Dispatcher {
    async fn run(&mut self, cx: &TaskCx, words: &mut UnboundedReceiver<Word>) -> Result<(), Failure> {
        let mut drained_by = None;
        loop {
            let now = Instant::now();
            self.pool.hand_out();
            if drained_by.is_none() {
                self.look(now);
            }
            self.settle(now);
            if drained_by.is_some_and(|by| now >= by || self.in_hand.is_empty())
                && self.settling.is_none()
                && self.settlements.is_empty()
            {
                return Ok(());
            }
            let wake = self.wake(drained_by);
            tokio::select! {
                biased;
                () = cx.stopping(), if drained_by.is_none() => {
                    drained_by = Some(Instant::now() + self.of.agent.limits.drain_within);
                    self.fetch = None;
                    self.pool.clear();
                }
                word = words.recv() => match word {
                    Some(word) => if let Err(hopeless) = self.hear(word) {
                        self.flush().await;
                        return Err(hopeless);
                    },
                    None => return Ok(()),
                },
                (settlements, answer) = or_never(&mut self.settling) => self.settled(settlements, answer),
                fetched = or_never(&mut self.fetch) => self.fetched(fetched).await,
                () = tokio::time::sleep_until(wake) => self.tick(Instant::now(), drained_by).await,
            }
        }
    }

    /// Asks the log for as much as there is room for.
    fn look(&mut self, now: Instant) {
        if self.fetch.is_some() || now < self.fetch_at {
            return;
        }
        let room =
            self.breaker.allows(self.of.agent.instances.capacity(), now).saturating_sub(self.in_hand.len());
        if room > 0 {
            let consumer = Arc::clone(&self.consumer);
            self.fetch = Some(Box::pin(async move { consumer.next(room, LOOK).await }));
        }
    }

    async fn fetched(&mut self, fetched: Result<Vec<Delivery>, EventLogError>) {
        self.fetch = None;
        match fetched {
            Err(error) => {
                tracing::warn!(agent = self.of.agent.name(), %error, "cannot read the log; trying again");
                self.fetch_at = Instant::now() + AWAY;
            }
            Ok(deliveries) => {
                for delivery in deliveries {
                    if self.of.agent.handler(&delivery.event).is_none() {
                        self.settlements.push((delivery.id, Settle::Ack));
                        continue;
                    }
                    self.in_hand.insert(delivery.id);
                    self.pool.take(Lease::new(delivery, self.of.words.clone())).await;
                }
            }
        }
    }

    fn hear(&mut self, word: Word) -> Result<(), Failure> {
        let now = Instant::now();
        match word {
            Word::Ready(seat) => self.pool.ready(seat, now),
            // Also of an event that an incarnation before this one had in hand: the log knows whether it counts.
            Word::Outcome(id, result) => {
                self.pool.done(id, &result, now);
                self.in_hand.remove(&id);
                let verdict = match &result {
                    lease::Result::Done | lease::Result::Fault(Fault::Failed(_) | Fault::Reject(_)) => {
                        if self.breaker.until().is_some() {
                            self.of.registrar.note(&self.of.id, AgentStatus::Ready, None);
                        }
                        self.breaker.succeeded();
                        Verdict::GoOn
                    }
                    lease::Result::Fault(Fault::Retry { cause, .. })
                    | lease::Result::TimedOut(cause)
                    | lease::Result::Crashed(cause) => {
                        tracing::debug!(
                            agent = self.of.agent.name(),
                            attempt = id.attempt,
                            cause,
                            "attempt failed"
                        );
                        self.breaker.failed(now)
                    }
                    lease::Result::Untried => Verdict::GoOn,
                };
                let limits = &self.of.agent.limits;
                self.settlements.push((id, settlement(limits, id, result)));
                match verdict {
                    Verdict::GoOn => {}
                    Verdict::Opened(pause) => {
                        tracing::warn!(
                            agent = self.of.agent.name(),
                            ?pause,
                            "too many failures in a row; the agent pauses"
                        );
                        let reason = format!("too many failures in a row; it pauses for {pause:?}");
                        self.of.registrar.note(&self.of.id, AgentStatus::Degraded, Some(reason));
                    }
                    Verdict::GiveUp => {
                        let tries = limits.breaker.tries;
                        return Err(Fatal(format!(
                            "{tries} tries after pauses have failed, the agent is given up on"
                        ))
                        .into());
                    }
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self, now: Instant) {
        if self.settling.is_some() || self.settlements.is_empty() || now < self.settle_at {
            return;
        }
        let consumer = Arc::clone(&self.consumer);
        let settlements = std::mem::take(&mut self.settlements);
        self.settling = Some(Box::pin(async move {
            let answer = consumer.settle(settlements.clone()).await;
            (settlements, answer)
        }));
    }

    fn settled(
        &mut self,
        mut settlements: Vec<(DeliveryId, Settle)>,
        answer: Result<Vec<bool>, EventLogError>,
    ) {
        self.settling = None;
        if let Err(error) = answer {
            tracing::warn!(agent = self.of.agent.name(), %error, "cannot settle events; trying again");
            self.settle_at = Instant::now() + AWAY;
            settlements.append(&mut self.settlements);
            self.settlements = settlements;
        }
    }

    /// Settles what is known before the end: what was done must not be handed out again.
    async fn flush(&mut self) {
        let flush = async {
            if let Some(settling) = self.settling.take() {
                let (settlements, answer) = settling.await;
                self.settled(settlements, answer);
            }
            self.consumer.settle(std::mem::take(&mut self.settlements)).await
        };
        // What is not settled in time comes again, as after any crash.
        let _late = tokio::time::timeout(AWAY * 5, flush).await;
    }

    /// When there is something to do though nobody says anything.
    fn wake(&self, drained_by: Option<Instant>) -> Instant {
        let mut wake = self.extend_at;
        let mut earlier = |at: Option<Instant>| wake = at.map_or(wake, |at| wake.min(at));
        earlier(drained_by);
        earlier(self.pool.passivate_at());
        if self.settling.is_none() && !self.settlements.is_empty() {
            earlier(Some(self.settle_at));
        }
        if self.fetch.is_none() && drained_by.is_none() {
            let now = Instant::now();
            earlier(Some(self.fetch_at).filter(|at| *at > now));
            earlier(self.breaker.until().filter(|at| *at > now));
        }
        wake
    }

    async fn tick(&mut self, now: Instant, drained_by: Option<Instant>) {
        if now >= self.extend_at {
            self.extend_at = now + self.of.agent.limits.ack_within / 3;
            self.settlements.extend(self.in_hand.iter().map(|id| (*id, Settle::Extend)));
        }
        if drained_by.is_some_and(|by| now >= by) {
            // They may still be at it; whoever gets the event next repeats no effect under the same ids.
            let after = Duration::ZERO;
            self.settlements.extend(self.in_hand.drain().map(|id| (id, Settle::Release { after })));
        }
        self.pool.passivate(now).await;
    }
}

/// What the log is told of an outcome.
fn settlement(limits: &Limits, id: DeliveryId, result: lease::Result) -> Settle {
    let later = retry_after(id.attempt, limits.retry_first, limits.retry_max, id.position.0);
    match result {
        lease::Result::Done | lease::Result::Fault(Fault::Failed(_)) => Settle::Ack,
        lease::Result::Fault(Fault::Retry { cause, after }) => {
            Settle::Retry { after: after.unwrap_or(later), cause }
        }
        lease::Result::Fault(Fault::Reject(cause)) => Settle::Reject { cause },
        lease::Result::TimedOut(cause) | lease::Result::Crashed(cause) => {
            Settle::Retry { after: later, cause }
        }
        lease::Result::Untried => Settle::Release { after: Duration::ZERO },
    }
}

/// Waits for a future that there may be.
pub(crate) async fn or_never<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
