//! What a child's address points to: it stays while incarnations of the child come and go.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ractor::ActorRef;
use soorma_core::ChildState;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What kind of child it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Supervisor,
    Actor,
    Task,
}

/// What is shown of a child, whatever its messages are.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) id: Arc<str>,
    pub(crate) kind: Kind,
    life: Mutex<Life>,
}

/// Where a child is in its life.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) state: ChildState,
    pub(crate) restarts: u64,
    pub(crate) since: Option<Instant>,
    pub(crate) due: Option<Instant>,
    pub(crate) failure: Option<Box<str>>,
}

impl Info {
    pub(crate) fn new(id: Arc<str>, kind: Kind) -> Self {
        let life = Life { state: ChildState::Waiting, restarts: 0, since: None, due: None, failure: None };
        Self { id, kind, life: Mutex::new(life) }
    }

    pub(crate) fn life(&self) -> Life {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Life)) {
        change(&mut self.life.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A message on its way, with the place that it holds in the mailbox.
pub(crate) struct Parcel<M: Send + 'static> {
    pub(crate) message: M,
    /// `None` for what a supervisor sends itself.
    pub(crate) place: Option<Place<M>>,
}

/// A place in a mailbox; free again when dropped: taken by the actor, or lost with it.
pub(crate) struct Place<M: Send + 'static>(Arc<Slot<M>>);

impl<M: Send + 'static> Drop for Place<M> {
    fn drop(&mut self) {
        self.0.places.add_permits(1);
    }
}

/// The mailbox's bound, and the incarnation that works through it now.
pub(crate) struct Slot<M: Send + 'static> {
    pub(crate) info: Info,
    bound: u32,
    places: Semaphore,
    actor: RwLock<Option<ActorRef<Parcel<M>>>>,
}

impl<M: Send + 'static> Slot<M> {
    pub(crate) fn new(id: Arc<str>, kind: Kind, bound: u32) -> Arc<Self> {
        let places = Semaphore::new(usize::try_from(bound).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS));
        Arc::new(Self { info: Info::new(id, kind), bound, places, actor: RwLock::new(None) })
    }

    /// Messages that wait, and messages for which there is room.
    pub(crate) fn depth_and_credit(&self) -> (u32, u32) {
        let credit = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX).min(self.bound);
        (self.bound - credit, credit)
    }

    /// Puts an incarnation behind the address, or takes it away.
    pub(crate) fn point_to(&self, actor: Option<ActorRef<Parcel<M>>>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = actor;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.actor.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn actor(&self) -> Option<ActorRef<Parcel<M>>> {
        self.actor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a place if there is one.
    pub(crate) fn try_place(self: &Arc<Self>) -> Option<Place<M>> {
        self.places.try_acquire().ok()?.forget();
        Some(Place(Arc::clone(self)))
    }

    /// Waits for a place.
    pub(crate) async fn place(self: &Arc<Self>) -> Option<Place<M>> {
        self.places.acquire().await.ok()?.forget();
        Some(Place(Arc::clone(self)))
    }

    /// Sends to the incarnation of now; gives the message back when there is none.
    pub(crate) fn send(&self, message: M, place: Option<Place<M>>) -> Result<(), M> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        let Some(actor) = actor.as_ref() else {
            return Err(message);
        };
        match actor.send_message(Parcel { message, place }) {
            Ok(()) => Ok(()),
            // A message of ours comes back in this case alone: the actor has ended and its supervisor has not seen it yet.
            Err(ractor::MessagingErr::SendErr(parcel)) => Err(parcel.message),
            // Neither happens for a local actor of this very message type.
            Err(ractor::MessagingErr::ChannelClosed | ractor::MessagingErr::InvalidActorType) => Ok(()),
        }
    }
}
