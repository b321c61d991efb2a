//! What does a registry of a hundred thousand agents cost and answer, beside a bare axum server that answers the same bytes? Servers are
//! processes of their own, so that their memory is their own.
//!
//! `cargo bench -p soorma-benches --bench registry`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]
#![expect(clippy::disallowed_methods, reason = "load comes from outside of any tree")]
#![expect(dead_code, reason = "the load generator is shared with benches that use all of it")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::routing::{get, post};
use soorma_benches::table;
use soorma_core::{AgentRecord, Capability, EventRef, Name, TenantId, Topic};
use soorma_node::config::Config;
use soorma_node::{Node, Options};
use soorma_ports::Standing;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

mod asking;
mod load;
mod server;

use asking::{ask, scattered};
use load::Rate;
use server::{Server, wait_for_the_end};

const AGENTS: usize = 100_000;
/// Each is what as many agents can do as there are agents for one of them.
const CAPABILITIES: usize = 10_000;
const TAKE: Duration = Duration::from_secs(8);

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(nth) = args.iter().position(|arg| arg == "serve") {
        runtime.block_on(serve(&args[nth + 1], Path::new(&args[nth + 2])));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let filled = runtime.block_on(fill(folder.path()));
    let empty = tempfile::tempdir().unwrap();
    let before = Server::start(&["soorma".as_ref(), empty.path().as_ref()]).memory();
    let begun = Instant::now();
    let ours = Server::start(&["soorma".as_ref(), folder.path().as_ref()]);
    let started = begun.elapsed();
    let each = ours.memory().saturating_sub(before) / AGENTS;
    println!(
        "{AGENTS} agents registered in {filled:.1?}; start from the full store {started:.2?} (goal 5 s); memory an agent {each} B"
    );

    let answers = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    for (name, goal, connections, request) in [
        ("discover, any of 10,000 capabilities, 1 at once", "p99 5 ms", 1, discover as fn(u64) -> Vec<u8>),
        ("discover, one of 100 that all ask for, 16 at once", "0.7", 16, discover_usual),
        ("discover, any of 10,000 capabilities, 16 at once", "0.7", 16, discover),
        ("register, 64 at once", "", 64, register),
    ] {
        // The same bytes: what ours answers to the first of them.
        let answer = runtime.block_on(one(ours.addr, &request(0)));
        std::fs::write(answers.path().join("answer"), &answer).unwrap();
        let bare = Server::start(&["axum".as_ref(), answers.path().as_ref()]);
        // Each is measured twice, turn and turn about; the better counts.
        let (mut best, mut peer) = (Rate::default(), Rate::default());
        for _ in 0..2 {
            best = best.max(runtime.block_on(ask(ours.addr, connections, TAKE, request)));
            peer = peer.max(runtime.block_on(ask(bare.addr, connections, TAKE, request)));
        }
        rows.push(load::row(&format!("{name} ({} B)", answer.len()), best, peer, goal));
    }
    print!("{}", table(&["over HTTP", "ours", "p50", "p99", "bare axum", "ratio", "goal"], &rows));
}

fn agent(n: usize) -> AgentRecord {
    let name = |text: String| Name::new(text).unwrap();
    let event = |what: &str| EventRef {
        name: name(format!("work{}.{what}", n % CAPABILITIES)),
        topic: Some(if what == "requested" { Topic::ActionRequests } else { Topic::ActionResults }),
    };
    AgentRecord {
        id: name(format!("agent-{n:06}")),
        name: name(format!("worker{n}:1.0.0")),
        description: "Does a kind of work that others ask for, and says how it went".to_owned(),
        kind: None,
        version: None,
        capabilities: vec![Capability {
            name: name(format!("capability{}", n % CAPABILITIES)),
            description: "Does the work and answers with what came of it".to_owned(),
            consumes: event("requested"),
            produces: vec![event("completed")],
        }],
        consumes: vec![event("requested").name],
        produces: vec![event("completed").name],
    }
}

/// Registers all agents in a folder.
async fn fill(folder: &Path) -> Duration {
    let node = Node::start(config(folder), Options::default()).await.unwrap();
    let begun = Instant::now();
    for from in (0..AGENTS).step_by(1_000) {
        let some = (from..from + 1_000).map(|n| {
            let directory = node.directory();
            async move {
                directory.register(&TenantId::default(), agent(n), Standing::READY).await.unwrap();
            }
        });
        futures_util::future::join_all(some).await;
    }
    let took = begun.elapsed();
    node.stop().await.unwrap();
    took
}

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.node.data = folder.to_owned();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    // What is registered while it is measured comes on top.
    config.registry.max_agents_per_tenant = 10_000_000;
    config.registry.max_agents = 10_000_000;
    config.registry.max_bytes_per_tenant = config.registry.max_bytes;
    // Nobody gives a sign of life here.
    config.registry.lease = Duration::from_secs(86_400);
    config
}

/// The server's life, in its own process: says where it listens, and ends with its standard input.
#[expect(clippy::print_stdout, reason = "it tells its parent where it listens")]
async fn serve(what: &str, folder: &Path) {
    if what == "axum" {
        let answer = axum::body::Bytes::from(std::fs::read(folder.join("answer")).unwrap());
        let handler = move || {
            let answer = answer.clone();
            async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], answer) }
        };
        let posted = handler.clone();
        let app = axum::Router::new()
            .route("/v1/agents/discover", get(handler))
            .route("/v1/agents", post(move |_: axum::body::Bytes| posted()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app.into_make_service()).await.unwrap() });
        wait_for_the_end().await;
        return;
    }
    let node = Node::start(config(folder), Options::default()).await.unwrap();
    println!("{}", node.addr().unwrap());
    wait_for_the_end().await;
    node.stop().await.unwrap();
}

/// Asks for any of the capabilities, in an order that no cache can guess: what is answered lies far in memory.
fn discover(n: u64) -> Vec<u8> {
    asking_for(scattered(n) % CAPABILITIES)
}

/// Asks for one of those that are usually asked for.
fn discover_usual(n: u64) -> Vec<u8> {
    asking_for(scattered(n) % 100)
}

fn asking_for(nth: usize) -> Vec<u8> {
    format!("GET /v1/agents/discover?capability=capability{nth} HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .into_bytes()
}

fn register(n: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"agent":{{"agentId":"new-{n}","name":"new:1.0.0","description":"Comes while it is measured","capabilities":[{{"taskName":"novelty","description":"Is new","consumedEvent":{{"eventName":"novelty.requested","topic":"action-requests","description":"Asks for it"}},"producedEvents":[]}}]}}}}"#
    );
    let length = body.len();
    format!(
        "POST /v1/agents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The body of the answer to one request.
async fn one(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut buffer = Vec::new();
    stream.write_all(request).await.unwrap();
    load::answer(&mut stream, &mut buffer).await;
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    buffer.split_off(head + 4)
}
