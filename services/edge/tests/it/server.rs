//! An edge on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use soorma_agents::{Agents, Runtime};
use soorma_bus::EventBus;
use soorma_core::{ChildState, Topic, TreeNode};
use soorma_edge::{Access, Config, Edge, Tokens, serve};
use soorma_identity::{Verifier, VerifierSpec};
use soorma_memory::Memories;
use soorma_ports::{Clock, Embedder, EventLog};
use soorma_registry::Registry;
use soorma_supervise::{Root, Strategy, SupervisorSpec};
use soorma_testkit::{
    FaultyLog, FaultyMemory, MapMemory, MemoryLog, SECRET, ScriptedEmbedder, SeededEntropy, TestClock,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::http::{PATIENCE, Reply, exchange, request};
use super::sse::Stream;
use super::store::Store;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// The key of who looks after memory.
pub(crate) const MEMORY_KEY: &str = "the keeper's";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) clock: Arc<TestClock>,
    /// Where the registry is kept.
    pub(crate) store: Arc<Store>,
    /// Where memory is kept.
    pub(crate) kept: Arc<FaultyMemory>,
    /// Who makes the vectors of memory.
    pub(crate) embedder: Arc<ScriptedEmbedder>,
    registry: Arc<Registry>,
    /// Where the agents are.
    pub(crate) root: Root,
    pub(crate) agents: Agents,
    pub(crate) ready: Arc<AtomicBool>,
    /// Makes whoever shows the tree panic.
    pub(crate) broken: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinSet<std::io::Result<()>>,
    _tails: JoinSet<()>,
}

/// Where a registry is kept, and how it is run.
fn registry(store: Arc<Store>, embedder: Option<Arc<dyn Embedder>>) -> (Arc<Store>, soorma_registry::Config) {
    (store, soorma_registry::Config { embedder, ..soorma_registry::Config::default() })
}

/// Settles nothing by time, so that a test sees what replies do.
pub(crate) fn patient() -> Config {
    Config { settle_after: HOUR, ack_within: HOUR, ..Config::default() }
}

/// Lets in who has a token of the tests' secret, and nobody else.
pub(crate) fn guarded(clock: Arc<dyn Clock>) -> Access {
    let spec = VerifierSpec { secret: Some(SECRET.into()), ..VerifierSpec::default() };
    let verifier = Verifier::new(spec, clock).expect("a secret that is long enough");
    Access {
        tokens: Tokens::Required,
        loopback: false,
        authenticator: Some(Arc::new(verifier)),
        metrics_token: Some("the operator's".into()),
        memory_admin_key: Some(MEMORY_KEY.into()),
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::over(config, soorma_bus::Config::default(), MemoryLog::new).await
    }

    pub(crate) async fn over(
        config: Config,
        bus: soorma_bus::Config,
        log: impl FnOnce(Arc<dyn Clock>) -> Arc<MemoryLog>,
    ) -> Self {
        let server =
            Self::built(config, bus, log, |_| Access::this_machine(), registry(Store::new(), None)).await;
        server.loaded().await;
        server
    }

    /// One that can rank agents by meaning.
    pub(crate) async fn with_embedder(embedder: Arc<dyn Embedder>) -> Self {
        let access = |_| Access::this_machine();
        let registry = registry(Store::new(), Some(embedder));
        let server =
            Self::built(patient(), soorma_bus::Config::default(), MemoryLog::new, access, registry).await;
        server.loaded().await;
        server
    }

    /// One whose registry's store is away.
    pub(crate) async fn unloaded() -> Self {
        let store = Store::new();
        store.away(true);
        let access = |_| Access::this_machine();
        Self::built(
            Config::default(),
            soorma_bus::Config::default(),
            MemoryLog::new,
            access,
            registry(store, None),
        )
        .await
    }

    /// One that lets in whom it is told to.
    pub(crate) async fn letting_in(access: impl FnOnce(Arc<dyn Clock>) -> Access) -> Self {
        let bus = soorma_bus::Config::default();
        let server = Self::built(patient(), bus, MemoryLog::new, access, registry(Store::new(), None)).await;
        server.loaded().await;
        server
    }

    /// Waits until the registry was read.
    async fn loaded(&self) {
        tokio::time::timeout(PATIENCE, self.registry.loaded()).await.expect("it is read");
    }

    async fn built(
        config: Config,
        bus: soorma_bus::Config,
        log: impl FnOnce(Arc<dyn Clock>) -> Arc<MemoryLog>,
        access: impl FnOnce(Arc<dyn Clock>) -> Access,
        (store, registered): (Arc<Store>, soorma_registry::Config),
    ) -> Self {
        let test_clock = Arc::new(TestClock::new());
        let clock: Arc<dyn Clock> = test_clock.clone();
        let log = FaultyLog::new(log(clock.clone()));
        let bus = EventBus::new(log.clone() as Arc<dyn EventLog>, bus);
        let mut tails = JoinSet::new();
        for topic in Topic::ALL {
            let bus = bus.clone();
            tails.spawn(async move { while bus.run_tail(topic).await.is_err() {} });
        }
        let ready = Arc::new(AtomicBool::new(true));
        let is_ready = ready.clone();
        let broken = Arc::new(AtomicBool::new(false));
        let is_broken = broken.clone();
        let (branch, agents) = Agents::new(Runtime {
            bus: bus.clone() as _,
            clock: clock.clone(),
            directory: None,
            memory: None,
            node: String::new(),
            heartbeat_every: Duration::from_secs(60),
        });
        let (directory, registry) = Registry::new(store.clone(), clock.clone(), bus.clone(), registered);
        let entropy = Arc::new(SeededEntropy::new(4_711));
        let kept = FaultyMemory::new(MapMemory::new());
        let embedder = ScriptedEmbedder::new("scripted/8");
        let remembered =
            soorma_memory::Config { embedder: Some(embedder.clone()), ..soorma_memory::Config::default() };
        let (remembers, memory) = Memories::new(kept.clone(), clock.clone(), entropy.clone(), remembered);
        let spec =
            SupervisorSpec::new("root", Strategy::OneForOne).child(branch).child(directory).child(remembers);
        let root = Root::start(spec).await.expect("a tree");
        let edge = Edge {
            bus,
            agents: Arc::new(agents.clone()),
            directory: registry.clone(),
            memory,
            embedder: Some("scripted/8".into()),
            access: access(clock.clone()),
            clock,
            entropy,
            config,
            adapter: "NatsAdapter".into(),
            tree: Arc::new(move |of, depth, limit| {
                assert!(!is_broken.load(Ordering::SeqCst), "the tree is broken");
                let mut tree = tree();
                if let Some(tenant) = of {
                    tree.id = format!("what {tenant} sees");
                }
                cut(&mut tree, depth, limit);
                tree
            }),
            ready: Arc::new(move || is_ready.load(Ordering::SeqCst)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let mut served = JoinSet::new();
        served.spawn(serve(listener, edge, async move {
            let _stopped = stopped.await;
        }));
        Self {
            address,
            log,
            clock: test_clock,
            store,
            kept,
            embedder,
            registry,
            root,
            agents,
            ready,
            broken,
            stop: Some(stop),
            served,
            _tails: tails,
        }
    }

    /// Tells the server to stop, without waiting for it.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().expect("stopped once").send(()).expect("it listens");
    }

    /// Ends the server as a crash does.
    pub(crate) async fn crash(&mut self) {
        self.served.shutdown().await;
    }

    pub(crate) async fn stopped(&mut self) {
        let served = tokio::time::timeout(PATIENCE, self.served.join_next()).await;
        served.expect("it stops").expect("it ran").expect("no crash").expect("no failure");
    }

    /// Waits until each planned fault has happened.
    pub(crate) async fn until_no_fault_is_left(&self) {
        let all_done = async {
            while self.log.pending() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_done).await.expect("they happen");
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string()).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        exchange(self.address, &request(method, path, headers, body.as_bytes())).await
    }

    /// Asks as the tenant `one`, with JSON where there is a body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let headers = [("x-tenant-id", "one"), ("content-type", "application/json")];
        match body {
            Value::Null => self.send(method, path, &headers[..1], "").await,
            body => self.send(method, path, &headers, &body.to_string()).await,
        }
    }

    /// Publishes events at once.
    pub(crate) async fn publish_all(&self, events: &[Value]) {
        let reply = self.ask("POST", "/v1/events:batch", &json!({ "events": events })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, mut is_so: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to be so");
    }

    /// Publishes an event and looks that it went well.
    pub(crate) async fn publish(&self, event: Value) {
        self.publish_as("one", event).await;
    }

    pub(crate) async fn publish_as(&self, tenant: &str, event: Value) {
        let headers = [("content-type", "application/json"), ("x-tenant-id", tenant)];
        let body = json!({ "event": event }).to_string();
        let reply = self.send("POST", "/v1/events/publish", &headers, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    pub(crate) async fn stream(&self, query: &str) -> Stream {
        Stream::open(self.address, query, &[("x-tenant-id", "one")]).await
    }

    /// Opens a stream as a member of a group that acknowledges.
    pub(crate) async fn explicit(&self, group: &str, more: &str) -> Stream {
        let query =
            format!("topics=action-requests&agent_id={group}-1&agent_name={group}&ack=explicit{more}");
        self.stream(&query).await
    }

    /// Opens a stream as a member of a group.
    pub(crate) async fn member(&self, group: &str) -> Stream {
        self.stream(&format!("topics=action-requests&agent_id={group}-1&agent_name={group}")).await
    }
}

/// A request with an id, to any worker.
pub(crate) fn work(id: &str) -> Value {
    json!({
        "id": id, "source": "asker", "type": "work.requested", "topic": "action-requests",
        "correlation_id": format!("about-{id}"), "tenant_id": "st", "user_id": "su", "data": {"n": id},
    })
}

pub(crate) fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("e{n}")).collect()
}

/// The `n` of `en`.
pub(crate) fn number(id: &str) -> usize {
    id.trim_start_matches('e').parse().expect("a number")
}

/// What the tests see as the supervision tree.
fn tree() -> TreeNode {
    let node = |id: &str, children| TreeNode {
        id: id.into(),
        kind: "supervisor".into(),
        strategy: Some("one_for_one".into()),
        state: ChildState::Running,
        restarts: 0,
        depth: 0,
        credit: 1,
        age_seconds: 1.0,
        restart_in_ms: None,
        last_failure: None,
        children,
        more: 0,
    };
    let agents = (0..150).map(|n| node(&format!("agent-{n}"), vec![])).collect();
    node("root", vec![node("bus", vec![]), node("agents", agents)])
}

/// Leaves `depth` levels below a node, and `limit` children of each; what is left out is counted.
fn cut(node: &mut TreeNode, depth: usize, limit: usize) {
    let keep = if depth == 0 { 0 } else { limit };
    let left_out = node.children.len().saturating_sub(keep);
    node.more += u64::try_from(left_out).unwrap_or(u64::MAX);
    node.children.truncate(keep);
    for child in &mut node.children {
        cut(child, depth - 1, limit);
    }
}
