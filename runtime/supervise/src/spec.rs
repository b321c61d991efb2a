//! Children and supervisors as data.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::{Actor, ActorChild, Failure};
use crate::addr::Addr;
use crate::backoff::Backoff;
use crate::brood::Brood;
use crate::handle::SupervisorHandle;
use crate::intensity::Intensity;
use crate::slot::{Info, Kind, Slot};
use crate::supervisor::{Boss, SupervisorChild};
use crate::task::{TaskChild, TaskCx};

/// When a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// When it failed; not when it ended by itself.
    Transient,
    /// Never.
    Temporary,
}

/// How a child is stopped. One that has not ended in its time is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// It handles what waits in its mailbox, then stops.
    Drain(Duration),
    /// It finishes the message in hand, then stops; what waits is dropped, and its callers are told.
    Stop(Duration),
    /// It is cut off at its next await, without its last act.
    Kill,
}

/// Who else is restarted when a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Nobody.
    OneForOne,
    /// All its siblings.
    OneForAll,
    /// The siblings that were started after it.
    RestForOne,
}

impl Strategy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        }
    }
}

/// What a supervisor must know of a child to decide on it.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) id: Arc<str>,
    pub(crate) restart: Restart,
    /// Held when it fails, not restarted.
    pub(crate) hold: bool,
    /// `None` for supervisors: their children's deadlines bound them.
    pub(crate) shutdown: Option<Shutdown>,
    pub(crate) start_within: Option<Duration>,
    pub(crate) backoff: Backoff,
}

/// Whatever can be started, stopped and shown.
pub(crate) trait Child: Send + Sync {
    fn info(&self) -> &Info;
    /// Messages that wait, and room for more.
    fn depth_and_credit(&self) -> (u32, u32);
    fn brood(&self) -> Option<&Arc<Brood>> {
        None
    }
    /// Starts an incarnation, linked to its supervisor.
    fn spawn<'a>(
        &'a self,
        boss: &'a Boss,
    ) -> futures_util::future::BoxFuture<'a, Result<ractor::ActorCell, String>>;
    /// Asks the incarnation to stop. `None` is for supervisors.
    fn ask(&self, cell: &ractor::ActorCell, how: Option<Shutdown>);
    /// The incarnation has ended.
    fn down(&self);
    /// Cuts off the incarnation of now.
    fn kill(&self) -> bool;
}

/// A child, described: what to start, when to start it again, how to stop it.
#[derive(Clone)]
pub struct ChildSpec {
    pub(crate) child: Arc<dyn Child>,
    pub(crate) policy: Arc<Policy>,
}

impl std::fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ChildSpec").field(&self.policy).finish()
    }
}

/// What waits for an actor at most, where its spec does not say: more is a sign that somebody does not wait for answers.
const MAILBOX: u32 = 1_024;

impl ChildSpec {
    /// An actor, made anew from `args` at each start, and its address. Permanent, stopped within 5 seconds, default backoff,
    /// a mailbox of 1,024 places, 30 seconds to start.
    pub fn actor<A: Actor>(id: impl Into<Arc<str>>, args: A::Args) -> (Self, Addr<A::Msg>) {
        Self::actor_with_mailbox::<A>(id, args, MAILBOX)
    }

    /// As [`actor`](Self::actor), with a mailbox of a given size, at least 1.
    pub fn actor_with_mailbox<A: Actor>(
        id: impl Into<Arc<str>>,
        args: A::Args,
        mailbox: u32,
    ) -> (Self, Addr<A::Msg>) {
        let id = id.into();
        let slot = Slot::new(Arc::clone(&id), Kind::Actor, mailbox.max(1));
        let addr = Addr { slot: Arc::clone(&slot) };
        (Self::new(id, Arc::new(ActorChild::<A>::new(slot, args))), addr)
    }

    /// A task: a future, made anew at each start, that runs until it ends or is asked to stop by [`TaskCx::stopping`].
    /// Permanent, stopped within 5 seconds, default backoff.
    pub fn task<F, Fut>(id: impl Into<Arc<str>>, make: F) -> Self
    where
        F: Fn(TaskCx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self::gauged_task(id, || (0, 0), make)
    }

    /// As [`task`](Self::task), with a gauge that the tree shows as depth and credit: how much the task has in hand, and how much
    /// more it takes. It must return at once.
    pub fn gauged_task<F, Fut>(
        id: impl Into<Arc<str>>,
        gauge: impl Fn() -> (u32, u32) + Send + Sync + 'static,
        make: F,
    ) -> Self
    where
        F: Fn(TaskCx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let id = id.into();
        Self::new(Arc::clone(&id), Arc::new(TaskChild::new(id, Box::new(gauge), make)))
    }

    pub(crate) fn new(id: Arc<str>, child: Arc<dyn Child>) -> Self {
        let policy = Policy {
            id,
            restart: Restart::Permanent,
            hold: false,
            shutdown: Some(Shutdown::Stop(Duration::from_secs(5))),
            start_within: Some(Duration::from_secs(30)),
            backoff: Backoff::default(),
        };
        Self { child, policy: Arc::new(policy) }
    }

    /// Says when it is started again.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.policy_mut().restart = restart;
        self
    }

    /// Says that it is held when it fails, instead of being restarted, until [`SupervisorHandle::release`].
    #[must_use]
    pub fn quarantine(mut self) -> Self {
        self.policy_mut().hold = true;
        self
    }

    /// Says how it is stopped. Without effect on supervisors, which stop when their children have.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        if self.policy.shutdown.is_some() {
            self.policy_mut().shutdown = Some(shutdown);
        }
        self
    }

    /// Says how long its start may take; `None` for as long as it takes.
    #[must_use]
    pub fn start_within(mut self, within: Option<Duration>) -> Self {
        self.policy_mut().start_within = within;
        self
    }

    /// Says how long to wait before a restart.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy_mut().backoff = backoff;
        self
    }

    fn policy_mut(&mut self) -> &mut Policy {
        Arc::make_mut(&mut self.policy)
    }

    /// Returns its id.
    pub fn id(&self) -> &str {
        &self.policy.id
    }
}

/// A supervisor, described.
#[derive(Debug)]
pub struct SupervisorSpec {
    pub(crate) id: Arc<str>,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) backoff: Backoff,
    pub(crate) dynamic: bool,
    pub(crate) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// A supervisor of children that are started in the order given and stopped in reverse.
    pub fn new(id: impl Into<Arc<str>>, strategy: Strategy) -> Self {
        Self {
            id: id.into(),
            strategy,
            intensity: Intensity::default(),
            backoff: Backoff::default(),
            dynamic: false,
            children: Vec::new(),
        }
    }

    /// A supervisor of children that come and go (one for one): they know no order, start and stop side by side,
    /// and are dropped when they are done.
    pub fn dynamic(id: impl Into<Arc<str>>) -> Self {
        Self { dynamic: true, ..Self::new(id, Strategy::OneForOne) }
    }

    /// Says how many restarts are too many.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// Says how long to wait before the supervisor itself is restarted.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Adds a child after those that are there.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// Makes it a child of another supervisor, with a handle to add and remove children of its own.
    pub fn into_child(self) -> (ChildSpec, SupervisorHandle) {
        let backoff = self.backoff;
        let child = SupervisorChild::new(self);
        let handle = child.handle();
        let mut spec =
            ChildSpec::new(Arc::clone(&child.info().id), Arc::new(child)).backoff(backoff).start_within(None);
        spec.policy_mut().shutdown = None;
        (spec, handle)
    }
}

impl From<SupervisorSpec> for ChildSpec {
    fn from(spec: SupervisorSpec) -> Self {
        spec.into_child().0
    }
}
