//! The index by which vectors of one generation are found that are near to another.
//!
//! The vectors of all generations stand in one column without a length. For each generation that is worked with there is an index of those of that
//! generation alone, which the owner makes when a node starts: work is done as a role that makes nothing.

use soorma_ports::Generation;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::generations::Generations;
use crate::PostgresError;
use crate::connections::{Connections, Place};
use crate::error::{code, has_code};
use crate::names::{Identifier, quoted};

/// The most numbers that the index takes of a vector, and that it takes when it keeps them shorter.
const LONGEST: usize = 2_000;
const LONGEST_HALVED: usize = 4_000;
/// How long is waited for another node that makes the same index.
const PATIENCE: &str = "60s";

/// Vectors of one generation, in the words of the extension.
#[derive(Debug)]
pub(super) struct Near<'a> {
    generation: &'a Generation,
    number: i32,
    /// Where the extension is.
    schema: &'a str,
}

impl<'a> Near<'a> {
    pub(super) fn new(generation: &'a Generation, number: i32, schema: &'a str) -> Self {
        Self { generation, number, schema }
    }

    /// Whether there can be an index; without one, all are compared.
    pub(super) fn has_index(&self) -> bool {
        self.generation.dimensions() <= LONGEST_HALVED
    }

    /// As what vectors stand in the index.
    fn kept(&self) -> String {
        let name = if self.generation.dimensions() <= LONGEST { "vector" } else { "halfvec" };
        format!("{}.{name}({})", self.schema, self.generation.dimensions())
    }

    /// By what the index orders: how near a column is to a parameter.
    pub(super) fn distance(&self, column: &str, parameter: usize) -> String {
        let (schema, kept) = (self.schema, self.kept());
        format!("({column}::{kept}) OPERATOR({schema}.<#>) (${parameter}::{schema}.vector::{kept})")
    }

    /// The same of vectors as they are, which no index has: less for what is nearer.
    pub(super) fn product(&self, column: &str, parameter: usize) -> String {
        let schema = self.schema;
        format!("{column} OPERATOR({schema}.<#>) ${parameter}::{schema}.vector")
    }

    fn name(&self) -> String {
        format!("memory_near_{}", self.number)
    }

    fn create(&self, schema: &Identifier) -> String {
        let (of, kept, number) = (self.schema, self.kept(), self.number);
        let class = if self.generation.dimensions() <= LONGEST { "vector_ip_ops" } else { "halfvec_ip_ops" };
        format!(
            "CREATE INDEX IF NOT EXISTS {} ON {}.memory_vectors USING hnsw ((embedding::{kept}) {of}.{class}) WHERE generation = {number}",
            self.name(),
            schema.quoted()
        )
    }
}

/// What holds of a vector that is one: as many numbers as its generation has, and of length 1. Others cannot be compared.
pub(super) fn sound(column: &str, near: &Near<'_>) -> String {
    let (schema, dimensions) = (near.schema, near.generation.dimensions());
    format!(
        "CASE WHEN {schema}.vector_dims({column}) = {dimensions} THEN abs({schema}.vector_norm({column}) - 1) < 0.001 ELSE false END"
    )
}

/// Makes the index of a generation where there is none: looked for as who works, and made as the owner.
pub(crate) async fn prepare(
    connections: &Connections,
    owner: &Place,
    schema: &Identifier,
    extension: &str,
    generation: &Generation,
) -> Result<(), PostgresError> {
    let number = Generations::default().number(connections, generation).await?;
    let near = Near::new(generation, number, extension);
    if !near.has_index() {
        tracing::warn!(
            %generation, most = LONGEST_HALVED,
            "vectors of that many numbers have no index; in a scope that has very many, a search is slow"
        );
        return Ok(());
    }
    let mut transaction = connections.begin("BEGIN READ ONLY").await?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{}.{}", schema.quoted(), near.name()))
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    if there {
        return Ok(());
    }
    let mut connection = owner.connect().await?;
    // For one at a time, until this connection ends; made on a table that has vectors already, it takes its time.
    connection
        .execute(AssertSqlSafe(format!(
            "SET statement_timeout TO 0; SET lock_timeout TO '{PATIENCE}'; SELECT pg_advisory_lock(hashtextextended('soorma index {}', 0))",
            schema.as_str()
        )))
        .await?;
    match connection.execute(AssertSqlSafe(near.create(schema))).await {
        Ok(_) => {}
        Err(error) if has_code(&error, &[code::NOT_ALLOWED]) => {
            return Err(PostgresError::Invalid(format!(
                "there is no index of vectors of {generation} yet, and '{}' may not make it. Name the owner of the tables as owner_url",
                owner.user()
            )));
        }
        Err(error) => return Err(error.into()),
    }
    tracing::info!(%generation, "the index of vectors is there");
    drop(connection.close().await);
    Ok(())
}

/// Where the extension is, quoted; refuses a database without it, and one with a version that cannot go on looking where it has not found enough.
pub(crate) async fn find_extension(connection: &mut PgConnection) -> Result<String, PostgresError> {
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'",
    )
    .fetch_optional(connection)
    .await?;
    let Some((schema, version)) = found else {
        return Err(PostgresError::Invalid(
            "the database has no pgvector. Install it on the server, and let a superuser carry out in this database: CREATE EXTENSION vector".into(),
        ));
    };
    if is_too_old(&version) {
        return Err(PostgresError::Invalid(format!(
            "this is pgvector {version}; 0.8 or newer is needed. Install it on the server, and let its owner carry out: ALTER EXTENSION vector UPDATE"
        )));
    }
    Ok(quoted(&schema))
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) < (0, 8)
}

/// Makes the extension where there is none.
pub(crate) async fn make_extension(owner: &mut PgConnection, user: &str) -> Result<(), PostgresError> {
    const CREATE: &str = "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public";
    let there = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector')";
    if !sqlx::query_scalar::<_, bool>(there).fetch_one(&mut *owner).await? {
        match owner.execute(CREATE).await {
            Ok(_) => {}
            // Another schema's node was faster.
            Err(error) if has_code(&error, &code::EXISTS) => {}
            Err(error) if has_code(&error, &[code::NOT_ALLOWED]) => {
                return Err(PostgresError::Invalid(format!(
                    "the database has no pgvector, and '{user}' may not add it: {}. Let a superuser carry out in this database: \
                     CREATE EXTENSION vector",
                    crate::error::said(&error)
                )));
            }
            // Nothing of it is on the server.
            Err(error) if has_code(&error, &[code::NOT_INSTALLED, code::NO_SUCH_FILE]) => {
                return Err(PostgresError::Invalid(format!(
                    "the server has no pgvector: {}. Install it (the package is called postgresql-VERSION-pgvector or pgvector), and \
                     start again",
                    crate::error::said(&error)
                )));
            }
            Err(error) => return Err(error.into()),
        }
    }
    find_extension(owner).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_stop_looking_are_too_old() {
        for (version, old) in [
            ("0.5.1", true),
            ("0.7.4", true),
            ("0.8.0", false),
            ("0.8.5", false),
            ("0.10", false),
            ("1.0", false),
        ] {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }

    #[test]
    fn long_vectors_are_kept_shorter_and_the_longest_have_no_index() {
        for (dimensions, kept) in [(3, "vector(3)"), (2_000, "vector(2000)"), (2_001, "halfvec(2001)")] {
            let generation = Generation::new("m", dimensions).unwrap();
            let near = Near::new(&generation, 7, "\"public\"");
            assert!(near.has_index());
            assert_eq!(near.kept(), format!("\"public\".{kept}"));
        }
        assert!(!Near::new(&Generation::new("m", 4_001).unwrap(), 7, "x").has_index());
    }
}
