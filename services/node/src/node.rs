//! A node: everything in one supervision tree.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use soorma_agents::{Agents, Runtime};
use soorma_bus::EventBus;
use soorma_core::{Error, Topic, TreeNode};
use soorma_edge::Edge;
use soorma_memory::Memories;
use soorma_ports::{Bus, Clock, Directory, Embedder, Entropy, EventLogError, Memory};
use soorma_registry::Registry;
use soorma_supervise::{
    Backoff, ChildSpec, GaveUp, Intensity, Lifecycle, Observer, Root, Shutdown, Strategy, SupervisorSpec,
};

use crate::announcer::Announcer;
use crate::auth::{self, Auth};
use crate::backends::Backends;
use crate::config::{self, Config, Payloads};
use crate::machine::{MachineClock, MachineEntropy};
use crate::models;
use crate::sight;

/// Why a node did not start, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The data folder cannot be used.
    #[error("{0}")]
    Data(String),
    /// The event log cannot be opened.
    #[error("cannot open the event log: {0}{advice}", advice = advice(.0))]
    Log(EventLogError),
    /// The registry cannot be opened.
    #[error("cannot open the registry: {0}")]
    Registry(String),
    /// Memory cannot be opened.
    #[error("cannot open memory: {0}")]
    Memory(String),
    /// The address cannot be listened on.
    #[error("{0}")]
    Listen(String),
    /// Nobody could be let in, or not as is configured.
    #[error("{0}")]
    Auth(String),
    /// There cannot be models as is configured.
    #[error("{0}")]
    Models(String),
    /// One tenant may have more than all of them together.
    #[error("{0}")]
    Bounds(String),
    /// The tree gave up.
    #[error("{0}")]
    GaveUp(#[from] GaveUp),
}

/// What a node is to do beyond its configuration.
#[derive(Clone)]
pub struct Options {
    /// Whether it listens on HTTP.
    pub edge: bool,
    /// The seed of what is left to chance in supervision.
    pub seed: u64,
    /// Hears of what happens to children, besides the log lines; must return at once.
    pub observer: Option<Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self { edge: true, seed: 0, observer: None }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("edge", &self.edge).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    root: Root,
    agents: Agents,
    bus: Arc<EventBus>,
    registry: Arc<Registry>,
    memory: Arc<Memories>,
    embedder: Option<Arc<dyn Embedder>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    backends: Backends,
    addr: Option<SocketAddr>,
    ready: Arc<AtomicBool>,
    tree: Arc<RwLock<Option<Root>>>,
}

/// What stands below the node fails together with its machine: a burst of restarts is tried, then the process ends and
/// its own supervisor (systemd, Kubernetes) decides.
const ROOT: Intensity = Intensity::new(5, Duration::from_secs(30));

/// How long it may take to read all that is registered when the node starts.
const LOADED_WITHIN: Duration = Duration::from_secs(60);

impl Node {
    /// Starts a node; when this returns it takes work.
    ///
    /// # Errors
    /// See [`NodeError`]; nothing is left running.
    pub async fn start(config: Config, options: Options) -> Result<Self, NodeError> {
        let clock: Arc<dyn Clock> = Arc::new(MachineClock);
        let entropy: Arc<dyn Entropy> = Arc::new(MachineEntropy);
        may_hold(&config.registry)?;
        let embedder = models::embedder(&config.models, &entropy).await?;
        // The port is taken before the log is opened: a port in use is found before anything is done.
        let listener = match options.edge {
            true => {
                auth::may_listen(&config, config.edge.listen)?;
                Some((listen(config.edge.listen)?, Auth::open(&config, &clock).await?))
            }
            false => None,
        };
        let generation = embedder.as_ref().map(|embedder| embedder.generation());
        let backends = Backends::open(&config, &clock, generation).await?;
        let bus = EventBus::new(backends.log(), bus_config(&config));
        let (registry_branch, registry) = Registry::new(
            backends.registry(),
            Arc::clone(&clock),
            Arc::clone(&bus) as _,
            soorma_registry::Config { embedder: embedder.clone(), ..registry_config(&config) },
        );
        bus.checked_by(Arc::clone(&registry) as _);
        let (memory_branch, memory) = Memories::new(
            backends.memory(),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            soorma_memory::Config { embedder: embedder.clone(), ..memory_config(&config) },
        );
        let ready = Arc::new(AtomicBool::new(false));
        let (branch, agents) = Agents::new(Runtime {
            bus: Arc::clone(&bus) as _,
            clock: Arc::clone(&clock),
            directory: Some(Arc::clone(&registry) as _),
            memory: Some(Arc::clone(&memory) as _),
            node: config.node.name.clone(),
            heartbeat_every: config.registry.lease / 3,
        });
        let (observer, announcer) =
            Announcer::new(Arc::clone(&bus) as _, Arc::clone(&clock), Arc::clone(&entropy));
        let mut spec = SupervisorSpec::new("root", Strategy::RestForOne).intensity(ROOT);
        if let Some(health) = backends.health() {
            spec = spec.child(health);
        }
        spec = spec
            .child(registry_branch)
            .child(memory_branch)
            .child(bus_branch(&bus))
            .child(ChildSpec::task("announcer", move |cx| Arc::clone(&announcer).run(cx)))
            .child(branch);
        // The edge shows the tree that it is part of: it gets the root when there is one.
        let tree: Arc<RwLock<Option<Root>>> = Arc::default();
        let mut addr = None;
        if let Some((listener, auth)) = listener {
            if let Some(keys) = auth.branch() {
                spec = spec.child(keys);
            }
            addr = listener.local_addr().ok();
            let shown = Arc::clone(&tree);
            let up = Arc::clone(&ready);
            let edge = Edge {
                bus: Arc::clone(&bus) as _,
                agents: Arc::new(agents.clone()),
                directory: Arc::clone(&registry) as _,
                memory: Arc::clone(&memory) as _,
                embedder: generation.map(ToString::to_string),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
                config: edge_config(&config),
                adapter: backends.name().to_owned(),
                access: auth.access,
                tree: Arc::new(move |of, depth, limit| {
                    let root = shown.read().unwrap_or_else(PoisonError::into_inner);
                    root.as_ref().map_or_else(starting, |root| sight::tree(root, of, depth, limit))
                }),
                ready: Arc::new(move || up.load(Ordering::Relaxed)),
            };
            spec = spec.child(edge_branch(listener, edge, config.node.drain_within));
        }
        let observers = [Some(observer), Some(agents.observer()), options.observer];
        let observers: Vec<Observer> = observers.into_iter().flatten().collect();
        let observer = Arc::new(move |turn: &Lifecycle| observers.iter().for_each(|observer| observer(turn)));
        let root = Root::start_with(spec, options.seed, Some(observer)).await?;
        *tree.write().unwrap_or_else(PoisonError::into_inner) = Some(root.clone());
        if tokio::time::timeout(LOADED_WITHIN, registry.loaded()).await.is_err() {
            // The tree holds the root, which holds the tree.
            *tree.write().unwrap_or_else(PoisonError::into_inner) = None;
            root.stop().await?;
            backends.close().await;
            return Err(NodeError::Registry(format!(
                "it could not be read within {} s",
                LOADED_WITHIN.as_secs()
            )));
        }
        ready.store(true, Ordering::Relaxed);
        Ok(Self {
            root,
            agents,
            bus,
            registry,
            memory,
            embedder,
            clock,
            entropy,
            backends,
            addr,
            ready,
            tree,
        })
    }

    /// Returns where it listens.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Returns its bus.
    pub fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus) as _
    }

    /// Returns its registry.
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.registry) as _
    }

    /// Returns its memory.
    pub fn memory(&self) -> Arc<dyn Memory> {
        Arc::clone(&self.memory) as _
    }

    /// Returns what turns texts into vectors, where one is configured.
    pub fn embedder(&self) -> Option<&Arc<dyn Embedder>> {
        self.embedder.as_ref()
    }

    /// Returns the agents that it hosts, to host more.
    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    /// Returns its supervision tree.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Returns its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Returns its randomness.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }

    /// Waits until the node ends by itself, which it does when it gives up.
    ///
    /// # Errors
    /// Why it gave up.
    pub async fn ended(&self) -> Result<(), NodeError> {
        Ok(self.root.ended().await?)
    }

    /// Stops the node in order: no more requests, agents finish what they have in hand, the log is closed.
    ///
    /// # Errors
    /// When it gave up instead.
    pub async fn stop(self) -> Result<(), NodeError> {
        self.ready.store(false, Ordering::Relaxed);
        self.agents.draining();
        let stopped = self.root.stop().await;
        // The edge, a part of the root, holds the root.
        *self.tree.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.backends.close().await;
        Ok(stopped?)
    }
}

/// What is shown before there is a tree.
fn starting() -> TreeNode {
    TreeNode {
        id: "root".to_owned(),
        kind: "supervisor".to_owned(),
        strategy: None,
        state: soorma_core::ChildState::Starting,
        restarts: 0,
        depth: 0,
        credit: 0,
        age_seconds: 0.0,
        restart_in_ms: None,
        last_failure: None,
        children: Vec::new(),
        more: 0,
    }
}

fn listen(addr: SocketAddr) -> Result<TcpListener, NodeError> {
    let listener = TcpListener::bind(addr).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => NodeError::Listen(format!(
            "{addr} is in use by another program. Stop that one, or listen elsewhere with --listen {}:0 (port 0 takes a free one)",
            addr.ip()
        )),
        _ => NodeError::Listen(format!("cannot listen on {addr}: {error}. Give another address with --listen ADDR:PORT")),
    })?;
    let ready = listener.set_nonblocking(true);
    ready.map_err(|error| NodeError::Listen(format!("cannot listen on {addr}: {error}")))?;
    Ok(listener)
}

/// `bus`: one tail reader a topic, and who forgets groups that nobody uses. Publishing and groups need no actor: the log does them.
fn bus_branch(bus: &Arc<EventBus>) -> ChildSpec {
    // A topic that cannot be read is no reason to give up: it is its own live streams that wait.
    let tails = SupervisorSpec::new("tails", Strategy::OneForOne)
        .intensity(Intensity::new(10_000, Duration::from_secs(60)));
    let tails = Topic::ALL.into_iter().fold(tails, |tails, topic| {
        let bus = Arc::clone(bus);
        tails.child(
            ChildSpec::task(topic.as_str(), move |cx| {
                let bus = Arc::clone(&bus);
                async move {
                    tokio::select! {
                        ended = bus.run_tail(topic) => ended.map(|never| match never {}).map_err(Into::into),
                        () = cx.stopping() => Ok(()),
                    }
                }
            })
            .backoff(Backoff::exponential(Duration::from_millis(50), Duration::from_secs(5))),
        )
    });
    let swept = Arc::clone(bus);
    let janitor = ChildSpec::task("janitor", move |cx| {
        let bus = Arc::clone(&swept);
        async move {
            tokio::select! {
                () = bus.run_janitor() => {}
                () = cx.stopping() => {}
            }
            Ok(())
        }
    });
    SupervisorSpec::new("bus", Strategy::RestForOne).child(tails.into()).child(janitor).into()
}

/// `edge`: the listener. The socket outlives a crash, so that clients queue instead of being refused.
fn edge_branch(listener: TcpListener, edge: Edge, drain_within: Duration) -> ChildSpec {
    let task = ChildSpec::task("listener", move |cx| {
        let listener = listener.try_clone().and_then(tokio::net::TcpListener::from_std);
        let edge = edge.clone();
        async move {
            soorma_edge::serve(listener?, edge, async move { cx.stopping().await }).await?;
            Ok(())
        }
    });
    SupervisorSpec::new("edge", Strategy::OneForOne).child(task.shutdown(Shutdown::Stop(drain_within))).into()
}

fn bus_config(config: &Config) -> soorma_bus::Config {
    soorma_bus::Config {
        max_in_flight: config.bus.max_in_flight,
        max_event_bytes: config.bus.max_event_bytes.as_u32(),
        tail_buffer: config.bus.tail_buffer,
    }
}

fn registry_config(config: &Config) -> soorma_registry::Config {
    let own = &config.registry;
    let payloads = |payloads| match payloads {
        Payloads::Off => soorma_registry::Payloads::Off,
        Payloads::Warn => soorma_registry::Payloads::Warn,
        Payloads::Enforce => soorma_registry::Payloads::Enforce,
    };
    soorma_registry::Config {
        lease: own.lease,
        sweep_every: own.sweep_every,
        forget_after: own.forget_after,
        max_agents_per_tenant: usize::try_from(own.max_agents_per_tenant).unwrap_or(usize::MAX),
        max_agents: usize::try_from(own.max_agents).unwrap_or(usize::MAX),
        max_bytes_per_tenant: own.max_bytes_per_tenant.as_usize(),
        max_bytes: own.max_bytes.as_usize(),
        payloads: payloads(own.payloads),
        payloads_of: own.payloads_of.0.iter().map(|(tenant, of)| (tenant.clone(), payloads(*of))).collect(),
        ..soorma_registry::Config::default()
    }
}

fn memory_config(config: &Config) -> soorma_memory::Config {
    let own = &config.memory;
    soorma_memory::Config {
        embed_within: own.embed_within,
        search_within: own.search_within,
        sweep_every: own.janitor_every,
        keep_episodes_for: own.keep_episodes,
        max_entries_per_tenant: own.max_entries_per_tenant,
        max_bytes_per_tenant: own.max_bytes_per_tenant.0,
        max_watchers_per_tenant: usize::try_from(own.max_watches_per_tenant).unwrap_or(usize::MAX),
        ..soorma_memory::Config::default()
    }
}

/// Refuses bounds of one tenant above those of all: they would never hold.
fn may_hold(registry: &config::Registry) -> Result<(), NodeError> {
    let agents = ("agents", u64::from(registry.max_agents_per_tenant), u64::from(registry.max_agents));
    let bytes = ("bytes", registry.max_bytes_per_tenant.0, registry.max_bytes.0);
    let above = [agents, bytes].into_iter().find(|(_, one, all)| one > all);
    above.map_or(Ok(()), |(of, one, all)| {
        Err(NodeError::Bounds(format!(
            "registry.max_{of}_per_tenant is {one}, more than all tenants may have: lower it, or raise registry.max_{of}, which is {all}"
        )))
    })
}

fn edge_config(config: &Config) -> soorma_edge::Config {
    let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    soorma_edge::Config {
        max_body_bytes: config.edge.max_body_bytes.as_usize(),
        max_batch_bytes: config.edge.max_batch_bytes.as_usize(),
        max_streams: number(config.edge.max_streams),
        max_streams_per_tenant: number(config.edge.max_streams_per_tenant),
        max_streams_per_principal: number(config.edge.max_streams_per_principal),
        stall_after: config.edge.stall_after,
        heartbeat_every: config.edge.heartbeat,
        stream_credit: number(config.edge.stream_credit),
        settle_after: config.edge.settle_after,
        ack_within: config.bus.ack_within,
        max_attempts: config.bus.max_attempts,
        group_idle: config.bus.group_idle,
        max_groups_per_tenant: number(config.bus.max_groups_per_tenant),
        ..soorma_edge::Config::default()
    }
}

/// Says what to do where the log itself does not know.
fn advice(error: &EventLogError) -> &'static str {
    match error {
        EventLogError::Corrupt(_) => {
            ". Nothing was changed: put a copy in its place, or start anew in another folder with --data DIR"
        }
        _ => "",
    }
}

impl From<NodeError> for Error {
    fn from(error: NodeError) -> Self {
        let message = error.to_string();
        match error {
            NodeError::Log(error) => Self { message, ..Self::from(error) },
            NodeError::Auth(_) | NodeError::Models(_) | NodeError::Bounds(_) => Self::invalid(message),
            NodeError::Data(_)
            | NodeError::Registry(_)
            | NodeError::Memory(_)
            | NodeError::Listen(_)
            | NodeError::GaveUp(_) => Self::unavailable(message),
        }
    }
}
