//! The event log.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Event, Name, Position, TenantId, Topic};
use soorma_ports::{
    Appended, Bounds, Clock, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, DeliveryId, EventLog,
    EventLogError, Follower, GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::config::{Durability, NatsLogConfig};
use crate::connect::connect;
use crate::core::Core;
use crate::error::{Refused, away};
use crate::follower::NatsFollower;
use crate::gathered::Gathered;
use crate::group::{Ask, Member, Worker, settle};
use crate::link::Link;
use crate::names::Names;
use crate::provision::provision;
use crate::read::within;
use crate::server_time::ServerTime;
use crate::signals::{Hint, Signals, pass_on};
use crate::wire::{Put, Wire};

/// How many calls of the members of a group in this process wait; more wait to be taken.
const ASKED_AT_ONCE: usize = 1_024;

/// An event log on NATS JetStream, for any number of processes.
///
/// Dropping the last handle, those of consumers included, ends what works for them and closes the connection.
#[derive(Debug)]
pub struct NatsLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    core: Arc<Core>,
    groups: Mutex<BTreeMap<(TenantId, Name), mpsc::WeakSender<Ask>>>,
    /// Those who pass on what the server says, gather appends, work for groups and finish what is left; they end with this.
    tasks: Mutex<JoinSet<()>>,
    /// Places for calls over several topics, as many as publishes may be unanswered; more wait their turn.
    calls: Arc<Semaphore>,
    /// What the server is listened to about: only what somebody here has waited for, since it costs both sides.
    heard: tokio::sync::Mutex<BTreeSet<String>>,
}

impl NatsLog {
    /// Connects, makes the streams or brings them up to date, and finishes what a process that died has begun,
    /// as far as it can.
    ///
    /// # Errors
    /// When no server answers, or the one that does is too old, refuses the credentials, has no JetStream, or has streams of
    /// these names that cannot be changed into ours.
    pub async fn open(config: &NatsLogConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, EventLogError> {
        let names = Names::new(&config.prefix)?;
        let signals = Signals::new();
        let link = Arc::new(Link::new(config.answer_within));
        let client = connect(config, &signals, &link).await?;
        let wire = Wire::new(client, link, config);
        provision(&wire.jetstream, &names, config).await?;
        let time = ServerTime::ask(&wire, &names.groups_stream()).await?;
        let mut tasks = JoinSet::new();
        let gathered = match config.durability {
            Durability::Acknowledged => None,
            Durability::Synced => Some(Gathered::start(&wire, &names, &mut tasks)),
        };
        let core = Arc::new(Core { wire, gathered, names, signals, time, clock });
        let mut seen = BTreeMap::new();
        let finished = core.finish_calls(&mut seen, Duration::ZERO);
        // What takes longer is finished while the log is open.
        if let Ok(finished) = tokio::time::timeout(config.answer_within, finished).await {
            finished?;
        }
        tasks.spawn(core.clone().finish_what_is_left(config.answer_within));
        let shared = Shared {
            core,
            groups: Mutex::default(),
            tasks: Mutex::new(tasks),
            calls: Arc::new(Semaphore::new(config.max_unanswered.clamp(1, Semaphore::MAX_PERMITS))),
            heard: tokio::sync::Mutex::default(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }
}

impl Shared {
    /// Starts a task that ends with the log.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Forget those that have ended.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Appends to several topics, in a task that comes to its end also when who asked goes away.
    async fn append_over_topics(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<Event>>,
    ) -> Result<Vec<Appended>, EventLogError> {
        let calls = self.calls.clone();
        let place = async { calls.acquire_owned().await.map_err(away) };
        let place = self.core.wire.answer(place).await?;
        let (reply, answer) = oneshot::channel();
        let (core, tenant) = (self.core.clone(), tenant.clone());
        self.spawn(async move {
            // Who has gone away hears nothing.
            drop(reply.send(core.append(&tenant, &events).await));
            drop(place);
        });
        answer.await.map_err(|_| EventLogError::Unavailable("the log was closed".into()))?
    }

    /// Listens to what the server says of these; when it answers, nothing that is stored later goes unheard.
    async fn hear(&self, subjects: Vec<String>) -> Result<(), EventLogError> {
        let mut heard = self.heard.lock().await;
        let mut is_new = false;
        for subject in subjects {
            if heard.contains(&subject) {
                continue;
            }
            let stored = async { self.core.wire.client.subscribe(subject.clone()).await.map_err(away) };
            let stored = self.core.wire.answer(stored).await?;
            let pass_on = pass_on(self.core.signals.clone(), self.core.names.clone(), stored);
            self.spawn(pass_on);
            heard.insert(subject);
            is_new = true;
        }
        if is_new {
            // Requests are answered in the order in which they are sent.
            self.core.wire.answer(async { self.core.wire.client.flush().await.map_err(away) }).await?;
        }
        Ok(())
    }

    /// Returns how to ask the worker of a group, which is started where it is not there.
    fn worker(&self, tenant: &TenantId, group: &Name) -> mpsc::Sender<Ask> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, asks| asks.strong_count() > 0);
        let key = (tenant.clone(), group.clone());
        if let Some(asks) = groups.get(&key).and_then(mpsc::WeakSender::upgrade) {
            return asks;
        }
        let (asks, asked) = mpsc::channel(ASKED_AT_ONCE);
        let hint = Arc::new(Hint::default());
        self.core.signals.listen(tenant, group, &hint);
        let worker = Worker::new(self.core.clone(), tenant.clone(), group.clone(), hint, asked);
        self.spawn(worker.run());
        groups.insert(key, asks.downgrade());
        asks
    }
}

#[async_trait]
impl EventLog for NatsLog {
    async fn append(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<Event>>,
    ) -> Result<Vec<Appended>, EventLogError> {
        let topics: BTreeSet<Topic> = events.iter().map(|event| event.topic).collect();
        if topics.len() > 1 {
            return self.shared.append_over_topics(tenant, events).await;
        }
        self.shared.core.append(tenant, &events).await
    }

    async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        self.shared.core.read(reach, topic, after, limit).await
    }

    async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError> {
        self.shared.core.bounds(topic).await
    }

    async fn follow(&self, topic: Topic, after: Position) -> Result<Box<dyn Follower>, EventLogError> {
        self.shared.hear(vec![self.shared.core.names.stored_events(topic)]).await?;
        within(topic, after, self.shared.core.bounds(topic).await?)?;
        Ok(Box::new(NatsFollower { core: self.shared.core.clone(), topic, after }))
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, EventLogError> {
        let names = &self.shared.core.names;
        let mut subjects: Vec<String> = spec.topics.iter().map(|topic| names.stored_events(*topic)).collect();
        subjects.push(names.stored_states(&spec.tenant));
        self.shared.hear(subjects).await?;
        self.shared.core.join(&spec).await?;
        let asks = self.shared.worker(&spec.tenant, &spec.group);
        let topics = Arc::new(spec.topics);
        Ok(Arc::new(Member { asks, topics, _shared: self.shared.clone() }))
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Option<Vec<bool>>, EventLogError> {
        if self.shared.core.load(tenant, group).await?.0.is_none() {
            return Ok(None);
        }
        settle(&self.shared.worker(tenant, group), settlements).await.map(Some)
    }

    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError> {
        self.shared.core.groups(reach, after, limit).await
    }

    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError> {
        self.shared.core.count_groups(tenant).await
    }

    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<Option<GroupStatus>, EventLogError> {
        self.shared.core.group(tenant, group).await
    }

    async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: GroupCommand,
    ) -> Result<bool, EventLogError> {
        self.shared.core.command(tenant, group, &command).await
    }

    async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError> {
        self.shared.core.expire_groups().await
    }

    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        self.shared.core.dead_letters(tenant, filter, after, limit).await
    }

    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<DeadLetter>, EventLogError> {
        self.shared.core.dead_letter(tenant, id).await
    }

    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.shared.core.redrive(tenant, ids).await
    }

    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.shared.core.discard(tenant, ids).await
    }

    /// Stores something small, where nobody sees it.
    async fn check(&self) -> Result<(), EventLogError> {
        let core = &self.shared.core;
        let probe =
            Put { subject: core.names.probe(), payload: bytes::Bytes::new(), expected: None, ttl: None };
        core.wire.put(probe).await.map(drop).map_err(Refused::into_error)
    }
}
