//! Has the registry know the agents that this node hosts: what they can do, how they are, that they live.
//!
//! What it knows is what is to be true; what the registry was told is behind it by as long as a write takes, or as the registry is
//! away. Nobody waits for it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use soorma_core::{
    AgentRecord, AgentStatus, Capability, Error, ErrorCode, EventDefinition, EventRef, Name, PayloadSchema,
    TenantId,
};
use soorma_ports::{Directory, Standing};
use soorma_supervise::{Failure, Lifecycle, Observer, TaskCx, Turn};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::agent::Agent;
use crate::handler::Style;
use crate::host::child_id;

/// How many agents the registry is told of at once.
const AT_ONCE: usize = 256;
/// How long to wait when the registry is away, at first and at most.
const AWAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How long the end waits until all are deregistered; who is not, expires.
pub(crate) const DEREGISTER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Registrar {
    directory: Option<Arc<dyn Directory>>,
    node: String,
    heartbeat_every: Duration,
    hosted: Mutex<BTreeMap<String, Hosted>>,
    /// Whom the registry was told of last: who comes behind is next, so that some whom it refuses do not keep it from the rest.
    last: Mutex<String>,
    news: Notify,
}

/// What the registry is to know of an agent.
#[derive(Debug)]
struct Hosted {
    card: Arc<Card>,
    standing: Standing,
    due: Due,
    /// When the registry is to hear of it again.
    heartbeat_at: Instant,
    /// It was refused: not before this it is told again.
    not_before: Instant,
}

/// What the registry is to be told next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Heartbeat,
    Register,
    Deregister,
}

/// What an agent says of itself.
#[derive(Debug)]
pub(crate) struct Card {
    tenant: TenantId,
    record: AgentRecord,
    events: Vec<EventDefinition>,
    schemas: Vec<PayloadSchema>,
}

impl Card {
    /// Makes the card of an agent on a node; a node with a name has its own agents of the same name as others.
    fn new(agent: &Agent, node: &str) -> Result<Self, Error> {
        let id = if node.is_empty() { agent.name().to_owned() } else { format!("{}@{node}", agent.name()) };
        let id = Name::new(id)
            .map_err(|error| Error::invalid(format!("the agent's name with the node's {error}")))?;
        let about = &agent.about;
        let version = about.version.as_deref().unwrap_or("0.1.0");
        let (mut capabilities, mut events, mut schemas) = (Vec::new(), Vec::new(), Vec::new());
        for spec in &about.capabilities {
            let told = spec.told(version, &id)?;
            capabilities.push(told.capability);
            events.extend(told.events);
            schemas.extend(told.schemas);
        }
        let (mut consumes, mut produces) = (Vec::new(), Vec::new());
        for ((topic, kind), handler) in agent.handlers.iter().filter(|((_, kind), _)| kind != "*") {
            // A type that is no name is one that no event has.
            let Ok(kind) = Name::new(kind.as_str()) else { continue };
            let event = EventRef { name: kind.clone(), topic: Some(*topic) };
            let answer = handler.default_response.as_deref().and_then(|kind| Name::new(kind).ok());
            let told = capabilities.iter().any(|capability: &Capability| capability.consumes == event);
            if !told && handler.style != Style::Event {
                let to = |name: &Name| EventRef {
                    name: name.clone(),
                    topic: Some(soorma_core::Topic::ActionResults),
                };
                capabilities.push(Capability {
                    name: kind.clone(),
                    description: String::new(),
                    consumes: event,
                    produces: answer.iter().map(to).collect(),
                });
            }
            consumes.push(kind);
            produces.extend(answer);
        }
        for capability in &capabilities {
            consumes.push(capability.consumes.name.clone());
            produces.extend(capability.produces.iter().map(|event| event.name.clone()));
        }
        for names in [&mut consumes, &mut produces] {
            names.sort_unstable();
            names.dedup();
        }
        let record = AgentRecord {
            id,
            name: agent.name.clone(),
            description: about.description.clone(),
            kind: Some(about.kind),
            version: about.version.clone(),
            capabilities,
            consumes,
            produces,
        };
        Ok(Self { tenant: agent.tenant.clone(), record, events, schemas })
    }

    /// Tells the registry all of it.
    async fn register(&self, directory: &dyn Directory, standing: Standing) -> Result<(), Error> {
        for schema in &self.schemas {
            match directory.put_schema(&self.tenant, schema.clone()).await {
                Err(error) if error.code != ErrorCode::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        for event in &self.events {
            directory.define_event(&self.tenant, event.clone()).await?;
        }
        directory.register(&self.tenant, self.record.clone(), standing).await.map(|_| ())
    }
}

impl Registrar {
    pub(crate) fn new(
        directory: Option<Arc<dyn Directory>>,
        node: String,
        heartbeat_every: Duration,
    ) -> Arc<Self> {
        let (hosted, last) = (Mutex::default(), Mutex::default());
        Arc::new(Self { directory, node, heartbeat_every, hosted, last, news: Notify::new() })
    }

    fn hosted(&self) -> MutexGuard<'_, BTreeMap<String, Hosted>> {
        self.hosted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the card of an agent that is to be hosted.
    ///
    /// # Errors
    /// When it says of itself what the registry cannot keep.
    pub(crate) fn card(&self, agent: &Agent) -> Result<Card, Error> {
        Card::new(agent, &self.node)
    }

    /// Takes an agent in.
    pub(crate) fn enter(&self, agent: &Agent, card: Card) {
        if self.directory.is_none() {
            return;
        }
        let standing = Standing { status: AgentStatus::Starting, reason: None };
        let hosted = Hosted {
            card: Arc::new(card),
            standing,
            due: Due::Register,
            heartbeat_at: Instant::now() + self.heartbeat_every,
            not_before: Instant::now(),
        };
        self.hosted().insert(child_id(agent), hosted);
        self.news.notify_one();
    }

    /// Notes how an agent is.
    pub(crate) fn note(&self, child_id: &str, status: AgentStatus, reason: Option<String>) {
        let mut hosted = self.hosted();
        let Some(agent) = hosted.get_mut(child_id) else { return };
        let standing = Standing { status, reason };
        // What is to end does not become ready again.
        let ends = agent.due == Due::Deregister || agent.standing.status == AgentStatus::Draining;
        if ends || agent.standing == standing {
            return;
        }
        agent.standing = standing;
        if agent.due == Due::Nothing {
            agent.due = Due::Heartbeat;
        }
        drop(hosted);
        self.news.notify_one();
    }

    /// Notes that agents take nothing more; those in quarantine take nothing already.
    pub(crate) fn draining(&self) {
        let working = |agent: &Hosted| agent.standing.status != AgentStatus::Quarantined;
        let ids: Vec<String> =
            self.hosted().iter().filter(|(_, agent)| working(agent)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.note(&id, AgentStatus::Draining, None);
        }
    }

    /// Lets an agent go.
    pub(crate) fn leave(&self, child_id: &str) {
        if let Some(agent) = self.hosted().get_mut(child_id) {
            agent.due = Due::Deregister;
            agent.not_before = Instant::now();
        }
        self.news.notify_one();
    }

    /// Hears of what befalls agents as a whole; what befalls their parts is theirs.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let registrar = Arc::clone(self);
        Arc::new(move |turn: &Lifecycle| {
            let Some((_, rest)) = turn.path.split_once("/agents/hosted/") else { return };
            let Some((_, id)) = rest.split_once('/').filter(|(_, id)| !id.contains('/')) else { return };
            match &turn.turn {
                Turn::Failed { reason, .. } => {
                    registrar.note(id, AgentStatus::Degraded, Some(format!("restarting: {reason}")));
                }
                Turn::Quarantined { reason } => {
                    registrar.note(id, AgentStatus::Quarantined, Some(reason.clone()));
                }
                // That it takes events it says itself, when it has joined its group.
                Turn::Started | Turn::Ended { .. } | Turn::Abandoned => {}
            }
        })
    }

    /// Tells the registry what is due, until it is to stop; then takes all agents out.
    pub(crate) async fn run(self: Arc<Self>, cx: TaskCx) -> Result<(), Failure> {
        let Some(directory) = self.directory.clone() else {
            cx.stopping().await;
            return Ok(());
        };
        let mut pause = AWAY.0;
        loop {
            let told = self.tell(&*directory).await;
            let wait = match told {
                Told::All => {
                    pause = AWAY.0;
                    self.next()
                }
                Told::Some => {
                    pause = AWAY.0;
                    continue;
                }
                Told::Away(error) => {
                    tracing::warn!(%error, ?pause, "the registry does not hear of agents; trying again");
                    let at = Instant::now() + pause;
                    pause = (pause * 2).min(AWAY.1);
                    at
                }
            };
            let away = pause != AWAY.0;
            tokio::select! {
                () = tokio::time::sleep_until(wait) => {}
                () = self.news.notified(), if !away => {}
                () = cx.stopping() => break,
            }
        }
        for agent in self.hosted().values_mut() {
            agent.due = Due::Deregister;
            agent.not_before = Instant::now();
        }
        let out = async { while matches!(self.tell(&*directory).await, Told::Some) {} };
        if tokio::time::timeout(DEREGISTER_WITHIN, out).await.is_err() {
            tracing::warn!("not all agents could be deregistered in time; they expire");
        }
        Ok(())
    }

    /// When something is due next.
    fn next(&self) -> Instant {
        let at = |agent: &Hosted| match agent.due {
            Due::Nothing => agent.heartbeat_at,
            Due::Heartbeat | Due::Register | Due::Deregister => agent.not_before,
        };
        let next = self.hosted().values().map(at).min();
        next.unwrap_or_else(|| Instant::now() + self.heartbeat_every)
    }

    /// Tells the registry some of what is due.
    async fn tell(&self, directory: &dyn Directory) -> Told {
        let due = self.due();
        if due.is_empty() {
            return Told::All;
        }
        let told = join_all(due.into_iter().map(|due| async move {
            let answer = tell_one(directory, &due).await;
            (due, answer)
        }));
        let mut away = None;
        for (due, answer) in told.await {
            match answer {
                Err(error) if is_away(&error) => away = Some(error),
                answer => self.told(&due, answer),
            }
        }
        away.map_or(Told::Some, Told::Away)
    }

    /// What is due now, at most as much as is told at once.
    fn due(&self) -> Vec<DueNow> {
        let now = Instant::now();
        let mut hosted = self.hosted();
        for agent in
            hosted.values_mut().filter(|agent| agent.due == Due::Nothing && agent.heartbeat_at <= now)
        {
            agent.due = Due::Heartbeat;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = (Bound::Excluded(last.as_str()), Bound::Unbounded);
        let before = (Bound::Unbounded, Bound::Included(last.as_str()));
        let in_turn = hosted.range::<str, _>(behind).chain(hosted.range::<str, _>(before));
        let is_due = |agent: &Hosted| agent.due != Due::Nothing && agent.not_before <= now;
        let due: Vec<_> = in_turn
            .filter(|(_, agent)| is_due(agent))
            .take(AT_ONCE)
            .map(|(id, agent)| DueNow {
                id: id.clone(),
                card: Arc::clone(&agent.card),
                standing: agent.standing.clone(),
                due: agent.due,
            })
            .collect();
        if let Some(told) = due.last() {
            last.clone_from(&told.id);
        }
        due
    }

    /// Notes what the registry knows now.
    fn told(&self, told: &DueNow, answer: Result<bool, Error>) {
        let mut hosted = self.hosted();
        let Some(agent) = hosted.get_mut(&told.id).filter(|agent| Arc::ptr_eq(&agent.card, &told.card))
        else {
            return;
        };
        if let Err(error) = &answer {
            tracing::error!(agent = %told.id, %error, "the registry refuses this agent; it is told again later");
        }
        match (told.due, answer) {
            (Due::Deregister, _) => {
                hosted.remove(&told.id);
                return;
            }
            // Room may come, or a newer version of the registry. The others do not wait for it.
            (_, Err(_)) => {
                agent.not_before = Instant::now() + self.heartbeat_every;
                return;
            }
            // It expired and was forgotten, or another took it out.
            (Due::Heartbeat, Ok(false)) if agent.due != Due::Deregister => agent.due = Due::Register,
            _ if agent.due == Due::Deregister => {}
            _ if agent.standing == told.standing => agent.due = Due::Nothing,
            _ => agent.due = Due::Heartbeat,
        }
        agent.heartbeat_at = Instant::now() + self.heartbeat_every;
    }
}

/// Whether it is the registry that cannot be told of anybody, and not this agent that it does not take.
fn is_away(error: &Error) -> bool {
    matches!(error.code, ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Overloaded)
}

enum Told {
    /// Nothing was due.
    All,
    /// What was due, but there may be more.
    Some,
    /// Not all, since the registry is away.
    Away(Error),
}

/// Something to tell the registry.
struct DueNow {
    id: String,
    card: Arc<Card>,
    standing: Standing,
    due: Due,
}

async fn tell_one(directory: &dyn Directory, due: &DueNow) -> Result<bool, Error> {
    let (tenant, id) = (&due.card.tenant, &due.card.record.id);
    match due.due {
        Due::Nothing => Ok(true),
        Due::Register => due.card.register(directory, due.standing.clone()).await.map(|()| true),
        Due::Heartbeat => directory.heartbeat(tenant, id, Some(due.standing.clone())).await,
        Due::Deregister => directory.deregister(tenant, id).await,
    }
}
