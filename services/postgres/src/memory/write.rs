//! A batch of writes, as one transaction.
//!
//! It begins with the locks of the places in which it puts entries, and takes revisions when it has them; so of one place the later of two
//! writes has the greater revision, also where there is no entry that could be locked. Entries that are there are locked as they are read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use soorma_ports::{MemoryAct, MemoryDone, MemoryRefused, MemoryWrite};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use uuid::Uuid;

use super::asked::of_tenant;
use super::batch::{Held, Wanted, locks};
use super::entry::private;
use super::generations::Generations;
use super::{PostgresMemory, rows, words};
use crate::PostgresError;
use crate::names::literal;

type Answers = Vec<Result<MemoryDone, MemoryRefused>>;

impl PostgresMemory {
    pub(super) async fn write_all(&self, writes: &[MemoryWrite]) -> Result<Answers, PostgresError> {
        for write in writes {
            if let MemoryAct::Put { draft, .. } = &write.act
                && let Some(embedded) = &draft.vector
            {
                // Before the transaction, in which nothing is waited for that does not belong to it.
                self.generations.number(&self.connections, &embedded.generation).await?;
            }
        }
        let mut of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (nth, write) in writes.iter().enumerate() {
            of.entry(write.scope.tenant.as_str()).or_default().push(nth);
        }
        let puts = writes.iter().filter(|write| matches!(write.act, MemoryAct::Put { .. })).count();
        let first = of.keys().next().copied().unwrap_or_default();
        let (mut transaction, begun) = self.connections.begin_and_read(begin(writes, puts, first)).await?;
        let revisions = begun.iter().filter_map(|row| row.try_get::<i64, _>("revision").ok());
        let mut revisions: Vec<i64> = revisions.collect();
        if revisions.len() != puts {
            return Err(PostgresError::Corrupt("revisions cannot be counted".into()));
        }
        // They are taken from the end.
        revisions.reverse();
        let mut answers: Vec<Option<_>> = vec![None; writes.len()];
        for (tenant, nths) in of {
            if tenant != first {
                set_tenant(&mut transaction, tenant).await?;
            }
            let mut some: Vec<usize> = Vec::new();
            for nth in nths {
                let Some(write) = writes.get(nth) else { continue };
                if let MemoryAct::RemoveGroup { kind, group } = &write.act {
                    // What it removes is not known before; so what comes before it is written first.
                    self.carry_out(&mut transaction, tenant, writes, &some, &mut revisions, &mut answers)
                        .await?;
                    some.clear();
                    let whose = private(&write.scope.owner);
                    let gone: Vec<Uuid> = sqlx::query_scalar(
                        "DELETE FROM memory_entries WHERE tenant = $1 AND whose = $2 AND kind = $3 AND grp = $4 \
                         AND (expires_at IS NULL OR expires_at > $5) RETURNING id",
                    )
                    .bind(tenant)
                    .bind(whose)
                    .bind(kind.as_str())
                    .bind(group)
                    .bind(write.at.micros())
                    .fetch_all(&mut *transaction)
                    .await?;
                    rows::drop_what_belongs(&mut transaction, tenant, &gone).await?;
                    set(&mut answers, nth, Ok(MemoryDone::Removed(super::count(gone.len()))));
                } else {
                    some.push(nth);
                }
            }
            self.carry_out(&mut transaction, tenant, writes, &some, &mut revisions, &mut answers).await?;
        }
        transaction.commit().await?;
        let answers: Option<Answers> = answers.into_iter().collect();
        answers.ok_or_else(|| PostgresError::Corrupt("a write was forgotten".into()))
    }

    /// Carries out some writes of one tenant: reads what they are about, decides, and writes what has changed.
    async fn carry_out(
        &self,
        transaction: &mut PgConnection,
        tenant: &str,
        writes: &[MemoryWrite],
        some: &[usize],
        revisions: &mut Vec<i64>,
        answers: &mut [Option<Result<MemoryDone, MemoryRefused>>],
    ) -> Result<(), PostgresError> {
        if some.is_empty() {
            return Ok(());
        }
        let these: Vec<&MemoryWrite> = some.iter().filter_map(|nth| writes.get(*nth)).collect();
        let mut held = Held::default();
        rows::fetch(transaction, tenant, &Wanted::of(&these), &mut held).await?;
        for (nth, write) in some.iter().zip(these) {
            let is_put = matches!(write.act, MemoryAct::Put { .. });
            let revision = if is_put { revisions.pop().unwrap_or_default() } else { 0 };
            set(answers, *nth, held.write(write.clone(), revision));
        }
        let numbers = |generation: &_| Generations::known(&self.generations, generation);
        rows::save(transaction, tenant, &held, &self.vector_type, numbers).await
    }
}

fn set<T>(answers: &mut [Option<T>], nth: usize, answer: T) {
    if let Some(place) = answers.get_mut(nth) {
        *place = Some(answer);
    }
}

/// Begins: says whose, locks, and takes a revision for each put, in one message.
fn begin(writes: &[MemoryWrite], puts: usize, first: &str) -> String {
    let mut begin = format!("BEGIN; {}; SET LOCAL soorma.words = {}", of_tenant(first), literal(words::ALL));
    let locks: Vec<String> = locks(writes).iter().map(i64::to_string).collect();
    if !locks.is_empty() {
        let locks = locks.join(",");
        let _infallible = write!(
            begin,
            "; SELECT count(pg_advisory_xact_lock(n)) AS locks FROM unnest('{{{locks}}}'::bigint[]) AS n"
        );
    }
    if puts > 0 {
        let _infallible =
            write!(begin, "; SELECT nextval('memory_revision') AS revision FROM generate_series(1, {puts})");
    }
    begin
}

/// Whose rows are seen from here on, until the transaction ends.
pub(super) async fn set_tenant(transaction: &mut PgConnection, tenant: &str) -> Result<(), PostgresError> {
    transaction.execute(AssertSqlSafe(of_tenant(tenant))).await?;
    Ok(())
}
