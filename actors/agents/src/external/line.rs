//! The line between an agent's connection and its proxy: what they share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::Cursor;
use soorma_ports::{Acks, Connection, Delivery, ExternalAgent, Outgoing, Ticket};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::external::hand::{End, Hand, Said, Tally};
use crate::external::terms::Terms;

#[derive(Debug)]
pub(super) struct Line {
    pub(super) agent: ExternalAgent,
    pub(super) terms: Arc<Terms>,
    state: Mutex<State>,
    /// Rings for the connection: there may be something to show.
    pub(super) show: Notify,
    /// Rings for the proxy: there may be something to settle, or room for more.
    pub(super) work: Notify,
    /// Rings when all is given back.
    over: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) hand: Hand,
    pub(super) breaker: Breaker,
    /// The connection has ended, or is to.
    pub(super) ending: Option<End>,
    /// Nothing is shown or taken over any more.
    pub(super) over: bool,
    /// All is given back.
    given_back: bool,
}

/// Why a line does not take what it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its connection has ended.
    Over,
    /// Its agent has all that it may have.
    Full,
    /// Its agent has let an earlier attempt of it lie.
    Lapsed,
}

impl Line {
    pub(super) fn new(agent: ExternalAgent, terms: Arc<Terms>, breaker: Breaker) -> Arc<Self> {
        let state = State { hand: Hand::default(), breaker, ending: None, over: false, given_back: false };
        Arc::new(Self {
            agent,
            terms,
            state: Mutex::new(state),
            show: Notify::new(),
            work: Notify::new(),
            over: Notify::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_explicit(&self) -> bool {
        self.agent.acks == Acks::Explicit
    }

    pub(super) fn wants(&self, delivery: &Delivery) -> bool {
        self.agent.kinds.as_ref().is_none_or(|kinds| kinds.wants(&delivery.event.kind))
    }

    /// Takes a delivery over, from whoever's proxy: what is this agent's alone always; all else as far as there is room, and if it is not
    /// what this agent has just let lie.
    pub(super) fn offer(&self, delivery: Delivery, owned: bool) -> Result<(), (Refusal, Delivery)> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.over || state.ending.is_some() {
            return Err((Refusal::Over, delivery));
        }
        let lapsed = self.is_explicit() && state.hand.lapse(delivery.id, now, self.terms.lease());
        if lapsed {
            // Its proxy would have found out only now, too.
            state.count(Tally { succeeded: 0, failed: 1 }, now, &self.agent);
        }
        if !owned && lapsed {
            return Err((Refusal::Lapsed, delivery));
        }
        if !owned && state.breaker.allows(self.agent.credit, now) <= state.hand.open() {
            return Err((Refusal::Full, delivery));
        }
        state.hand.take_over(delivery, owned, now);
        drop(state);
        self.show.notify_one();
        // The proxy does not know yet that it has another lease to keep.
        self.work.notify_one();
        Ok(())
    }

    /// Notes what was said of events, by whoever it was.
    pub(super) fn settled(&self, said: &Said) {
        let now = Instant::now();
        let mut state = self.lock();
        let tally = state.hand.settled(said, now);
        state.count(tally, now, &self.agent);
        drop(state);
        self.work.notify_one();
        self.show.notify_one();
    }

    /// What the tree shows: how much the agent has in hand, and how much more it is given.
    pub(super) fn gauge(&self) -> (u32, u32) {
        let state = self.lock();
        let open = state.hand.open();
        let room = state.breaker.allows(self.agent.credit, Instant::now()).saturating_sub(open);
        (u32::try_from(open).unwrap_or(u32::MAX), u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// The proxy has ended, whichever way.
    pub(super) fn is_over(&self) {
        {
            let mut state = self.lock();
            (state.over, state.given_back) = (true, true);
        }
        self.show.notify_one();
        self.over.notify_waiters();
    }

    fn end(&self, end: End) {
        self.lock().ending.get_or_insert(end);
        self.work.notify_one();
    }

    /// Returns what is to be shown now.
    fn next(&self) -> Option<Result<(Delivery, Duration), ()>> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.over {
            return Some(Err(()));
        }
        if let Acks::Implied { settle_after } = self.agent.acks {
            let known = state.hand.done_at(settle_after).is_some();
            state.hand.took_all(now);
            if !known && state.hand.done_at(settle_after).is_some() {
                // The proxy does not know yet when the first of them is done.
                self.work.notify_one();
            }
        }
        let shown = state.hand.open_shown();
        let room = state.breaker.allows(self.agent.credit, now) > shown;
        let (delivery, leased) = room.then(|| state.hand.show(now)).flatten()?;
        let left = self.terms.lease().saturating_sub(now.duration_since(leased));
        drop(state);
        if self.is_explicit() && shown == 0 {
            // The proxy does not know yet when the first lease runs out.
            self.work.notify_one();
        }
        Some(Ok((delivery, left)))
    }
}

impl State {
    /// Has the breaker hear of what went well and what failed.
    pub(super) fn count(&mut self, tally: Tally, now: Instant, agent: &ExternalAgent) {
        if tally.succeeded > 0 {
            self.breaker.succeeded();
        }
        for _ in 0..tally.failed {
            if let crate::breaker::Verdict::Opened(pause) = self.breaker.failed(now) {
                let (group, agent_id) = (agent.group.group.as_str(), agent.agent_id.as_str());
                tracing::warn!(
                    group,
                    agent_id,
                    ?pause,
                    "a connected agent keeps failing; it is given nothing for a while"
                );
            }
        }
    }
}

/// The connection's end of the line.
#[derive(Debug)]
pub(super) struct FarEnd {
    pub(super) line: Arc<Line>,
    pub(super) cursor: Cursor,
}

#[async_trait]
impl Connection for FarEnd {
    async fn next(&mut self) -> Outgoing {
        loop {
            match self.line.next() {
                None => self.line.show.notified().await,
                Some(Err(())) => return Outgoing::End,
                Some(Ok((delivery, lease))) => {
                    self.cursor.advance(delivery.id.topic, delivery.id.position);
                    let ticket = Ticket { group: self.line.agent.group.group.clone(), delivery: delivery.id };
                    return Outgoing::Event { delivery, ticket, lease, cursor: self.cursor.clone() };
                }
            }
        }
    }

    async fn close(&mut self) {
        self.line.end(End::Node);
        loop {
            let over = self.line.over.notified();
            tokio::pin!(over);
            over.as_mut().enable();
            if self.line.lock().given_back {
                return;
            }
            over.await;
        }
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        self.line.end(End::Agent);
    }
}
