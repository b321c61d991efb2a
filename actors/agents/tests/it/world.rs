//! A tree with agents over a log in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use soorma_agents::{Agent, Agents, Runtime};
use soorma_bus::{Config, EventBus};
use soorma_core::{Data, Event, Position, TenantId, Topic, TreeNode};
use soorma_memory::Memories;
use soorma_ports::{Bus, Clock, DeadLetter, DeadLetterFilter, EventLog, MemoryStore, Reach};
use soorma_supervise::{Intensity, Root, Strategy, SupervisorSpec};
use soorma_testkit::{FaultyLog, MemoryLog, SeededEntropy, TestClock, event};

pub(crate) struct World {
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) bus: Arc<EventBus>,
    pub(crate) agents: Agents,
    pub(crate) root: Root,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(None).await
    }

    /// With a memory on this store.
    pub(crate) async fn remembering(store: Arc<dyn MemoryStore>) -> Self {
        Self::on(Some(store)).await
    }

    async fn on(store: Option<Arc<dyn MemoryStore>>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
        let memory = store.map(|store| {
            let entropy = Arc::new(SeededEntropy::new(1));
            Memories::new(store, Arc::clone(&clock), entropy, soorma_memory::Config::default())
        });
        let log = FaultyLog::new(MemoryLog::new(Arc::clone(&clock)));
        let bus = EventBus::new(log.clone(), Config::default());
        let (branch, agents) = Agents::new(Runtime {
            bus: bus.clone(),
            clock,
            directory: None,
            memory: memory.as_ref().map(|(_, memory)| Arc::clone(memory) as _),
            node: String::new(),
            heartbeat_every: Duration::from_secs(60),
        });
        let spec = SupervisorSpec::new("root", Strategy::OneForOne)
            .intensity(Intensity::new(0, Duration::from_secs(1)));
        let spec = memory.into_iter().fold(spec, |spec, (memory, _)| spec.child(memory));
        let root = Root::start(spec.child(branch)).await.unwrap();
        Self { log, bus, agents, root }
    }

    pub(crate) async fn with(agent: impl Into<Agent>) -> Self {
        let world = Self::new().await;
        world.agents.host(agent).await.unwrap();
        settle().await;
        world
    }

    /// Publishes a request, answered by `done` where it says so.
    pub(crate) async fn ask(&self, id: &str, kind: &str, data: Value) {
        let mut event = request(id, kind, data);
        event.response_event = Some("done".to_owned());
        self.publish(event).await;
    }

    pub(crate) async fn publish(&self, event: Event) {
        self.bus.publish(&TenantId::default(), vec![event]).await.unwrap();
    }

    pub(crate) async fn events(&self, topic: Topic) -> Vec<Arc<Event>> {
        let reach = Reach::Tenant(TenantId::default());
        let page = self.log.read(&reach, topic, Position(0), 100_000).await.unwrap();
        page.entries.into_iter().map(|entry| entry.event).collect()
    }

    /// The data of all events of a topic, by the correlation id.
    pub(crate) async fn answers(&self, topic: Topic) -> BTreeMap<String, Vec<Value>> {
        let mut answers: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in self.events(topic).await {
            let data = event.data.as_ref().unwrap().parse().unwrap();
            answers.entry(event.correlation_id.clone().unwrap()).or_default().push(data);
        }
        answers
    }

    pub(crate) async fn dead(&self) -> Vec<DeadLetter> {
        self.bus.dead_letters(&TenantId::default(), &DeadLetterFilter::default(), 0, 1_000).await.unwrap()
    }

    pub(crate) fn agent(&self, name: &str) -> TreeNode {
        let find =
            |node: &TreeNode, id: &str| node.children.iter().find(|child| child.id == id).unwrap().clone();
        let hosted = find(&find(&self.root.tree(), "agents"), "hosted");
        hosted
            .children
            .iter()
            .flat_map(|shard| &shard.children)
            .find(|agent| agent.id == name)
            .unwrap()
            .clone()
    }
}

pub(crate) fn request(id: &str, kind: &str, data: Value) -> Event {
    let mut event = event(id, Topic::ActionRequests);
    event.kind = kind.to_owned();
    event.data = Some(Data::from_value(&data).unwrap());
    event.correlation_id = Some(format!("c-{id}"));
    event.tenant_id = Some("st".to_owned());
    event.user_id = Some("su".to_owned());
    event
}

/// Lets all that can happen now happen.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// What handlers have seen, in order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn note(&self, what: impl Into<String>) -> usize {
        let mut seen = self.0.lock().unwrap();
        seen.push(what.into());
        seen.len()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn n(n: u64) -> Value {
    json!({ "n": n })
}

#[derive(serde::Deserialize)]
pub(crate) struct N {
    pub(crate) n: u64,
}
