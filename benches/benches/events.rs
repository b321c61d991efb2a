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

use load::{Rate, at_once, deliver, event, http, id, json, row, sse};
use soorma_benches::table;
use soorma_core::TenantId;
use soorma_node::config::Config;
use soorma_node::{MachineClock, Node, Options};
use soorma_ports::EventLog as _;
use soorma_sqlite::{SqliteLog, SqliteLogConfig};

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
                |n| id(n).to_string(),
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
    let bare = bare_sqlite::run(&folder.path().join("bare-deliver.db"), 64, TAKE, |n| id(n).to_string());
    let delivered = runtime.block_on(async {
        let path = folder.path().join("deliver.db");
        let log = SqliteLog::open(&path, SqliteLogConfig::default(), Arc::new(MachineClock)).unwrap();
        let rate = deliver(&*log, 60_000).await;
        log.close().await;
        rate
    });
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

async fn append(path: &std::path::Path, writers: usize) -> Rate {
    let log = SqliteLog::open(path, SqliteLogConfig::default(), Arc::new(MachineClock)).unwrap();
    let appended = Arc::clone(&log);
    let rate = at_once(writers, TAKE, move |n| {
        let log = Arc::clone(&appended);
        async move {
            log.append(&TenantId::default(), vec![Arc::new(event(n))]).await.unwrap();
        }
    })
    .await;
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
    let rate = http(node.addr().unwrap(), connections, TAKE, json).await;
    node.stop().await.unwrap();
    rate
}

/// From the request to publish to the frame at a reader.
async fn publish_to_stream(data: &std::path::Path, per_second: u32) -> Rate {
    let node = node(data).await;
    let rate = sse(node.addr().unwrap(), per_second, TAKE, json).await;
    node.stop().await.unwrap();
    rate
}
