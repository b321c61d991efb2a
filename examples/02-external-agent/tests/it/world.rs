//! A platform of its own for each test, workers beside it, and all answers that it has.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use soorma::config::Config;
use soorma::{
    Clock as _, Cursor, Data, Event, EventId, MachineClock, Node, Options, Position, Subscriber,
    Subscription, TenantId, Topic,
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub(crate) struct World {
    pub(crate) node: Node,
    url: String,
    _data: TempDir,
}

impl World {
    pub(crate) async fn new(settings: impl FnOnce(&mut Config)) -> Self {
        let data = TempDir::new().unwrap();
        let mut config = Config::default();
        config.node.data = data.path().to_owned();
        config.edge.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        settings(&mut config);
        let node = Node::start(config, Options::default()).await.unwrap();
        let url = format!("http://{}", node.addr().unwrap());
        Self { node, url, _data: data }
    }

    pub(crate) fn worker(&self) -> Worker {
        let mut child = Command::new("python3")
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/worker.py"), &self.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect(
                "this test needs python3: install Python 3.8 or newer, for example with apt install python3",
            );
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Worker { child, said }
    }

    pub(crate) async fn publish(&self, event: Event) {
        self.node.bus().publish(&TenantId::default(), vec![event]).await.unwrap();
    }

    pub(crate) async fn answers(&self) -> Answers {
        self.answers_on(Topic::ActionResults).await
    }

    /// Shows the answers on a topic, from the first that there ever was.
    pub(crate) async fn answers_on(&self, topic: Topic) -> Answers {
        let after = Cursor::from_iter([(topic, Position(0))]);
        let topics = [topic].into();
        let subscription = Subscription { tenant: TenantId::default(), topics, after: Some(after) };
        let stream = self.node.bus().subscribe(subscription).await.unwrap();
        Answers { stream, by_request: BTreeMap::new() }
    }
}

/// A process that runs `worker.py`; killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Waits until it has joined its group, once more than before.
    pub(crate) async fn joined(&mut self) {
        let line = within("the worker joins", self.said.next_line()).await.unwrap();
        let line = line.expect("the worker has ended; run it by hand to see why");
        assert!(line.starts_with("hello-worker waits for requests at http://127.0.0.1:"), "{line}");
    }

    /// Kills it as the system would.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

pub(crate) struct Answers {
    stream: Box<dyn Subscriber>,
    /// What came, by the id of the request.
    pub(crate) by_request: BTreeMap<String, Vec<Arc<Event>>>,
}

impl Answers {
    /// Waits until so many requests are answered.
    pub(crate) async fn wait_for(&mut self, requests: usize) {
        while self.by_request.len() < requests {
            let live = within("the next answer comes", self.stream.next()).await.unwrap();
            let event = Arc::clone(&live.entry.event);
            let request = event.parent_event_id.clone().unwrap();
            self.by_request.entry(request).or_default().push(event);
        }
    }

    pub(crate) fn to(&self, request: &str) -> &[Arc<Event>] {
        &self.by_request[request]
    }
}

pub(crate) fn request(id: &str, data: &str) -> Event {
    let now = MachineClock.now();
    let id = EventId::new(id).unwrap();
    let mut event = Event::new(id, "asker", "greeting.requested", now, Topic::ActionRequests);
    event.data = Some(Data::from_json(data).unwrap());
    event.correlation_id = Some(format!("c-{}", event.id));
    event.response_event = Some("greeting.answered".to_owned());
    event.tenant_id = Some("st".to_owned());
    event.user_id = Some("su".to_owned());
    event
}

/// A request that has nothing special.
pub(crate) fn nth(n: usize) -> Event {
    request(&format!("r-{n:04}"), &format!(r#"{{"name":"{n}"}}"#))
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap_or_else(|_| panic!("not in a minute: {what}"))
}
