//! NATS absent, away, and full.

use std::time::Duration;

use soorma::{ErrorCode, Topic};
use soorma_testkit::servers::NatsServer;
use tokio::task::JoinSet;

use super::world::{PATIENCE, World, event, ids, member, names, open, publish, watcher};

const REQUESTS: Topic = Topic::ActionRequests;

/// Asks until the node is ready, or no more so.
async fn until_ready(world: &World, ready: bool) {
    let asked = async {
        while super::world::status(world.addr(), "/readyz").await != (if ready { 200 } else { 503 }) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("ready is not {ready}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_without_its_server_says_so_and_works_when_it_comes() {
    let mut server = NatsServer::start(&[]);
    let url = server.url().to_owned();
    server.kill();
    let world = World::on(url).start().await;
    let client = world.client();
    until_ready(&world, false).await;
    let refused = client.publish(&event("early", REQUESTS)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable, "{refused}");
    assert!(refused.retry_after.is_some(), "{refused:?}");
    assert_eq!(refused.message, "the event log's store is away; try again in a moment");
    let health = client.health().await.unwrap();
    assert!(!health.connected && health.adapter == "nats", "{health:?}");
    server.restart();
    until_ready(&world, true).await;
    let mut live = open(&client, &watcher(REQUESTS)).await;
    client.publish(&event("late", REQUESTS)).await.unwrap();
    assert_eq!(ids(&mut live, 1).await, ["late"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_under_load_loses_nothing_that_was_answered() {
    let mut server = NatsServer::start(&[]);
    let world = World::on(server.url().to_owned()).start().await;
    let client = world.client();
    let mut live = open(&client, &watcher(REQUESTS)).await;
    let mut work = open(&client, &member("worker", "w-1", REQUESTS)).await;
    let mut load = JoinSet::new();
    for publisher in 0..4 {
        let client = client.clone();
        load.spawn(async move {
            let (mut answered, mut refused) = (Vec::new(), 0);
            for nth in 0..400 {
                let event = event(&format!("p{publisher}-{nth}"), REQUESTS);
                loop {
                    match client.publish(&event).await {
                        Ok(_) => break,
                        Err(error) => {
                            assert!(error.code.may_retry(), "{error:?}");
                            refused += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
                answered.push(event.id.to_string());
            }
            (answered, refused)
        });
    }
    assert_eq!(ids(&mut live, 100).await.len(), 100);
    server.kill();
    until_ready(&world, false).await;
    // Long enough for every request that was on its way to have failed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.restart();
    let (mut answered, mut refused) = (Vec::new(), 0);
    while let Some(done) = load.join_next().await {
        let (some, of_them) = done.unwrap();
        answered.extend(some);
        refused += of_them;
    }
    assert!(refused > 0, "the server was away");
    answered.sort_unstable();
    let mut seen = ids(&mut live, answered.len() - 100).await;
    let mut worked = ids(&mut work, answered.len()).await;
    worked.sort_unstable();
    worked.dedup();
    assert_eq!(worked, answered, "the group gets all, and what it gets again is the same");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), answered.len() - 100, "a live stream shows each once");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_and_takes_again_when_there_is_room() {
    let server = NatsServer::configured("jetstream { max_file_store: 3MB }");
    let set = |config: &mut soorma::config::Config| config.log.retain_for = Duration::from_secs(3_600);
    let world = World::on(server.url().to_owned()).with(set).start().await;
    let client = world.client();
    let refused = 'full: {
        for n in 0..2_000 {
            if let Err(error) = client.publish(&super::world::large(&format!("e{n}"), REQUESTS, 20_000)).await
            {
                break 'full error;
            }
        }
        panic!("it takes without end");
    };
    assert_eq!(refused.code, ErrorCode::Unavailable, "{refused}");
    assert!(refused.message.contains("no room") && refused.retry_after.is_some(), "{refused:?}");
    until_ready(&world, false).await;
    // What is there can still be read.
    let kept = world.node().bus();
    assert!(kept.check().await.is_err());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_the_credentials_ends_the_start_with_a_sentence() {
    let server = NatsServer::start(&["--auth", "right"]);
    let url = server.url().to_owned();
    for (token, works) in [("wrong", false), ("right", true)] {
        let world = World::on(url.clone()).with(|config| config.nats.token = token.into());
        let started = soorma::Node::start(world.config.clone(), soorma::Options::default()).await;
        match started {
            Ok(node) => {
                assert!(works, "it lets anybody in");
                node.stop().await.unwrap();
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!works && said.contains("refuses the credentials"), "{said}");
                assert!(!said.contains("wrong"), "a secret is not said: {said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_server_share_groups_and_streams() {
    let server = NatsServer::start(&[]);
    let one = World::on(server.url().to_owned()).start().await;
    let prefix = one.config.nats.prefix.clone();
    let two = World::on(server.url().to_owned()).with(|config| config.nats.prefix = prefix).start().await;
    let mut live = open(&two.client(), &watcher(REQUESTS)).await;
    let mut members = [
        open(&one.client(), &member("worker", "w-1", REQUESTS)).await,
        open(&two.client(), &member("worker", "w-2", REQUESTS)).await,
    ];
    let sent = names("e", 200);
    publish(&one.client(), REQUESTS, &sent[..100]).await;
    publish(&two.client(), REQUESTS, &sent[100..]).await;
    assert_eq!(ids(&mut live, 200).await, sent);
    let mut worked = Vec::new();
    let [first, second] = &mut members;
    while worked.len() < 200 {
        let next = async {
            tokio::select! {
                event = super::world::next(first) => event,
                event = super::world::next(second) => event,
            }
        };
        worked.push(tokio::time::timeout(PATIENCE, next).await.expect("work goes on").id.to_string());
    }
    worked.sort_unstable();
    worked.dedup();
    assert_eq!(worked.len(), 200, "each event went to one member of one node");
    drop(members);
    one.stop().await;
    two.stop().await;
}
