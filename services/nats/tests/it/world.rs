//! A log with a prefix of its own, on the server that all tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use soorma_core::Topic;
use soorma_nats::{NatsLog, NatsLogConfig};
use soorma_ports::{ConsumerSpec, Start};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{TestClock, name, tenant};

pub(super) struct World {
    pub(super) clock: Arc<TestClock>,
    pub(super) log: Arc<NatsLog>,
    pub(super) config: NatsLogConfig,
    /// How far tokio's clock was moved.
    moved: std::sync::Mutex<Duration>,
}

/// A prefix that no other test has, nor another run on the same server.
pub(super) fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, Ordering::SeqCst);
    let run = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("test-{}-{run}-{nth}", std::process::id())
}

pub(super) fn config() -> NatsLogConfig {
    NatsLogConfig {
        servers: vec![NatsServer::shared()],
        prefix: prefix(),
        // Longer than time is moved while something is on its way.
        answer_within: Duration::from_secs(60),
        ..NatsLogConfig::default()
    }
}

/// The group `workers` of `acme`, from the beginning of a topic; what it has in hand stays so for as long as a test takes.
pub(super) fn workers(topic: Topic) -> ConsumerSpec {
    ConsumerSpec {
        start: Start::Earliest,
        ack_within: Duration::from_secs(3_600),
        max_attempts: 3,
        max_unsettled: 10,
        ..ConsumerSpec::new(tenant("acme"), name("workers"), [topic])
    }
}

impl World {
    pub(super) async fn new(config: NatsLogConfig) -> Self {
        let clock = Arc::new(TestClock::new());
        let log = NatsLog::open(&config, clock.clone()).await.unwrap();
        Self { clock, log, config, moved: std::sync::Mutex::default() }
    }

    /// Ends the log and opens it again, as another process would.
    pub(super) async fn reopen(self) -> Self {
        let Self { clock, log, config, moved } = self;
        drop(log);
        let log = NatsLog::open(&config, clock.clone()).await.unwrap();
        // The server's clock was not moved with ours: what it said when the log was opened is as long ago again.
        let all = *moved.lock().unwrap();
        advance(all).await;
        Self { clock, log, config, moved }
    }

    pub(super) async fn elapse(&self, by: Duration) {
        *self.moved.lock().unwrap() += by;
        advance(by).await;
    }

    /// Lets the server drop what it has, as its own clock would after a time that no test waits for.
    pub(super) async fn retention_passes(&self) {
        let jetstream = self.jetstream().await;
        for topic in Topic::ALL {
            let stream = format!("{}-{topic}", self.config.prefix);
            jetstream.get_stream(stream).await.unwrap().purge().await.unwrap();
        }
    }

    /// Deletes the streams, where a test makes many.
    pub(super) async fn delete(self) {
        let jetstream = self.jetstream().await;
        let topics = Topic::ALL.iter().map(|topic| topic.as_str());
        for stream in topics.chain(["groups", "calls"]) {
            jetstream.delete_stream(format!("{}-{stream}", self.config.prefix)).await.unwrap();
        }
    }

    /// Looks at the server past the log.
    pub(super) async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(&self.config.servers[0]).await.unwrap())
    }
}

/// Moves tokio's clock, which runs on before and after: so nobody has to sleep, and sockets are not taken for idle.
async fn advance(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}
