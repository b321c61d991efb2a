//! The supervisor: carries out on ractor what its [`Ward`] decides. A crash of it takes its children along; the next
//! incarnation starts them from the brood, which outlives it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use soorma_core::ChildState;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::actor::Fatal;
use crate::addr::{Addr, Reply};
use crate::brood::Brood;
use crate::handle::SupervisorHandle;
use crate::intensity::Intensity;
use crate::lifecycle::{Lifecycle, Observer, Turn};
use crate::slot::{Info, Kind, Parcel, Slot};
use crate::spec::{Child, ChildSpec, Shutdown, SupervisorSpec};
use crate::ward::{Effect, Exit, Key, Note, Ward};

/// What all supervisors of one root share.
pub(crate) struct Env {
    pub(crate) seed: u64,
    pub(crate) observer: Option<Observer>,
}

/// A supervisor, as its children see it.
pub(crate) struct Boss {
    pub(crate) cell: ActorCell,
    actor: ActorRef<Parcel<Command>>,
    pub(crate) path: Arc<str>,
    env: Arc<Env>,
}

/// What a supervisor is told.
pub(crate) enum Command {
    Added(Key, Reply<()>),
    Leave(Key, Reply<()>),
    Release(Key, Reply<bool>),
    /// All children of that child, itself a supervisor, have been up.
    ChildReady(ActorId),
    Stop,
    Tick,
}

/// What a root hears of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Starting,
    Ready,
    Ended(Option<String>),
}

#[derive(Clone)]
pub(crate) struct SupervisorChild {
    slot: Arc<Slot<Command>>,
    brood: Arc<Brood>,
    intensity: Intensity,
    dynamic: bool,
}

impl SupervisorChild {
    pub(crate) fn new(spec: SupervisorSpec) -> Self {
        let brood = Brood::new(spec.strategy);
        for child in spec.children {
            let id = Arc::clone(&child.policy.id);
            let added = brood.insert(child);
            debug_assert!(added.is_ok(), "two children of {} have the id {id}", spec.id);
        }
        let slot = Slot::new(spec.id, Kind::Supervisor, 1_024);
        Self { slot, brood: Arc::new(brood), intensity: spec.intensity, dynamic: spec.dynamic }
    }

    pub(crate) fn handle(&self) -> SupervisorHandle {
        SupervisorHandle { addr: Addr { slot: Arc::clone(&self.slot) }, brood: Arc::clone(&self.brood) }
    }

    /// Starts it with nobody above it.
    pub(crate) async fn spawn_root(
        &self,
        env: Arc<Env>,
        outcome: watch::Sender<Outcome>,
    ) -> Result<(), String> {
        let boot = Boot {
            me: self.clone(),
            path: Arc::clone(&self.slot.info.id),
            env,
            parent: None,
            outcome: Some(outcome),
        };
        ractor::ActorRuntime::spawn(None, Supervisor, boot).await.map_err(|error| error.to_string())?;
        Ok(())
    }

    pub(crate) fn stop(&self) {
        send(self.slot.actor().as_ref(), Command::Stop);
    }
}

fn send(actor: Option<&ActorRef<Parcel<Command>>>, message: Command) {
    if let Some(actor) = actor {
        // Who has ended needs no word any more.
        drop(actor.send_message(Parcel { message, place: None }));
    }
}

impl Child for SupervisorChild {
    fn info(&self) -> &Info {
        &self.slot.info
    }

    fn depth_and_credit(&self) -> (u32, u32) {
        self.slot.depth_and_credit()
    }

    fn brood(&self) -> Option<&Arc<Brood>> {
        Some(&self.brood)
    }

    fn spawn<'a>(&'a self, boss: &'a Boss) -> BoxFuture<'a, Result<ActorCell, String>> {
        Box::pin(async move {
            let boot = Boot {
                me: self.clone(),
                path: format!("{}/{}", boss.path, self.slot.info.id).into(),
                env: Arc::clone(&boss.env),
                parent: Some(boss.actor.clone()),
                outcome: None,
            };
            let (actor, _) = ractor::ActorRuntime::spawn_linked(None, Supervisor, boot, boss.cell.clone())
                .await
                .map_err(|error| error.to_string())?;
            Ok(actor.get_cell())
        })
    }

    fn ask(&self, _: &ActorCell, _: Option<Shutdown>) {
        self.stop();
    }

    fn down(&self) {
        self.slot.point_to(None);
    }

    fn kill(&self) -> bool {
        self.slot.actor().map(|actor| actor.kill()).is_some()
    }
}

struct Supervisor;

struct Boot {
    me: SupervisorChild,
    path: Arc<str>,
    env: Arc<Env>,
    parent: Option<ActorRef<Parcel<Command>>>,
    outcome: Option<watch::Sender<Outcome>>,
}

struct State {
    me: SupervisorChild,
    boss: Boss,
    parent: Option<ActorRef<Parcel<Command>>>,
    outcome: Option<watch::Sender<Outcome>>,
    ward: Ward,
    kids: HashMap<Key, Kid>,
    keys: HashMap<ActorId, Key>,
    timer: Option<(Instant, AbortHandle)>,
    leaving: HashMap<Key, Vec<Reply<()>>>,
}

struct Kid {
    spec: ChildSpec,
    cell: Option<ActorCell>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some((_, timer)) = &self.timer {
            timer.abort();
        }
    }
}

impl ractor::Actor for Supervisor {
    type Msg = Parcel<Command>;
    type State = State;
    type Arguments = Boot;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, boot: Boot) -> Result<State, ActorProcessingErr> {
        let Boot { me, path, env, parent, outcome } = boot;
        // The path is in the seed, so that siblings which fail together come back apart.
        let seed = path.bytes().fold(env.seed, |seed, byte| seed.rotate_left(5) ^ u64::from(byte));
        let mut ward = Ward::new(me.brood.strategy, me.intensity, me.dynamic, seed);
        let mut kids = HashMap::new();
        // The address comes first: what is added or removed from now on waits in the mailbox, and is known twice at worst.
        me.slot.point_to(Some(myself.clone()));
        for (key, spec) in me.brood.all() {
            // Addresses may still point to children of an incarnation before this one.
            spec.child.down();
            spec.child.info().change(|life| life.state = ChildState::Waiting);
            ward.enlist(key, Arc::clone(&spec.policy));
            kids.insert(key, Kid { spec, cell: None });
        }
        let boss = Boss { cell: myself.get_cell(), actor: myself, path, env };
        Ok(State {
            me,
            boss,
            parent,
            outcome,
            ward,
            kids,
            keys: HashMap::new(),
            timer: None,
            leaving: HashMap::new(),
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.ward.begin(Instant::now());
        state.act(&myself).await
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        parcel: Parcel<Command>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        drop(parcel.place);
        let now = Instant::now();
        let mut added = None;
        match parcel.message {
            Command::Added(key, reply) => {
                // A key that is known came with the brood when this incarnation started.
                if let Some(spec) = state.me.brood.get(key).filter(|_| !state.ward.knows(key)) {
                    let policy = Arc::clone(&spec.policy);
                    state.kids.insert(key, Kid { spec, cell: None });
                    state.ward.add(key, policy, now);
                }
                added = Some(reply);
            }
            Command::Leave(key, reply) if state.ward.knows(key) => {
                state.leaving.entry(key).or_default().push(reply);
                state.ward.remove(key, now);
            }
            Command::Leave(key, reply) => {
                state.me.brood.forget(key);
                reply.send(());
            }
            Command::Release(key, reply) => reply.send(state.ward.release(key, now)),
            Command::ChildReady(id) => {
                if let Some(key) = state.keys.get(&id) {
                    state.ward.started(*key, now);
                }
            }
            Command::Stop => state.ward.stop(now),
            Command::Tick => {
                state.timer = None;
                state.ward.tick(now);
            }
        }
        let acted = state.act(&myself).await;
        if let Some(reply) = added {
            reply.send(());
        }
        acted
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        match event {
            SupervisionEvent::ActorStarted(cell) => {
                if let Some(key) = state.keys.get(&cell.get_id())
                    && state.kids.get(key).is_some_and(|kid| kid.spec.child.info().kind != Kind::Supervisor)
                {
                    state.ward.started(*key, now);
                }
            }
            SupervisionEvent::ActorTerminated(cell, last, reason) => {
                // What it held is free before the next incarnation starts.
                drop(last);
                let exit = match reason {
                    Some(reason) if reason == ractor::Signal::Kill.to_string() => {
                        Exit::Failed("killed".to_owned())
                    }
                    _ => Exit::Normal,
                };
                state.ended(&cell, exit, now);
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                let exit = if error.is::<Fatal>() { Exit::Fatal } else { Exit::Failed };
                state.ended(&cell, exit(error.to_string()), now);
            }
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        state.act(&myself).await
    }
}

impl State {
    fn ended(&mut self, cell: &ActorCell, exit: Exit, now: Instant) {
        // A child that was given up on may end after all, unknown by then.
        let Some(key) = self.keys.remove(&cell.get_id()) else {
            return;
        };
        if let Some(kid) = self.kids.get_mut(&key) {
            kid.cell = None;
            kid.spec.child.down();
        }
        self.ward.ended(key, exit, now);
    }

    /// Carries out what the ward has decided.
    async fn act(&mut self, myself: &ActorRef<Parcel<Command>>) -> Result<(), ActorProcessingErr> {
        while let Some(effect) = self.ward.effect() {
            match effect {
                Effect::Start(key) => self.start(key).await,
                Effect::Ask(key, how) => self.ask(key, Some(how)),
                Effect::AskOrderly(key) => self.ask(key, None),
                Effect::Kill(key) => {
                    if let Some(cell) = self.kids.get(&key).and_then(|kid| kid.cell.as_ref()) {
                        cell.kill();
                    }
                }
                Effect::Abandon(key) => self.abandon(key),
                Effect::Note(key, note) => self.note(key, note),
                Effect::Forget(key) => {
                    self.kids.remove(&key);
                    self.me.brood.forget(key);
                    for reply in self.leaving.remove(&key).unwrap_or_default() {
                        reply.send(());
                    }
                }
                Effect::Ready => {
                    send(self.parent.as_ref(), Command::ChildReady(myself.get_id()));
                    if let Some(outcome) = &self.outcome {
                        outcome.send_replace(Outcome::Ready);
                        self.me.slot.info.change(|life| {
                            life.state = ChildState::Running;
                            life.since = Some(Instant::now());
                        });
                    }
                }
                Effect::End(why) => {
                    if let Some(outcome) = &self.outcome {
                        outcome.send_replace(Outcome::Ended(why.clone()));
                        self.me.slot.point_to(None);
                        self.me.slot.info.change(|life| life.state = ChildState::Stopped);
                    }
                    match why {
                        None => myself.stop(None),
                        Some(why) => return Err(why.into()),
                    }
                }
            }
        }
        self.arm(myself);
        Ok(())
    }

    async fn start(&mut self, key: Key) {
        let Some(kid) = self.kids.get_mut(&key) else {
            return;
        };
        kid.spec.child.info().change(|life| {
            life.state = ChildState::Starting;
            life.restarts += u64::from(life.since.is_some());
            life.since = Some(Instant::now());
            life.due = None;
        });
        match kid.spec.child.spawn(&self.boss).await {
            Ok(cell) => {
                self.keys.insert(cell.get_id(), key);
                kid.cell = Some(cell);
            }
            Err(error) => self.ward.ended(key, Exit::Failed(error), Instant::now()),
        }
    }

    fn ask(&mut self, key: Key, how: Option<Shutdown>) {
        if let Some(Kid { spec, cell: Some(cell) }) = self.kids.get(&key) {
            spec.child.ask(cell, how);
        }
    }

    fn abandon(&mut self, key: Key) {
        let Some(kid) = self.kids.get_mut(&key) else {
            return;
        };
        if let Some(cell) = kid.cell.take() {
            self.keys.remove(&cell.get_id());
            cell.unlink(self.boss.cell.clone());
        }
        kid.spec.child.down();
        tracing::error!(child = %self.path(key), "killed child does not end; it is given up on and may still run");
        self.observe(key, Turn::Abandoned);
    }

    fn note(&mut self, key: Key, note: Note) {
        let Some(kid) = self.kids.get(&key) else { return };
        let now = Instant::now();
        let info = kid.spec.child.info();
        let failure = |reason: &str| Some(reason.into());
        match &note {
            Note::Up => info.change(|life| life.state = ChildState::Running),
            Note::Stopping => info.change(|life| life.state = ChildState::Stopping),
            Note::Waiting => info.change(|life| life.state = ChildState::Waiting),
            Note::Failed { reason, due } => info.change(|life| {
                life.state = ChildState::Restarting;
                life.failure = failure(reason);
                life.due = Some(*due);
            }),
            Note::Held { reason } => info.change(|life| {
                life.state = ChildState::Quarantined;
                life.failure = failure(reason);
                life.due = None;
            }),
            Note::Done { reason } => info.change(|life| {
                life.state = ChildState::Stopped;
                life.failure = reason.as_deref().map(Into::into).or(life.failure.take());
                life.due = None;
            }),
        }
        match note {
            Note::Up => {
                tracing::debug!(child = %self.path(key), "started");
                self.observe(key, Turn::Started);
            }
            Note::Failed { reason, due } => {
                let restart_in = due.saturating_duration_since(now);
                tracing::warn!(child = %self.path(key), error = %reason, ?restart_in, "failed; is started again");
                self.observe(key, Turn::Failed { reason, restart_in });
            }
            Note::Held { reason } => {
                tracing::error!(child = %self.path(key), error = %reason, "failed; is held in quarantine");
                self.observe(key, Turn::Quarantined { reason });
            }
            Note::Done { reason } => {
                tracing::debug!(child = %self.path(key), error = ?reason, "ended");
                self.observe(key, Turn::Ended { reason });
            }
            Note::Stopping | Note::Waiting => {}
        }
    }

    fn observe(&self, key: Key, turn: Turn) {
        if let Some(observer) = &self.boss.env.observer {
            observer(&Lifecycle { path: self.path(key), turn });
        }
    }

    fn path(&self, key: Key) -> String {
        let id = self.kids.get(&key).map_or("?", |kid| kid.spec.id());
        format!("{}/{id}", self.boss.path)
    }

    /// Sees to it that a tick comes when something is due.
    #[expect(clippy::disallowed_methods, reason = "the supervisor's own clock; ends with it")]
    fn arm(&mut self, myself: &ActorRef<Parcel<Command>>) {
        let Some(due) = self.ward.next_due() else { return };
        if self.timer.as_ref().is_some_and(|(armed, _)| *armed <= due) {
            return;
        }
        let actor = myself.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            send(Some(&actor), Command::Tick);
        });
        if let Some((_, old)) = self.timer.replace((due, timer.abort_handle())) {
            old.abort();
        }
    }
}
