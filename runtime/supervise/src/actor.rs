//! The author's side of an actor, and what carries it on ractor.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorProcessingErr, ActorRef};
use tokio::task::{AbortHandle, JoinSet};

use crate::addr::Addr;
use crate::slot::{Info, Parcel, Slot};
use crate::spec::{Child, Shutdown};
use crate::supervisor::Boss;

/// Why an actor or task failed. `?` makes it from any error, `.into()` from any text.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A [`Failure`] that a restart will not mend: the supervisor gives up at once, whatever its intensity.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// State that one message at a time may change. What is expected to go wrong is a reply; a [`Failure`], or a
/// panic, is a crash: the state is gone, and the supervisor decides.
pub trait Actor: Send + Sized + 'static {
    /// What each incarnation is made from.
    type Args: Clone + Send + Sync + 'static;
    /// What it understands.
    type Msg: Send + 'static;

    /// Makes an incarnation. Messages that arrive meanwhile wait.
    fn start(args: Self::Args, cx: &mut Cx<Self::Msg>) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Handles a message.
    fn handle(
        &mut self,
        msg: Self::Msg,
        cx: &mut Cx<Self::Msg>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Does its last act; not after a failure or a kill.
    fn stop(&mut self, _cx: &mut Cx<Self::Msg>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// What an actor knows of itself.
pub struct Cx<M: Send + 'static> {
    addr: Addr<M>,
    parent: Arc<str>,
    myself: ActorRef<Parcel<M>>,
    tasks: Option<JoinSet<()>>,
}

impl<M: Send + 'static> std::fmt::Debug for Cx<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cx({})", self.path())
    }
}

impl<M: Send + 'static> Cx<M> {
    /// Returns the actor's own address.
    pub fn addr(&self) -> &Addr<M> {
        &self.addr
    }

    /// Returns the actor's path in the tree.
    pub fn path(&self) -> String {
        format!("{}/{}", self.parent, self.addr.id())
    }

    /// Ends the actor after this message, as done: what waits in the mailbox is dropped.
    pub fn stop(&self) {
        self.myself.stop(None);
    }

    /// Runs a future beside the actor; it is cut off when the actor ends. It cannot fail: it says what came of it
    /// by a message.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let tasks = self.tasks.get_or_insert_with(JoinSet::new);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(future)
    }
}

pub(crate) struct ActorChild<A: Actor> {
    slot: Arc<Slot<A::Msg>>,
    args: A::Args,
}

impl<A: Actor> ActorChild<A> {
    pub(crate) fn new(slot: Arc<Slot<A::Msg>>, args: A::Args) -> Self {
        Self { slot, args }
    }
}

impl<A: Actor> Child for ActorChild<A> {
    fn info(&self) -> &Info {
        &self.slot.info
    }

    fn depth_and_credit(&self) -> (u32, u32) {
        self.slot.depth_and_credit()
    }

    fn spawn<'a>(&'a self, boss: &'a Boss) -> BoxFuture<'a, Result<ActorCell, String>> {
        Box::pin(async move {
            let boot = Boot {
                slot: Arc::clone(&self.slot),
                args: self.args.clone(),
                parent: Arc::clone(&boss.path),
            };
            let (actor, _) =
                ractor::ActorRuntime::spawn_linked(None, Shell::<A>(PhantomData), boot, boss.cell.clone())
                    .await
                    .map_err(|error| error.to_string())?;
            Ok(actor.get_cell())
        })
    }

    fn ask(&self, cell: &ActorCell, how: Option<Shutdown>) {
        match how {
            // Draining fails only where the actor has ended already.
            Some(Shutdown::Drain(_)) => drop(cell.drain()),
            Some(Shutdown::Stop(_) | Shutdown::Kill) | None => cell.stop(None),
        }
    }

    fn down(&self) {
        self.slot.point_to(None);
    }

    fn kill(&self) -> bool {
        self.slot.actor().map(|actor| actor.kill()).is_some()
    }
}

/// The actor of ractor in which an [`Actor`] lives. Its start runs in `post_start`: there it neither blocks the supervisor,
/// as `pre_start` would, nor escapes it.
pub(crate) struct Shell<A>(PhantomData<fn() -> A>);

pub(crate) struct Boot<A: Actor> {
    slot: Arc<Slot<A::Msg>>,
    args: A::Args,
    parent: Arc<str>,
}

pub(crate) enum Stage<A: Actor> {
    Booting(A::Args, Cx<A::Msg>),
    Live(A, Cx<A::Msg>),
    Failed,
}

/// Drops the actor unless its message came to a good end. ractor tells the supervisor of an end first and drops the state
/// afterwards: the next incarnation would find in use what the last one still holds.
struct Hold<'a, A: Actor> {
    stage: &'a mut Stage<A>,
    keep: bool,
}

impl<A: Actor> Drop for Hold<'_, A> {
    fn drop(&mut self) {
        if !self.keep {
            *self.stage = Stage::Failed;
        }
    }
}

impl<A: Actor> ractor::Actor for Shell<A> {
    type Msg = Parcel<A::Msg>;
    type State = Stage<A>;
    type Arguments = Boot<A>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        boot: Boot<A>,
    ) -> Result<Stage<A>, ActorProcessingErr> {
        boot.slot.point_to(Some(myself.clone()));
        let cx = Cx { addr: Addr { slot: boot.slot }, parent: boot.parent, myself, tasks: None };
        Ok(Stage::Booting(boot.args, cx))
    }

    async fn post_start(
        &self,
        _: ActorRef<Self::Msg>,
        stage: &mut Stage<A>,
    ) -> Result<(), ActorProcessingErr> {
        if let Stage::Booting(args, mut cx) = std::mem::replace(stage, Stage::Failed) {
            let actor = A::start(args, &mut cx).await?;
            *stage = Stage::Live(actor, cx);
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        parcel: Parcel<A::Msg>,
        stage: &mut Stage<A>,
    ) -> Result<(), ActorProcessingErr> {
        drop(parcel.place);
        let mut hold = Hold { stage, keep: false };
        let done = match &mut *hold.stage {
            Stage::Live(actor, cx) => AssertUnwindSafe(actor.handle(parcel.message, cx)).catch_unwind().await,
            Stage::Booting(..) | Stage::Failed => Ok(Ok(())),
        };
        hold.keep = matches!(done, Ok(Ok(())));
        drop(hold);
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn post_stop(
        &self,
        _: ActorRef<Self::Msg>,
        stage: &mut Stage<A>,
    ) -> Result<(), ActorProcessingErr> {
        if let Stage::Live(mut actor, mut cx) = std::mem::replace(stage, Stage::Failed) {
            actor.stop(&mut cx).await;
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        _: ractor::SupervisionEvent,
        _: &mut Stage<A>,
    ) -> Result<(), ActorProcessingErr> {
        // Actors have no children: those are a supervisor's.
        Ok(())
    }
}
