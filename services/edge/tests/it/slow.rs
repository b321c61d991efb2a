//! Readers that do not read for a while, or ever.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_edge::Config;
use soorma_testkit::MemoryLog;

use super::server::{HOUR, Server, numbered, work};
use super::sse::{Frame, Stream};

const QUERY: &str = "topics=action-requests&agent_id=a";

/// Publishes events of 4 KB.
async fn publish(server: &Server, range: std::ops::Range<usize>) {
    let events: Vec<_> = range
        .map(|n| {
            let mut event = work(&format!("e{n}"));
            event["data"]["text"] = "x".repeat(4_000).into();
            event
        })
        .collect();
    for some in events.chunks(100) {
        server.publish_all(some).await;
    }
}

async fn until_it_is_ended(server: &Server) {
    server.until(async || server.get("/health").await.json()["active_streams"] == 0).await;
}

/// Reads to the end: the events and the last frame.
async fn rest_of(stream: &mut Stream) -> (Vec<Frame>, Frame) {
    let mut events = Vec::new();
    let mut last = None;
    while let Some(frame) = stream.try_next().await {
        match frame.event.as_str() {
            "message" => events.push(frame),
            _ => last = Some(frame),
        }
    }
    (events, last.expect("a last frame"))
}

#[tokio::test]
async fn a_reader_that_pauses_for_less_than_it_may_loses_nothing_and_goes_on() {
    let bus = soorma_bus::Config { tail_buffer: 64, ..soorma_bus::Config::default() };
    let server = Server::over(Config::default(), bus, MemoryLog::new).await;
    let mut slow = server.stream(QUERY).await;
    publish(&server, 0..3_000).await;
    assert_eq!(slow.ids(3_000).await, numbered(0..3_000));
    server.publish(work("e3000")).await;
    assert_eq!(slow.ids(1).await, ["e3000"]);
}

#[tokio::test]
async fn a_reader_that_pauses_for_longer_is_told_where_to_resume_and_loses_nothing() {
    let config = Config { stall_after: Duration::from_millis(500), ..Config::default() };
    let server = Server::with(config).await;
    let mut slow = server.stream(QUERY).await;
    publish(&server, 0..3_000).await;
    until_it_is_ended(&server).await;
    let (events, last) = rest_of(&mut slow).await;
    let mut seen: Vec<_> = events.iter().map(Frame::event_id).collect();
    assert!((1..3_000).contains(&seen.len()), "{} fit into the buffers", seen.len());
    assert_eq!(last.event, "slow_consumer");
    let cursor = last.data["cursor"].as_str().expect("a cursor");
    assert_eq!(events.last().and_then(|frame| frame.id.as_deref()), Some(cursor));
    assert!(last.data["connection_id"].is_string());
    let mut resumed = server.stream(&format!("{QUERY}&last_event_id={cursor}")).await;
    seen.extend(resumed.ids(3_000 - seen.len()).await);
    assert_eq!(seen, numbered(0..3_000));
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("soorma_streams_slow_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_member_that_pauses_for_longer_is_told_so_and_its_events_go_to_others() {
    let config = Config {
        stall_after: Duration::from_millis(500),
        settle_after: HOUR,
        ack_within: HOUR,
        stream_credit: 3_000,
        ..Config::default()
    };
    let server = Server::with(config).await;
    let mut slow = server.member("workers").await;
    publish(&server, 0..3_000).await;
    until_it_is_ended(&server).await;
    let mut other = server.member("workers").await;
    assert_eq!(other.ids(3_000).await, numbered(0..3_000), "nobody had settled any of them");
    let (events, last) = rest_of(&mut slow).await;
    assert!((1..3_000).contains(&events.len()));
    assert_eq!((last.event.as_str(), last.data.get("cursor")), ("slow_consumer", None));
}

#[tokio::test]
async fn a_live_stream_that_retention_has_passed_ends_as_too_slow() {
    let keep_few = |clock: Arc<dyn soorma_ports::Clock>| MemoryLog::with_retention(clock, Duration::MAX, 50);
    let bus = soorma_bus::Config { tail_buffer: 8, ..soorma_bus::Config::default() };
    let server = Server::over(Config::default(), bus, keep_few).await;
    let mut slow = server.stream(QUERY).await;
    publish(&server, 0..3_000).await;
    let (events, last) = rest_of(&mut slow).await;
    assert_eq!(last.event, "slow_consumer");
    let ids: Vec<_> = events.iter().map(Frame::event_id).collect();
    assert_eq!(ids, numbered(0..ids.len()), "up to there nothing is missing");
    let cursor = last.data["cursor"].as_str().expect("a cursor");
    let path = format!("/v1/events/stream?{QUERY}&last_event_id={cursor}");
    let gone = server.ask("GET", &path, &Value::Null).await;
    assert_eq!((gone.status, &gone.problem()["earliest"]), (410, &json!("action-requests=2950")));
}

#[tokio::test]
async fn a_peer_that_never_reads_does_not_hold_up_the_end_of_the_server() {
    let mut server = Server::with(Config { stall_after: Duration::from_secs(1), ..Config::default() }).await;
    let _never = server.stream(QUERY).await;
    publish(&server, 0..3_000).await;
    server.tell_to_stop();
    server.stopped().await;
}

#[tokio::test]
async fn a_reader_that_reads_is_never_slow_however_little_there_is_to_read() {
    let config = Config {
        stall_after: Duration::from_millis(100),
        heartbeat_every: Duration::from_millis(300),
        ..Config::default()
    };
    let server = Server::with(config).await;
    let mut streams = [server.stream(QUERY).await, server.member("workers").await];
    for stream in &mut streams {
        for _ in 0..3 {
            assert_eq!(stream.next().await.event, "heartbeat");
        }
    }
}
