//! What goes wrong, and when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use soorma_ports::EventLogError;

/// What happens to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault<E = EventLogError> {
    /// It fails and has done nothing.
    Fail(E),
    /// It fails and has been done.
    CommitThenFail(E),
    /// It is done, so much later.
    Delay(Duration),
}

/// Faults by the kind of call that they happen to. Each happens to one call, in their order; calls without one go through.
#[derive(Debug)]
pub(crate) struct Plan<C, E>(Mutex<BTreeMap<C, VecDeque<Fault<E>>>>);

impl<C, E> Default for Plan<C, E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Ord, E> Plan<C, E> {
    fn faults(&self) -> MutexGuard<'_, BTreeMap<C, VecDeque<Fault<E>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn on(&self, call: C, fault: Fault<E>) {
        self.faults().entry(call).or_default().push_back(fault);
    }

    pub(crate) fn pending(&self) -> usize {
        self.faults().values().map(VecDeque::len).sum()
    }

    fn take(&self, call: &C) -> Option<Fault<E>> {
        self.faults().get_mut(call)?.pop_front()
    }

    pub(crate) async fn run<T>(&self, call: C, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        match self.take(&call) {
            None => work.await,
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::CommitThenFail(error)) => {
                work.await?;
                Err(error)
            }
            Some(Fault::Delay(by)) => {
                tokio::time::sleep(by).await;
                work.await
            }
        }
    }
}
