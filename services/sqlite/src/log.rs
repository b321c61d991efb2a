//! The event log. Work that writes goes to the writer's thread, as closures over `state`; reading goes to the readers.
//!
//! `append`, `join`, `hand_out`, `settle`, `command` and `dead_letters` are what is done in the transaction; `read` and `status`
//! look at what was committed; `member` and `follower` wait. Nothing polls: the writer calls those who wait after each
//! commit (`signal`).

mod append;
mod bury;
mod command;
mod dead_letters;
mod follower;
mod group;
mod hand_out;
mod join;
mod keys;
mod log_clock;
mod member;
mod read;
mod retention;
mod settle;
mod signal;
mod state;
mod status;
mod unreadable;

pub(crate) use log_clock::LogClock;
pub(crate) use state::LogState;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use soorma_core::{Event, Name, Position, TenantId, Topic};
use soorma_ports::{
    Appended, Bounds, Clock, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, DeliveryId, EventLog,
    EventLogError, Follower, GroupCommand, GroupKey, GroupStatus, Page, Reach, Settle,
};
use tokio::sync::watch;

use crate::config::SqliteLogConfig;
use crate::error::{closed, log_error};
use crate::memory::{Sets, SqliteMemory, keep_up};
use crate::rankers::Rankers;
use crate::readers::Readers;
use crate::registry::SqliteRegistry;
use crate::schema::open_writer;
use crate::writer::{Kind, Start, Tx, Writer};

/// An event log in one file, for one process.
///
/// An append, and what is done with dead letters and groups, is synced to the disk before it is answered. Hand-outs and
/// settlements are written before they are answered, and synced with the next append: they survive the end of the
/// process at any moment; after a power cut the last of them may be undone, and those events are handed out again. What has
/// made a dead letter is synced, with the event that tells of it.
///
/// The work in hand of a former process is due at once when the log is opened, since only one process has it.
/// Dropping the last handle, those of consumers included, commits what was accepted and ends the threads.
pub struct SqliteLog {
    writer: Writer,
    readers: Arc<Readers>,
    /// Those that take longer, for memory alone.
    rankers: Arc<Rankers>,
    sets: Arc<Sets>,
    bounds: Vec<watch::Receiver<Bounds>>,
    /// Up to which revision the registry is committed.
    registered: watch::Receiver<u64>,
    time: LogClock,
    clock: Arc<dyn Clock>,
    /// Closed when all threads have ended.
    ended: watch::Sender<()>,
}

impl std::fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteLog").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl SqliteLog {
    /// Opens the log in a file, or makes it. Falls due by the clock of the tokio runtime in which it is called.
    ///
    /// # Errors
    /// When the file cannot be opened, is damaged, belongs to another program, or was written by a newer version.
    pub fn open(
        path: &Path,
        config: SqliteLogConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, EventLogError> {
        let connection = open_writer(path)?;
        keep_up(&connection).map_err(|error| log_error(&error))?;
        let sets = Sets::new(config.vectors_kib.saturating_mul(1_024));
        let time = LogClock::start(clock.now());
        let max_bytes = config.max_bytes;
        let (state, bounds) =
            LogState::open(&connection, config, sets.clone(), &time).map_err(|error| log_error(&error))?;
        let registered = state.registry.subscribe();
        let (ended, alive) = watch::channel(());
        let readers = Arc::new(Readers::start(path, "read", &alive)?);
        let rankers = Arc::new(Rankers::start(path, &alive)?);
        let writer =
            Writer::start(Start { connection, state, time, clock: clock.clone(), max_bytes, alive })?;
        Ok(Arc::new(Self { writer, readers, rankers, sets, bounds, registered, time, clock, ended }))
    }

    /// Returns the registry's store in the same file. It shares the threads, which live as long as one of both is held.
    pub fn registry(&self) -> Arc<SqliteRegistry> {
        let (readers, registered) = (self.readers.clone(), self.registered.clone());
        Arc::new(SqliteRegistry::new(self.writer.clone(), readers, registered))
    }

    /// Returns the memory's store in the same file. It shares the threads, as the registry's does.
    pub fn memory(&self) -> Arc<SqliteMemory> {
        let (readers, rankers) = (self.readers.clone(), self.rankers.clone());
        Arc::new(SqliteMemory::new(self.writer.clone(), readers, rankers, self.sets.clone()))
    }

    /// Closes the file after all that was accepted; what is asked afterwards is answered `Unavailable`.
    pub async fn close(&self) {
        self.readers.close();
        self.rankers.close();
        self.writer.close().await;
        self.ended.closed().await;
    }

    fn watch(&self, topic: Topic) -> Result<watch::Receiver<Bounds>, EventLogError> {
        let bounds = self.bounds.get(usize::from(topic.number())).ok_or_else(closed)?;
        // The writer holds the other end: without it nothing new is ever seen.
        if bounds.has_changed().is_err() { Err(closed()) } else { Ok(bounds.clone()) }
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    async fn append(
        &self,
        tenant: &TenantId,
        events: Vec<Arc<Event>>,
    ) -> Result<Vec<Appended>, EventLogError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        // Here and not in the writer, where all others would wait for it.
        let rows: Vec<_> = events.into_iter().map(append::Row::new).collect();
        let tenant = tenant.clone();
        let append = move |tx: &mut Tx<'_>| {
            let tenant = tx.state.tenant(tx.connection, &tenant)?;
            Ok(append::append(tx, tenant, &rows)?)
        };
        self.writer.ask(Kind::Grows, append).await
    }

    async fn read(
        &self,
        reach: &Reach,
        topic: Topic,
        after: Position,
        limit: usize,
    ) -> Result<Page, EventLogError> {
        let reach = reach.clone();
        self.readers.read(move |connection| read::page(connection, &reach, topic, after, limit)).await
    }

    async fn bounds(&self, topic: Topic) -> Result<Bounds, EventLogError> {
        Ok(*self.watch(topic)?.borrow())
    }

    async fn follow(&self, topic: Topic, after: Position) -> Result<Box<dyn Follower>, EventLogError> {
        let bounds = self.watch(topic)?;
        read::within(topic, after, *bounds.borrow())?;
        Ok(Box::new(follower::SqliteFollower::new(self.readers.clone(), bounds, topic, after)))
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Arc<dyn Consumer>, EventLogError> {
        let (name, topics) = (spec.group.clone(), spec.topics.iter().copied().collect());
        let (group, signal) = self.writer.ask(Kind::Synced, move |tx| join::join(tx, &spec)).await?;
        Ok(Arc::new(member::Member::new(self.writer.clone(), self.time, (group, name), topics, signal)))
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        group: &Name,
        settlements: Vec<(DeliveryId, Settle)>,
    ) -> Result<Option<Vec<bool>>, EventLogError> {
        let (tenant, group) = (tenant.clone(), group.clone());
        let settle = move |tx: &mut Tx<'_>| match group::group_id(tx, &tenant, &group)? {
            Some(id) => Ok(settle::settle(tx, id, &settlements)?),
            None => Ok(None),
        };
        self.writer.ask(Kind::Written, settle).await
    }

    async fn groups(
        &self,
        reach: &Reach,
        after: Option<&GroupKey>,
        limit: usize,
    ) -> Result<Vec<GroupStatus>, EventLogError> {
        let (reach, after, to_wall) = (reach.clone(), after.cloned(), self.time.to_wall(self.clock.now()));
        let list = move |connection: &_| status::list(connection, &reach, after.as_ref(), limit, &to_wall);
        self.readers.read(list).await
    }

    async fn count_groups(&self, tenant: &TenantId) -> Result<u64, EventLogError> {
        let tenant = tenant.clone();
        self.readers.read(move |connection| Ok(status::how_many(connection, &tenant)?)).await
    }

    async fn group(&self, tenant: &TenantId, group: &Name) -> Result<Option<GroupStatus>, EventLogError> {
        let (tenant, group, to_wall) = (tenant.clone(), group.clone(), self.time.to_wall(self.clock.now()));
        self.readers.read(move |connection| status::one(connection, &tenant, &group, &to_wall)).await
    }

    async fn command(
        &self,
        tenant: &TenantId,
        group: &Name,
        command: GroupCommand,
    ) -> Result<bool, EventLogError> {
        let (tenant, group) = (tenant.clone(), group.clone());
        self.writer.ask(Kind::Synced, move |tx| command::command(tx, &tenant, &group, &command)).await
    }

    async fn expire_groups(&self) -> Result<Vec<GroupKey>, EventLogError> {
        self.writer.ask(Kind::Synced, |tx| Ok(command::expire(tx)?)).await
    }

    async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        let (tenant, filter) = (tenant.clone(), filter.clone());
        self.readers
            .read(move |connection| dead_letters::list(connection, &tenant, &filter, after, limit))
            .await
    }

    async fn dead_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<DeadLetter>, EventLogError> {
        let Some(before) = id.checked_sub(1) else { return Ok(None) };
        let found = self.dead_letters(tenant, &DeadLetterFilter::default(), before, 1).await?;
        Ok(found.into_iter().find(|letter| letter.id == id))
    }

    async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.writer.ask(Kind::Synced, move |tx| Ok(dead_letters::redrive(tx, &tenant, &ids)?)).await
    }

    async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.writer.ask(Kind::Synced, move |tx| Ok(dead_letters::discard(tx, &tenant, &ids)?)).await
    }

    async fn check(&self) -> Result<(), EventLogError> {
        self.writer.ask(Kind::Grows, |tx| Ok(tx.state.probe(tx.connection)?)).await
    }
}
