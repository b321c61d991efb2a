//! Many streams, and readers that are slow.

use std::time::Duration;

use soorma::{Frame, Topic};
use soorma_testkit::servers::NatsServer;

use super::world::{PATIENCE, World, event, large, names, next, on_both, open, watcher};

on_both!(
    a_reader_that_does_not_read_for_a_while_loses_nothing,
    a_reader_that_never_reads_is_told_where_to_resume,
);

const FACTS: Topic = Topic::BusinessFacts;

async fn a_reader_that_does_not_read_for_a_while_loses_nothing(world: World) {
    let world = world.start().await;
    let client = world.client();
    let mut slow = open(&client, &watcher(FACTS)).await;
    let mut fast = open(&client, &watcher(FACTS)).await;
    let sent = names("e", 3_000);
    for some in sent.chunks(100) {
        let events: Vec<_> = some.iter().map(|id| large(id, FACTS, 4_096)).collect();
        client.publish_all(&events).await.unwrap();
        for id in some {
            assert_eq!(next(&mut fast).await.id.as_str(), id);
        }
    }
    for id in &sent {
        assert_eq!(next(&mut slow).await.id.as_str(), id);
    }
    world.stop().await;
}

async fn a_reader_that_never_reads_is_told_where_to_resume(world: World) {
    let world = world.with(|config| config.edge.stall_after = Duration::from_millis(500)).start().await;
    let client = world.client();
    let mut slow = open(&client, &watcher(FACTS)).await;
    let mut fast = open(&client, &watcher(FACTS)).await;
    let sent = names("e", 600);
    for some in sent.chunks(20) {
        let events: Vec<_> = some.iter().map(|id| large(id, FACTS, 30_000)).collect();
        client.publish_all(&events).await.unwrap();
        for id in some {
            assert_eq!(next(&mut fast).await.id.as_str(), id);
        }
    }
    // It is gone from those who are connected before it reads again.
    let gone = async {
        while client.health().await.unwrap().active_streams > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("a stuck reader is let go");
    let mut seen = Vec::new();
    let at = loop {
        match slow.next().await.unwrap().expect("it says how it ends") {
            Frame::Message(event, _) => seen.push(event.id.to_string()),
            Frame::SlowConsumer(at) => break at,
            Frame::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(seen.len() < sent.len());
    let mut resumed = watcher(FACTS);
    resumed.after = at;
    let mut stream = open(&client, &resumed).await;
    while seen.len() < sent.len() {
        seen.push(next(&mut stream).await.id.to_string());
    }
    assert_eq!(seen, sent);
    world.stop().await;
}

/// How many files this process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_nats_thousands_of_live_streams_make_no_consumer() {
    let server = NatsServer::start(&["-m", "-1"]);
    let monitor = server.monitor().expect("it was asked to be monitored");
    let set = |config: &mut soorma::config::Config| {
        config.edge.max_streams_per_tenant = 5_000;
        config.edge.max_streams_per_principal = 5_000;
    };
    let world = World::on(server.url().to_owned()).with(set).start().await;
    let client = world.client();
    // Each stream is two open files here, since client and node are one process.
    let count = 5_000.min(open_files().saturating_sub(500) / 2);
    assert!(count >= 200, "this process may open {} files; raise it with ulimit -n", open_files());
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(open(&client, &watcher(FACTS)).await);
    }
    assert_eq!(client.health().await.unwrap().active_streams, count);
    client.publish(&event("to all", FACTS)).await.unwrap();
    for stream in &mut streams {
        assert_eq!(next(stream).await.id.as_str(), "to all");
    }
    let jsz = super::world::get(monitor, "/jsz").await;
    assert_eq!(jsz["consumers"], 0, "{jsz}");
    assert!(jsz["streams"].as_u64().unwrap() >= 8, "{jsz}");
    drop(streams);
    world.stop().await;
}
