//! A bus, its log, and tail readers that can be crashed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use soorma_bus::{Config, EventBus};
use soorma_core::{Cursor, TenantId, Topic};
use soorma_ports::{Bus, EventLog, Live, Subscriber, Subscription};
use soorma_testkit::{FaultyLog, MemoryLog, TestClock, event};
use tokio::task::{AbortHandle, JoinSet};

pub(crate) struct World {
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) bus: Arc<EventBus>,
    tasks: JoinSet<()>,
    tails: BTreeMap<Topic, AbortHandle>,
}

impl World {
    /// Makes a bus whose tail readers run.
    pub(crate) async fn new(config: Config) -> Self {
        let mut world = Self::without_tails(config);
        world.start_tails();
        settle().await;
        world
    }

    pub(crate) fn without_tails(config: Config) -> Self {
        Self::over(MemoryLog::new(Arc::new(TestClock::new())), config)
    }

    pub(crate) fn over(log: Arc<dyn EventLog>, config: Config) -> Self {
        let log = FaultyLog::new(log);
        Self { bus: EventBus::new(log.clone(), config), log, tasks: JoinSet::new(), tails: BTreeMap::new() }
    }

    pub(crate) fn start_tails(&mut self) {
        for topic in Topic::ALL {
            self.start_tail(topic);
        }
    }

    /// Runs the tail reader of a topic; one that fails is started again, as a supervisor would.
    pub(crate) fn start_tail(&mut self, topic: Topic) {
        if self.tails.contains_key(&topic) {
            return;
        }
        let bus = self.bus.clone();
        let task = self.tasks.spawn(async move {
            while bus.run_tail(topic).await.is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        self.tails.insert(topic, task);
    }

    /// Ends the tail reader of a topic wherever it is.
    pub(crate) fn crash_tail(&mut self, topic: Topic) {
        if let Some(task) = self.tails.remove(&topic) {
            task.abort();
        }
    }

    pub(crate) async fn publish(
        &self,
        tenant: &TenantId,
        topic: Topic,
        ids: impl IntoIterator<Item = String>,
    ) {
        for id in ids {
            self.bus.publish(tenant, vec![event(&id, topic)]).await.expect("published");
        }
    }

    pub(crate) async fn subscribe(
        &self,
        tenant: &TenantId,
        topics: &[Topic],
        after: Option<Cursor>,
    ) -> Box<dyn Subscriber> {
        self.bus.subscribe(subscription(tenant, topics, after)).await.expect("subscribed")
    }
}

pub(crate) fn subscription(tenant: &TenantId, topics: &[Topic], after: Option<Cursor>) -> Subscription {
    Subscription { tenant: tenant.clone(), topics: topics.iter().copied().collect(), after }
}

/// Lets everybody run until nobody can.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Takes what comes without the clock having to move far.
pub(crate) async fn drain(stream: &mut dyn Subscriber) -> Vec<Arc<Live>> {
    let mut all = Vec::new();
    while let Ok(next) = tokio::time::timeout(Duration::from_millis(10), stream.next()).await {
        all.push(next.expect("the stream goes on"));
    }
    all
}

pub(crate) fn ids(events: &[Arc<Live>]) -> Vec<String> {
    events.iter().map(|live| live.entry.event.id.to_string()).collect()
}

pub(crate) fn numbered(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("{prefix}{n}")).collect()
}
