//! Where schemas are compiled: on threads that nobody else waits for, at most so many at once in the node and one of a tenant, so that a tenant
//! whose schemas take long waits for itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soorma_core::{Error, TenantId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// How long anybody waits for schemas.
pub(crate) const WITHIN: Duration = Duration::from_secs(5);
/// How many schemas are compiled at once in the node: a hostile one takes a core for up to a second, and memory.
const AT_ONCE: usize = 2;
/// How many of a tenant wait for its turn, each with what it is to publish, which has up to a MiB.
const WAITING: usize = 64;
/// From how many tenants on those are dropped that nobody waits for.
const LANES: usize = 1_024;

/// Says whose turn it is.
#[derive(Debug)]
pub(crate) struct Compiler {
    node: Arc<Semaphore>,
    lanes: Mutex<HashMap<TenantId, Lane>>,
}

/// The turns of a tenant.
#[derive(Debug, Clone)]
struct Lane {
    turn: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A turn, over when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _node: OwnedSemaphorePermit,
    _tenant: OwnedSemaphorePermit,
}

impl Default for Compiler {
    fn default() -> Self {
        Self { node: Arc::new(Semaphore::new(AT_ONCE)), lanes: Mutex::default() }
    }
}

impl Compiler {
    /// Waits for a tenant's turn; `None` when it does not come in time, or too many wait for it.
    pub(crate) async fn turn(&self, tenant: &TenantId, deadline: Instant) -> Option<Turn> {
        let Lane { turn, waiting } = self.lane(tenant);
        let _place = waiting.try_acquire().ok()?;
        let turns = async {
            // The tenant's own first: who waits for it must not keep others from theirs.
            let tenant = turn.acquire_owned().await.ok()?;
            let node = Arc::clone(&self.node).acquire_owned().await.ok()?;
            Some(Turn { _node: node, _tenant: tenant })
        };
        timeout_at(deadline, turns).await.ok().flatten()
    }

    /// Has work done in a tenant's turn. The turn lasts until it is done, though nobody may wait for it any more.
    ///
    /// # Errors
    /// `unavailable` when it is not done in time; it may be soon after.
    pub(crate) async fn within<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let late = || {
            let message = "schemas are still being made ready; try again in a moment";
            Error::unavailable(message).retry_after(WITHIN)
        };
        let turn = self.turn(tenant, deadline).await.ok_or_else(late)?;
        timeout_at(deadline, on_a_thread(turn, work)).await.map_err(|_| late())?
    }

    fn lane(&self, tenant: &TenantId) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES && !lanes.contains_key(tenant) {
            // A turn, and who waits for one, holds its own.
            lanes.retain(|_, lane| Arc::strong_count(&lane.turn) > 1);
        }
        let new = || Lane { turn: Arc::new(Semaphore::new(1)), waiting: Arc::new(Semaphore::new(WAITING)) };
        lanes.entry(tenant.clone()).or_insert_with(new).clone()
    }
}

/// Has work done on a thread that nobody else waits for.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let in_turn = move || {
        let _turn = turn;
        work()
    };
    let done = tokio::task::spawn_blocking(in_turn).await;
    done.map_err(|error| Error::internal(format!("a schema could not be looked at: {error}")))
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;

    use soorma_core::ErrorCode;
    use soorma_testkit::tenant;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + WITHIN
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_waits_for_itself_and_the_node_for_two() {
        let compiler = Compiler::default();
        let (a, b, c) = (tenant("a"), tenant("b"), tenant("c"));
        let first = compiler.turn(&a, soon()).await.expect("nobody is before it");
        let began = Instant::now();
        assert!(compiler.turn(&a, soon()).await.is_none(), "one at a time of a tenant");
        assert_eq!(began.elapsed(), WITHIN);
        let _second = compiler.turn(&b, soon()).await.expect("it is its own turn");
        assert!(compiler.turn(&c, soon()).await.is_none(), "two at once in the node");
        drop(first);
        assert!(compiler.turn(&c, soon()).await.is_some() && compiler.turn(&a, soon()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn turns_go_round_however_many_of_one_tenant_wait() {
        let compiler = Compiler::default();
        let (many, few) = (tenant("many"), tenant("few"));
        let first = compiler.turn(&many, soon()).await.expect("nobody is before it");
        let _other = compiler.turn(&tenant("other"), soon()).await.expect("the second of two");
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(compiler.turn(&many, soon()))).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut cx).is_pending()));
        let mut last = Box::pin(compiler.turn(&few, soon()));
        assert!(last.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut cx).is_pending()));
        let turn = last.await.expect("who came last of all has it next");
        drop(turn);
        assert!(waiting[0].as_mut().poll(&mut cx).is_ready(), "and then they go on");
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait_and_the_next_is_told_at_once() {
        let compiler = Compiler::default();
        let a = tenant("a");
        let turn = compiler.turn(&a, soon()).await.expect("nobody is before it");
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(compiler.turn(&a, soon()))).collect();
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.iter_mut().all(|one| one.as_mut().poll(&mut cx).is_pending()));
        let began = Instant::now();
        assert!(compiler.turn(&a, soon()).await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(turn);
        drop(waiting);
        assert!(compiler.turn(&a, soon()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_is_told_to_come_back_and_what_was_begun_is_ended() {
        let compiler = Compiler::default();
        let a = tenant("a");
        let turn = compiler.turn(&a, soon()).await.expect("nobody is before it");
        let error = compiler.within(&a, soon(), || ()).await.expect_err("it is not its turn");
        assert_eq!((error.code, error.retry_after), (ErrorCode::Unavailable, Some(WITHIN)));
        drop(turn);
        let (done, is_done) = std::sync::mpsc::channel();
        {
            // Whoever asked goes away while it is under way.
            let mut asked =
                pin!(compiler.within(&a, soon(), move || done.send(()).expect("somebody listens")));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(asked.as_mut().poll(&mut cx).is_pending());
        }
        is_done.recv_timeout(Duration::from_secs(60)).expect("it is done all the same");
        assert!(compiler.turn(&a, soon()).await.is_some(), "and its turn is over");
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_that_nobody_waits_for_are_forgotten() {
        let compiler = Compiler::default();
        let turn = compiler.turn(&tenant("held"), soon()).await.expect("nobody is before it");
        for n in 0..2 * LANES {
            assert!(compiler.turn(&tenant(&format!("t{n}")), soon()).await.is_some());
        }
        assert!(compiler.lanes.lock().expect("whole").len() <= LANES);
        assert!(compiler.turn(&tenant("held"), soon()).await.is_none(), "its turn is still held");
        drop(turn);
    }
}
