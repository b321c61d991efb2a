//! How actors are spoken to.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Error, ErrorCode};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::slot::Slot;

/// The address of an actor: cheap to clone, bounded, and good for as long as its child exists, however often
/// that is started again.
pub struct Addr<M: Send + 'static> {
    pub(crate) slot: Arc<Slot<M>>,
}

impl<M: Send + 'static> Clone for Addr<M> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot) }
    }
}

impl<M: Send + 'static> std::fmt::Debug for Addr<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Addr({})", self.slot.info.id)
    }
}

/// Why a message was not taken; it comes back.
#[derive(thiserror::Error)]
pub enum CastError<M> {
    /// The mailbox is full.
    #[error("the mailbox is full")]
    Overloaded(M),
    /// The actor is down.
    #[error("the actor is not running")]
    Unavailable {
        /// What was to be sent.
        message: M,
        /// When it is started again, where that is known.
        retry_in: Option<Duration>,
    },
}

impl<M> CastError<M> {
    /// Returns the message.
    pub fn into_message(self) -> M {
        match self {
            Self::Overloaded(message) | Self::Unavailable { message, .. } => message,
        }
    }
}

impl<M> std::fmt::Debug for CastError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Overloaded(_) => f.write_str("Overloaded"),
            Self::Unavailable { retry_in, .. } => write!(f, "Unavailable {{ retry_in: {retry_in:?} }}"),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No place in the mailbox became free in time; the actor has not seen the call.
    #[error("the mailbox stayed full")]
    Overloaded,
    /// The actor is down; it has not seen the call.
    #[error("the actor is not running")]
    Unavailable {
        /// When it is started again, where that is known.
        retry_in: Option<Duration>,
    },
    /// The actor took the call, or still has it before it, and did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The actor ended, or dropped the call, without an answer.
    #[error("the actor ended before it answered")]
    Ended,
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Overloaded => Self::new(ErrorCode::Overloaded, message),
            CallError::Unavailable { retry_in } => {
                Self { code: ErrorCode::Unavailable, message, retry_after: retry_in }
            }
            CallError::Timeout => Self::new(ErrorCode::Timeout, message),
            CallError::Ended => Self::unavailable(message),
        }
    }
}

/// Where the answer to a call goes.
#[derive(Debug)]
pub struct Reply<R>(oneshot::Sender<R>);

impl<R> Reply<R> {
    /// Answers. Nobody may be waiting any more; then the answer is dropped.
    pub fn send(self, answer: R) {
        drop(self.0.send(answer));
    }

    /// Returns whether nobody waits for the answer any more.
    pub fn is_abandoned(&self) -> bool {
        self.0.is_closed()
    }
}

impl<M: Send + 'static> Addr<M> {
    /// Sends a message and does not wait.
    ///
    /// # Errors
    /// [`CastError::Overloaded`] when the mailbox is full, [`CastError::Unavailable`] while the actor is down; the message comes back.
    pub fn cast(&self, message: M) -> Result<(), CastError<M>> {
        let Some(place) = self.slot.try_place() else {
            return Err(match self.slot.is_up() {
                true => CastError::Overloaded(message),
                false => self.down(message),
            });
        };
        self.slot.send(message, Some(place)).map_err(|message| self.down(message))
    }

    /// Sends a message, waiting up to `within` for a place in the mailbox.
    ///
    /// # Errors
    /// As [`cast`](Self::cast); the message comes back.
    pub async fn send(&self, message: M, within: Duration) -> Result<(), CastError<M>> {
        if !self.slot.is_up() {
            return Err(self.down(message));
        }
        match timeout_at(Instant::now() + within, self.slot.place()).await {
            Ok(place) => self.slot.send(message, place).map_err(|message| self.down(message)),
            Err(_) => Err(CastError::Overloaded(message)),
        }
    }

    /// Asks, and waits for the answer; `within` bounds the wait for a place in the mailbox and for the answer together.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<R>(
        &self,
        within: Duration,
        message: impl FnOnce(Reply<R>) -> M,
    ) -> Result<R, CallError> {
        let deadline = Instant::now() + within;
        if !self.slot.is_up() {
            return Err(CallError::Unavailable { retry_in: self.retry_in() });
        }
        let place = match self.slot.try_place() {
            Some(place) => Some(place),
            None => timeout_at(deadline, self.slot.place()).await.map_err(|_| CallError::Overloaded)?,
        };
        let (reply, answer) = oneshot::channel();
        self.slot
            .send(message(Reply(reply)), place)
            .map_err(|_| CallError::Unavailable { retry_in: self.retry_in() })?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Ended),
            Err(_) => Err(CallError::Timeout),
        }
    }

    /// Returns how many messages the mailbox still takes.
    pub fn credit(&self) -> u32 {
        self.slot.depth_and_credit().1
    }

    /// Returns the id of the child.
    pub fn id(&self) -> &str {
        &self.slot.info.id
    }

    fn down(&self, message: M) -> CastError<M> {
        CastError::Unavailable { message, retry_in: self.retry_in() }
    }

    fn retry_in(&self) -> Option<Duration> {
        self.slot.info.life().due.map(|due| due.saturating_duration_since(Instant::now()))
    }
}
