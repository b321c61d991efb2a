//! The database, opened.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::Generation;

use crate::connections::{Connections, Place};
use crate::migrations::{LAYOUT, bring_up};
use crate::names::Identifier;
use crate::{PostgresConfig, PostgresError, PostgresMemory, PostgresRegistry, memory, roles};

/// A database whose tables are of this version, and in which we may work.
#[derive(Debug, Clone)]
pub struct Postgres {
    connections: Arc<Connections>,
    owner: Place,
    schema: Identifier,
    /// Where the extension for vectors is, as it stands in statements.
    vectors: String,
    within: Duration,
}

impl Postgres {
    /// Opens the database: brings its tables up as their owner, and sees to it that the role that works can do no more than work.
    ///
    /// # Errors
    /// [`PostgresError::Unavailable`] when nobody answers; to try again may help. All else is for a person: each says what to do.
    pub async fn open(config: PostgresConfig) -> Result<Self, PostgresError> {
        let within = config.answer_within;
        let (schema, role) =
            (Identifier::new("schema", &config.schema)?, Identifier::new("role", &config.role)?);
        let worker = Place::new("the URL of Postgres", &config.url, within)?;
        let owner = match &config.owner_url {
            Some(url) => Place::new("the owner's URL of Postgres", url, within)?,
            None => worker.clone(),
        };
        bring_up(&owner, &worker, &schema, &role, LAYOUT).await?;
        let mut connection = worker.connect().await?;
        roles::set(&mut connection, worker.user(), &role).await?;
        roles::admit(&mut connection, &schema, &role, LAYOUT.tables).await?;
        let vectors = memory::find_extension(&mut connection).await?;
        drop(connection);
        let prepare = prepare(&schema, &role, within);
        let connections = Arc::new(Connections::new(worker, prepare, config.max_connections));
        Ok(Self { connections, owner, schema, vectors, within })
    }

    /// Returns the registry's store in it.
    pub fn registry(&self) -> PostgresRegistry {
        PostgresRegistry::new(self.connections.clone(), &self.schema, self.within)
    }

    /// Returns the memory's store in it.
    pub fn memory(&self) -> PostgresMemory {
        PostgresMemory::new(self.connections.clone(), self.vectors.clone(), self.within)
    }

    /// Makes the index by which vectors of a generation are found, where there is none: what a node does at its start for the one that it works with. Vectors of
    /// others are found too, by comparing all of a scope.
    ///
    /// # Errors
    /// [`PostgresError::Unavailable`] when nobody answers; [`PostgresError::Invalid`] where there is none and we may not make one.
    pub async fn prepare_vectors(&self, generation: &Generation) -> Result<(), PostgresError> {
        memory::prepare(&self.connections, &self.owner, &self.schema, &self.vectors, generation).await
    }
}

/// What makes a connection ready for work.
fn prepare(schema: &Identifier, role: &Identifier, within: Duration) -> String {
    // Milliseconds, as many as Postgres takes.
    let whole = within.as_millis().clamp(2, 2_000_000_000);
    let half = whole / 2;
    format!(
        // Our tables alone; what anybody may make for a session comes last.
        "SET ROLE {}; SET search_path TO {}, pg_temp; \
         SET statement_timeout TO {whole}; SET lock_timeout TO {half}; \
         SET idle_in_transaction_session_timeout TO {whole}; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        role.quoted(),
        schema.quoted(),
    )
}
