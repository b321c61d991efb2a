//! What the writer keeps in memory of what is in the file, and what has to be told to others after a commit.
//!
//! The file is the truth: after anything was undone, this is read from it again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use soorma_core::{TenantId, Topic};
use soorma_ports::{Bounds, EventLogError};
use tokio::sync::watch;

use super::group::{Group, MOST_WAITING};
use super::log_clock::LogClock;
use super::signal::Signals;
use crate::config::SqliteLogConfig;
use crate::memory::{Changes, Sets, Tidying};
use crate::numbers::{micros, position, topic};
use crate::registry::Feed;
use crate::topic_set::TopicSet;

/// How many topics there are.
const TOPICS: usize = Topic::ALL.len();

pub(crate) struct LogState {
    pub(super) config: SqliteLogConfig,
    pub(super) topics: Topics,
    tenants: HashMap<TenantId, i64>,
    pub(super) groups: BTreeMap<i64, Group>,
    /// Which groups take a topic of a tenant.
    takers: HashMap<(i64, Topic), Vec<i64>>,
    pub(super) signals: Signals,
    pub(crate) registry: Feed,
    pub(crate) memory: Changes,
    pub(crate) tidying: Tidying,
    /// Topics of tenants that have something new in this batch.
    appended: BTreeSet<(i64, Topic)>,
    bounds: Vec<watch::Sender<Bounds>>,
    /// What SQLite counts up when another process has written to the file; `None` when it is to be read again.
    data_version: Option<i64>,
    /// The same, as it was last read.
    file_version: Option<i64>,
    /// Whether the ends of the topics are to be read again.
    has_undone_growth: bool,
    pub(super) next_retention: i64,
    /// Why the last commit failed, until one succeeds.
    failure: Option<EventLogError>,
}

/// Where the topics end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TopicRow {
    pub(super) head: i64,
    pub(super) before_first: i64,
    pub(super) kept: i64,
}

#[derive(Debug, Default)]
pub(super) struct Topics {
    pub(super) last: i64,
    rows: [TopicRow; TOPICS],
    written: [TopicRow; TOPICS],
}

impl TopicRow {
    pub(super) fn bounds(self) -> Bounds {
        Bounds { before_first: position(self.before_first), head: position(self.head) }
    }
}

impl Topics {
    pub(super) fn of(&mut self, topic: Topic) -> &mut TopicRow {
        // A topic's number is its place in `Topic::ALL`.
        let place = usize::from(topic.number()) % TOPICS;
        #[expect(clippy::indexing_slicing, reason = "the place is taken modulo the length")]
        &mut self.rows[place]
    }
}

impl LogState {
    /// Reads the state, and makes what a former process had in hand due at once.
    pub(crate) fn open(
        connection: &Connection,
        config: SqliteLogConfig,
        sets: Arc<Sets>,
        time: &LogClock,
    ) -> rusqlite::Result<(Self, Vec<watch::Receiver<Bounds>>)> {
        let now = time.now();
        // Of what a group had in hand the oldest is the likeliest to have been looked at, so that one counts as tried. The
        // others are not blamed for the end of the process: a few quick ends would make dead letters of them all.
        connection.execute(
            "UPDATE deliveries SET state = 0, attempt = attempt - 1, due_at = min(due_at, ?1), set_at = ?1
             WHERE state = 1 AND position > (
                 SELECT min(oldest.position) FROM deliveries oldest
                 WHERE oldest.consumer = deliveries.consumer AND oldest.state = 1)",
            [now],
        )?;
        connection.execute("UPDATE deliveries SET due_at = min(due_at, ?1) WHERE state = 1", [now])?;
        // When the clock was set back meanwhile, what waits is to wait no longer than it was told to.
        connection.execute(
            "UPDATE deliveries SET due_at = ?1 + (due_at - set_at), set_at = ?1 WHERE state = 0 AND set_at > ?1",
            [now],
        )?;
        // And what is not known, or lies in the future, is taken for now: no group is forgotten too early.
        connection.execute("UPDATE consumers SET used_at = ?1 WHERE used_at = 0 OR used_at > ?1", [now])?;
        let (bounds, receivers) = Topic::ALL.iter().map(|_| watch::channel(Bounds::default())).unzip();
        let mut state = Self {
            config,
            topics: Topics::default(),
            tenants: HashMap::new(),
            groups: BTreeMap::new(),
            takers: HashMap::new(),
            signals: Signals::default(),
            registry: Feed::open(connection)?,
            memory: Changes::new(sets),
            tidying: Tidying::open(connection)?,
            appended: BTreeSet::new(),
            bounds,
            data_version: None,
            file_version: None,
            has_undone_growth: false,
            next_retention: now,
            failure: None,
        };
        state.refresh(connection, now)?;
        state.committed(false, time);
        Ok((state, receivers))
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self) {
        self.appended.clear();
        self.signals.begin();
        self.registry.begin();
        self.memory.begin();
    }

    /// Forgets what was read and changed, since the file has gone back.
    pub(crate) fn undo(&mut self) {
        self.data_version = None;
    }

    /// The same where nothing of groups was changed: there may be many, and in a full store this happens with each append.
    pub(crate) fn undo_growth(&mut self) {
        self.tenants.clear();
        self.has_undone_growth = true;
    }

    /// Reads from the file what is not known for sure; called in the transaction.
    pub(crate) fn refresh(&mut self, connection: &Connection, now: i64) -> rusqlite::Result<()> {
        let version = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.data_version != Some(version) {
            if self.file_version.replace(version).is_some_and(|before| before != version) {
                self.memory.distrust();
            }
            self.load_topics(connection)?;
            self.load_groups(connection, now)?;
            // Last: what was read in half is read again.
            self.data_version = Some(version);
        } else if self.has_undone_growth {
            self.load_topics(connection)?;
        }
        self.has_undone_growth = false;
        Ok(())
    }

    fn load_topics(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut topics = Topics::default();
        let mut select = connection.prepare("SELECT topic, head, before_first, kept FROM topics")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let read = TopicRow { head: row.get(1)?, before_first: row.get(2)?, kept: row.get(3)? };
            *topics.of(topic(0, row)?) = read;
            topics.last = topics.last.max(read.head);
        }
        topics.written = topics.rows;
        self.topics = topics;
        Ok(())
    }

    fn load_groups(&mut self, connection: &Connection, now: i64) -> rusqlite::Result<()> {
        self.tenants.clear();
        self.groups.clear();
        self.takers.clear();
        self.signals.forget_timers();
        let mut select = connection.prepare("SELECT id FROM consumers")?;
        for id in select.query_map([], |row| row.get(0))? {
            self.load_group(connection, id?, now)?;
        }
        Ok(())
    }

    /// Reads one group, which is new or has changed.
    pub(super) fn load_group(&mut self, connection: &Connection, id: i64, now: i64) -> rusqlite::Result<()> {
        self.drop_group(id);
        let group = Group::load(connection, id, now)?;
        for topic in group.cursors.keys() {
            self.takers.entry((group.tenant, *topic)).or_default().push(id);
        }
        self.groups.insert(id, group);
        Ok(())
    }

    pub(super) fn drop_group(&mut self, id: i64) {
        let Some(old) = self.groups.remove(&id) else { return };
        for topic in old.cursors.into_keys() {
            if let Some(takers) = self.takers.get_mut(&(old.tenant, topic)) {
                takers.retain(|taker| *taker != id);
            }
        }
    }

    /// Writes down where the topics end; the last thing in a transaction.
    pub(crate) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for (topic, (row, written)) in
            Topic::ALL.into_iter().zip(self.topics.rows.into_iter().zip(self.topics.written))
        {
            if row != written {
                connection
                    .prepare_cached(
                        "REPLACE INTO topics(topic, head, before_first, kept) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![topic.number(), row.head, row.before_first, row.kept])?;
            }
        }
        self.topics.written = self.topics.rows;
        Ok(())
    }

    /// Tells those who wait.
    pub(crate) fn committed(&mut self, grows: bool, time: &LogClock) {
        // That something else was committed does not say that there is room, or that the place where events go is whole.
        if grows || !matches!(self.failure, Some(EventLogError::Full(_) | EventLogError::Corrupt(_))) {
            self.failure = None;
        }
        for (bounds, row) in self.bounds.iter().zip(self.topics.rows) {
            let now = row.bounds();
            bounds.send_if_modified(|bounds| std::mem::replace(bounds, now) != now);
        }
        for (tenant, topic) in std::mem::take(&mut self.appended) {
            for group in self.takers.get(&(tenant, topic)).into_iter().flatten() {
                self.signals.available(*group, topic.into());
            }
        }
        self.signals.call(time);
        self.registry.committed();
        self.memory.committed();
    }

    pub(crate) fn failed(&mut self, error: &EventLogError) {
        if matches!(error, EventLogError::Full(_)) {
            // Something may be old enough by now.
            self.next_retention = i64::MIN;
        }
        self.failure = Some(error.clone());
    }

    /// Whether there was no room for the last that needed some.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.failure, Some(EventLogError::Full(_)))
    }

    /// Fails if an append would; if the last commit failed, it does what an append does and takes it back.
    pub(crate) fn probe(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.failure.is_some() {
            connection.execute("INSERT INTO probe(filler) VALUES (zeroblob(65536))", [])?;
            connection.execute("DELETE FROM probe", [])?;
            connection.execute(
                "INSERT INTO events(position, tenant, topic, id, appended_at, envelope) VALUES (?1, 0, 0, '', 0, '')",
                [self.topics.last + 1],
            )?;
            connection.execute("DELETE FROM events WHERE position = ?1", [self.topics.last + 1])?;
        }
        Ok(())
    }

    pub(super) fn appended(&mut self, tenant: i64, topic: Topic) {
        self.appended.insert((tenant, topic));
    }

    /// Whether something was appended in this batch.
    pub(crate) fn has_appended(&self) -> bool {
        !self.appended.is_empty()
    }

    /// So many events of a group wait no longer.
    pub(super) fn waits_less(&mut self, id: i64, by: i64) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let was_full = group.waiting >= MOST_WAITING;
        group.waiting -= by;
        if was_full && group.waiting < MOST_WAITING {
            // Members may have waited for that only.
            self.signals.available(id, TopicSet::ALL);
        }
    }

    /// An event of a group is no longer in hand.
    pub(super) fn leaves_hand(&mut self, id: i64) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let had_credit = group.has_credit();
        group.in_hand -= 1;
        if !had_credit && group.has_credit() {
            // Members may have waited for credit only.
            self.signals.available(id, TopicSet::ALL);
        }
    }

    /// Returns the number of a tenant, if it has one.
    pub(crate) fn known_tenant(
        &mut self,
        connection: &Connection,
        tenant: &TenantId,
    ) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.tenants.get(tenant) {
            return Ok(Some(*id));
        }
        let id = connection
            .prepare_cached("SELECT id FROM tenants WHERE name = ?1")?
            .query_row([tenant.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(id) = id {
            self.tenants.insert(tenant.clone(), id);
        }
        Ok(id)
    }

    /// Returns the number of a tenant, or gives it one.
    pub(crate) fn tenant(&mut self, connection: &Connection, tenant: &TenantId) -> rusqlite::Result<i64> {
        if let Some(id) = self.known_tenant(connection, tenant)? {
            return Ok(id);
        }
        connection.execute("INSERT INTO tenants(name) VALUES (?1)", [tenant.as_str()])?;
        let id = connection.last_insert_rowid();
        self.tenants.insert(tenant.clone(), id);
        Ok(id)
    }
}

/// The log's time so much later.
pub(super) fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(micros(by))
}
