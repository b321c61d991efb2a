//! Registries over one store, with a bus to say things on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use serde_json::Value;
use soorma_bus::EventBus;
use soorma_core::{
    AgentKind, AgentRecord, Capability, ChildState, Data, Error, EventDefinition, EventRef, Name,
    PayloadSchema, Position, SchemaVersion, TenantId, Timestamp, Topic, TreeNode,
};
use soorma_ports::{
    AgentQuery, Directory, Entry, EventLog, Reach, ReadFrom, Refused, Registered, RegistryPage,
    RegistryStore, RegistryStoreError, RegistryWrite, Standing, Written,
};
use soorma_registry::{Config, Registry};
use soorma_supervise::{Intensity, Root, Strategy, SupervisorSpec};
use soorma_testkit::{FaultyLog, MemoryLog, MemoryRegistry, TestClock, name, tenant};
use tokio::sync::watch;

pub(crate) const LEASE: Duration = Duration::from_secs(300);
pub(crate) const SWEEP: Duration = Duration::from_secs(60);

/// A store that can be away, slow or forgetful.
#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Arc<MemoryRegistry>>,
    away: AtomicBool,
    /// Why the next writes of a call with more than one, or with what grows, fail.
    refuses: Mutex<Option<(Refuses, RegistryStoreError)>>,
    /// Writes, and what is to be forgotten, wait until this is true.
    open: watch::Sender<bool>,
    /// Who asks for changes is not answered; writes are.
    mute: watch::Sender<bool>,
    /// How long who waits for changes is left waiting after one.
    late: Mutex<Duration>,
    /// The next call for changes is told that they are gone.
    forgot: AtomicBool,
    pub(crate) writes: AtomicUsize,
}

/// Which calls are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refuses {
    /// Those that put something.
    Growing,
    /// Those that name this agent.
    Of(&'static str),
}

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(MemoryRegistry::new()),
            away: AtomicBool::new(false),
            refuses: Mutex::new(None),
            open: watch::Sender::new(true),
            mute: watch::Sender::new(false),
            late: Mutex::default(),
            forgot: AtomicBool::new(false),
            writes: AtomicUsize::new(0),
        })
    }

    fn inner(&self) -> Arc<MemoryRegistry> {
        Arc::clone(&self.inner.lock().expect("whole"))
    }

    /// Puts a copy of before in its place: an empty one.
    pub(crate) fn go_back(&self) {
        *self.inner.lock().expect("whole") = MemoryRegistry::new();
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn hold(&self, held: bool) {
        self.open.send_replace(!held);
    }

    pub(crate) fn tell_late(&self, late: Duration) {
        *self.late.lock().expect("whole") = late;
    }

    pub(crate) fn mute(&self, mute: bool) {
        self.mute.send_replace(mute);
    }

    pub(crate) fn refuse(&self, what: Option<(Refuses, RegistryStoreError)>) {
        *self.refuses.lock().expect("whole") = what;
    }

    pub(crate) fn forget_once(&self) {
        self.forgot.store(true, Ordering::SeqCst);
    }

    fn is_there(&self) -> Result<(), RegistryStoreError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(RegistryStoreError::Unavailable("unplugged".into())),
            false => Ok(()),
        }
    }

    /// Reads all that there is, past whatever is planned.
    pub(crate) async fn all(&self) -> RegistryPage {
        self.inner().changes(0.into(), usize::MAX).await.expect("it is there")
    }
}

fn is_refused(what: Refuses, write: &RegistryWrite) -> bool {
    use soorma_ports::RegistryAct as Act;
    match (what, &write.what) {
        (Refuses::Growing, Act::PutAgent { .. } | Act::PutEvent(_) | Act::PutSchema(_)) => true,
        (Refuses::Of(id), Act::PutAgent { agent, .. }) => agent.id.as_str() == id,
        _ => false,
    }
}

#[async_trait]
impl RegistryStore for Store {
    async fn write(
        &self,
        writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.open.subscribe().wait_for(|open| *open).await.expect("the sender is ours");
        self.is_there()?;
        let refuses = self.refuses.lock().expect("whole").clone();
        match refuses {
            Some((what, error)) if writes.iter().any(|write| is_refused(what, write)) => Err(error),
            _ => self.inner().write(writes).await,
        }
    }

    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        self.mute.subscribe().wait_for(|mute| !*mute).await.expect("the sender is ours");
        self.is_there()?;
        if from.after > 0 && self.forgot.swap(false, Ordering::SeqCst) {
            return Err(RegistryStoreError::Gone(from.after));
        }
        // Small pages, so that there are several.
        self.inner().changes(from, limit.min(7)).await
    }

    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError> {
        self.is_there()?;
        let late = *self.late.lock().expect("whole");
        self.inner().changed(after).await?;
        tokio::time::sleep(late).await;
        Ok(())
    }

    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError> {
        self.open.subscribe().wait_for(|open| *open).await.expect("the sender is ours");
        self.is_there()?;
        self.inner().forget(removed_before).await
    }

    async fn check(&self) -> Result<(), RegistryStoreError> {
        self.is_there()?;
        match &*self.refuses.lock().expect("whole") {
            Some((Refuses::Growing, error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// What several nodes share.
pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) bus: Arc<EventBus>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(TestClock::new());
        let log = FaultyLog::new(MemoryLog::new(Arc::clone(&clock) as _));
        let bus = EventBus::new(Arc::clone(&log) as _, soorma_bus::Config::default());
        Self { store: Store::new(), clock, log, bus }
    }

    /// Starts a node with a registry and waits until it has read all.
    pub(crate) async fn node(&self, config: Config) -> Node {
        let node = self.start(config, Arc::clone(&self.clock)).await;
        node.registry.loaded().await;
        node
    }

    pub(crate) async fn start(&self, config: Config, clock: Arc<TestClock>) -> Node {
        let (branch, registry) =
            Registry::new(Arc::clone(&self.store) as _, clock, Arc::clone(&self.bus) as _, config);
        // Tests kill more often than a branch would bear.
        let spec = SupervisorSpec::new("root", Strategy::OneForOne)
            .intensity(Intensity::new(1_000, Duration::from_secs(60)))
            .child(branch);
        Node { root: Root::start(spec).await.expect("it starts"), registry }
    }

    /// Returns what was said on `system-events`: kind and subject of each, in order.
    pub(crate) async fn said(&self) -> Vec<(String, String)> {
        let entries = self.announcements().await;
        entries
            .iter()
            .map(|entry| (entry.event.kind.clone(), entry.event.subject.clone().unwrap_or_default()))
            .collect()
    }

    pub(crate) async fn announcements(&self) -> Vec<Entry> {
        let read = self.log.read(&Reach::Platform, Topic::SystemEvents, Position(0), 10_000);
        read.await.expect("the log is there").entries
    }
}

pub(crate) struct Node {
    pub(crate) root: Root,
    pub(crate) registry: Arc<Registry>,
}

impl Node {
    pub(crate) async fn register(&self, agent: AgentRecord) -> bool {
        self.put(agent).await.expect("registered")
    }

    pub(crate) async fn put(&self, agent: AgentRecord) -> Result<bool, Error> {
        self.registry.register(&one(), agent, Standing::READY).await
    }

    pub(crate) async fn hear(&self, id: &str) -> Result<bool, Error> {
        self.registry.heartbeat(&one(), &name(id), None).await
    }

    pub(crate) fn status(&self, id: &str) -> Option<String> {
        let agent = self.registry.agent(&one(), &name(id)).expect("it answers");
        agent.map(|agent| agent.standing.status.to_string())
    }

    /// Returns the ids of the agents that fit, in order.
    pub(crate) fn ids(&self, query: &AgentQuery) -> Vec<String> {
        ids(&asked(&self.registry, &one(), query))
    }
}

pub(crate) fn ids(agents: &[Registered]) -> Vec<String> {
    agents.iter().map(|agent| agent.said.record.id.to_string()).collect()
}

pub(crate) fn one() -> TenantId {
    tenant("one")
}

pub(crate) fn all() -> AgentQuery {
    AgentQuery { limit: 10_000, ..AgentQuery::default() }
}

/// An agent with a name, a capability, and the events of that.
pub(crate) fn agent(id: &str, named: &str, capability: &str) -> AgentRecord {
    let event = |name: String, topic| EventRef { name: Name::new(name).expect("a name"), topic: Some(topic) };
    let (asks, answers) = (format!("{capability}.requested"), format!("{capability}.done"));
    AgentRecord {
        id: name(id),
        name: name(named),
        description: format!("Does {capability}."),
        kind: Some(AgentKind::Worker),
        version: None,
        consumes: vec![name(&asks)],
        produces: vec![name(&answers)],
        capabilities: vec![Capability {
            name: name(capability),
            description: String::new(),
            consumes: event(asks, Topic::ActionRequests),
            produces: vec![event(answers, Topic::ActionResults)],
        }],
    }
}

pub(crate) fn definition(named: &str, topic: Topic) -> EventDefinition {
    EventDefinition {
        name: name(named),
        topic,
        description: "Something.".into(),
        payload_schema_name: None,
        response_schema_name: None,
        payload_schema: None,
        response_schema: None,
    }
}

pub(crate) fn schema(named: &str, version: &str, schema: &Value) -> PayloadSchema {
    PayloadSchema {
        name: name(named),
        version: SchemaVersion::new(version).expect("a version"),
        schema: Data::from_value(schema).expect("an object"),
        description: None,
        owner: None,
        created_at: Timestamp::default(),
    }
}

/// Lets everybody run until nobody can.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

fn is_up(tree: &TreeNode) -> bool {
    tree.state == ChildState::Running && tree.children.iter().all(is_up)
}

/// Waits until all children of a node run.
pub(crate) async fn up_again(node: &Node) {
    while !is_up(&node.root.tree()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Returns the agents that fit. So few are looked through at once.
fn asked(registry: &Registry, tenant: &TenantId, query: &AgentQuery) -> Vec<Registered> {
    registry.agents(tenant, query).now_or_never().expect("few agents").expect("it answers").agents
}

/// Returns all agents of a tenant by id.
pub(crate) fn by_id(registry: &Registry, tenant: &TenantId) -> BTreeMap<String, Registered> {
    let query = AgentQuery { expired: true, ..all() };
    let agents = asked(registry, tenant, &query).into_iter();
    agents.map(|agent| (agent.said.record.id.to_string(), agent)).collect()
}
