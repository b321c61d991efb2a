//! Threads for what takes longer to read, as ranking does: tenants have them by turns, and none has all of them.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use soorma_core::TenantId;
use soorma_ports::EventLogError;
use tokio::sync::{oneshot, watch};

use crate::error::{Failure, closed, log_error};
use crate::schema::open_reader;
use crate::turns::Turns;

/// How many work at once.
const THREADS: usize = 3;
/// How many of them a tenant has at most: there is always one for the next.
const OF_A_TENANT: usize = THREADS - 1;
/// How many that look after what is there: they may take long, and nobody waits at the door for them.
const OF_UPKEEP: usize = 1;
/// How much of a tenant waits; what comes beyond is refused.
const WAITING: usize = 256;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// For whom something is read: a tenant, or nobody where it is for all.
type Who = Option<TenantId>;

#[derive(Debug)]
pub(crate) struct Rankers {
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    state: Mutex<State>,
    /// There is something to do.
    bell: Condvar,
}

struct State {
    turns: Turns<Who, Job>,
    is_closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("is_closed", &self.is_closed).finish_non_exhaustive()
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job; nothing when there will be none.
    fn next(&self) -> Option<(Who, Job)> {
        let mut state = self.state();
        loop {
            let taken = state.turns.take(|who| if who.is_some() { OF_A_TENANT } else { OF_UPKEEP });
            if taken.is_some() {
                return taken;
            }
            if state.is_closed && state.turns.is_empty() {
                return None;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, who: &Who) {
        let mut state = self.state();
        state.turns.done(who);
        // Who has done this takes the next; the others wait for more, or for the end.
        if state.is_closed {
            self.bell.notify_all();
        }
    }
}

impl Rankers {
    /// Starts the threads; each holds on to `alive` until its connection is closed.
    pub(crate) fn start(path: &Path, alive: &watch::Receiver<()>) -> Result<Self, EventLogError> {
        let state = Mutex::new(State { turns: Turns::new(WAITING), is_closed: false });
        let rankers = Self { desk: Arc::new(Desk { state, bell: Condvar::new() }) };
        for nth in 0..THREADS {
            let (connection, desk, alive) = (open_reader(path)?, rankers.desk.clone(), alive.clone());
            let work = move || {
                while let Some((who, job)) = desk.next() {
                    job(&connection);
                    desk.done(&who);
                }
                drop(connection);
                drop(alive);
            };
            std::thread::Builder::new()
                .name(format!("soorma-log-rank-{nth}"))
                .spawn(work)
                .map_err(|error| EventLogError::Unavailable(format!("no thread for ranking: {error}")))?;
        }
        Ok(rankers)
    }

    /// Reads outside of a transaction, in the turn of a tenant: each statement looks at its own moment.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        who: Who,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, EventLogError> {
        let (reply, answer) = oneshot::channel();
        let job = move |connection: &Connection| {
            if reply.is_closed() {
                return;
            }
            let found = read(connection).map_err(|failure| match failure {
                Failure::Refused(error) => error,
                Failure::Sql(error) => log_error(&error),
            });
            // That nobody waits any more is no error.
            let _sent = reply.send(found);
        };
        {
            let mut state = self.desk.state();
            if state.is_closed {
                return Err(closed());
            }
            if !state.turns.push(who, Box::new(job)) {
                return Err(EventLogError::Unavailable(
                    "too much waits to be searched for this tenant".into(),
                ));
            }
        }
        self.desk.bell.notify_one();
        answer.await.map_err(|_| closed())?
    }

    /// Takes no more reads; the threads end after those that wait.
    pub(crate) fn close(&self) {
        self.desk.state().is_closed = true;
        self.desk.bell.notify_all();
    }
}

impl Drop for Rankers {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tempfile::TempDir;

    use super::*;
    use crate::schema::open_writer;

    struct World {
        rankers: Arc<Rankers>,
        ended: watch::Sender<()>,
        _folder: TempDir,
    }

    fn world() -> World {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("log.db");
        open_writer(&path).unwrap();
        let (ended, alive) = watch::channel(());
        World { rankers: Arc::new(Rankers::start(&path, &alive).unwrap()), ended, _folder: folder }
    }

    fn who(name: &str) -> Who {
        Some(TenantId::new(name).unwrap())
    }

    /// Has jobs asked for that tell that they have begun, and end when the gate opens.
    fn held(
        world: &World,
        who: &Who,
        count: usize,
    ) -> (mpsc::Receiver<()>, mpsc::Sender<()>, tokio::task::JoinSet<()>) {
        let ((begun, has_begun), (gate, opened)) = (mpsc::channel(), mpsc::channel::<()>());
        let (opened, mut tasks) = (Arc::new(Mutex::new(opened)), tokio::task::JoinSet::new());
        for _ in 0..count {
            let (rankers, who, begun, opened) =
                (world.rankers.clone(), who.clone(), begun.clone(), opened.clone());
            tasks.spawn(async move {
                let read = move |_: &Connection| {
                    begun.send(()).unwrap();
                    // Nothing is ever sent: it ends when the other end is dropped.
                    let _opened = opened.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    Ok(())
                };
                rankers.ask(who, read).await.unwrap();
            });
        }
        (has_begun, gate, tasks)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_tenant_that_asks_for_much_leaves_a_thread_to_the_others() {
        let world = world();
        let (begun, gate, tasks) = held(&world, &who("acme"), 50);
        for _ in 0..OF_A_TENANT {
            begun.recv().unwrap();
        }
        for name in ["globex", "initech"] {
            assert_eq!(world.rankers.ask(who(name), |_| Ok(7)).await, Ok(7));
        }
        assert!(begun.try_recv().is_err(), "and it has no more of them");
        drop(gate);
        tasks.join_all().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_for_all_takes_one_thread() {
        let world = world();
        let (begun, gate, tasks) = held(&world, &None, 3);
        begun.recv().unwrap();
        assert_eq!(world.rankers.ask(who("acme"), |_| Ok(7)).await, Ok(7));
        assert!(begun.try_recv().is_err());
        drop(gate);
        tasks.join_all().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_asked_is_answered_before_the_end() {
        let world = world();
        let (begun, gate, tasks) = held(&world, &who("acme"), 10);
        begun.recv().unwrap();
        let last = world.rankers.ask(who("globex"), |_| Ok(7)).await;
        world.rankers.close();
        assert!(world.rankers.ask(who("globex"), |_| Ok(7)).await.is_err());
        drop(gate);
        assert_eq!(last, Ok(7));
        drop(tasks);
        world.ended.closed().await;
    }
}
