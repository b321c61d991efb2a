//! One transaction for all that waits.

use std::sync::Arc;

use rusqlite::Connection;
use soorma_ports::{Clock, EventLogError};

use super::work::Work;
use super::{Kind, Tx};
use crate::error::log_error;
use crate::log::{LogClock, LogState};
use crate::numbers::signed;

pub(super) struct Committer {
    connection: Connection,
    state: LogState,
    time: LogClock,
    clock: Arc<dyn Clock>,
    limits: Option<Limits>,
    /// How the connection is set at the moment.
    is_synced: bool,
    is_limited: bool,
}

/// The largest size of the file, in pages.
#[derive(Clone, Copy)]
struct Limits {
    growing: i64,
    settling: i64,
}

type Works = Vec<Box<dyn Work>>;

/// Where a batch stopped.
#[derive(Clone, Copy)]
enum Stage {
    /// In that one of its pieces: the others may succeed without it.
    Work(usize),
    /// In what is common to all of them.
    Commit,
}

struct Stopped {
    error: EventLogError,
    at: Stage,
}

impl Committer {
    pub(super) fn new(
        connection: Connection,
        state: LogState,
        time: LogClock,
        clock: Arc<dyn Clock>,
        max_bytes: Option<u64>,
    ) -> Result<Self, EventLogError> {
        let page: i64 = connection
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .map_err(|error| log_error(&error))?;
        let limits = max_bytes.map(|bytes| {
            let growing = (signed(bytes) / page.max(1)).max(1);
            // 64 pages: what a few groups need to settle what they have in hand, however small the file.
            Limits { growing, settling: growing.saturating_add(growing / 16 + 64) }
        });
        Ok(Self { connection, state, time, clock, limits, is_synced: true, is_limited: false })
    }

    /// Does the work and answers it.
    pub(super) fn carry_out(&mut self, mut works: Works) {
        works.retain(|work| work.kind() != Kind::HandOut || !work.is_abandoned());
        self.retain();
        // In a store that is full what grows is likely to fail, and would take the others along.
        let mut parts = if self.state.is_full() { by_growth(works) } else { vec![works] };
        while let Some(mut part) = parts.pop() {
            match self.attempt(&mut part) {
                Ok(()) => part.into_iter().for_each(|work| work.answer()),
                Err(stopped) => parts.extend(what_is_left(part, stopped)),
            }
        }
    }

    fn attempt(&mut self, works: &mut [Box<dyn Work>]) -> Result<(), Stopped> {
        if works.is_empty() {
            return Ok(());
        }
        self.state.begin();
        let grows = works.iter().any(grows_by);
        let synced = grows || works.iter().any(|work| work.kind() == Kind::Synced);
        let mut stage = Stage::Commit;
        match self.set_up(synced, grows).and_then(|()| self.transact(works, &mut stage)) {
            Ok(()) => {
                if !synced && self.state.has_appended() {
                    self.sync();
                }
                self.state.committed(grows, &self.time);
                Ok(())
            }
            Err(error) => {
                self.roll_back();
                if works.iter().all(grows_by) {
                    self.state.undo_growth();
                } else {
                    self.state.undo();
                }
                let error = log_error(&error);
                self.state.failed(&error);
                Err(Stopped { error, at: stage })
            }
        }
    }

    fn set_up(&mut self, synced: bool, grows: bool) -> rusqlite::Result<()> {
        self.state.tidying.wipe(&self.connection, false)?;
        if synced != self.is_synced {
            self.connection.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
            self.is_synced = synced;
        }
        if let Some(limits) = self.limits.filter(|_| grows != self.is_limited) {
            let pages = if grows { limits.growing } else { limits.settling };
            self.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            self.is_limited = grows;
        }
        Ok(())
    }

    fn transact(&mut self, works: &mut [Box<dyn Work>], stage: &mut Stage) -> rusqlite::Result<()> {
        let Self { connection, state, .. } = self;
        execute(connection, "BEGIN IMMEDIATE")?;
        let now = self.time.now();
        state.refresh(connection, now)?;
        let mut tx = Tx { connection, state, now, wall: self.clock.now() };
        for (nth, work) in works.iter_mut().enumerate() {
            *stage = Stage::Work(nth);
            work.run(&mut tx)?;
        }
        *stage = Stage::Commit;
        state.flush(connection)?;
        execute(connection, "COMMIT")
    }

    /// Syncs what was committed just now: it has appended events, those that tell of dead letters. Nobody may see a position that
    /// a power cut would take back and give to another event.
    fn sync(&mut self) {
        let synced = self.set_up(true, false).and_then(|()| {
            // A sync comes with a commit that has written something, and takes all before it along. SQLite leaves out what would
            // write the same again.
            self.connection
                .execute_batch("BEGIN IMMEDIATE; INSERT INTO probe VALUES (x'00'); DELETE FROM probe; COMMIT")
        });
        if let Err(error) = synced {
            tracing::error!(%error, "what was committed was not synced, the next commit tries again");
            self.roll_back();
        }
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = execute(&self.connection, "ROLLBACK")
        {
            tracing::error!(%error, "rollback failed");
        }
    }

    /// Deletes a little of what is too old or too much, in a transaction of its own: also a full store gets room by it.
    fn retain(&mut self) {
        let now = self.time.now();
        if !self.state.retention_is_due(now) {
            return;
        }
        self.state.begin();
        let retained = self.set_up(false, false).and_then(|()| {
            let Self { connection, state, .. } = self;
            execute(connection, "BEGIN IMMEDIATE")?;
            state.refresh(connection, now)?;
            state.retain(connection, now)?;
            state.flush(connection)?;
            execute(connection, "COMMIT")
        });
        match retained {
            Ok(()) => self.state.committed(false, &self.time),
            Err(error) => {
                tracing::warn!(%error, "retention failed, trying again later");
                self.roll_back();
                self.state.undo();
            }
        }
    }

    /// Whether something is to be done when nobody waits.
    pub(super) fn is_untidy(&self) -> bool {
        self.state.tidying.is_due()
    }

    /// Does a little of what is left to do for what was erased, in a transaction of its own.
    pub(super) fn tidy(&mut self) {
        let tidied = self.set_up(false, false).and_then(|()| {
            let Self { connection, state, .. } = self;
            if state.tidying.is_due() {
                execute(connection, "BEGIN IMMEDIATE")?;
                state.tidying.forget_words(connection)?;
                execute(connection, "COMMIT")?;
            }
            state.tidying.empty_log(connection)
        });
        if let Err(error) = tidied {
            tracing::warn!(%error, "what was erased is not yet forgotten by the index of words, a later erasure goes on with it");
            self.roll_back();
            self.state.tidying.give_up();
        }
    }

    /// Does what is no part of a batch: synced, and with all the room there is.
    pub(super) fn alone(&mut self, work: impl FnOnce(&Connection)) {
        if let Err(error) = self.set_up(true, false) {
            tracing::warn!(%error, "connection was not set up");
        }
        work(&self.connection);
        self.roll_back();
    }

    pub(super) fn close(self) {
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(%error, "checkpoint at the end failed, the next start does it");
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "log was not closed");
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// What is to be tried again of a part that was undone, the last of it first; the rest is refused.
fn what_is_left(mut part: Works, Stopped { error, at }: Stopped) -> Vec<Works> {
    let is_full = matches!(error, EventLogError::Full(_));
    let is_damaged = matches!(error, EventLogError::Corrupt(_));
    tracing::debug!(%error, count = part.len(), "batch failed, trying what is left of it");
    match at {
        _ if is_full && part.iter().any(grows_by) && !part.iter().all(grows_by) => by_growth(part),
        Stage::Work(nth) if is_full => {
            // Beside those that were asked for before it there is no room for it, and alone it would find no more. Those behind it
            // are still tried, since they may be smaller.
            let mut failed = part.split_off(nth);
            let behind = failed.split_off(failed.len().min(1));
            refuse(failed, &error);
            vec![behind, part]
        }
        // A commit for which there is no room may succeed with less in it, and one that meets damage without those that touch it: the
        // index of words is written with the commit. A disk that fails, fails for all.
        Stage::Commit if !is_full && !is_damaged => {
            refuse(part, &error);
            Vec::new()
        }
        Stage::Work(_) | Stage::Commit if part.len() > 1 => {
            let later = part.split_off(part.len() / 2);
            // The earlier half is taken first, so that all stays in the order in which it was asked.
            vec![later, part]
        }
        Stage::Work(_) | Stage::Commit => {
            refuse(part, &error);
            Vec::new()
        }
    }
}

/// Sets what takes room for good apart from the rest, which comes first: it may give room back, and what it may use is more.
fn by_growth(works: Works) -> Vec<Works> {
    let (growing, others) = works.into_iter().partition(grows_by);
    vec![growing, others]
}

#[expect(clippy::borrowed_box, reason = "it is used on what iterators over boxes give")]
fn grows_by(work: &Box<dyn Work>) -> bool {
    work.kind() == Kind::Grows
}

fn refuse(works: Works, error: &EventLogError) {
    for mut work in works {
        work.refuse(error.clone());
        work.answer();
    }
}
