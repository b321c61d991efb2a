//! Entries, best first: by meaning, by words, by time.

use std::time::Duration;

use soorma_core::{MemoryScope, Timestamp};
use soorma_ports::{Embedded, RankQuery, Ranks};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use super::asked::{Asked, ENTRIES, ENTRIES_OF_WORDS, NEXT, VECTORS};
use super::near::{Near, sound};
use super::rows::as_text;
use super::{PostgresMemory, words};
use crate::PostgresError;
use crate::error::is_too_long;

/// Up to how many vectors are compared one by one; for more, an index is asked. Measured: a millisecond and a half for a thousand.
const EXACTLY: i64 = 20_000;
/// How deep a list the index is asked for; deeper ones are made of all there are.
const DEEPEST: i64 = 250;
/// How many candidates the index is asked to hold for each that is wanted, and at least; the server allows 1,000.
const CANDIDATES_EACH: usize = 4;
const CANDIDATES: usize = 200;
/// More words than that are more than most texts have.
const FEW_WORDS: usize = 32;
/// How much is read to rank by words: for more, only the rarest words of a query count. Each text costs its words, and a look at its entry.
const MOST_READ: i64 = 16 << 20;
const EACH_READ: i64 = 1 << 10;
/// How many words are told apart by how rare they are; of more, the longest, as they are the rarest.
const MOST_COUNTED: usize = 64;

impl PostgresMemory {
    pub(super) async fn rank_all(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, PostgresError> {
        let mut ranks = Ranks::default();
        let number = match &query.meaning {
            Some(meaning) => self.generations.find(&self.connections, &meaning.generation).await?,
            None => None,
        };
        let asked = Asked::new(scope, now, &query.filter);
        let depth = i64::try_from(query.depth).unwrap_or(i64::MAX);
        let mut transaction = self.connections.begin_with(asked.begin()).await?;
        if query.time {
            let newest = "e.created_at DESC, e.id DESC";
            let statement = asked.first("e.id, e.created_at", &[("true".into(), newest)], newest, NEXT);
            let rows = asked.bind(sqlx::query(AssertSqlSafe(statement))).bind(depth);
            let rows = rows.fetch_all(&mut *transaction).await?;
            ranks.time = rows.iter().map(|row| sqlx::Row::try_get(row, 0)).collect::<Result<_, _>>()?;
        }
        if let (Some(meaning), Some(number)) = (&query.meaning, number) {
            let by = Meaning { asked: &asked, meaning, number, depth };
            ranks.meaning = self.by_meaning(&mut transaction, &by).await?;
        }
        if let Some(words) = &query.words {
            let limit = self.within / 2;
            match by_words(&mut transaction, &asked, &words::asked(words), depth, limit).await {
                Ok(found) => ranks.words = found,
                // What else was found is answered; the connection goes with its transaction.
                Err(error) if is_too_long(&error) && (query.time || query.meaning.is_some()) => {
                    tracing::warn!(?limit, "a search was answered without words, which took too long");
                    return Ok(ranks);
                }
                Err(error) => return Err(error.into()),
            }
        }
        transaction.commit().await?;
        Ok(ranks)
    }

    async fn by_meaning(
        &self,
        transaction: &mut PgConnection,
        by: &Meaning<'_>,
    ) -> Result<Vec<(Uuid, f32)>, PostgresError> {
        let near = Near::new(&by.meaning.generation, by.number, &self.vector_schema);
        if near.has_index() && by.depth <= DEEPEST && !by.asked.has_labels() {
            let statement = format!(
                "SELECT count(*) FROM (SELECT FROM memory_vectors v WHERE {VECTORS} AND v.generation = {} LIMIT ${NEXT}) AS few",
                by.number
            );
            let count = by.asked.bind(sqlx::query(AssertSqlSafe(statement))).bind(EXACTLY + 1);
            let count: i64 = sqlx::Row::try_get(&count.fetch_one(&mut *transaction).await?, 0)?;
            if count > EXACTLY {
                let found = by.nearly(transaction, &near).await?;
                // What an index finds in a scope that is a small part of it may be less than there is.
                if i64::try_from(found.len()) == Ok(by.depth) {
                    return Ok(found);
                }
            }
        }
        by.exactly(transaction, &near).await
    }
}

/// What is compared.
struct Meaning<'a> {
    asked: &'a Asked<'a>,
    meaning: &'a Embedded,
    number: i32,
    depth: i64,
}

impl Meaning<'_> {
    /// One by one.
    async fn exactly(
        &self,
        transaction: &mut PgConnection,
        near: &Near<'_>,
    ) -> Result<Vec<(Uuid, f32)>, PostgresError> {
        let product = near.product("v.embedding", NEXT);
        let statement = format!(
            "SELECT v.id, -({product})::real FROM {} WHERE {VECTORS} AND v.generation = {} AND {} ORDER BY {product}, v.id LIMIT ${}",
            self.asked.vectors(),
            self.number,
            sound("v.embedding", near),
            NEXT + 1
        );
        self.fetch(transaction, statement, self.depth).await
    }

    /// By the index, which goes on until it has found enough or looked at as much as is allowed; what it found is compared exactly.
    async fn nearly(
        &self,
        transaction: &mut PgConnection,
        near: &Near<'_>,
    ) -> Result<Vec<(Uuid, f32)>, PostgresError> {
        let depth = usize::try_from(self.depth).unwrap_or(usize::MAX);
        let candidates = depth.saturating_mul(CANDIDATES_EACH).clamp(CANDIDATES, 1_000);
        let set = |sort: &str| {
            format!(
                "SET LOCAL hnsw.iterative_scan = relaxed_order; SET LOCAL hnsw.ef_search = {candidates}; \
                 SET LOCAL hnsw.max_scan_tuples = 40000; SET LOCAL enable_sort = {sort}"
            )
        };
        // To sort is dearer than it is thought to be.
        transaction.execute(AssertSqlSafe(set("off"))).await?;
        let statement = format!(
            "WITH near AS MATERIALIZED (SELECT v.id, v.embedding FROM memory_vectors v WHERE {VECTORS} AND v.generation = {} \
             ORDER BY {} LIMIT ${}) SELECT id, -({})::real FROM near WHERE {}",
            self.number,
            near.distance("v.embedding", NEXT),
            NEXT + 1,
            near.product("embedding", NEXT),
            sound("embedding", near),
        );
        let found = self.fetch(transaction, statement, self.depth.saturating_mul(2)).await?;
        transaction.execute("SET LOCAL enable_sort = on").await?;
        Ok(found)
    }

    async fn fetch(
        &self,
        transaction: &mut PgConnection,
        statement: String,
        limit: i64,
    ) -> Result<Vec<(Uuid, f32)>, PostgresError> {
        let query = self.asked.bind(sqlx::query(AssertSqlSafe(statement)));
        let rows = query.bind(as_text(&self.meaning.vector)).bind(limit).fetch_all(transaction).await?;
        let scored = rows.iter().map(|row| Ok((sqlx::Row::try_get(row, 0)?, sqlx::Row::try_get(row, 1)?)));
        let mut scored = scored.collect::<Result<Vec<(Uuid, f32)>, sqlx::Error>>()?;
        scored
            .sort_by(|(id, score), (other_id, other)| other.total_cmp(score).then_with(|| id.cmp(other_id)));
        scored.truncate(usize::try_from(self.depth).unwrap_or(usize::MAX));
        Ok(scored)
    }
}

/// By words: those that few of the texts found have count more, a word that comes again counts less each time, and so do words of long texts. Only
/// texts that are seen are counted, so no score tells of others.
async fn by_words(
    transaction: &mut PgConnection,
    asked: &Asked<'_>,
    words: &[String],
    depth: i64,
    limit: Duration,
) -> Result<Vec<(Uuid, f32)>, sqlx::Error> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let begin = format!("SET LOCAL statement_timeout TO {}", limit.as_millis().clamp(1, 2_000_000_000));
    transaction.execute(AssertSqlSafe(begin)).await?;
    let all = costs(transaction, asked, [words]).await?;
    let rarest;
    let words = if all.iter().sum::<i64>() <= MOST_READ {
        words
    } else {
        rarest = find_rarest(transaction, asked, words).await?;
        transaction.execute(AssertSqlSafe(asked.search(&rarest))).await?;
        &rarest
    };
    // Each text is asked for each word; where there are more words than a text has, for those that it has.
    let matches = if words.len() <= FEW_WORDS {
        "found f JOIN asked a ON f.words @@ a.query"
    } else {
        "found f CROSS JOIN LATERAL unnest(tsvector_to_array(f.words)) AS has (word) JOIN asked a ON a.word = has.word"
    };
    // With nothing added, long words are unpacked once and not for each look at them.
    let statement = format!(
        "WITH found AS MATERIALIZED (SELECT id, words || ''::tsvector AS words FROM (SELECT w.id, w.words, \
         sum({EACH_READ} + pg_column_size(w.words)) OVER (ROWS UNBOUNDED PRECEDING) AS cost \
         FROM {ENTRIES_OF_WORDS} WHERE {ENTRIES} LIMIT {}) AS few WHERE cost <= {MOST_READ}), \
         asked AS MATERIALIZED (SELECT word, ('''' || word || '''')::tsquery AS query FROM unnest(${NEXT}::text[]) AS word), \
         matches AS MATERIALIZED (SELECT f.id, a.word, ts_rank(f.words, a.query, 1) AS fit FROM {matches}), \
         weighed AS MATERIALIZED (SELECT word, ln(1 + (SELECT count(*) FROM found)::float8 / count(*)) AS weight \
         FROM matches GROUP BY word) \
         SELECT id, sum(weight * fit)::real AS score FROM matches JOIN weighed USING (word) GROUP BY id ORDER BY score DESC, id \
         LIMIT ${}",
        MOST_READ / EACH_READ,
        NEXT + 1
    );
    let rows = asked.bind(sqlx::query(AssertSqlSafe(statement))).bind(words).bind(depth);
    let rows = rows.fetch_all(transaction).await?;
    rows.iter().map(|row| Ok((sqlx::Row::try_get(row, 0)?, sqlx::Row::try_get(row, 1)?))).collect()
}

/// The rarest words, as many as may be read of, and at least one.
async fn find_rarest(
    transaction: &mut PgConnection,
    asked: &Asked<'_>,
    words: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    let mut words = words.to_vec();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(MOST_COUNTED);
    let costs = costs(transaction, asked, words.chunks(1)).await?;
    let mut by_cost: Vec<(i64, String)> =
        costs.into_iter().zip(words).filter(|(cost, _)| *cost > 0).collect();
    by_cost.sort();
    let mut sum = 0_i64;
    let few = by_cost.iter().take_while(|(cost, _)| {
        sum = sum.saturating_add(*cost);
        sum <= MOST_READ
    });
    let few = few.count().max(1);
    Ok(by_cost.into_iter().take(few).map(|(_, word)| word).collect())
}

/// What it costs to read all that have one of some words, for each of several: up to where it is too much.
async fn costs<'a>(
    transaction: &mut PgConnection,
    asked: &Asked<'_>,
    each: impl IntoIterator<Item = &'a [String]>,
) -> Result<Vec<i64>, sqlx::Error> {
    let tenant = asked.tenant();
    let each = each.into_iter().map(|words| {
        format!(
            "{}; SELECT coalesce(sum({EACH_READ} + pg_column_size(few.words)), 0)::bigint AS cost \
             FROM (SELECT w.words FROM memory_words w WHERE w.tenant = {tenant} LIMIT {}) AS few",
            asked.search(words),
            MOST_READ / EACH_READ
        )
    });
    let statements = each.collect::<Vec<_>>().join("; ");
    let rows = transaction.fetch_all(AssertSqlSafe(statements)).await?;
    rows.iter().map(|row| sqlx::Row::try_get(row, "cost")).collect()
}
