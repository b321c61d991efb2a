//! An endpoint made by hand, on loopback: it speaks HTTP as it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How many numbers its vectors have.
pub(crate) const DIMENSIONS: usize = 8;

/// What it does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers with a status, lines of the head, and a body.
    Say(u16, &'static str, String),
    /// Answers with the vectors in another order, each with its index.
    Shuffle,
    /// Sends half of a good answer and closes.
    Half,
    /// Sends a body that has no end.
    Flood,
    /// Closes without a word.
    Close,
    /// Takes the request and says nothing more.
    Hang,
}

/// A request that it got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) body: Value,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    plan: Mutex<VecDeque<Act>>,
    asked: Mutex<Vec<Asked>>,
    /// How many requests run, and the most that ran at once.
    running: Mutex<(usize, usize)>,
    came: Notify,
    silent: watch::Sender<bool>,
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let own = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let own = Arc::clone(&own);
                connections.spawn(async move { own.serve(socket).await });
            }
        });
        Self { addr, shared, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Plans what is done with the next request that has no plan; without one it is answered.
    pub(crate) fn on_next(&self, act: Act) {
        self.shared.plan.lock().unwrap().push_back(act);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Waits until it got so many requests.
    pub(crate) async fn was_asked(&self, times: usize) {
        loop {
            let came = self.shared.came.notified();
            if self.asked().len() >= times {
                return;
            }
            came.await;
        }
    }

    /// Returns the most requests that ran at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.running.lock().unwrap().1
    }

    /// While it is silent it takes requests and answers none; those that came are answered when it speaks again.
    pub(crate) fn silent(&self, silent: bool) {
        self.shared.silent.send_replace(silent);
    }
}

/// The vector of a text as this endpoint knows it: of some length that is not 1.
pub(crate) fn vector_of(text: &str) -> Vec<f64> {
    let mut seed =
        text.bytes().fold(1_u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(u64::from(byte)));
    (0..DIMENSIONS)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(seed >> 33).unwrap()) / f64::from(1_u32 << 24) - 64.0
        })
        .collect()
}

/// A good answer to a request.
pub(crate) fn answer_to(request: &Value) -> Value {
    let inputs = request["input"].as_array().unwrap();
    let data: Vec<Value> = (0..)
        .zip(inputs)
        .map(|(index, text): (usize, _)| {
            json!({ "object": "embedding", "index": index, "embedding": vector_of(text.as_str().unwrap()) })
        })
        .collect();
    json!({ "object": "list", "data": data, "model": request["model"], "usage": { "prompt_tokens": 1 } })
}

impl Shared {
    /// Serves a connection until it ends.
    async fn serve(&self, mut socket: TcpStream) {
        while let Some(asked) = read(&mut socket).await {
            {
                let mut running = self.running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            let act = self.plan.lock().unwrap().pop_front();
            self.asked.lock().unwrap().push(asked.clone());
            self.came.notify_waiters();
            let mut silent = self.silent.subscribe();
            silent.wait_for(|silent| !silent).await.unwrap();
            // Others have a chance to come in between, if they may.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let goes_on = respond(&mut socket, act, &asked.body).await;
            self.running.lock().unwrap().0 -= 1;
            if !goes_on {
                return;
            }
        }
    }
}

/// Does with a request what is planned; says whether the connection goes on.
async fn respond(socket: &mut TcpStream, act: Option<Act>, request: &Value) -> bool {
    let mut answer = answer_to(request);
    let (status, lines, body) = match act {
        None => (200, "", answer.to_string()),
        Some(Act::Shuffle) => {
            answer["data"].as_array_mut().unwrap().reverse();
            (200, "", answer.to_string())
        }
        Some(Act::Say(status, lines, body)) => (status, lines, body),
        Some(Act::Half) => {
            let body = answer.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let half = body.get(..body.len() / 2).expect("it is ASCII");
            send(socket, &(head + half)).await;
            return false;
        }
        Some(Act::Flood) => {
            send(socket, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            while send(socket, &chunk).await {}
            return false;
        }
        Some(Act::Close) => return false,
        Some(Act::Hang) => std::future::pending().await,
    };
    let head = format!("HTTP/1.1 {status} X\r\n{lines}content-length: {}\r\n\r\n", body.len());
    send(socket, &(head + &body)).await
}

async fn send(socket: &mut TcpStream, text: &str) -> bool {
    socket.write_all(text.as_bytes()).await.is_ok()
}

/// Reads one request; nothing where the connection ended.
async fn read(socket: &mut TcpStream) -> Option<Asked> {
    let mut raw = Vec::new();
    let end = loop {
        if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(socket, &mut raw).await?;
    };
    let head = String::from_utf8(raw[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let whole = end + length.expect("a request says how long it is");
    while raw.len() < whole {
        more(socket, &mut raw).await?;
    }
    Some(Asked { head, body: serde_json::from_slice(&raw[end..whole]).unwrap() })
}

async fn more(socket: &mut TcpStream, raw: &mut Vec<u8>) -> Option<()> {
    match socket.read_buf(raw).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}
