//! Threads that read, so that nobody who reads waits for a commit.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use soorma_ports::EventLogError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{Failure, closed, log_error};
use crate::schema::open_reader;

/// How many read at once.
const THREADS: usize = 2;
/// How many reads wait before those who ask wait themselves.
const WAITING: usize = 256;

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Debug)]
pub(crate) struct Readers {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Readers {
    /// Starts the threads; each holds on to `alive` until its connection is closed.
    pub(crate) fn start(path: &Path, name: &str, alive: &watch::Receiver<()>) -> Result<Self, EventLogError> {
        let (sender, receiver) = mpsc::channel::<Job>(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for nth in 0..THREADS {
            let (connection, receiver, alive) = (open_reader(path)?, receiver.clone(), alive.clone());
            let read = move || {
                loop {
                    // Who holds the lock waits for the next job, and lets go of it before the work.
                    let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                    let Some(job) = job else { break };
                    job(&connection);
                }
                drop(connection);
                drop(alive);
            };
            std::thread::Builder::new()
                .name(format!("soorma-log-{name}-{nth}"))
                .spawn(read)
                .map_err(|error| EventLogError::Unavailable(format!("no thread for reading: {error}")))?;
        }
        Ok(Self { jobs: Mutex::new(Some(sender)) })
    }

    /// Reads in one transaction, that is, at one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, EventLogError> {
        self.ask(|connection| {
            // A transaction that only reads ends by being dropped.
            let transaction = connection.unchecked_transaction()?;
            read(&transaction)
        })
        .await
    }

    /// Reads outside of a transaction: each statement looks at its own moment.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, EventLogError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
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
        jobs.send(Box::new(job)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Takes no more reads; the threads end after those that wait.
    pub(crate) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
