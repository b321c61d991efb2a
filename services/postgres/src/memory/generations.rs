//! Generations of vectors, and the numbers that stand for them in the rows.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use soorma_ports::Generation;

use crate::PostgresError;
use crate::connections::Connections;

/// The numbers that this process knows. One that was given is never taken back.
#[derive(Debug, Default)]
pub(super) struct Generations(Mutex<BTreeMap<Generation, i32>>);

impl Generations {
    /// Returns the number of a generation, where it was asked for before.
    pub(super) fn known(&self, generation: &Generation) -> Option<i32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(generation).copied()
    }

    fn learn(&self, generation: &Generation, number: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(generation.clone(), number);
    }

    /// Returns the number of a generation; gives it one where it has none.
    pub(super) async fn number(
        &self,
        connections: &Connections,
        generation: &Generation,
    ) -> Result<i32, PostgresError> {
        if let Some(known) = self.find(connections, generation).await? {
            return Ok(known);
        }
        let mut transaction = connections.begin("BEGIN").await?;
        sqlx::query(
            "INSERT INTO memory_generations (model, dimensions) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(generation.model())
        .bind(dimensions(generation))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let number = self.find(connections, generation).await?;
        number
            .ok_or_else(|| PostgresError::Corrupt(format!("generation {generation} cannot be written down")))
    }

    /// Returns the number of a generation, where it has one.
    pub(super) async fn find(
        &self,
        connections: &Connections,
        generation: &Generation,
    ) -> Result<Option<i32>, PostgresError> {
        if let Some(known) = self.known(generation) {
            return Ok(Some(known));
        }
        let mut transaction = connections.begin("BEGIN READ ONLY").await?;
        let number: Option<i32> =
            sqlx::query_scalar("SELECT id FROM memory_generations WHERE model = $1 AND dimensions = $2")
                .bind(generation.model())
                .bind(dimensions(generation))
                .fetch_optional(&mut *transaction)
                .await?;
        transaction.commit().await?;
        if let Some(number) = number {
            self.learn(generation, number);
        }
        Ok(number)
    }
}

/// At most [`Generation::MOST_DIMENSIONS`].
fn dimensions(generation: &Generation) -> i32 {
    i32::try_from(generation.dimensions()).unwrap_or(i32::MAX)
}
