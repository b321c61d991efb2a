//! Two registries on one store do random things, crash and start anew; what they show is what a plain model says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use soorma_core::{AgentStatus, ErrorCode, Timestamp, Topic};
use soorma_ports::{Clock, Directory, Standing};
use soorma_registry::Config;
use soorma_testkit::{SeededEntropy, name, tenant};

use super::world::{LEASE, Node, World, agent, by_id, definition, schema, settle, up_again};

const SEEDS: u64 = 30;
const STEPS: usize = 150;
const TENANTS: [&str; 2] = ["one", "two"];

#[derive(Debug, Clone, PartialEq)]
struct Known {
    named: String,
    status: AgentStatus,
    registered_at: Timestamp,
    heard_at: Timestamp,
}

#[derive(Debug, Default)]
struct Model {
    agents: BTreeMap<(String, String), Known>,
    /// The first topic and the last description.
    events: BTreeMap<(String, String), (Topic, String)>,
    /// In the order in which they came.
    schemas: Vec<(String, String, String)>,
}

impl Model {
    fn agrees(&self, world: &World, node: &Node, seed: u64) {
        let now = world.clock.now();
        for whose in TENANTS {
            let shown: BTreeMap<_, _> = by_id(&node.registry, &tenant(whose))
                .into_iter()
                .map(|(id, agent)| {
                    let known = Known {
                        named: agent.said.record.name.to_string(),
                        status: agent.standing.status,
                        registered_at: agent.registered_at,
                        heard_at: agent.heard_at,
                    };
                    (id, known)
                })
                .collect();
            let expected: BTreeMap<_, _> = self
                .agents
                .iter()
                .filter(|((tenant, _), _)| tenant == whose)
                .map(|((_, id), known)| {
                    let expired = known.heard_at.plus(LEASE) <= now;
                    let status = if expired { AgentStatus::Expired } else { known.status };
                    (id.clone(), Known { status, ..known.clone() })
                })
                .collect();
            assert_eq!(shown, expected, "seed {seed}, {whose}");
            let events = node.registry.events(&tenant(whose), None, None, 100).expect("it answers");
            let events: Vec<_> = events
                .iter()
                .map(|event| (event.name.to_string(), event.topic, event.description.clone()))
                .collect();
            let expected: Vec<_> = self
                .events
                .iter()
                .filter(|((tenant, _), _)| tenant == whose)
                .map(|((_, event), (topic, description))| (event.clone(), *topic, description.clone()))
                .collect();
            assert_eq!(events, expected, "seed {seed}, {whose}");
            for named in ["s0", "s1"] {
                let newest = node.registry.schema(&tenant(whose), &name(named), None).expect("it answers");
                let expected =
                    self.schemas.iter().rfind(|(tenant, schema, _)| tenant == whose && schema == named);
                let versions = (
                    newest.as_ref().map(|schema| schema.version.as_str()),
                    expected.map(|(.., v)| v.as_str()),
                );
                assert_eq!(versions.0, versions.1, "seed {seed}, {whose}");
            }
        }
        let all = u64::try_from(self.agents.len()).expect("few");
        assert_eq!(node.registry.tally().agents, all, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_registries_show_what_was_written_whatever_crashes() {
    for seed in 0..SEEDS {
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let random = SeededEntropy::new(seed);
    let world = World::new();
    let config = || Config { forget_after: 1_000 * LEASE, ..Config::default() };
    let mut nodes = vec![world.node(config()).await, world.node(config()).await];
    let mut model = Model::default();
    for _ in 0..STEPS {
        let at = usize::try_from(random.below(2)).expect("small");
        let whose = TENANTS[usize::try_from(random.below(2)).expect("small")];
        let id = format!("a{}", random.below(6));
        let key = (whose.to_owned(), id.clone());
        let registry = &nodes[at].registry;
        match random.below(14) {
            0..4 => {
                let named = format!("n{}", random.below(3));
                let now = world.clock.now();
                let record = agent(&id, &named, "web");
                let made =
                    registry.register(&tenant(whose), record, Standing::READY).await.expect("registered");
                assert_eq!(made, !model.agents.contains_key(&key), "seed {seed}");
                let registered_at = model.agents.get(&key).map_or(now, |known| known.registered_at);
                let known = Known { named, status: AgentStatus::Ready, registered_at, heard_at: now };
                model.agents.insert(key, known);
            }
            4..7 => {
                let status = AgentStatus::ALL[usize::try_from(random.below(5)).expect("small")];
                let standing = (random.below(2) == 0).then_some(Standing { status, reason: None });
                let heard =
                    registry.heartbeat(&tenant(whose), &name(&id), standing.clone()).await.expect("answered");
                assert_eq!(heard, model.agents.contains_key(&key), "seed {seed}");
                if let Some(known) = model.agents.get_mut(&key) {
                    known.heard_at = world.clock.now();
                    known.status = standing.map_or(known.status, |standing| standing.status);
                }
            }
            7 => {
                let removed = registry.deregister(&tenant(whose), &name(&id)).await.expect("answered");
                assert_eq!(removed, model.agents.remove(&key).is_some(), "seed {seed}");
            }
            8 => {
                let event = format!("e{}", random.below(3));
                let topic = Topic::ALL[usize::try_from(random.below(8)).expect("small")];
                let mut defined = definition(&event, topic);
                defined.description = random.next_u64().to_string();
                let description = defined.description.clone();
                registry.define_event(&tenant(whose), defined).await.expect("defined");
                let known = model.events.entry((whose.to_owned(), event)).or_insert((topic, String::new()));
                known.1 = description;
            }
            9 => {
                let (named, version) = (format!("s{}", random.below(2)), random.below(20).to_string());
                let put = registry.put_schema(&tenant(whose), schema(&named, &version, &json!({}))).await;
                let row = (whose.to_owned(), named, version);
                let known = model.schemas.contains(&row);
                assert_eq!(
                    put.map_err(|error| error.code),
                    if known { Err(ErrorCode::AlreadyExists) } else { Ok(()) }
                );
                if !known {
                    model.schemas.push(row);
                }
            }
            10 => {
                let child = ["directory", "writer", "leases", "announcer"];
                let child = child[usize::try_from(random.below(4)).expect("small")];
                nodes[at].root.kill(&format!("registry/{child}"));
            }
            11 => {
                nodes[at].root.stop().await.expect("it stops");
                nodes[at] = world.node(config()).await;
            }
            12 => world.store.forget_once(),
            _ => tokio::time::sleep(Duration::from_secs(random.below(200))).await,
        }
        for node in &nodes {
            up_again(node).await;
        }
        settle().await;
        for node in &nodes {
            model.agrees(&world, node, seed);
        }
    }
}
