//! `kill -9` of the platform in the middle of registrations: what was answered is there, and nothing is there by halves. In the file, and
//! on Postgres.
//!
//! `SOORMA_SEED` says what chance follows from.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soorma::api::registry::{AgentItem, AgentQuery, CapabilityItem, EventItem, NewAgent};
use soorma::{Client, Topic};
use soorma_testkit::servers::PostgresDatabase;
use soorma_testkit::{SeededEntropy, token_of};
use tokio::task::JoinSet;

use super::place::{Dev, Place, Running, SECRET_OF_TESTS};

const AGENTS: usize = 1_000;
const AT_ONCE: usize = 8;
/// After how many answers the kill may come at the latest, so that some are never answered.
const KILLED_BY: u64 = 900;
/// Each agent has so many parts, of which none may be missing.
const PARTS: usize = 5;

fn agent(n: usize) -> NewAgent {
    let capability = |part| CapabilityItem {
        task_name: format!("part-{part}-of-{n}"),
        description: "x".repeat(200),
        consumed_event: EventItem::new(format!("e{n}.{part}"), Topic::ActionRequests, ""),
        produced_events: Vec::new(),
    };
    let agent = AgentItem {
        agent_id: format!("agent-{n}"),
        name: format!("agent-{n}:1.0.0"),
        description: format!("number {n}"),
        capabilities: (0..PARTS).map(capability).collect(),
        ..AgentItem::default()
    };
    NewAgent { agent, ..NewAgent::default() }
}

/// Registers agents until the platform is gone.
async fn register(client: Client, next: Arc<Mutex<usize>>, answered: Arc<Mutex<BTreeSet<usize>>>) {
    loop {
        let n = {
            let mut next = next.lock().unwrap();
            *next += 1;
            *next - 1
        };
        if n >= AGENTS {
            return;
        }
        match client.register_agent(agent(n)).await {
            Ok(_) => drop(answered.lock().unwrap().insert(n)),
            Err(error) => {
                assert!(error.code.may_retry(), "{error:?}");
                return;
            }
        }
    }
}

async fn survives(start: impl Fn() -> Dev) {
    let seed =
        std::env::var("SOORMA_SEED").map_or(u64::from(std::process::id()), |seed| seed.parse().unwrap());
    println!("SOORMA_SEED={seed}");
    let stop_after = usize::try_from(SeededEntropy::new(seed).below(KILLED_BY)).unwrap();
    let dev = start();
    let (next, answered) = (Arc::default(), Arc::<Mutex<BTreeSet<usize>>>::default());
    let mut load = JoinSet::new();
    for _ in 0..AT_ONCE {
        load.spawn(register(dev.client(), Arc::clone(&next), Arc::clone(&answered)));
    }
    while answered.lock().unwrap().len() < stop_after {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    dev.kill();
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    let answered = answered.lock().unwrap().clone();

    let dev = start();
    let client = dev.client();
    let there = client.agents(&AgentQuery::default()).await.unwrap().agents;
    for found in &there {
        let n: usize = found.agent_id.strip_prefix("agent-").unwrap().parse().unwrap();
        // Whole, as it was sent; what the events mean is kept elsewhere.
        let sent = agent(n).agent;
        assert_eq!((&found.name, &found.description), (&sent.name, &sent.description));
        assert_eq!(found.capabilities, sent.capabilities, "agent {n} is there by halves");
        for part in &sent.capabilities {
            let by_event = AgentQuery {
                consumed_event: Some(part.consumed_event.event_name.clone()),
                ..AgentQuery::default()
            };
            if n.is_multiple_of(100) {
                assert_eq!(client.agents(&by_event).await.unwrap().agents.len(), 1, "{part:?}");
            }
        }
    }
    let there: BTreeSet<String> = there.into_iter().map(|agent| agent.agent_id).collect();
    let lost: Vec<_> = answered.iter().filter(|n| !there.contains(&format!("agent-{n}"))).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    println!("{} answered, {} there", answered.len(), there.len());
    // It goes on from there.
    client.register_agent(agent(AGENTS)).await.unwrap();
    dev.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_survive_a_kill_in_the_file() {
    let place = Place::new();
    survives(|| place.dev(&[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_survive_a_kill_on_postgres() {
    let (place, database) = (Place::new(), PostgresDatabase::fresh());
    let start = || {
        let mut command: Command = place.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
        command.args(["--postgres", database.url()]).env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1);
        let dev = Dev::started(Running::start(command)).unwrap_or_else(|done| panic!("{done:?}"));
        dev.with_token(token_of("pt_tests", "ada"))
    };
    survives(start).await;
}
