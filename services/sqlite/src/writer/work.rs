//! A piece of work and who waits for it.

use soorma_ports::EventLogError;
use tokio::sync::oneshot;

use super::{Kind, Tx};
use crate::error::Failure;

/// A piece of work on its way through a batch. It may be done several times, each after the former was undone.
pub(crate) trait Work: Send {
    fn kind(&self) -> Kind;

    /// Whether nobody waits for it any more, so that it need not be done.
    fn is_abandoned(&self) -> bool;

    /// How much text it has to be indexed: that takes long.
    fn bytes(&self) -> usize;

    /// Does it, and keeps the answer.
    fn run(&mut self, tx: &mut Tx<'_>) -> rusqlite::Result<()>;

    /// Keeps an error as the answer.
    fn refuse(&mut self, error: EventLogError);

    /// Gives the answer.
    fn answer(self: Box<Self>);
}

pub(super) struct Job<F, A, C, T> {
    kind: Kind,
    bytes: usize,
    work: F,
    committed: C,
    answer: Option<Result<A, EventLogError>>,
    reply: Option<oneshot::Sender<Result<T, EventLogError>>>,
}

impl<F, A, C, T> Job<F, A, C, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<A, Failure>,
    C: FnOnce(A) -> T,
{
    pub(super) fn new(
        kind: Kind,
        work: F,
        committed: C,
        reply: oneshot::Sender<Result<T, EventLogError>>,
    ) -> Self {
        Self { kind, bytes: 0, work, committed, answer: None, reply: Some(reply) }
    }

    pub(super) fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

impl<F> Job<F, (), fn(()), ()>
where
    F: FnMut(&mut Tx<'_>) -> Result<(), Failure>,
{
    pub(super) fn untold(kind: Kind, work: F) -> Self {
        Self { kind, bytes: 0, work, committed: |()| (), answer: None, reply: None }
    }
}

impl<F, A, C, T> Work for Job<F, A, C, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<A, Failure> + Send,
    A: Send,
    C: FnOnce(A) -> T + Send,
    T: Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> rusqlite::Result<()> {
        match (self.work)(tx) {
            Ok(answer) => self.answer = Some(Ok(answer)),
            Err(Failure::Refused(error)) => self.answer = Some(Err(error)),
            Err(Failure::Sql(error)) => return Err(error),
        }
        Ok(())
    }

    fn refuse(&mut self, error: EventLogError) {
        self.answer = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        if let (Some(answer), Some(reply)) = (self.answer, self.reply) {
            // When nobody waits, the answer is dropped; what it holds gives itself back.
            let _sent = reply.send(answer.map(self.committed));
        }
    }
}
