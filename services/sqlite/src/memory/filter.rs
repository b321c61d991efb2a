//! Which entries of a scope a filter takes, as SQL: rows of `memory_entries e`, and of `memory_labels d` where a label leads to them.

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use soorma_core::Timestamp;
use soorma_ports::MemoryFilter;

/// A label of fewer entries leads to them, whatever the order; those of one that has more are met soon enough by going through all.
const FEW: i64 = 1_000;

/// A part of a statement, and what is bound in it.
#[derive(Debug)]
pub(super) struct Condition {
    /// What stands behind `FROM`.
    pub(super) from: &'static str,
    /// What stands behind `WHERE`.
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
}

impl Condition {
    /// Of one scope, as it is at a time. `in_order` says that all entries can be gone through in the order that is asked for.
    pub(super) fn new(
        connection: &Connection,
        scope: i64,
        filter: &MemoryFilter,
        now: Timestamp,
        in_order: bool,
    ) -> rusqlite::Result<Self> {
        let mut condition = Self {
            from: "memory_entries e",
            sql: "e.scope = ?1 AND (e.expires_at IS NULL OR e.expires_at > ?2)".into(),
            params: vec![scope.into(), now.micros().into()],
        };
        if let Some(group) = &filter.group {
            condition.and("e.bundle = ", group.clone().into(), "");
        }
        condition.labels(connection, scope, &filter.labels, in_order)?;
        for (begin, time, end) in [
            ("e.created_at >= ", filter.since, ""),
            ("e.created_at < ", filter.before, ""),
            ("(e.valid_from IS NULL OR e.valid_from <= ", filter.valid_at, ")"),
            ("(e.valid_until IS NULL OR e.valid_until > ", filter.valid_at, ")"),
        ] {
            if let Some(time) = time {
                condition.and(begin, time.micros().into(), end);
            }
        }
        Ok(condition)
    }

    /// Takes no entry that does not fulfil this, too.
    pub(super) fn and(&mut self, begin: &str, value: Value, end: &str) {
        let place = self.bind(value);
        self.sql.push_str(&format!(" AND {begin}{place}{end}"));
    }

    /// Returns how the value is named in the statement.
    pub(super) fn bind(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("?{}", self.params.len())
    }

    fn labels(
        &mut self,
        connection: &Connection,
        scope: i64,
        labels: &[String],
        in_order: bool,
    ) -> rusqlite::Result<()> {
        let mut labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        labels.sort_unstable();
        labels.dedup();
        let mut leader: Option<(i64, &str)> = None;
        for label in &labels {
            let having: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM memory_labels WHERE scope = ?1 AND label = ?2 LIMIT ?3)",
                )?
                .query_row(params![scope, label, FEW], |row| row.get(0))?;
            if leader.is_none_or(|(fewest, _)| having < fewest) {
                leader = Some((having, label));
            }
            if having == 0 {
                break;
            }
        }
        let leader = leader.filter(|(having, _)| *having < FEW || !in_order).map(|(_, label)| label);
        if let Some(leader) = leader {
            self.from = "memory_labels d CROSS JOIN memory_entries e ON e.key = d.entry";
            self.and("d.scope = ?1 AND d.label = ", leader.to_owned().into(), "");
        }
        let others: Vec<&str> = labels.into_iter().filter(|label| Some(*label) != leader).collect();
        if !others.is_empty() {
            // One value, however many there are.
            let others = serde_json::to_string(&others)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            self.and(
                "NOT EXISTS (SELECT 1 FROM json_each(",
                others.into(),
                ") wanted WHERE NOT EXISTS (
                     SELECT 1 FROM memory_labels l WHERE l.scope = ?1 AND l.label = wanted.value AND l.entry = e.key))",
            );
        }
        Ok(())
    }
}
