//! An actor that fails when told to and is there again: ours, and what one would write by hand.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{ActorCell, ActorProcessingErr, ActorRef, ActorRuntime, RpcReplyPort, SupervisionEvent};
use soorma_supervise::{
    Actor, Addr, Backoff, ChildSpec, Cx, Failure, Intensity, Reply, Root, Strategy, SupervisorSpec,
};
use tokio::sync::{mpsc, oneshot};

use super::PATIENCE;

/// A way to bring an actor back.
pub(crate) trait Phoenix: Sized + Send + Sync + 'static {
    /// What it is called in tables.
    const NAME: &'static str;
    /// Starts the actor and who watches over it.
    fn start() -> impl Future<Output = Self> + Send;
    /// Makes the actor fail.
    fn crash(&self);
    /// Returns the number of the incarnation that answers, if one does.
    fn incarnation(&self) -> impl Future<Output = Option<u64>> + Send;
}

/// Makes the actor fail and asks until its next incarnation, by number, answers.
pub(crate) async fn crash_and_back<P: Phoenix>(phoenix: &P, incarnation: u64) {
    phoenix.crash();
    while phoenix.incarnation().await != Some(incarnation) {
        tokio::task::yield_now().await;
    }
}

type Counter = Arc<AtomicU64>;

pub(crate) struct Supervised {
    addr: Addr<Msg>,
    _root: Root,
}

struct Agent(u64);

enum Msg {
    Fail,
    Get(Reply<u64>),
}

impl Actor for Agent {
    type Args = Counter;
    type Msg = Msg;

    async fn start(counter: Counter, _: &mut Cx<Msg>) -> Result<Self, Failure> {
        Ok(Self(counter.fetch_add(1, Ordering::Relaxed)))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Cx<Msg>) -> Result<(), Failure> {
        match msg {
            Msg::Fail => return Err("told to".into()),
            Msg::Get(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

impl Phoenix for Supervised {
    const NAME: &'static str = "supervised";

    async fn start() -> Self {
        let (agent, addr) = ChildSpec::actor::<Agent>("agent", Counter::default());
        let spec = SupervisorSpec::new("root", Strategy::OneForOne)
            .intensity(Intensity::new(u32::MAX, Duration::from_millis(1)))
            .child(agent.backoff(Backoff::NONE));
        Self { addr, _root: Root::start(spec).await.unwrap() }
    }

    fn crash(&self) {
        self.addr.cast(Msg::Fail).unwrap();
    }

    async fn incarnation(&self) -> Option<u64> {
        self.addr.call(PATIENCE, Msg::Get).await.ok()
    }
}

/// A parent on ractor that spawns its child again and writes down where it is.
pub(crate) struct Ractor(Place);

type Place = Arc<Mutex<Option<ActorRef<RawMsg>>>>;

struct RawAgent;

enum RawMsg {
    Fail,
    Get(RpcReplyPort<u64>),
}

impl ractor::Actor for RawAgent {
    type Msg = RawMsg;
    type State = u64;
    type Arguments = Counter;

    async fn pre_start(&self, _: ActorRef<RawMsg>, counter: Counter) -> Result<u64, ActorProcessingErr> {
        Ok(counter.fetch_add(1, Ordering::Relaxed))
    }

    async fn handle(
        &self,
        _: ActorRef<RawMsg>,
        msg: RawMsg,
        number: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match msg {
            RawMsg::Fail => return Err("told to".into()),
            // Nobody may be waiting any more.
            RawMsg::Get(reply) => drop(reply.send(*number)),
        }
        Ok(())
    }
}

struct Parent;

async fn bring_up(myself: ActorCell, counter: Counter, place: &Place) -> Result<(), ActorProcessingErr> {
    let (agent, _) = ActorRuntime::spawn_linked(None, RawAgent, counter, myself).await?;
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(agent);
    Ok(())
}

impl ractor::Actor for Parent {
    type Msg = ();
    type State = (Counter, Place);
    type Arguments = Place;

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        place: Place,
    ) -> Result<(Counter, Place), ActorProcessingErr> {
        let counter = Counter::default();
        bring_up(myself.get_cell(), Arc::clone(&counter), &place).await?;
        Ok((counter, place))
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        (counter, place): &mut (Counter, Place),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(..) = event {
            bring_up(myself.get_cell(), Arc::clone(counter), place).await?;
        }
        Ok(())
    }
}

impl Ractor {
    fn agent(&self) -> ActorRef<RawMsg> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap()
    }
}

impl Phoenix for Ractor {
    const NAME: &'static str = "ractor, by hand";

    async fn start() -> Self {
        let place = Place::default();
        ActorRuntime::spawn(None, Parent, Arc::clone(&place)).await.unwrap();
        Self(place)
    }

    fn crash(&self) {
        self.agent().send_message(RawMsg::Fail).unwrap();
    }

    async fn incarnation(&self) -> Option<u64> {
        match self.agent().call(RawMsg::Get, Some(PATIENCE)).await {
            Ok(ractor::rpc::CallResult::Success(number)) => Some(number),
            _ => None,
        }
    }
}

/// A task that runs the actor as a task of its own and, when that has ended, does so again.
pub(crate) struct Tokio(Arc<Mutex<mpsc::Sender<TaskMsg>>>);

pub(crate) enum TaskMsg {
    Fail,
    Get(oneshot::Sender<u64>),
}

impl Tokio {
    fn agent(&self) -> mpsc::Sender<TaskMsg> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Phoenix for Tokio {
    const NAME: &'static str = "tokio, by hand";

    async fn start() -> Self {
        let (sender, mut mailbox) = mpsc::channel(1_024);
        let place = Arc::new(Mutex::new(sender));
        let written = Arc::clone(&place);
        tokio::spawn(async move {
            for number in 0.. {
                let agent = tokio::spawn(async move {
                    while let Some(msg) = mailbox.recv().await {
                        match msg {
                            TaskMsg::Fail => return Err("told to"),
                            // Nobody may be waiting any more.
                            TaskMsg::Get(reply) => drop(reply.send(number)),
                        }
                    }
                    Ok(())
                });
                if let Ok(Ok(())) = agent.await {
                    break;
                }
                let (sender, next) = mpsc::channel(1_024);
                mailbox = next;
                *written.lock().unwrap_or_else(PoisonError::into_inner) = sender;
            }
        });
        Self(place)
    }

    fn crash(&self) {
        self.agent().try_send(TaskMsg::Fail).map_err(drop).unwrap();
    }

    async fn incarnation(&self) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        self.agent().send(TaskMsg::Get(reply)).await.ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }
}
