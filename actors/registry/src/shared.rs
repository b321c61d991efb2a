//! What outlives a crash of the registry's children: the view, how far it goes, and the queue of writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use soorma_core::{Error, ErrorCode, TenantId};
use soorma_ports::{Clock, Refused, RegistryAct, RegistryStore, RegistryWrite, Written};
use soorma_supervise::Outage;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::compiler::Compiler;
use crate::config::Config;
use crate::ready::Ready;
use crate::view::View;
use crate::view::row::{Moment, Row};
use crate::weight::weight;
use crate::wheel::Wheel;

/// A full queue has room again after a commit or two of the store.
const COME_BACK: Duration = Duration::from_millis(100);
/// How soon who finds the registry still being read, or its store away, may ask again.
const AWAY: Duration = Duration::from_secs(1);
/// How much may wait for the store, in KiB: descriptions are small, but 1,000 of the largest records are not.
const MOST_KIB: u32 = 64 * 1_024;
/// The most turns that the wheel sees ahead: a day of minutes, and more.
const MOST_TURNS: usize = 4_096;

/// A write that waits for the store, and who waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) write: RegistryWrite,
    pub(crate) reply: oneshot::Sender<Result<Outcome, Error>>,
    /// Its room in the queue, free when it is dropped.
    pub(crate) _room: tokio::sync::OwnedSemaphorePermit,
}

/// What became of a write that the store took.
pub(crate) type Outcome = Result<Written, Refused>;

/// Up to where a view goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    revision: u64,
    /// How often all was read: revisions of a store that went back are others than those of before.
    times: u64,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn RegistryStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    /// Whether the store takes writes.
    pub(crate) outage: Outage,
    /// Whether it has room for more.
    pub(crate) fullness: Outage,
    /// Has the follower look at once.
    pub(crate) written: Notify,
    view: RwLock<Arc<View>>,
    /// Up to where the view goes; `None` before all was read once.
    seen: watch::Sender<Option<Seen>>,
    /// A write has shown that the store went back.
    went_back: AtomicBool,
    wheel: Mutex<Wheel<Arc<Row>>>,
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    /// Whose turn it is to have a schema looked at.
    pub(crate) compiler: Compiler,
    /// What was made of schemas.
    pub(crate) ready: Arc<Ready>,
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn RegistryStore>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> (Arc<Self>, mpsc::Receiver<Job>) {
        let (queue, waiting) = mpsc::channel(config.max_waiting);
        let turns = turns(config.lease.saturating_add(config.forget_after), config.sweep_every);
        let shared = Self {
            store,
            clock,
            outage: Outage::new("the registry's store"),
            fullness: Outage::new("room in the registry's store"),
            written: Notify::new(),
            view: RwLock::default(),
            seen: watch::Sender::new(None),
            went_back: AtomicBool::new(false),
            wheel: Mutex::new(Wheel::new(usize::try_from(turns).unwrap_or(MOST_TURNS).min(MOST_TURNS))),
            queue,
            room: Arc::new(Semaphore::new(usize::try_from(MOST_KIB).unwrap_or(usize::MAX))),
            compiler: Compiler::default(),
            ready: Arc::default(),
            config,
        };
        (Arc::new(shared), waiting)
    }

    pub(crate) fn now(&self) -> Moment {
        Moment { wall: self.clock.now(), steady: Instant::now(), lease: self.config.lease }
    }

    /// Returns the view to read from.
    pub(crate) fn view(&self) -> Result<Arc<View>, Error> {
        if self.seen.borrow().is_none() {
            let message = "the registry is still being read from its store; try again in a moment";
            return Err(Error::unavailable(message).retry_after(AWAY));
        }
        Ok(self.view_so_far())
    }

    /// Returns the view, whether or not all was read.
    pub(crate) fn view_so_far(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another view in the place of the one that is read from.
    pub(crate) fn replace_view(&self, view: Arc<View>) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// Says up to which revision the view goes.
    pub(crate) fn seen_upto(&self, revision: u64) {
        self.seen.send_modify(|seen| {
            *seen = Some(Seen { revision, times: seen.map_or(0, |seen| seen.times) });
        });
    }

    /// Says up to which revision a view goes that was read anew.
    pub(crate) fn read_upto(&self, revision: u64) {
        self.seen.send_modify(|seen| {
            *seen = Some(Seen { revision, times: seen.map_or(0, |seen| seen.times) + 1 });
        });
        self.went_back.store(false, Ordering::Release);
    }

    /// Whether a write has shown since all was read that the store went back.
    pub(crate) fn has_gone_back(&self) -> bool {
        self.went_back.load(Ordering::Acquire)
    }

    pub(crate) fn seen(&self) -> Option<u64> {
        self.seen.borrow().map(|seen| seen.revision)
    }

    /// Waits until all was read from the store once.
    pub(crate) async fn loaded(&self) {
        // The sender is our own: it is never closed.
        let _seen = self.seen.subscribe().wait_for(Option::is_some).await.is_ok();
    }

    /// Returns how many writes wait, and how many more may.
    pub(crate) fn gauge(&self) -> (u32, u32) {
        let credit = self.queue.capacity();
        let waiting = self.queue.max_capacity() - credit;
        (u32::try_from(waiting).unwrap_or(u32::MAX), u32::try_from(credit).unwrap_or(u32::MAX))
    }

    /// Has something written, and waits until it can be read here.
    pub(crate) async fn write(&self, tenant: &TenantId, what: RegistryAct) -> Result<Outcome, Error> {
        self.view()?;
        if self.outage.is_on() {
            return Err(
                Error::unavailable("the registry's store is away; try again in a moment").retry_after(AWAY)
            );
        }
        let deadline = Instant::now() + self.config.answer_within;
        let before = *self.seen.borrow();
        // A sign of life that is no news has a revision of before.
        let is_change = !matches!(what, RegistryAct::Hear { .. });
        let full = || {
            let message = "too much waits to be written to the registry; try again in a moment";
            Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK)
        };
        let room = Arc::clone(&self.room).try_acquire_many_owned(weight(&what).min(MOST_KIB));
        let (reply, answer) = oneshot::channel();
        let write = RegistryWrite { tenant: tenant.clone(), at: self.clock.now(), what };
        self.queue.try_send(Job { write, reply, _room: room.map_err(|_| full())? }).map_err(|refused| {
            match refused {
                mpsc::error::TrySendError::Full(_) => full(),
                mpsc::error::TrySendError::Closed(_) => Error::unavailable("the registry has ended"),
            }
        })?;
        let outcome = match timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => return Err(unknown(ErrorCode::Unavailable, "the registry was interrupted")),
            Err(_) => return Err(unknown(ErrorCode::Timeout, "the registry's store did not answer in time")),
        };
        if let Ok(written) = outcome {
            let mut times = 0;
            if let Some(before) = before
                && is_change
                && written.revision <= before.revision
            {
                // It was written after that was seen. Only in a store that went back can it stand before it.
                times = before.times + 1;
                if self.seen.borrow().is_some_and(|seen| seen.times < times) {
                    self.went_back.store(true, Ordering::Release);
                    self.written.notify_one();
                }
            }
            let mut seen = self.seen.subscribe();
            let is_seen = seen.wait_for(|seen| {
                seen.is_some_and(|seen| seen.revision >= written.revision && seen.times >= times)
            });
            if timeout_at(deadline, is_seen).await.is_err() {
                let message = "it was written, but cannot be read back yet; try again in a moment";
                return Err(Error::new(ErrorCode::Timeout, message).retry_after(AWAY));
            }
        }
        Ok(outcome)
    }

    /// Has the lease of an agent looked at when it could next have run out, or when the agent is to be forgotten.
    pub(crate) fn watch_lease(&self, row: &Arc<Row>) {
        let now = self.clock.now();
        let mut wheel = self.wheel();
        let mut life = row.life();
        if life.gone {
            return;
        }
        let runs_out = life.heard_at.plus(self.config.lease);
        let at = if life.announced { runs_out.plus(self.config.forget_after) } else { runs_out };
        life.due = Some(wheel.enter(turns(at.since(now), self.config.sweep_every), Arc::clone(row)));
    }

    /// Has all leases of the view looked at anew.
    pub(crate) fn watch_all_leases(&self) {
        self.wheel().clear();
        // One that comes in between is entered twice; the turn that it notes last is the one that counts.
        self.view_so_far().each_agent(|row| self.watch_lease(row));
    }

    /// Turns the wheel on; returns the agents that are due.
    pub(crate) fn due(&self) -> Vec<Arc<Row>> {
        let (turn, mut rows) = self.wheel().turn();
        rows.retain(|row| {
            let mut life = row.life();
            !life.gone && life.due.take_if(|due| *due == turn).is_some()
        });
        rows
    }

    fn wheel(&self) -> MutexGuard<'_, Wheel<Arc<Row>>> {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that does not say whether it was done. To ask for the same again does no harm.
fn unknown(code: ErrorCode, why: &str) -> Error {
    Error::new(code, format!("{why}; whether it was written is not known. Try again")).retry_after(AWAY)
}

/// How many turns of the wheel pass until a time is over.
fn turns(time: Duration, every: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(every.as_millis().max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use soorma_core::{AgentRecord, Name};
    use soorma_ports::Standing;
    use soorma_testkit::{MemoryRegistry, TestClock};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_is_due_once_however_often_its_lease_is_looked_at_anew() {
        let clock = Arc::new(TestClock::new());
        let (shared, _queue) = Shared::new(MemoryRegistry::new(), Arc::clone(&clock) as _, Config::default());
        let name = || Name::new("a").expect("a name");
        let record = AgentRecord {
            id: name(),
            name: name(),
            description: String::new(),
            kind: None,
            version: None,
            capabilities: Vec::new(),
            consumes: Vec::new(),
            produces: Vec::new(),
        };
        let now = clock.now();
        let row = Arc::new(Row::new(TenantId::default(), record, Standing::READY, now, now));
        let due = || (0..20).map(|_| shared.due().len()).collect::<Vec<_>>();
        let only_at = |turn: usize| (1..=20).map(|at| usize::from(at == turn)).collect::<Vec<_>>();
        // A lease of five turns.
        shared.watch_lease(&row);
        shared.watch_lease(&row);
        assert_eq!(due(), only_at(5), "twice at the same turn");
        shared.watch_lease(&row);
        row.life().heard_at = now.plus(Duration::from_secs(120));
        shared.watch_lease(&row);
        assert_eq!(due(), only_at(7), "the turn that was noted last");
        shared.watch_lease(&row);
        row.life().gone = true;
        assert_eq!(due(), only_at(0));
        shared.watch_lease(&row);
        assert_eq!(due(), only_at(0), "who is gone is not entered");
    }
}
