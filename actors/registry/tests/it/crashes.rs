//! Whatever crashes, what was answered is there, and what was known can be read.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::ErrorCode;
use soorma_ports::{AgentQuery, Directory, RegistryRow, Standing};
use soorma_registry::Config;
use soorma_testkit::name;
use tokio::task::JoinSet;

use super::world::{LEASE, SWEEP, World, agent, all, one, settle, up_again};

const CHILDREN: [&str; 4] = ["directory", "writer", "leases", "announcer"];

#[tokio::test(start_paused = true)]
async fn the_branch_stands_in_the_tree_with_its_queue_as_a_gauge() {
    let world = World::new();
    let node = world.node(Config { max_waiting: 7, ..Config::default() }).await;
    let tree = node.root.tree();
    let branch = &tree.children[0];
    assert_eq!((branch.id.as_str(), branch.strategy.as_deref()), ("registry", Some("rest_for_one")));
    assert_eq!(branch.children.iter().map(|child| child.id.as_str()).collect::<Vec<_>>(), CHILDREN);
    assert_eq!((branch.children[1].depth, branch.children[1].credit), (0, 7));
}

#[tokio::test(start_paused = true)]
async fn whatever_child_is_killed_while_agents_register_those_that_were_answered_are_there() {
    for victim in CHILDREN {
        let world = World::new();
        let node = world.node(Config::default()).await;
        let mut callers = JoinSet::new();
        for caller in 0..8 {
            let registry = Arc::clone(&node.registry);
            callers.spawn(async move {
                let mut answered = Vec::new();
                for n in 0..50 {
                    let id = format!("{caller}-{n}");
                    match registry.register(&one(), agent(&id, "worker", "web"), Standing::READY).await {
                        Ok(_) => {
                            let found = registry.agent(&one(), &name(&id)).expect("it answers");
                            assert!(found.is_some(), "{id} was answered and cannot be read");
                            answered.push(id);
                        }
                        Err(error) => assert_eq!(error.code, ErrorCode::Unavailable, "{error}"),
                    }
                    tokio::time::sleep(Duration::from_millis(1 + caller)).await;
                }
                answered
            });
        }
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(7)).await;
            node.root.kill(&format!("registry/{victim}"));
            // What is known can be read while it is down.
            assert!(node.registry.agents(&one(), &all()).await.is_ok());
        }
        let answered: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
        assert!(answered.len() > 300, "{victim}: {} were answered", answered.len());
        up_again(&node).await;
        let there = node.ids(&all());
        let stored = world.store.all().await.changes.len();
        assert_eq!(there.len(), stored, "{victim}: what is stored is shown");
        for id in &answered {
            assert!(there.contains(id), "{victim}: {id} was answered and is not there");
        }
        assert!(node.register(agent("after", "worker", "web")).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_killed_with_work_in_hand_says_that_it_does_not_know() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    world.store.hold(true);
    let put = |id: &'static str| node.put(agent(id, "worker", "web"));
    let (in_hand, (waits, ())) = tokio::join!(put("in hand"), async {
        settle().await;
        tokio::join!(put("waits"), async {
            settle().await;
            assert!(node.root.kill("registry/writer"));
            settle().await;
            world.store.hold(false);
        })
    });
    let error = in_hand.expect_err("nobody can know");
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("not known"), "{error}");
    assert_eq!(waits, Ok(true), "what waited is written by the next incarnation");
}

#[tokio::test(start_paused = true)]
async fn a_new_node_knows_all_that_the_one_before_it_was_told() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    for n in 0..100 {
        node.register(agent(&format!("a{n:02}"), "worker", "web")).await;
    }
    tokio::time::sleep(LEASE / 2).await;
    node.registry.heartbeat(&one(), &name("a50"), None).await.expect("heard");
    node.root.stop().await.expect("it stops");
    tokio::time::sleep(LEASE / 2).await;
    let anew = world.node(Config::default()).await;
    assert_eq!(anew.ids(&all()), ["a50"]);
    assert_eq!(anew.ids(&AgentQuery { expired: true, ..all() }).len(), 100);
    tokio::time::sleep(LEASE / 2 + SWEEP).await;
    let expired = world.said().await.iter().filter(|(kind, _)| kind == "agent.expired").count();
    assert_eq!(expired, 100, "also those that expired while nobody was there");
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_before_it_was_read_has_all_read_anew() {
    let world = World::new();
    let (node, other) = (world.node(Config::default()).await, world.node(Config::default()).await);
    for n in 0..20 {
        node.register(agent(&format!("a{n:02}"), "worker", "web")).await;
    }
    settle().await;
    // Who is away while an agent is removed, and for so long that this is forgotten, is not told of it.
    world.store.forget_once();
    other.registry.deregister(&one(), &name("a07")).await.expect("removed");
    other.registry.heartbeat(&one(), &name("a08"), None).await.expect("heard");
    settle().await;
    for node in [&node, &other] {
        assert_eq!(node.ids(&all()).len(), 19);
        assert!(!node.ids(&all()).contains(&"a07".to_owned()));
        assert_eq!(node.registry.tally().agents, 19);
    }
    let stands = |row: &RegistryRow| matches!(row, RegistryRow::Agent { .. });
    assert_eq!(world.store.all().await.changes.iter().filter(|change| stands(&change.row)).count(), 19);
    // Leases go on with the new view.
    tokio::time::sleep(LEASE + 2 * SWEEP).await;
    let expired = world.said().await.iter().filter(|(kind, _)| kind == "agent.expired").count();
    assert_eq!(expired, 19);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_the_store_lets_down_goes_on_where_it_was() {
    let world = World::new();
    let (node, other) = (world.node(Config::default()).await, world.node(Config::default()).await);
    for n in 0..10 {
        world.store.away(true);
        tokio::time::sleep(Duration::from_secs(n)).await;
        world.store.away(false);
        tokio::time::sleep(Duration::from_secs(6)).await;
        node.register(agent(&format!("a{n}"), "worker", "web")).await;
    }
    settle().await;
    assert_eq!(other.ids(&all()), node.ids(&all()));
    assert_eq!(other.ids(&all()).len(), 10);
}

/// A copy of before was put in its place, or a standby that had not got all: its revisions begin at less than was seen.
#[tokio::test(start_paused = true)]
async fn a_store_that_went_back_is_read_anew_and_what_is_written_to_it_can_be_read() {
    let world = World::new();
    let node = world.node(Config::default()).await;
    for n in 0..20 {
        node.register(agent(&format!("a{n:02}"), "worker", "web")).await;
    }
    settle().await;
    world.store.go_back();
    // All at once, and more than was seen: where the store ends tells nothing.
    let puts = (0..30).map(|n| node.put(agent(&format!("b{n:02}"), "worker", "web")));
    for outcome in futures_util::future::join_all(puts).await {
        assert_eq!(outcome, Ok(true));
    }
    let expected: Vec<_> = (0..30).map(|n| format!("b{n:02}")).collect();
    assert_eq!(node.ids(&all()), expected, "who was answered can read it");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_only_reads_notices_that_the_store_went_back() {
    let world = World::new();
    let (node, other) = (world.node(Config::default()).await, world.node(Config::default()).await);
    for n in 0..20 {
        node.register(agent(&format!("a{n:02}"), "worker", "web")).await;
    }
    settle().await;
    world.store.go_back();
    assert!(node.register(agent("b", "worker", "web")).await);
    assert_eq!(node.ids(&all()), ["b"]);
    // Who waited for changes of what is gone asks again when its connection is lost.
    world.store.away(true);
    other.root.kill("registry/directory");
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.store.away(false);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(other.ids(&all()), ["b"]);
}
