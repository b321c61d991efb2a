//! The thread that writes. It takes all work that waits, does it in one transaction, commits, and answers all.
//!
//! When a piece of work fails, the batch is undone and its halves are done one after the other, until the piece stands alone:
//! it does not spoil its neighbours, and they cost nothing when nothing fails. One for which there is no room is known and
//! refused at once, since in a full store there are many. When the commit fails, nothing stays and all are answered with the
//! error.

mod batch;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::Connection;
use soorma_core::Timestamp;
use soorma_ports::{Clock, EventLogError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{Failure, closed, log_error};
use crate::log::{LogClock, LogState};

use batch::Committer;
use work::{Job, Work};

/// How many pieces of work one transaction takes.
const BATCH: usize = 1_024;
/// How many wait before those who ask wait themselves.
const WAITING: usize = 4_096;

/// How many bytes of text are indexed in one transaction, but for the last of its works: that takes some hundredth of a second.
const INDEXED: usize = 64 * 1_024;
/// Work with more of it than that lets others go before it.
const SMALL: usize = 4 * 1_024;

/// What a piece of work asks of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Takes room for good: synced, and refused when the file has its largest size. It changes nothing of any group.
    Grows,
    /// Synced to the disk before it is answered.
    Synced,
    /// Written before it is answered, so it survives the end of the process; after a power cut it may be undone.
    Written,
    /// Like that, and not done at all when nobody waits for it any more.
    HandOut,
}

/// What a piece of work has at hand.
pub(crate) struct Tx<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) state: &'a mut LogState,
    /// The log's own time, by which things fall due.
    pub(crate) now: i64,
    /// The time that is written down.
    pub(crate) wall: Timestamp,
}

pub(crate) enum Message {
    Work(Box<dyn Work>),
    /// What is done after all that was asked before it, outside of the batch's transaction.
    Alone(Box<dyn FnOnce(&Connection) + Send>),
    Close(oneshot::Sender<()>),
}

/// The way to the writer. It ends when nobody has one any more.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    inbox: mpsc::Sender<Message>,
}

/// A way to the writer that does not keep it alive.
#[derive(Debug, Clone)]
pub(crate) struct WeakWriter {
    inbox: mpsc::WeakSender<Message>,
}

/// What the thread is started with.
pub(crate) struct Start {
    pub(crate) connection: Connection,
    pub(crate) state: LogState,
    pub(crate) time: LogClock,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) max_bytes: Option<u64>,
    /// Held until the connection is closed.
    pub(crate) alive: watch::Receiver<()>,
}

impl Writer {
    pub(crate) fn start(start: Start) -> Result<Self, EventLogError> {
        let Start { connection, state, time, clock, max_bytes, alive } = start;
        let (inbox, messages) = mpsc::channel(WAITING);
        // The thread asks the clock of the runtime that it serves.
        let runtime = Handle::try_current().ok();
        let committer = Committer::new(connection, state, time, clock, max_bytes)?;
        let write = move || {
            let _entered = runtime.as_ref().map(Handle::enter);
            run(committer, messages);
            drop(alive);
        };
        std::thread::Builder::new()
            .name("soorma-log-write".into())
            .spawn(write)
            .map_err(|error| EventLogError::Unavailable(format!("no thread for writing: {error}")))?;
        Ok(Self { inbox })
    }

    /// Has a piece of work done, and waits until it is committed.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, EventLogError> {
        self.ask_with(kind, work, |answer| answer).await
    }

    /// The same for what has so many bytes to be searched by: where they are many, others go before it.
    pub(crate) async fn ask_for<T: Send + 'static>(
        &self,
        kind: Kind,
        bytes: usize,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, EventLogError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job::new(kind, work, |answer| answer, reply).of_bytes(bytes));
        self.inbox.send(Message::Work(job)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// The same, and turns the answer into another once it is committed, even if nobody waits for it any more.
    pub(crate) async fn ask_with<A: Send + 'static, T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnMut(&mut Tx<'_>) -> Result<A, Failure> + Send + 'static,
        committed: impl FnOnce(A) -> T + Send + 'static,
    ) -> Result<T, EventLogError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job::new(kind, work, committed, reply));
        self.inbox.send(Message::Work(job)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Has something done that is a transaction of its own, or more than one. It changes nothing that the writer has in memory.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, EventLogError> {
        let (reply, answer) = oneshot::channel();
        let work = move |connection: &Connection| {
            // That nobody waits any more is no error.
            let _sent = reply.send(work(connection).map_err(|error| log_error(&error)));
        };
        self.inbox.send(Message::Alone(Box::new(work))).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Closes the database after all that was accepted before.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.inbox.send(Message::Close(done)).await.is_ok() {
            // An error says that it has ended already.
            let _ended = closed.await;
        }
    }

    pub(crate) fn downgrade(&self) -> WeakWriter {
        WeakWriter { inbox: self.inbox.downgrade() }
    }
}

impl WeakWriter {
    /// Has a piece of work done, if the writer is there and not full; nobody waits for it.
    pub(crate) fn tell(
        &self,
        kind: Kind,
        work: impl FnMut(&mut Tx<'_>) -> Result<(), Failure> + Send + 'static,
    ) -> bool {
        let Some(inbox) = self.inbox.upgrade() else { return false };
        let job = Box::new(Job::untold(kind, work));
        inbox.try_send(Message::Work(job)).is_ok()
    }
}

fn run(mut committer: Committer, mut inbox: mpsc::Receiver<Message>) {
    let mut messages = Vec::with_capacity(BATCH);
    // What others do not wait for: some of it goes with each batch.
    let mut large: VecDeque<Box<dyn Work>> = VecDeque::new();
    loop {
        if large.is_empty() && !committer.is_untidy() {
            if inbox.blocking_recv_many(&mut messages, BATCH) == 0 {
                break;
            }
        } else {
            // While many are waiting, those behind them wait, too.
            while messages.len() < BATCH
                && large.len() < WAITING
                && let Ok(message) = inbox.try_recv()
            {
                messages.push(message);
            }
            // That nobody can ask any more is no reason to stay for what may be done later.
            if messages.is_empty() && large.is_empty() && inbox.is_closed() && inbox.is_empty() {
                break;
            }
        }
        let (mut works, mut alone) = (Vec::with_capacity(messages.len() + 1), Vec::new());
        let (mut close, mut bytes) = (None, 0);
        for message in messages.drain(..) {
            match message {
                // What comes after a close is dropped, which answers it.
                Message::Work(work) if close.is_none() => {
                    let more = bytes + work.bytes();
                    if work.bytes() > SMALL || more > INDEXED {
                        large.push_back(work);
                    } else {
                        bytes = more;
                        works.push(work);
                    }
                }
                Message::Alone(work) if close.is_none() => alone.push(work),
                Message::Close(done) if close.is_none() => close = Some(done),
                Message::Work(_) | Message::Alone(_) | Message::Close(_) => {}
            }
        }
        let mut bytes = 0;
        while bytes < INDEXED
            && let Some(work) = large.pop_front()
        {
            bytes += work.bytes();
            works.push(work);
        }
        committer.carry_out(works);
        alone.into_iter().for_each(|work| committer.alone(work));
        if let Some(done) = close {
            drop(inbox);
            large.into_iter().for_each(|work| committer.carry_out(vec![work]));
            committer.close();
            let _waiting = done.send(());
            return;
        }
        committer.tidy();
    }
    committer.close();
}
