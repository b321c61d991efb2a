//! What do ten thousand open streams cost, beside a bare axum server whose streams hang on one broadcast? The server is a process of its own, so
//! that its memory is its own.
//!
//! `cargo bench -p soorma-benches --bench streams`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]
#![expect(clippy::disallowed_methods, reason = "load comes from outside of any tree")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use soorma_benches::table;
use soorma_core::{Data, Event, EventId, Json, Topic};
use soorma_node::config::{Config, Servers};
use soorma_node::{MachineClock, Node, Options};
use soorma_ports::Clock as _;
use soorma_testkit::servers::NatsServer;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

mod server;

use server::{Server, wait_for_the_end};

/// How many events, and how many in a second.
const EVENTS: usize = 40;
const PER_SECOND: u32 = 4;

#[expect(clippy::print_stdout, reason = "the bench's result")]
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(nth) = args.iter().position(|arg| arg == "serve") {
        runtime.block_on(serve(&args[nth + 1]));
        return;
    }
    let streams = 10_000.min(open_files().saturating_sub(200));
    let nats = NatsServer::start(&[]);
    let mut rows = Vec::new();
    for (name, what) in
        [("bare axum", "axum"), ("soorma, embedded", "embedded"), ("soorma on NATS", nats.url())]
    {
        let figures = runtime.block_on(measure(what, streams));
        rows.push([vec![name.to_owned(), streams.to_string()], figures].concat());
    }
    print!("{}", table(&["server", "streams", "memory a stream", "delivered", "lost", "p50", "p99"], &rows));
}

/// How many files this process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

/// The server's life, in its own process: says where it listens, and ends with its standard input.
#[expect(clippy::print_stdout, reason = "it tells its parent where it listens")]
async fn serve(what: &str) {
    let folder = tempfile::tempdir().unwrap();
    if what == "axum" {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, bare().into_make_service()).await.unwrap() });
        wait_for_the_end().await;
        return;
    }
    let mut config = Config::default();
    config.node.data = folder.path().to_owned();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    (config.edge.max_streams, config.edge.max_streams_per_tenant) = (20_000, 20_000);
    config.edge.max_streams_per_principal = 20_000;
    if what != "embedded" {
        config.nats.servers = Some(Servers(vec![what.to_owned()]));
    }
    let node = Node::start(config, Options::default()).await.unwrap();
    println!("{}", node.addr().unwrap());
    wait_for_the_end().await;
    node.stop().await.unwrap();
}

/// As few words as axum takes, with the paths of ours.
fn bare() -> axum::Router {
    let (feed, _) = broadcast::channel::<Arc<str>>(1_024);
    let listened = feed.clone();
    let stream = move || {
        let mut heard = listened.subscribe();
        async move {
            let events = async_stream_of(async move || {
                let text = heard.recv().await.ok()?;
                Some(Ok::<_, Infallible>(SseEvent::default().event("message").data(&*text)))
            });
            let first = futures_util::stream::iter([Ok(SseEvent::default().event("connected").data("{}"))]);
            Sse::new(first.chain(events)).keep_alive(KeepAlive::default())
        }
    };
    let publish = move |body: String| {
        let sent = feed.send(body.into()).is_ok();
        async move { if sent { "{}" } else { "nobody" } }
    };
    axum::Router::new().route("/v1/events/stream", get(stream)).route("/v1/events/publish", post(publish))
}

/// A stream of what a closure gives, until it gives nothing.
fn async_stream_of<T, F>(next: F) -> impl futures_util::Stream<Item = T>
where
    F: AsyncFnMut() -> Option<T>,
{
    futures_util::stream::unfold(next, |mut next| async move { Some((next().await?, next)) })
}

fn body(n: usize) -> String {
    let id = EventId::new(format!("e{n}")).unwrap();
    let mut event = Event::new(id, "bench", "bench.event", MachineClock.now(), Topic::BusinessFacts);
    event.data = Some(Data::from_json(&format!("{{\"text\":\"{}\"}}", "x".repeat(200))).unwrap());
    (event.tenant_id, event.user_id) = (Some("st".to_owned()), Some("su".to_owned()));
    event.to_json(Json::Snake)
}

async fn open(addr: SocketAddr) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request =
        b"GET /v1/events/stream?topics=business-facts&agent_id=bench HTTP/1.1\r\nhost: localhost\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut reader = BufReader::with_capacity(1_024, socket);
    let mut line = String::new();
    while !line.starts_with("event: connected") {
        line.clear();
        assert!(reader.read_line(&mut line).await.unwrap() > 0, "the stream does not open");
    }
    reader
}

async fn measure(what: &str, streams: usize) -> Vec<String> {
    let server = Server::start(&[what.as_ref()]);
    // One stream first: what a first request needs is no stream's.
    let warm = open(server.addr).await;
    let before = server.memory();
    let mut readers = Vec::with_capacity(streams);
    while readers.len() < streams {
        let some = (0..200.min(streams - readers.len())).map(|_| open(server.addr));
        readers.extend(futures_util::future::join_all(some).await);
    }
    let after = server.memory();
    drop(warm);

    let (seen, mut times) = mpsc::channel::<(usize, Instant)>(100_000);
    let delivered = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for mut reader in readers {
        let (seen, delivered) = (seen.clone(), Arc::clone(&delivered));
        tasks.spawn(async move {
            let mut line = String::new();
            let mut got = 0;
            while got < EVENTS {
                line.clear();
                if reader.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
                let Some((_, rest)) = line.split_once("\"id\":\"e") else { continue };
                let n: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let n = n.parse().unwrap();
                delivered.fetch_add(1, Ordering::Relaxed);
                seen.send((n, Instant::now())).await.unwrap();
                got += 1;
            }
        });
    }
    drop(seen);
    let mut sent = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut writer = TcpStream::connect(server.addr).await.unwrap();
    let mut spans = Vec::with_capacity(streams * EVENTS);
    for n in 0..EVENTS {
        tick.tick().await;
        let event = format!("{{\"event\":{}}}", body(n));
        let length = event.len();
        let request = format!(
            "POST /v1/events/publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{event}"
        );
        sent.push(Instant::now());
        writer.write_all(request.as_bytes()).await.unwrap();
        let answered = writer.read(&mut [0; 4_096]).await.unwrap();
        assert!(answered > 0, "a publish is not answered");
        while let Ok((n, at)) = times.try_recv() {
            spans.push(at - sent[n]);
        }
    }
    let until = Instant::now() + Duration::from_secs(60);
    while let Ok(Some((n, at))) = tokio::time::timeout_at(until, times.recv()).await {
        spans.push(at - sent[n]);
    }
    spans.sort_unstable();
    let at = |hundredth: usize| spans.get(spans.len() * hundredth / 100).copied().unwrap_or_default();
    let each = after.saturating_sub(before) / streams;
    vec![
        format!("{}.{} KiB", each / 1_024, each % 1_024 * 10 / 1_024),
        delivered.load(Ordering::Relaxed).to_string(),
        (streams * EVENTS - delivered.load(Ordering::Relaxed)).to_string(),
        format!("{:.1?}", at(50)),
        format!("{:.1?}", at(99)),
    ]
}
