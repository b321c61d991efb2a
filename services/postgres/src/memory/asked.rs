//! What is asked for, in the words of the database.

use soorma_core::{MemoryScope, Timestamp};
use soorma_ports::{MemoryFilter, Seen};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::entry::{PUBLIC, private};
use super::words;
use crate::names::literal;

/// What a filter takes of entries that are `e`, and of whom. What is not said is no condition: each statement is planned with what is said.
macro_rules! entries {
    ($whose:literal) => {
        concat!(
            "e.tenant = $1 AND ",
            $whose,
            " AND (e.expires_at IS NULL OR e.expires_at > $4) \
             AND ($5::text IS NULL OR e.kind = $5) AND ($6::text IS NULL OR e.grp = $6) \
             AND ($7::bigint IS NULL OR e.created_at >= $7) AND ($8::bigint IS NULL OR e.created_at < $8) \
             AND ($9::bigint IS NULL OR ((e.valid_from IS NULL OR e.valid_from <= $9) AND (e.valid_until IS NULL OR e.valid_until > $9))) \
             AND ($10::text[] IS NULL OR e.labels @> $10)"
        )
    };
}

pub(super) const ENTRIES: &str = entries!("(e.whose = $2 OR e.whose = $3)");
/// By whose they are: of one, and of the other.
const ENTRIES_OF_ONE: &str = entries!("e.whose = $2");
const ENTRIES_OF_OTHER: &str = entries!("e.whose = $3");

/// The same of vectors that are `v`, whose entries are looked at only for what the vectors do not say.
pub(super) const VECTORS: &str = "v.tenant = $1 AND (v.whose = $2 OR v.whose = $3) AND (v.expires_at IS NULL OR v.expires_at > $4) \
     AND ($5::text IS NULL OR v.kind = $5) AND ($6::text IS NULL OR v.grp = $6) \
     AND ($7::bigint IS NULL OR v.created_at >= $7) AND ($8::bigint IS NULL OR v.created_at < $8) \
     AND ($9::bigint IS NULL AND $10::text[] IS NULL OR EXISTS (SELECT FROM memory_entries e WHERE e.tenant = $1 AND e.id = v.id \
     AND ($9::bigint IS NULL OR ((e.valid_from IS NULL OR e.valid_from <= $9) AND (e.valid_until IS NULL OR e.valid_until > $9))) \
     AND ($10::text[] IS NULL OR e.labels @> $10)))";

/// Entries whose words are searched. Here and elsewhere `OFFSET 0` keeps a look at one row by its id what it is: a table that has just grown is thought to be
/// small, and then all of a scope is read for each of them.
pub(super) const ENTRIES_OF_WORDS: &str = "(SELECT w.id, w.words FROM memory_words w WHERE w.tenant = $1) AS w CROSS JOIN LATERAL \
     (SELECT * FROM memory_entries e WHERE e.tenant = $1 AND e.id = w.id OFFSET 0) AS e";
/// Vectors of entries whose words are searched.
const VECTORS_OF_WORDS: &str = "(SELECT w.id, w.words FROM memory_words w WHERE w.tenant = $1) AS w CROSS JOIN LATERAL \
     (SELECT * FROM memory_vectors v WHERE v.tenant = $1 AND v.id = w.id OFFSET 0) AS v";

/// The first parameter that is not of the filter.
pub(super) const NEXT: usize = 11;

/// Says whose rows are seen, until the transaction ends. To read a table from one end to the other is never right then, as most of it is of others.
pub(super) fn of_tenant(tenant: &str) -> String {
    format!("SET LOCAL enable_seqscan = off; SET LOCAL soorma.tenant = {}", literal(tenant))
}

/// A filter, and for whom.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    tenant: &'a str,
    whose: String,
    other: Option<String>,
    now: i64,
    filter: &'a MemoryFilter,
    labels: Option<&'a [String]>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(scope: &'a MemoryScope, now: Timestamp, filter: &'a MemoryFilter) -> Self {
        let (mine, public) = (private(&scope.owner), PUBLIC.to_owned());
        let (whose, other) = match filter.reach {
            Seen::Private => (mine, None),
            Seen::Public => (public, None),
            Seen::Both => (mine, Some(public)),
        };
        let labels = Some(filter.labels.as_slice()).filter(|labels| !labels.is_empty());
        Self { tenant: scope.tenant.as_str(), whose, other, now: now.micros(), filter, labels }
    }

    /// Reads the first entries that are taken, at most as many as a parameter says: those of each of these parts, which have conditions and orders of their own, and
    /// then those of all in one order.
    ///
    /// What is private and what is public are parts too, as an index has each of them in order, and not both. Where an order is to be had from none that
    /// begins with the tenant, one is taken that goes through the rows of others.
    pub(super) fn first(&self, columns: &str, parts: &[(String, &str)], by: &str, limit: usize) -> String {
        // With labels, entries are found by the index of words, and sorted.
        let (from, whose): (_, &[&str]) = match (self.labels, &self.other) {
            (Some(_), _) => (ENTRIES_OF_WORDS, &[ENTRIES]),
            (None, None) => ("memory_entries e", &[ENTRIES_OF_ONE]),
            (None, Some(_)) => ("memory_entries e", &[ENTRIES_OF_ONE, ENTRIES_OF_OTHER]),
        };
        let each = whose.iter().flat_map(|taken| parts.iter().map(move |part| (taken, part)));
        let each: Vec<String> = each
            .map(|(taken, (more, by))| {
                format!(
                    "(SELECT {columns} FROM {from} WHERE {taken} AND {more} ORDER BY {by} LIMIT ${limit})"
                )
            })
            .collect();
        match each.as_slice() {
            [one] => one.clone(),
            each => format!("SELECT * FROM ({}) AS e ORDER BY {by} LIMIT ${limit}", each.join(" UNION ALL ")),
        }
    }

    /// Where vectors that are `v` are read from.
    pub(super) fn vectors(&self) -> &'static str {
        if self.labels.is_some() { VECTORS_OF_WORDS } else { "memory_vectors v" }
    }

    /// Whether what is looked at is found by labels.
    pub(super) fn has_labels(&self) -> bool {
        self.labels.is_some()
    }

    /// Begins to read, with what has to be said before.
    pub(super) fn begin(&self) -> String {
        // A plan for any parameters would be made for those of the first, and read all partitions.
        format!(
            "BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan; {}; {}",
            of_tenant(self.tenant),
            self.search(&[])
        )
    }

    /// The tenant, as it stands in a statement.
    pub(super) fn tenant(&self) -> String {
        literal(self.tenant)
    }

    /// Says what is searched for, from here on: labels, where there are some, and some of these words, where there are some.
    pub(super) fn search(&self, words: &[String]) -> String {
        let whose: Vec<&str> = std::iter::once(self.whose.as_str()).chain(self.other.as_deref()).collect();
        let wanted = words::wanted(self.tenant, &whose, &self.filter.labels, words);
        format!("SET LOCAL soorma.words = {}", literal(&wanted))
    }

    /// Binds the parameters of a filter.
    pub(super) fn bind(
        &'a self,
        query: Query<'a, Postgres, PgArguments>,
    ) -> Query<'a, Postgres, PgArguments> {
        let filter = self.filter;
        query
            .bind(self.tenant)
            .bind(self.whose.as_str())
            .bind(self.other.as_deref())
            .bind(self.now)
            .bind(filter.kind.as_ref().map(soorma_core::MemoryKind::as_str))
            .bind(filter.group.as_deref())
            .bind(filter.since.map(Timestamp::micros))
            .bind(filter.before.map(Timestamp::micros))
            .bind(filter.valid_at.map(Timestamp::micros))
            .bind(self.labels)
    }
}
