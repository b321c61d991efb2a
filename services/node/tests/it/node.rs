use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_agents::{Ctx, Limits, Worker};
use soorma_core::{Data, Event, Name, TenantId, Topic};
use soorma_node::config::Config;
use soorma_node::{Node, NodeError, Options};
use soorma_ports::{ConsumerSpec, Settle, Start, Subscription, new_event_id};
use soorma_supervise::Intensity;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(data: &Path, edge: bool) -> Result<Node, NodeError> {
    let mut config = Config::default();
    config.node.data = data.to_owned();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    Node::start(config, Options { edge, ..Options::default() }).await
}

fn request(node: &Node, kind: &str) -> Event {
    let id = new_event_id(&**node.clock(), &**node.entropy());
    let mut event = Event::new(id, "test", kind, node.clock().now(), Topic::ActionRequests);
    event.data = Some(Data::from_value(&json!({ "n": 1 })).unwrap());
    event.correlation_id = Some(event.id.to_string());
    event.response_event = Some("answered".to_owned());
    event
}

async fn next(node: &Node, topic: Topic, act: impl Future<Output = ()>) -> Event {
    let subscription = Subscription { tenant: TenantId::default(), topics: [topic].into(), after: None };
    let mut live = node.bus().subscribe(subscription).await.unwrap();
    act.await;
    loop {
        let event = tokio::time::timeout(PATIENCE, live.next()).await.expect("an event in time").unwrap();
        // Who comes and goes is told on the same topic, and is another test's.
        if event.entry.event.kind != "agent.registered" {
            return Event::clone(&event.entry.event);
        }
    }
}

fn echo() -> Worker {
    Worker::new("echo").unwrap().on_task("echo", |data: Value, _| async move { Ok(data) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_agent_answers_and_the_node_ends_well() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), false).await.unwrap();
    assert_eq!(node.addr(), None);
    node.agents().host(echo()).await.unwrap();
    let answer = next(&node, Topic::ActionResults, async {
        node.bus().publish(&TenantId::default(), vec![request(&node, "echo")]).await.unwrap();
    })
    .await;
    assert_eq!(answer.kind, "answered");
    assert_eq!(answer.data.unwrap().parse::<Value>().unwrap()["result"], json!({ "n": 1 }));
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_there_after_a_restart_and_two_nodes_share_nothing() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let nodes =
        [start(folders[0].path(), true).await.unwrap(), start(folders[1].path(), true).await.unwrap()];
    assert_ne!(nodes[0].addr(), nodes[1].addr());
    let event = request(&nodes[0], "kept");
    nodes[0].bus().publish(&TenantId::default(), vec![event.clone()]).await.unwrap();
    for node in nodes {
        node.stop().await.unwrap();
    }
    for (folder, expected) in folders.iter().zip([1, 0]) {
        let node = start(folder.path(), false).await.unwrap();
        let spec = ConsumerSpec {
            tenant: TenantId::default(),
            group: Name::new("late").unwrap(),
            topics: [Topic::ActionRequests].into(),
            start: Start::Earliest,
            ack_within: Duration::from_secs(30),
            max_attempts: 5,
            max_unsettled: 100,
            key: None,
            expire_after: None,
        };
        let late = node.bus().join(spec).await.unwrap();
        let found = late.next(10, Duration::from_millis(1)).await.unwrap();
        assert_eq!(found.len(), expected);
        late.settle(found.iter().map(|delivery| (delivery.id, Settle::Ack)).collect()).await.unwrap();
        node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused_with_who_uses_it_and_free_again_after_the_end() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), false).await.unwrap();
    let refused = start(data.path(), false).await.unwrap_err().to_string();
    assert!(refused.contains("is in use by another soorma"), "{refused}");
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    node.stop().await.unwrap();
    start(data.path(), false).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_refused_and_the_folder_is_free_again() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.node.data = data.path().to_owned();
    config.edge.listen = taken.local_addr().unwrap();
    let refused = Node::start(config, Options::default()).await.unwrap_err().to_string();
    assert!(refused.contains("is in use by another program"), "{refused}");
    start(data.path(), false).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_is_announced_on_system_events() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), false).await.unwrap();
    let limits = Limits {
        crashes: Intensity::new(0, Duration::from_secs(60)),
        restarts: Intensity::new(0, Duration::from_secs(60)),
        ..Limits::default()
    };
    let bad = Worker::new("bad")
        .unwrap()
        .limits(limits)
        .on_task("t", |_: Value, _: Ctx| async { if true { panic!("told to") } else { Ok(()) } });
    let announced = next(&node, Topic::SystemEvents, async {
        node.agents().host(bad).await.unwrap();
        node.bus().publish(&TenantId::default(), vec![request(&node, "t")]).await.unwrap();
    })
    .await;
    assert_eq!((announced.kind.as_str(), announced.subject.as_deref()), ("agent.quarantined", Some("bad")));
    let data = announced.data.unwrap().parse::<Value>().unwrap();
    assert!(data["reason"].as_str().unwrap().contains("told to"), "{data}");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_asks_nobody_for_a_token_listens_on_this_machine_only() {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.node.data = data.path().to_owned();
    config.edge.listen = "0.0.0.0:0".parse().unwrap();
    let refused = Node::start(config, Options::default()).await.unwrap_err().to_string();
    assert!(refused.contains("0.0.0.0:0 is not loopback"), "{refused}");
}
