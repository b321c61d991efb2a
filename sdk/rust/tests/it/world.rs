//! A node on one of the two backends, and clients that speak to it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use soorma::config::{Config, Servers};
use soorma::{
    Client, Clock as _, Data, Event, EventId, EventStream, Frame, MachineClock, Node, Options, Scope,
    StreamRequest, TenantId, Topic,
};
use soorma_testkit::servers::{NatsServer, PostgresDatabase};
use tempfile::TempDir;
use tokio::time::{Instant, timeout_at};

/// Nothing here takes so long; it only keeps a broken test from hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A node, and what it stands on.
pub(crate) struct World {
    pub(crate) config: Config,
    node: Option<Node>,
    /// Gone with the test.
    _data: TempDir,
    _database: Option<PostgresDatabase>,
}

/// A prefix that no other test has, nor another run on the same server.
fn prefix() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let run = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("node-{}-{run}-{nth}", std::process::id())
}

impl World {
    /// A node on the embedded log, not started yet.
    pub(crate) fn embedded() -> Self {
        let data = TempDir::new().unwrap();
        let mut config = Config::default();
        config.node.data = data.path().to_owned();
        config.edge.listen = "127.0.0.1:0".parse().unwrap();
        Self { config, node: None, _data: data, _database: None }
    }

    /// A node on JetStream, on the server that all tests share, not started yet.
    pub(crate) fn nats() -> Self {
        Self::on(NatsServer::shared())
    }

    pub(crate) fn on(url: String) -> Self {
        let mut world = Self::embedded();
        world.config.nats.servers = Some(Servers(vec![url]));
        world.config.nats.prefix = prefix();
        world
    }

    /// A node on JetStream and Postgres, with nothing in the file, not started yet.
    pub(crate) fn servers() -> Self {
        let database = PostgresDatabase::fresh();
        let mut world = Self::nats();
        database.url().clone_into(&mut world.config.postgres.url);
        world._database = Some(database);
        world
    }

    /// Another node on the same servers, not started yet.
    pub(crate) fn beside(&self) -> Self {
        let mut other = Self::embedded();
        other.config = Config { node: other.config.node, ..self.config.clone() };
        other
    }

    /// Sets values before it is started.
    pub(crate) fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(&mut self.config);
        self
    }

    pub(crate) async fn start(mut self) -> Self {
        self.node = Some(Node::start(self.config.clone(), Options::default()).await.unwrap());
        self
    }

    /// Stops the node and starts another on the same data, at another address.
    pub(crate) async fn restart(&mut self) {
        self.node.take().expect("it runs").stop().await.unwrap();
        self.node = Some(Node::start(self.config.clone(), Options::default()).await.unwrap());
    }

    pub(crate) async fn stop(mut self) {
        self.node.take().expect("it runs").stop().await.unwrap();
    }

    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().expect("it runs")
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.node().addr().expect("it listens")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.addr())).unwrap()
    }

    pub(crate) fn client_of(&self, tenant: &str) -> Client {
        self.client().scope(Scope { tenant: TenantId::new(tenant).unwrap(), ..Scope::default() })
    }
}

/// Makes an event that anybody may publish.
pub(crate) fn event(id: &str, topic: Topic) -> Event {
    let id = EventId::new(id).unwrap();
    let mut event = Event::new(id, "asker", "work.requested", MachineClock.now(), topic);
    event.data = Some(Data::from_json("{}").unwrap());
    (event.tenant_id, event.user_id) = (Some("st".into()), Some("su".into()));
    event
}

/// Makes an event that is about so many bytes long.
pub(crate) fn large(id: &str, topic: Topic, bytes: usize) -> Event {
    let mut event = event(id, topic);
    event.data = Some(Data::from_value(&serde_json::json!({ "filler": "x".repeat(bytes) })).unwrap());
    event
}

pub(crate) fn member(group: &str, id: &str, topic: Topic) -> StreamRequest {
    StreamRequest {
        topics: [topic].into(),
        agent_id: id.into(),
        agent_name: Some(group.into()),
        ..StreamRequest::default()
    }
}

pub(crate) fn watcher(topic: Topic) -> StreamRequest {
    StreamRequest { topics: [topic].into(), agent_id: "watcher".into(), ..StreamRequest::default() }
}

/// Opens a stream and waits until it is there.
pub(crate) async fn open(client: &Client, request: &StreamRequest) -> EventStream {
    let mut stream = client.stream(request).await.unwrap();
    assert_eq!(stream.next().await.unwrap(), Some(Frame::Connected));
    stream
}

/// Reads the next event.
pub(crate) async fn next(stream: &mut EventStream) -> Event {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let frame = timeout_at(deadline, stream.next()).await.expect("an event comes").unwrap();
        match frame.expect("the stream goes on") {
            Frame::Message(event, _) => return *event,
            Frame::Delivery(delivery) => return delivery.event,
            Frame::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Reads so many events, and returns their ids.
pub(crate) async fn ids(stream: &mut EventStream, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(next(stream).await.id.to_string());
    }
    ids
}

/// Names `<prefix>0` to `<prefix><count - 1>`.
pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

pub(crate) fn sorted(ids: impl IntoIterator<Item = String>) -> Vec<String> {
    ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Publishes an event under each of these ids.
pub(crate) async fn publish(client: &Client, topic: Topic, ids: &[String]) {
    for some in ids.chunks(500) {
        let events: Vec<Event> = some.iter().map(|id| event(id, topic)).collect();
        assert_eq!(client.publish_all(&events).await.unwrap().count, some.len());
    }
}

/// Makes a test on each backend of each scenario.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(super::World::embedded()).await;
                }
            )*
        }
        mod nats {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(super::World::nats()).await;
                }
            )*
        }
    };
}

pub(crate) use on_both;

/// The same, all in the file and all on servers.
macro_rules! on_all {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(super::World::embedded()).await;
                }
            )*
        }
        mod servers {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(super::World::servers()).await;
                }
            )*
        }
    };
}

pub(crate) use on_all;

/// Asks a server that speaks HTTP for JSON.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> serde_json::Value {
    serde_json::from_str(&ask(addr, path).await.1).unwrap()
}

/// Asks a server that speaks HTTP, and returns the status.
pub(crate) async fn status(addr: SocketAddr, path: &str) -> u16 {
    ask(addr, path).await.0
}

async fn ask(addr: SocketAddr, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
