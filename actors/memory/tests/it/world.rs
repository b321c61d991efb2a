//! Memories over one store.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{AnyJson, ChildState, Data, Fact, MemoryScope, Owner, Role, TreeNode};
use soorma_memory::{Config, Memories};
use soorma_ports::{
    Found, NewEpisode, NewFact, NewSkill, Recall, Semantic as _, SetWhen, Upkeep as _, Working as _,
};
use soorma_supervise::{Intensity, Root, Strategy, SupervisorSpec};
use soorma_testkit::{FaultyMemory, MapMemory, ScriptedEmbedder, SeededEntropy, TestClock, tenant};
use tokio::time::Instant;

/// What several nodes share.
pub(crate) struct World {
    pub(crate) map: Arc<MapMemory>,
    pub(crate) store: Arc<FaultyMemory>,
    pub(crate) clock: Arc<TestClock>,
}

pub(crate) struct Node {
    pub(crate) root: Root,
    pub(crate) memory: Arc<Memories>,
}

impl World {
    pub(crate) fn new() -> Self {
        let map = MapMemory::new();
        let store = FaultyMemory::new(Arc::clone(&map) as _);
        Self { map, store, clock: Arc::new(TestClock::new()) }
    }

    pub(crate) async fn node(&self, seed: u64, config: Config) -> Node {
        let (branch, memory) = Memories::new(
            Arc::clone(&self.store) as _,
            Arc::clone(&self.clock) as _,
            Arc::new(SeededEntropy::new(seed)),
            config,
        );
        // Tests kill more often than a branch would bear.
        let spec = SupervisorSpec::new("root", Strategy::OneForOne)
            .intensity(Intensity::new(1_000, Duration::from_secs(60)))
            .child(branch);
        Node { root: Root::start(spec).await.expect("it starts"), memory }
    }
}

/// A node without an embedder.
pub(crate) async fn plain() -> (World, Node) {
    let world = World::new();
    let node = world.node(1, Config::default()).await;
    (world, node)
}

/// A node with an embedder that says what it was told to.
pub(crate) async fn scripted() -> (World, Node, Arc<ScriptedEmbedder>) {
    let (world, embedder) = (World::new(), ScriptedEmbedder::new("scripted/8"));
    let node = world.node(1, with(&embedder)).await;
    (world, node, embedder)
}

pub(crate) fn with(embedder: &Arc<ScriptedEmbedder>) -> Config {
    Config { embedder: Some(Arc::clone(embedder) as _), ..Config::default() }
}

pub(crate) fn scope(of: &str, service_tenant: &str, user: &str) -> MemoryScope {
    MemoryScope { tenant: tenant(of), owner: Owner::new(service_tenant, user).expect("an owner") }
}

/// The one who asks where it does not matter who.
pub(crate) fn ada() -> MemoryScope {
    scope("one", "st", "ada")
}

pub(crate) fn json(text: &str) -> AnyJson {
    AnyJson::from_json(text).expect("JSON")
}

pub(crate) fn data(text: &str) -> Data {
    Data::from_json(text).expect("an object")
}

pub(crate) fn knowledge(content: &str) -> NewFact {
    NewFact {
        content: content.to_owned(),
        external_id: None,
        public: false,
        metadata: data("{}"),
        tags: None,
        source: None,
        valid_from: None,
        valid_to: None,
        episode: None,
    }
}

pub(crate) fn said(agent: &str, role: Role, content: &str) -> NewEpisode {
    NewEpisode { agent: agent.into(), role, content: content.into(), metadata: data("{}"), session: None }
}

pub(crate) fn rule(agent: &str, name: Option<&str>, trigger: &str, content: &str) -> NewSkill {
    NewSkill {
        agent: agent.into(),
        name: name.map(str::to_owned),
        trigger: Some(trigger.into()),
        procedure_type: "rule".into(),
        content: content.into(),
    }
}

pub(crate) fn contents(found: &Found<Fact>) -> Vec<&str> {
    found.items.iter().map(|fact| fact.content.as_str()).collect()
}

impl Node {
    pub(crate) async fn know(&self, new: NewFact) -> Fact {
        self.memory.store_fact(&ada(), new).await.expect("stored").0
    }

    pub(crate) async fn search(&self, query: &str, limit: usize) -> Found<Fact> {
        self.memory.search_facts(&ada(), &Recall::new(query, limit)).await.expect("found")
    }

    pub(crate) async fn set(&self, plan: &str, key: &str, value: &str) -> u64 {
        let set = self.memory.set_value(&ada(), plan, key, json(value), SetWhen::Any, None).await;
        set.expect("set").revision.expect("its own revision")
    }

    pub(crate) async fn value(&self, plan: &str, key: &str) -> Option<String> {
        let value = self.memory.value(&ada(), plan, key).await.expect("read");
        value.map(|value| value.value.as_str().to_owned())
    }

    /// Waits until all that can be searched has a vector: sooner than all is looked through in any case.
    pub(crate) async fn until_embedded(&self) {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < Duration::from_secs(400), "nobody makes the vectors");
            let stats = self.memory.stats(&tenant("one"), None).await.expect("stats");
            let embedding = stats.embedding.expect("there is an embedder");
            if embedding.texts == embedding.embedded {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
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
