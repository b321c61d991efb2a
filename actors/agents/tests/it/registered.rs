//! What the registry knows of hosted agents.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use soorma_agents::{Agents, Runtime, Worker};
use soorma_bus::EventBus;
use soorma_core::{AgentStatus, Name, TenantId};
use soorma_ports::{Clock, Directory};
use soorma_registry::{Config, Registry};
use soorma_supervise::{Intensity, Root, Strategy, SupervisorSpec};
use soorma_testkit::{MemoryLog, MemoryRegistry, TestClock, tenant};

struct World {
    agents: Agents,
    registry: Arc<Registry>,
    root: Root,
}

impl World {
    async fn new(config: Config) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
        let bus = EventBus::new(MemoryLog::new(Arc::clone(&clock)), soorma_bus::Config::default());
        let (registry_branch, registry) =
            Registry::new(MemoryRegistry::new(), Arc::clone(&clock), bus.clone(), config);
        let (branch, agents) = Agents::new(Runtime {
            bus,
            clock,
            directory: Some(Arc::clone(&registry) as _),
            memory: None,
            node: String::new(),
            heartbeat_every: Duration::from_secs(100),
        });
        let spec = SupervisorSpec::new("root", Strategy::OneForOne)
            .intensity(Intensity::new(0, Duration::from_secs(1)))
            .child(registry_branch)
            .child(branch);
        let root = Root::start_with(spec, 0, Some(agents.observer())).await.unwrap();
        registry.loaded().await;
        Self { agents, registry, root }
    }

    fn status(&self, tenant: &TenantId, agent: &str) -> Option<AgentStatus> {
        let agent = self.registry.agent(tenant, &Name::new(agent).unwrap()).unwrap();
        agent.map(|agent| agent.standing.status)
    }
}

fn worker(name: &str, tenant: &TenantId) -> Worker {
    let worker = Worker::new(name).unwrap().tenant(tenant.clone()).pool(1);
    worker.on_task("t", |data: Value, _| async move { Ok(data) })
}

#[tokio::test(start_paused = true)]
async fn agents_for_whom_there_is_no_room_keep_nobody_else_out_and_come_in_when_there_is() {
    let world = World::new(Config { max_agents_per_tenant: 1, ..Config::default() }).await;
    // Before all others by name, and more than are told at once.
    let full = tenant("a-full");
    world.agents.host(worker("first", &full)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..300 {
        world.agents.host(worker(&format!("a{n:03}"), &full)).await.unwrap();
    }
    let other = tenant("z-other");
    world.agents.host(worker("z", &other)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.status(&other, "z"), Some(AgentStatus::Ready), "it does not wait for those");
    let in_full = |world: &World| -> Vec<String> {
        let names = (0..300).map(|n| format!("a{n:03}"));
        names.filter(|name| world.status(&full, name).is_some()).collect()
    };
    assert_eq!(in_full(&world), Vec::<String>::new());
    assert_eq!(world.status(&full, "first"), Some(AgentStatus::Ready));
    // There is room again: others come in, within a heartbeat or two.
    assert!(world.agents.stop(&worker("first", &full).into()).await);
    tokio::time::sleep(Duration::from_secs(210)).await;
    assert!(!in_full(&world).is_empty());
    world.root.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_somebody_else_took_out_is_put_in_again_and_the_end_takes_all_out() {
    let world = World::new(Config::default()).await;
    let whose = tenant("t");
    world.agents.host(worker("w", &whose)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let name = Name::new("w").unwrap();
    assert!(world.registry.deregister(&whose, &name).await.unwrap());
    tokio::time::sleep(Duration::from_secs(110)).await;
    assert_eq!(world.status(&whose, "w"), Some(AgentStatus::Ready));
    // It is heard often enough not to expire.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(world.status(&whose, "w"), Some(AgentStatus::Ready));
    world.agents.draining();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.status(&whose, "w"), Some(AgentStatus::Draining));
    let (registry, root) = (world.registry, world.root);
    root.stop().await.unwrap();
    assert!(registry.agent(&whose, &name).unwrap().is_none(), "it went with its node");
}

#[tokio::test(start_paused = true)]
async fn of_many_agents_each_is_registered_and_heard() {
    let world = World::new(Config::default()).await;
    let whose = tenant("t");
    for n in 0..1_000 {
        world.agents.host(worker(&format!("w{n}"), &whose)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let mut counts: BTreeMap<Option<AgentStatus>, usize> = BTreeMap::new();
    for n in 0..1_000 {
        *counts.entry(world.status(&whose, &format!("w{n}"))).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([(Some(AgentStatus::Ready), 1_000)]));
    world.root.stop().await.unwrap();
}
