//! The registry's store.
//!
//! A batch is one transaction. It begins by counting on in the one row of `registry_revision`, which it holds until the commit: so there
//! is one writer at a time among all processes, revisions are committed in their order, and what is read after that row was taken
//! is not changed by anybody else.

mod batch;
mod changes;
mod listen;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::Timestamp;
use soorma_ports::{
    ReadFrom, Refused, RegistryPage, RegistryStore, RegistryStoreError, RegistryWrite, Written,
};
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio::time::Instant;

use self::batch::{Held, Prepared};
use self::listen::{LOOK_EVERY, Listen};
use crate::PostgresError;
use crate::connections::Connections;
use crate::names::Identifier;

/// Reads of the node itself: all that it sees is of one moment.
const READ_ALL: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL soorma.reach = 'every tenant'";
/// Of how many tenants removals are forgotten in one transaction, during which nobody else writes.
const TENANTS_AT_ONCE: i64 = 100;

/// The registry's store on Postgres.
#[derive(Debug)]
pub struct PostgresRegistry {
    connections: Arc<Connections>,
    within: Duration,
    /// On which changes are announced: named after the schema, as another is another matter.
    channel: String,
    /// The last revision that this process knows of. It goes back where the tables did.
    latest: Arc<watch::Sender<u64>>,
    listen: Listen,
}

impl PostgresRegistry {
    pub(crate) fn new(connections: Arc<Connections>, schema: &Identifier, within: Duration) -> Self {
        let channel = schema.as_str().to_owned();
        let latest = Arc::new(watch::Sender::new(0));
        let listen = Listen::new(connections.clone(), channel.clone(), latest.clone());
        Self { connections, within, channel, latest, listen }
    }

    /// Gives up what takes too long; what became of it is unknown.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, PostgresError>> + Send,
    ) -> Result<T, PostgresError> {
        // The server gives up a statement after that long, and there are several.
        let limit = self.within.saturating_mul(2);
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(PostgresError::Unavailable(format!(
                "it has not answered within {limit:?}. Is it overloaded?"
            )))
        })
    }

    async fn carry_out(&self, writes: Vec<Prepared>) -> Result<Vec<Result<Written, Refused>>, PostgresError> {
        let mut transaction = self.connections.begin("BEGIN").await?;
        let count = i64::try_from(writes.len()).unwrap_or(i64::MAX);
        let last = count_on(&mut transaction, count, &self.channel).await?;
        let mut held = BTreeMap::new();
        for (tenant, wanted) in batch::wanted(&writes) {
            set_tenant(&mut transaction, &tenant).await?;
            let rows = rows::fetch(&mut transaction, &tenant, &wanted).await?;
            held.insert(tenant, rows);
        }
        let mut answers = Vec::with_capacity(writes.len());
        for (write, revision) in writes.into_iter().zip(last.saturating_sub(count).saturating_add(1)..) {
            let rows = held.entry(write.tenant.clone()).or_insert_with(Held::default);
            answers.push(rows.write(write, revision));
        }
        for (tenant, rows) in &held {
            if rows.is_changed() {
                set_tenant(&mut transaction, tenant).await?;
                rows::save(&mut transaction, tenant, rows).await?;
            }
        }
        transaction.commit().await?;
        seen(&self.latest, unsigned(last));
        Ok(answers)
    }

    /// Looks up to which revision the tables go.
    async fn look(&self) -> Result<(), PostgresError> {
        let before = *self.latest.borrow();
        let mut transaction = self.connections.begin("BEGIN READ ONLY").await?;
        let revision: i64 =
            sqlx::query_scalar("SELECT revision FROM registry_revision").fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        looked(&self.latest, before, unsigned(revision));
        Ok(())
    }

    async fn read_changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        let before = *self.latest.borrow();
        let mut transaction = self.connections.begin(READ_ALL).await?;
        let (revision, forgotten): (i64, i64) =
            sqlx::query_as("SELECT revision, forgotten FROM registry_revision")
                .fetch_one(&mut *transaction)
                .await
                .map_err(PostgresError::from)?;
        let revision = unsigned(revision);
        looked(&self.latest, before, revision);
        let began = match from.admit(revision, unsigned(forgotten)) {
            Ok(began) => began,
            Err(gone) => {
                transaction.commit().await?;
                return Err(gone);
            }
        };
        let asked = changes::Asked { after: from.after, began, limit, revision };
        let page = changes::read(&mut transaction, &asked).await?;
        transaction.commit().await?;
        Ok(page)
    }

    /// Forgets of some tenants; returns how many agents, and whether there may be more.
    async fn forget_some(&self, removed_before: i64) -> Result<(u64, bool), PostgresError> {
        let mut transaction = self.connections.begin("BEGIN").await?;
        let _held = count_on(&mut transaction, 0, &self.channel).await?;
        // To know whose there are; to remove them, each tenant is said.
        sqlx::query("SELECT set_config('soorma.reach', 'every tenant', true)")
            .execute(&mut *transaction)
            .await?;
        let found: Vec<(String, i64)> = sqlx::query_as(
            "SELECT tenant, max(revision) FROM registry_agents WHERE removed_at < $1 GROUP BY tenant ORDER BY tenant LIMIT $2",
        )
        .bind(removed_before)
        .bind(TENANTS_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
        sqlx::query("SELECT set_config('soorma.reach', '', true)").execute(&mut *transaction).await?;
        let mut count = 0;
        for (tenant, _) in &found {
            set_tenant(&mut transaction, tenant).await?;
            let gone = sqlx::query("DELETE FROM registry_agents WHERE tenant = $1 AND removed_at < $2")
                .bind(tenant)
                .bind(removed_before)
                .execute(&mut *transaction)
                .await?;
            if gone.rows_affected() == 0 {
                return Err(PostgresError::Corrupt(format!(
                    "rows of tenant '{tenant}' are seen and cannot be removed"
                )));
            }
            count += gone.rows_affected();
        }
        if let Some(last) = found.iter().map(|(_, revision)| *revision).max() {
            sqlx::query("UPDATE registry_revision SET forgotten = greatest(forgotten, $1)")
                .bind(last)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok((count, i64::try_from(found.len()).is_ok_and(|found| found >= TENANTS_AT_ONCE)))
    }

    async fn try_check(&self) -> Result<(), PostgresError> {
        let mut transaction = self.connections.begin("BEGIN").await?;
        let only_reads: bool = sqlx::query_scalar("SELECT current_setting('transaction_read_only')::bool")
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if only_reads {
            return Err(PostgresError::Unavailable(
                "it takes no writes now. Is it a standby? Only the primary takes writes".into(),
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl RegistryStore for PostgresRegistry {
    async fn write(
        &self,
        writes: Vec<RegistryWrite>,
    ) -> Result<Vec<Result<Written, Refused>>, RegistryStoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let writes = writes.into_iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?;
        Ok(self.in_time(self.carry_out(writes)).await?)
    }

    async fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        self.in_time(async { Ok(self.read_changes(from, limit).await) }).await?
    }

    async fn changed(&self, after: u64) -> Result<(), RegistryStoreError> {
        let mut latest = self.latest.subscribe();
        loop {
            // Less, too: the tables have gone back, or this process has not looked yet.
            if *latest.borrow_and_update() != after {
                return Ok(());
            }
            let began = Instant::now();
            // The sender is ours, so it is there.
            let lost = tokio::select! {
                biased;
                _ = latest.wait_for(|latest| *latest != after) => None,
                lost = self.listen.listen() => Some(lost),
            };
            if let Some(lost) = lost {
                tracing::debug!(%lost, "nobody listens for changes of the registry");
                // Without one that listens, the table is looked at. Says at once when the server is away.
                self.in_time(self.look()).await?;
                let look_at = began + LOOK_EVERY;
                drop(tokio::time::timeout_at(look_at, latest.wait_for(|latest| *latest != after)).await);
            }
        }
    }

    async fn forget(&self, removed_before: Timestamp) -> Result<u64, RegistryStoreError> {
        let mut total = 0;
        loop {
            let (count, more) = self.in_time(self.forget_some(removed_before.micros())).await?;
            total += count;
            if !more {
                return Ok(total);
            }
        }
    }

    async fn check(&self) -> Result<(), RegistryStoreError> {
        Ok(self.in_time(self.try_check()).await?)
    }
}

/// Takes revisions, and with them the right to write until the commit, at which who listens is told. Returns the last.
async fn count_on(transaction: &mut PgConnection, count: i64, channel: &str) -> Result<i64, PostgresError> {
    let taken: Option<(i64, ())> = sqlx::query_as(
        "WITH counted AS (UPDATE registry_revision SET revision = revision + $1 RETURNING revision) \
         SELECT revision, pg_notify($2, 'registry ' || revision) FROM counted",
    )
    .bind(count)
    .bind(channel)
    .fetch_optional(transaction)
    .await?;
    let gone =
        || PostgresError::Corrupt("the row that counts revisions is gone, or cannot be written".into());
    Ok(taken.ok_or_else(gone)?.0)
}

/// Whose rows are seen from here on, until the transaction ends.
async fn set_tenant(transaction: &mut PgConnection, tenant: &str) -> Result<(), PostgresError> {
    sqlx::query("SELECT set_config('soorma.tenant', $1, true)").bind(tenant).execute(transaction).await?;
    Ok(())
}

/// Somebody has written up to a revision.
fn seen(latest: &watch::Sender<u64>, revision: u64) {
    latest.send_if_modified(|latest| {
        let is_news = revision > *latest;
        *latest = revision.max(*latest);
        is_news
    });
}

/// The tables go up to a revision. Before they were looked at, they went up to another: what is less now than it was has gone back, to a
/// copy of before.
fn looked(latest: &watch::Sender<u64>, before: u64, revision: u64) {
    if revision < before {
        tracing::warn!(before, revision, "the registry's tables have gone back; they are read anew");
        latest.send_replace(revision);
    } else {
        seen(latest, revision);
    }
}

/// Revisions are never negative.
fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}
