//! What does an event cost, from the bare disk to a reader's socket? Each figure beside the bare SQLite loop of the same
//! durability, in one run: WAL, `synchronous=FULL`, one writer that commits all that waits, and as many indexes.
//!
//! `cargo bench -p soorma-benches --bench events`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]
#![expect(clippy::disallowed_methods, reason = "load comes from outside of any tree")]

mod bare_sqlite;
mod load;

use std::sync::Arc;
use std::time::Duration;

use load::{Rate, http, sse};
use soorma_benches::table;
use soorma_core::{Event, EventId, Name, TenantId, Topic};
use soorma_node::config::Config;
use soorma_node::{MachineClock, Node, Options};
use soorma_ports::{Clock as _, ConsumerSpec, EventLog, Settle, Start};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use tokio::time::Instant;

/// How long each figure is taken.
const TAKE: Duration = Duration::from_secs(4);
const WRITERS: [usize; 3] = [1, 64, 1_024];

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // `-- http`: the load alone, for a profiler.
    if std::env::args().any(|arg| arg == "http") {
        let rate = runtime.block_on(publish(&folder.path().join("http"), 64));
        println!(
            "publish over HTTP, 64 connections: {:.0}/s, p50 {:.2?}, p99 {:.2?}",
            rate.per_second, rate.p50, rate.p99
        );
        return;
    }
    let mut rows = Vec::new();
    for writers in WRITERS {
        // In turns, and the better of two each: what else the machine does falls on both.
        let mut bare = Rate::default();
        let mut ours = Rate::default();
        for turn in 0..2 {
            bare = bare.max(bare_sqlite::run(
                &folder.path().join(format!("bare-{writers}-{turn}.db")),
                writers,
                TAKE,
                id,
            ));
            let path = folder.path().join(format!("ours-{writers}-{turn}.db"));
            ours = ours.max(runtime.block_on(append(&path, writers)));
        }
        rows.push(row(&format!("append, {writers} at once"), ours, bare, "≥ 0.6 of it"));
        if writers == 64 {
            let mut over_http = Rate::default();
            for turn in 0..2 {
                over_http = over_http
                    .max(runtime.block_on(publish(&folder.path().join(format!("http-{turn}")), writers)));
            }
            rows.push(row("publish over HTTP, 64 connections", over_http, bare, "15,000/s or 0.45 of it"));
        }
    }
    let bare = bare_sqlite::run(&folder.path().join("bare-deliver.db"), 64, TAKE, id);
    let delivered = runtime.block_on(deliver(&folder.path().join("deliver.db")));
    rows.push(row("deliver to a group and settle", delivered, bare, "–"));
    print!("{}", table(&["figure", "ours", "p50", "p99", "bare SQLite", "ratio", "goal"], &rows));

    println!();
    let live = runtime.block_on(publish_to_stream(&folder.path().join("live"), 1_000));
    let rows = [vec![
        "publish → SSE, 1,000 events/s".to_owned(),
        format!("{:.2?}", live.p50),
        format!("{:.2?}", live.p99),
        live.count.to_string(),
    ]];
    print!("{}", table(&["figure", "p50", "p99", "events"], &rows));
}

fn row(name: &str, ours: Rate, bare: Rate, goal: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.0}/s", ours.per_second),
        format!("{:.2?}", ours.p50),
        format!("{:.2?}", ours.p99),
        format!("{:.0}/s", bare.per_second),
        format!("{:.2}", ours.per_second / bare.per_second),
        goal.to_owned(),
    ]
}

fn id(n: u64) -> String {
    let random = [n.to_be_bytes().as_slice(), &[0, 0]].concat().try_into().unwrap();
    EventId::uuid_v7(MachineClock.now().unix_ms(), &random).to_string()
}

fn event(n: u64) -> Event {
    let id = EventId::new(id(n)).unwrap();
    let mut event = Event::new(id, "bench", "bench.event", MachineClock.now(), Topic::BusinessFacts);
    event.data =
        Some(soorma_core::Data::from_json(&format!("{{\"text\":\"{}\"}}", "x".repeat(200))).unwrap());
    event.tenant_id = Some("st".to_owned());
    event.user_id = Some("su".to_owned());
    event
}

async fn append(path: &std::path::Path, writers: usize) -> Rate {
    let log = SqliteLog::open(path, SqliteLogConfig::default(), Arc::new(MachineClock)).unwrap();
    let until = Instant::now() + TAKE;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let (tenant, mut times) = (TenantId::default(), Vec::new());
            let mut n = u64::try_from(writer).unwrap() << 40;
            while Instant::now() < until {
                let begun = Instant::now();
                log.append(&tenant, vec![Arc::new(event(n))]).await.unwrap();
                times.push(begun.elapsed());
                n += 1;
            }
            times
        });
    }
    let rate = Rate::of(tasks.join_all().await.concat(), TAKE);
    log.close().await;
    rate
}

async fn node(data: &std::path::Path) -> Node {
    let mut config = Config::default();
    config.node.data = data.to_owned();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    Node::start(config, Options::default()).await.unwrap()
}

async fn publish(data: &std::path::Path, connections: usize) -> Rate {
    let node = node(data).await;
    let rate =
        http(node.addr().unwrap(), connections, TAKE, |n| event(n).to_json(soorma_core::Json::Snake)).await;
    node.stop().await.unwrap();
    rate
}

/// A log of events, worked through by one group with a credit of 256.
async fn deliver(path: &std::path::Path) -> Rate {
    const EVENTS: u64 = 60_000;
    let log = SqliteLog::open(path, SqliteLogConfig::default(), Arc::new(MachineClock)).unwrap();
    let tenant = TenantId::default();
    for from in (0..EVENTS).step_by(1_000) {
        log.append(&tenant, (from..from + 1_000).map(|n| Arc::new(event(n))).collect()).await.unwrap();
    }
    let spec = ConsumerSpec {
        tenant,
        group: Name::new("bench").unwrap(),
        topics: [Topic::BusinessFacts].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(30),
        max_attempts: 5,
        max_unsettled: 256,
        key: None,
        expire_after: None,
    };
    let consumer = log.consumer(spec).await.unwrap();
    let begun = Instant::now();
    let (mut done, mut times) = (0, Vec::new());
    while done < EVENTS {
        let asked = Instant::now();
        let deliveries = consumer.next(256, Duration::from_secs(5)).await.unwrap();
        done += u64::try_from(deliveries.len()).unwrap();
        let settlements = deliveries.iter().map(|delivery| (delivery.id, Settle::Ack)).collect();
        consumer.settle(settlements).await.unwrap();
        times.extend(std::iter::repeat_n(asked.elapsed(), deliveries.len()));
    }
    let rate = Rate::of(times, begun.elapsed());
    log.close().await;
    rate
}

/// From the request to publish to the frame at a reader.
async fn publish_to_stream(data: &std::path::Path, per_second: u32) -> Rate {
    let node = node(data).await;
    let rate =
        sse(node.addr().unwrap(), per_second, TAKE, |n| event(n).to_json(soorma_core::Json::Snake)).await;
    node.stop().await.unwrap();
    rate
}
