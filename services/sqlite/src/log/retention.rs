//! Deleting what is too old or too much: a slice at a time, on the way of other work. A log that nobody uses keeps all.

use rusqlite::{Connection, params};
use soorma_core::Topic;

use super::state::LogState;
use crate::config::Retention;
use crate::numbers::{micros, signed, unsigned};

/// How often it is looked for.
const EVERY: i64 = 60_000_000;
/// How many events of a topic go at once: a few milliseconds, in which others wait.
const SLICE: i64 = 500;

impl LogState {
    pub(crate) fn retention_is_due(&self, now: i64) -> bool {
        self.next_retention <= now
    }

    /// Deletes a slice of each topic; where more is to go, it goes on with the next batch.
    pub(crate) fn retain(&mut self, connection: &Connection, now: i64) -> rusqlite::Result<()> {
        // First, so that a failure waits as long as a success.
        self.next_retention = now.saturating_add(EVERY);
        for topic in Topic::ALL {
            if self.retain_topic(connection, topic, now)? == SLICE {
                self.next_retention = now;
            }
        }
        Ok(())
    }

    fn retain_topic(&mut self, connection: &Connection, topic: Topic, now: i64) -> rusqlite::Result<i64> {
        let row = *self.topics.of(topic);
        let Retention { age, events } = self.config.retention(topic);
        let too_many = row.kept.saturating_sub(signed(events));
        let too_old = now.saturating_sub(micros(age));
        let mut select = connection.prepare_cached(
            "SELECT position, appended_at FROM events WHERE topic = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
        )?;
        let mut rows = select.query(params![topic.number(), row.before_first, SLICE])?;
        let (mut gone, mut last) = (0, row.before_first);
        while let Some(row) = rows.next()? {
            if gone >= too_many && row.get::<_, i64>(1)? >= too_old {
                break;
            }
            gone += 1;
            last = row.get(0)?;
        }
        let row = self.topics.of(topic);
        row.before_first = last;
        row.kept -= gone.min(row.kept);
        if last > 0 {
            // What a group has open stays until it is settled; a later slice deletes it then.
            connection
                .prepare_cached(
                    "DELETE FROM events WHERE topic = ?1 AND position <= ?2 AND position NOT IN (
                        SELECT d.position FROM consumers c JOIN deliveries d ON d.consumer = c.id AND d.position <= ?2
                     )",
                )?
                .execute(params![topic.number(), last])?;
        }
        if gone > 0 {
            tracing::debug!(%topic, gone, before_first = unsigned(last), "retention has passed events");
        }
        Ok(gone)
    }
}
