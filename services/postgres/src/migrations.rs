//! The tables, and how they come from one version to the next.

use std::borrow::Cow;

use sqlx::migrate::{AppliedMigration, Migrate as _, MigrateError, Migration, MigrationType};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqlSafeStr as _};

use crate::PostgresError;
use crate::connections::Place;
use crate::error::{code, has_code, said};
use crate::names::{Identifier, quoted};
use crate::{memory, roles};

/// What a version of this program has: migrations in order, and the tables that there are after them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) migrations: &'static [(&'static str, &'static str)],
    pub(crate) tables: &'static [&'static str],
    pub(crate) sequences: &'static [&'static str],
}

/// A migration that was released is never changed; a change of the tables is a new one.
pub(crate) const LAYOUT: Layout = Layout {
    migrations: &[
        ("registry", include_str!("migrations/0001_registry.sql")),
        ("memory", include_str!("migrations/0002_memory.sql")),
    ],
    tables: &[
        "registry_revision",
        "registry_agents",
        "registry_events",
        "registry_schemas",
        "memory_entries",
        "memory_words",
        "memory_generations",
        "memory_vectors",
    ],
    sequences: &["memory_revision"],
};

/// Where sqlx writes down what was carried out.
const APPLIED: &str = "_sqlx_migrations";
/// How long is waited for another who brings the same tables up.
const PATIENCE: &str = "60s";

/// Brings the tables up, as their owner; where we are not, they have to be up already.
pub(crate) async fn bring_up(
    owner: &Place,
    worker: &Place,
    schema: &Identifier,
    role: &Identifier,
    layout: Layout,
) -> Result<(), PostgresError> {
    let mut connection = owner.connect().await?;
    admit_version(&mut connection).await?;
    let (made, ours): (bool, bool) = sqlx::query_as(
        "SELECT count(*) > 0, coalesce(bool_and(pg_has_role(current_user, c.relowner, 'USAGE')), true) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
    )
    .bind(schema.as_str())
    .bind(APPLIED)
    .fetch_one(&mut connection)
    .await?;
    let migrations = Migrations { schema, owner, layout };
    if made && !ours {
        roles::set(&mut connection, owner.user(), role).await?;
        return match migrations.pending(&mut connection).await? {
            0 => Ok(()),
            _ => Err(PostgresError::Invalid(format!(
                "the tables in schema '{}' are of an older version, and '{}' may not change them. Name their owner as owner_url",
                schema.as_str(),
                owner.user()
            ))),
        };
    }
    // For one at a time, until this connection ends.
    connection
        .execute(AssertSqlSafe(format!(
            "SET statement_timeout TO 0; SET lock_timeout TO '{PATIENCE}'; \
             SELECT pg_advisory_lock(hashtextextended('soorma migrations {}', 0))",
            schema.as_str()
        )))
        .await?;
    migrations.make_schema(&mut connection).await?;
    roles::make(&mut connection, role, worker.user()).await?;
    memory::make_extension(&mut connection, owner.user()).await?;
    migrations.run(&mut connection).await?;
    roles::grant(&mut connection, schema, role, &layout, APPLIED).await?;
    // What it was for is done, however it ends.
    drop(connection.close().await);
    Ok(())
}

/// Refuses a server that is older than what we were tried with.
async fn admit_version(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let (number, version): (i32, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
    )
    .fetch_one(connection)
    .await?;
    if is_too_old(number) {
        return Err(PostgresError::Invalid(format!("this is PostgreSQL {version}; 16 or newer is needed")));
    }
    Ok(())
}

fn is_too_old(number: i32) -> bool {
    number < 160_000
}

#[derive(Debug, Clone, Copy)]
struct Migrations<'a> {
    schema: &'a Identifier,
    owner: &'a Place,
    layout: Layout,
}

impl Migrations<'_> {
    /// Makes the schema where there is none, and goes into it.
    async fn make_schema(&self, connection: &mut PgConnection) -> Result<(), PostgresError> {
        let schema = self.schema.quoted();
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
            .bind(self.schema.as_str())
            .fetch_one(&mut *connection)
            .await?;
        if !there {
            let made = connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await;
            made.map_err(|error| self.not_allowed(error))?;
        }
        connection.execute(AssertSqlSafe(format!("SET search_path TO {schema}, pg_temp"))).await?;
        Ok(())
    }

    /// Carries out what was not yet.
    async fn run(&self, connection: &mut PgConnection) -> Result<(), PostgresError> {
        connection.ensure_migrations_table(APPLIED).await.map_err(|error| self.failed(error))?;
        let pending = self.pending(connection).await?;
        let done = self.layout.migrations.len().saturating_sub(pending);
        for (version, one) in self.layout.migrations.iter().enumerate().skip(done) {
            let migration = migration(version, one);
            // In a transaction, with the row that says so.
            connection.apply(APPLIED, &migration).await.map_err(|error| self.failed(error))?;
            tracing::info!(version = migration.version, name = one.0, "the tables were changed");
        }
        Ok(())
    }

    /// How many were not carried out yet; refuses what we do not know.
    async fn pending(&self, connection: &mut PgConnection) -> Result<usize, PostgresError> {
        let table = format!("{}.{}", self.schema.quoted(), quoted(APPLIED));
        let applied = connection.list_applied_migrations(&table).await.map_err(|error| self.failed(error))?;
        judge(self.schema.as_str(), &self.layout, &applied)
    }

    fn failed(&self, error: MigrateError) -> PostgresError {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                self.not_allowed(error)
            }
            error => PostgresError::Unavailable(format!("the tables cannot be brought up: {error}")),
        }
    }

    fn not_allowed(&self, error: sqlx::Error) -> PostgresError {
        if !has_code(&error, &[code::NOT_ALLOWED]) {
            return error.into();
        }
        let (user, schema) = (self.owner.user(), self.schema.as_str());
        PostgresError::Invalid(format!(
            "'{user}' may not make the tables: {}. Name another as owner_url, or let it: CREATE SCHEMA {schema} AUTHORIZATION {}",
            said(&error),
            quoted(user)
        ))
    }
}

/// The nth, as sqlx knows it.
fn migration(nth: usize, (name, sql): &(&'static str, &'static str)) -> Migration {
    let version = i64::try_from(nth).unwrap_or(i64::MAX).saturating_add(1);
    Migration::new(version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
}

/// Compares what was carried out with what we have; returns how many are left.
fn judge(schema: &str, layout: &Layout, applied: &[AppliedMigration]) -> Result<usize, PostgresError> {
    let newest = layout.migrations.len();
    for one in applied {
        let version = one.version;
        let nth = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
        let Some((nth, ours)) = nth.and_then(|nth| Some((nth, layout.migrations.get(nth)?))) else {
            return Err(PostgresError::Invalid(format!(
                "the tables in schema '{schema}' were made by a newer version (migration {version}; this one knows up to {newest}). \
                 Start that version again, or name another schema"
            )));
        };
        let name = ours.0;
        if migration(nth, ours).checksum != one.checksum {
            return Err(PostgresError::Invalid(format!(
                "migration {version} ({name}) of schema '{schema}' is not the one that this version would carry out. Start the \
                 version that made the tables, or name another schema"
            )));
        }
    }
    // They are carried out in order, so what is left is at the end.
    Ok(newest.saturating_sub(applied.len()))
}

#[cfg(test)]
mod tests;
