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

/// Where a batch stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In one of its parts: the others may succeed without it.
    Work,
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

    /// Does the work and answers it. What fails is found by halving.
    pub(super) fn carry_out(&mut self, mut works: Vec<Box<dyn Work>>) {
        works.retain(|work| work.kind() != Kind::HandOut || !work.is_abandoned());
        self.retain();
        let mut parts = vec![works];
        while let Some(mut part) = parts.pop() {
            match self.attempt(&mut part) {
                Ok(()) => part.into_iter().for_each(|work| work.answer()),
                Err(Stopped { error, at: Stage::Work }) if part.len() > 1 => {
                    tracing::debug!(%error, count = part.len(), "batch failed, trying its halves");
                    let later = part.split_off(part.len() / 2);
                    // The earlier half is taken first, so that all stays in the order in which it was asked.
                    parts.extend([later, part]);
                }
                Err(Stopped { error, .. }) => refuse(part, &error),
            }
        }
    }

    fn attempt(&mut self, works: &mut [Box<dyn Work>]) -> Result<(), Stopped> {
        if works.is_empty() {
            return Ok(());
        }
        self.state.begin();
        let grows = works.iter().any(|work| work.kind() == Kind::Grows);
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
                self.state.undo();
                let error = log_error(&error);
                self.state.failed(&error);
                // A commit for which there is no room may succeed with less in it; a disk that fails, fails for all.
                let at = if matches!(error, EventLogError::Full(_)) { Stage::Work } else { stage };
                Err(Stopped { error, at })
            }
        }
    }

    fn set_up(&mut self, synced: bool, grows: bool) -> rusqlite::Result<()> {
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
        *stage = Stage::Work;
        for work in works {
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

fn refuse(works: Vec<Box<dyn Work>>, error: &EventLogError) {
    for mut work in works {
        work.refuse(error.clone());
        work.answer();
    }
}
