//! What does memory cost over HTTP? Working memory beside axum handlers that carry out one bare statement of the same durability; semantic
//! memory with the embedder that a node has where nothing is said. Servers are processes of their own.
//!
//! `cargo bench -p soorma-benches --bench remember`; with `-- quick` in a quarter of the time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on is to end")]
#![expect(clippy::disallowed_methods, reason = "load comes from outside of any tree")]
#![expect(clippy::print_stdout, reason = "the bench's result")]
#![expect(dead_code, reason = "the load generator is shared with benches that use all of it")]

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use soorma_benches::table;
use soorma_node::config::Config;
use soorma_node::{Node, Options};
use soorma_testkit::servers::{PostgresDatabase, PostgresServer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

mod asking;
mod bare_memory;
mod load;
mod server;

use asking::{ask, scattered};
use load::Rate;
use server::{Server, wait_for_the_end};

const PLANS: usize = 1_000;
const KEYS: usize = 10;
const ENTRIES: u64 = 10_000;
/// So often each is measured, turn and turn about; the best counts, for what else the machine does falls on some.
const TURNS: usize = 4;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(nth) = args.iter().position(|arg| arg == "serve") {
        runtime.block_on(serve(&args[nth + 1], &args[nth + 2], args.get(nth + 3)));
        return;
    }
    let quick = args.iter().any(|arg| arg == "quick");
    let bench = Bench { runtime, take: Duration::from_millis(if quick { 400 } else { 1_500 }) };
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let folder = |nth: usize| folders[nth].path().as_os_str();
    let postgres = PostgresServer::start(&["fsync=on"]);
    let databases = [0, 1].map(|_| PostgresDatabase::on(&postgres.url()));
    let url = |nth: usize| OsStr::new(databases[nth].url());

    let in_file = Server::start(&["soorma".as_ref(), folder(0)]);
    let on_postgres = Server::start(&["soorma".as_ref(), folder(1), url(0)]);
    let bare = Server::start(&["sqlite".as_ref(), folder(2)]);
    let together = Server::start(&["sqlite-together".as_ref(), folder(3)]);
    let bare_postgres = Server::start(&["postgres".as_ref(), url(1)]);
    for server in [&in_file, &on_postgres, &bare, &bare_postgres] {
        let values = u64::try_from(PLANS * KEYS).unwrap();
        bench.runtime.block_on(send(server.addr, values, |n| set_at(n, usize::try_from(n).unwrap())));
    }
    // What the server does by itself within a minute.
    let looked_through = || databases.iter().for_each(|database| drop(database.execute("VACUUM ANALYZE")));
    looked_through();
    let by_itself = ("a statement each", &bare);
    let with_others = ("all that wait in one commit", &together);
    let there = ("a statement each", &bare_postgres);
    let mut rows = Vec::new();
    for connections in [1, 64] {
        rows.extend(bench.beside("file, set", &in_file, &[by_itself, with_others], connections, set));
        rows.extend(bench.beside("file, get", &in_file, &[by_itself], connections, get));
    }
    for connections in [1, 64] {
        rows.extend(bench.beside("Postgres, set", &on_postgres, &[there], connections, set));
        rows.extend(bench.beside("Postgres, get", &on_postgres, &[there], connections, get));
    }
    println!("working memory over HTTP beside bare axum, synced; {PLANS} plans of {KEYS} keys");
    print!("{}", table(&["so many at once", "ours", "p50", "p99", "bare", "ratio", "goal"], &rows));

    let mut rows = Vec::new();
    for (name, server) in [("file", &in_file), ("Postgres", &on_postgres)] {
        bench.runtime.block_on(send(server.addr, ENTRIES, fact));
        looked_through();
        for (connections, goal) in [(1, "1,000/s, p50 < 1 ms"), (16, "1,000/s")] {
            let rate = bench.alone(server, connections, search);
            rows.push(row(&format!("{name}, search {ENTRIES}, {connections}"), rate, goal));
        }
        for connections in [1, 16, 64] {
            let rate = bench.alone(server, connections, fact);
            rows.push(row(&format!("{name}, store, {connections}"), rate, "p99 < 10 ms"));
        }
    }
    println!(
        "\nsemantic memory over HTTP, with feature hashing; the published services search 9 and 18 times a second"
    );
    print!("{}", table(&["so many at once", "ours", "p50", "p99", "goal"], &rows));
}

struct Bench {
    runtime: Runtime,
    take: Duration,
}

impl Bench {
    /// Measures ours and its peers.
    fn beside(
        &self,
        name: &str,
        ours: &Server,
        peers: &[(&str, &Server)],
        connections: usize,
        request: fn(u64) -> Vec<u8>,
    ) -> Vec<Vec<String>> {
        let mut best = Rate::default();
        let mut others = vec![Rate::default(); peers.len()];
        for _ in 0..TURNS {
            best = best.max(self.once(ours, connections, request));
            for (other, (_, peer)) in others.iter_mut().zip(peers) {
                *other = other.max(self.once(peer, connections, request));
            }
        }
        let rows = others.into_iter().zip(peers).map(|(other, (what, _))| {
            load::row(&format!("{name}, {connections}; {what}"), best, other, "0.6")
        });
        rows.collect()
    }

    fn alone(&self, server: &Server, connections: usize, request: fn(u64) -> Vec<u8>) -> Rate {
        (0..TURNS).fold(Rate::default(), |best, _| best.max(self.once(server, connections, request)))
    }

    fn once(&self, server: &Server, connections: usize, request: fn(u64) -> Vec<u8>) -> Rate {
        self.runtime.block_on(ask(server.addr, connections, self.take, request))
    }
}

fn row(name: &str, rate: Rate, goal: &str) -> Vec<String> {
    let shown = |time: Duration| format!("{time:.2?}");
    let per_second = format!("{:.0}/s", rate.per_second);
    vec![name.to_owned(), per_second, shown(rate.p50), shown(rate.p99), goal.to_owned()]
}

/// Sends so many requests over 32 connections.
async fn send(addr: SocketAddr, many: u64, request: fn(u64) -> Vec<u8>) {
    const CONNECTIONS: u64 = 32;
    let mut tasks = tokio::task::JoinSet::new();
    for first in 0..CONNECTIONS {
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            let mut buffer = Vec::new();
            for n in (first..many).step_by(usize::try_from(CONNECTIONS).unwrap()) {
                tokio::io::AsyncWriteExt::write_all(&mut stream, &request(n)).await.unwrap();
                load::answer(&mut stream, &mut buffer).await;
            }
        });
    }
    tasks.join_all().await;
}

/// The server's life, in its own process: says where it listens, and ends with its standard input.
async fn serve(what: &str, place: &str, url: Option<&String>) {
    let postgres = Config::default().postgres.max_connections;
    let app = match what {
        "sqlite" => bare_memory::on_sqlite(Path::new(place)),
        "sqlite-together" => bare_memory::on_sqlite_together(Path::new(place)),
        "postgres" => bare_memory::on_postgres(place, postgres).await,
        _ => {
            let mut config = Config::default();
            config.node.data = place.into();
            config.edge.listen = "127.0.0.1:0".parse().unwrap();
            config.postgres.url = url.cloned().unwrap_or_default();
            let node = Node::start(config, Options::default()).await.unwrap();
            println!("{}", node.addr().unwrap());
            wait_for_the_end().await;
            node.stop().await.unwrap();
            return;
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app.into_make_service()).await.unwrap() });
    wait_for_the_end().await;
}

fn set(n: u64) -> Vec<u8> {
    set_at(n, scattered(n))
}

fn set_at(n: u64, place: usize) -> Vec<u8> {
    let note = "x".repeat(160);
    request("PUT", &working(place), &format!("{{\"value\":{{\"step\":{n},\"note\":\"{note}\"}}}}"))
}

fn get(n: u64) -> Vec<u8> {
    request("GET", &working(scattered(n)), "")
}

fn working(place: usize) -> String {
    format!("/v1/memory/working/plan-{:04}/key-{}", place / KEYS % PLANS, place % KEYS)
}

/// Stores a text of two dozen words.
fn fact(n: u64) -> Vec<u8> {
    request("POST", "/v1/memory/semantic", &format!("{{\"content\":\"{}\"}}", words(n, 24, " ")))
}

/// Asks for something of a few words that nobody has asked for before.
fn search(n: u64) -> Vec<u8> {
    request("POST", &format!("/v1/memory/semantic/query?query={}", words(n ^ 0x5eed, 6, "%20")), "")
}

/// Words of syllables: a few that many texts have, and many that few have.
fn words(n: u64, count: u64, between: &str) -> String {
    const SYLLABLES: [&str; 16] = [
        "ka", "lo", "mi", "ren", "tu", "vas", "el", "dor", "in", "su", "pra", "gon", "ti", "bel", "no", "fer",
    ];
    let word = |nth| {
        let number = scattered((n << 6) + nth);
        let number = number % [8, 64, 512, 4_096][number >> 13 & 3];
        [8, 4, 0].map(|shift| SYLLABLES[number >> shift & 15]).concat()
    };
    (0..count).map(word).collect::<Vec<_>>().join(between)
}

fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
