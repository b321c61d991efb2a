//! An event in hand: whatever happens to the instance that holds it, the dispatcher hears of it.

use std::sync::Arc;

use soorma_core::Event;
use soorma_ports::{Delivery, DeliveryId};
use tokio::sync::mpsc::UnboundedSender;

use crate::handler::Fault;

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Result {
    /// Handled, and what was to be published is in the log.
    Done,
    /// Not handled, in a way that the handler said.
    Fault(Fault),
    /// The handler took too long, and was cut off. The instance goes on.
    TimedOut(String),
    /// The handler panicked, or the instance was killed: it is gone.
    Crashed(String),
    /// No instance has begun with it.
    Untried,
}

/// A place for an instance, whichever incarnation of it sits there.
pub(crate) type Seat = u64;

/// What instances tell their dispatcher. Bounded by its credit: one word for each event in hand, one for each start.
#[derive(Debug)]
pub(crate) enum Word {
    /// An instance is free.
    Ready(Seat),
    /// An event is done with.
    Outcome(DeliveryId, Result),
}

/// An event in hand. Dropped without a word, it counts as crashed once an instance has begun with it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) id: DeliveryId,
    pub(crate) event: Arc<Event>,
    begun: bool,
    to: Option<UnboundedSender<Word>>,
}

impl Lease {
    pub(crate) fn new(delivery: Delivery, to: UnboundedSender<Word>) -> Self {
        Self { id: delivery.id, event: delivery.event, begun: false, to: Some(to) }
    }

    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    pub(crate) fn settle(mut self, result: Result) {
        self.tell(result);
    }

    fn tell(&mut self, result: Result) {
        if let Some(to) = self.to.take() {
            // An agent that is gone altogether has no need of it: the log hands the event out again.
            drop(to.send(Word::Outcome(self.id, result)));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.tell(if self.begun {
            Result::Crashed("the instance was killed".to_owned())
        } else {
            Result::Untried
        });
    }
}
