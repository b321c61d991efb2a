//! The agents of a node: hosted, stopped, quarantined, released.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use soorma_core::{AgentStatus, Error, ErrorCode, TenantId};
use soorma_ports::{Bus, Clock, Directory, Memory};
use soorma_supervise::{
    Backoff, ChildSpec, Intensity, Observer, Sharded, Shutdown, StartError, Strategy, SupervisorSpec,
};
use tokio::sync::{Mutex, mpsc};

use crate::agent::Agent;
use crate::dispatcher::Desk;
use crate::external::{External, MAX_CONNECTIONS};
use crate::instance::Common;
use crate::limits::Instances;
use crate::pool::instance;
use crate::registrar::{DEREGISTER_WITHIN, Registrar};

/// What agents need of the node.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// Where they publish, and where their events come from.
    pub bus: Arc<dyn Bus>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where hosted agents are registered; nowhere where there is none.
    pub directory: Option<Arc<dyn Directory>>,
    /// Where they remember; nowhere where there is none.
    pub memory: Option<Arc<dyn Memory>>,
    /// What sets the agents of this node apart from those of the same name on others; empty where there is one node.
    pub node: String,
    /// How often the registry hears that hosted agents live: well within their lease.
    pub heartbeat_every: Duration,
}

/// The agents of a node: those that it hosts, and, by [`ExternalAgents`](soorma_ports::ExternalAgents), those that are connected to it.
#[derive(Debug, Clone)]
pub struct Agents {
    pub(crate) hosted: Sharded,
    pub(crate) external: External,
    pub(crate) runtime: Runtime,
    registrar: Arc<Registrar>,
    hosting: Arc<Mutex<()>>,
}

/// How many agents a node hosts at most.
const MAX_AGENTS: usize = 100_000;

impl Agents {
    /// Describes the branch of the tree in which agents live, `agents`, and gives the handle to host them.
    pub fn new(runtime: Runtime) -> (ChildSpec, Self) {
        // An agent that fails is held, so what fails here is a shard itself, by a fault of ours or a test's.
        let (hosted, sharded) =
            Sharded::new("hosted", Intensity::new(100, Duration::from_secs(10)), MAX_AGENTS);
        let (external, proxies) =
            Sharded::new("external", Intensity::new(100, Duration::from_secs(10)), MAX_CONNECTIONS);
        let registrar =
            Registrar::new(runtime.directory.clone(), runtime.node.clone(), runtime.heartbeat_every);
        let registered = Arc::clone(&registrar);
        let branch = SupervisorSpec::new("agents", Strategy::OneForOne)
            .intensity(Intensity::new(100, Duration::from_secs(10)))
            .backoff(Backoff::NONE)
            // Started before the agents, it stops after them: they are registered while they work.
            .child(
                ChildSpec::task("registrar", move |cx| Arc::clone(&registered).run(cx))
                    .shutdown(Shutdown::Stop(DEREGISTER_WITHIN + Duration::from_secs(1)))
                    .backoff(Backoff::default()),
            )
            .child(hosted.backoff(Backoff::NONE))
            .child(external.backoff(Backoff::NONE));
        let external = External::new(proxies);
        (branch.into(), Self { hosted: sharded, external, runtime, registrar, hosting: Arc::default() })
    }

    /// Hosts an agent: what is published after this returns, it gets.
    ///
    /// # Errors
    /// When it handles nothing, an agent of that name and tenant is there, the node hosts as many as it may, or the log is away.
    pub async fn host(&self, agent: impl Into<Agent>) -> Result<(), Error> {
        let agent = agent.into();
        if agent.handlers.is_empty() {
            let name = agent.name();
            return Err(Error::invalid(format!(
                "the agent {name} handles nothing; give it a handler before it is hosted"
            )));
        }
        let name = agent.name().to_owned();
        let exists =
            || Error::new(ErrorCode::AlreadyExists, format!("an agent named {name} is hosted already"));
        // One at a time: to join says anew what the group is, which must not happen to that of an agent at work.
        let _one = self.hosting.lock().await;
        if self.hosted.contains(&child_id(&agent)) {
            return Err(exists());
        }
        let card = self.registrar.card(&agent)?;
        // The group is there before the agent is: its dispatcher joins it in its own time.
        self.runtime.bus.join(agent.group()).await?;
        self.registrar.enter(&agent, card);
        let id = child_id(&agent);
        let spec = supervisor(agent, self.runtime.clone(), Arc::clone(&self.registrar));
        self.hosted.start(spec.quarantine()).await.map_err(|error| {
            self.registrar.leave(&id);
            match error {
                StartError::Exists => exists(),
                StartError::Full => Error::new(
                    ErrorCode::Overloaded,
                    format!("this node hosts {MAX_AGENTS} agents, as many as it may"),
                ),
            }
        })
    }

    /// Hears of what happens to children of the tree, and tells the registry how agents are. Must hear of all.
    pub fn observer(&self) -> Observer {
        self.registrar.observer()
    }

    /// Says in the registry that the agents of this node finish what they have in hand and take no more.
    pub fn draining(&self) {
        self.registrar.draining();
    }

    /// Stops an agent when it has finished what it has in hand; returns whether it was there. Its group stays in the log.
    pub async fn stop(&self, agent: &Agent) -> bool {
        let id = child_id(agent);
        self.registrar.note(&id, AgentStatus::Draining, None);
        // It ends also where nobody waits for that any more.
        let leaving = Leaving { registrar: &self.registrar, id: &id };
        let was_there = self.hosted.remove(&id).await;
        drop(leaving);
        was_there
    }

    /// Lets an agent out of quarantine; returns whether it was in it.
    pub async fn release(&self, agent: &Agent) -> bool {
        self.hosted.release(&child_id(agent)).await
    }
}

/// Takes an agent out of the registry when it is dropped.
struct Leaving<'a> {
    registrar: &'a Registrar,
    id: &'a str,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.registrar.leave(self.id);
    }
}

/// Agents of the default tenant go by their names, others by `name@tenant`; what parts a path or an id is escaped.
pub(crate) fn name_in(name: &str, tenant: &TenantId) -> String {
    let shown = escape(name);
    if *tenant == TenantId::default() { shown } else { format!("{shown}@{}", escape(tenant.as_str())) }
}

pub(crate) fn child_id(agent: &Agent) -> String {
    name_in(agent.name(), &agent.tenant)
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F").replace('@', "%40")
}

/// Returns whose agent it is, and its name, by the agent's id in the tree. `None` when it is no such id.
pub fn agent_of(child_id: &str) -> Option<(TenantId, String)> {
    let plain = |text: &str| text.replace("%40", "@").replace("%2F", "/").replace("%25", "%");
    if child_id.contains('/') {
        return None;
    }
    match child_id.split_once('@') {
        Some((name, tenant)) => Some((TenantId::new(&plain(tenant)).ok()?, plain(name))),
        None => Some((TenantId::default(), plain(child_id))),
    }
}

/// An agent's branch: instances, and after them the dispatcher, which is lost with them.
fn supervisor(agent: Agent, runtime: Runtime, registrar: Arc<Registrar>) -> ChildSpec {
    let id = child_id(&agent);
    let limits = agent.limits.clone();
    let (words, heard) = mpsc::unbounded_channel();
    let common =
        Arc::new(Common { name: agent.name().into(), id: id.clone(), agent, runtime, registrar, words });
    let mut instances = SupervisorSpec::dynamic("instances").intensity(limits.crashes).backoff(Backoff::NONE);
    let mut addrs = Vec::new();
    if let Instances::Pool(n) = common.agent.instances {
        for seat in 0..n.max(1) {
            let (spec, addr) = instance(&common, seat.to_string(), seat.into());
            instances = instances.child(spec);
            addrs.push(addr);
        }
    }
    let first_seat = AtomicU64::new(u64::try_from(addrs.len()).unwrap_or(u64::MAX));
    let (instances, supervisor) = instances.into_child();
    let desk =
        Arc::new(Desk { of: common, words: Mutex::new(heard), supervisor, addrs, next_seat: first_seat });
    let dispatcher = ChildSpec::task("dispatcher", move |cx| Arc::clone(&desk).run(cx))
        // The dispatcher gives up by itself a little earlier.
        .shutdown(Shutdown::Stop(limits.drain_within + Duration::from_secs(2)))
        .backoff(Backoff::default());
    SupervisorSpec::new(id, Strategy::RestForOne)
        .intensity(limits.restarts)
        .child(instances)
        .child(dispatcher)
        .into()
}
