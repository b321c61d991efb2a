//! Which backends a configuration means; one arm a technology.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use soorma_nats::{Credentials, DialledLog, NatsLogConfig};
use soorma_ports::{Clock, EventLog, EventLogError, Generation, MemoryStore, RegistryStore};
use soorma_postgres::{Postgres, PostgresConfig, PostgresError};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_supervise::{ChildSpec, Strategy, SupervisorSpec};
use tokio::time::Instant;

use crate::config::{Config, Durability, Servers};
use crate::data_folder::DataFolder;
use crate::node::NodeError;

/// What a node stands on.
#[derive(Debug)]
pub(crate) struct Backends {
    log: Log,
    registry: Arc<dyn RegistryStore>,
    memory: Arc<dyn MemoryStore>,
    /// The store in the data folder, where something is in it; the folder is locked as long as it is open.
    file: Option<(Arc<SqliteLog>, DataFolder)>,
}

/// Where events are kept.
#[derive(Debug)]
enum Log {
    /// In the data folder.
    Embedded(Arc<SqliteLog>),
    /// On NATS JetStream.
    Nats(Arc<DialledLog>),
}

/// How long a database that is away at the start is waited for; then whoever started the node may know more.
const WAIT_FOR_POSTGRES: Duration = Duration::from_secs(30);

impl Backends {
    /// Opens what the configuration names. NATS that is away is dialled on, Postgres is waited for; one that refuses for good is an
    /// error. Vectors of the generation are what memory is searched by.
    pub(crate) async fn open(
        config: &Config,
        clock: &Arc<dyn Clock>,
        generation: Option<&Generation>,
    ) -> Result<Self, NodeError> {
        let on_postgres = !config.postgres.url.is_empty();
        let file = if config.nats.servers.is_none() || !on_postgres {
            let data = DataFolder::open(&config.node.data)?;
            let log = SqliteLog::open(&data.log(), sqlite(config), Arc::clone(clock));
            Some((log.map_err(NodeError::Log)?, data))
        } else {
            None
        };
        let log = match (&config.nats.servers, &file) {
            (Some(servers), _) => {
                let log = DialledLog::new(nats(config, servers).map_err(NodeError::Log)?, Arc::clone(clock));
                log.first_try().await.map_err(NodeError::Log)?;
                Log::Nats(log)
            }
            (None, Some((file, _))) => Log::Embedded(Arc::clone(file)),
            (None, None) => return Err(NodeError::Data("there is no place for the event log".to_owned())),
        };
        let (registry, memory): (Arc<dyn RegistryStore>, Arc<dyn MemoryStore>) = match &file {
            Some((file, _)) if !on_postgres => (file.registry(), file.memory()),
            _ => {
                let postgres = postgres(config).await?;
                if let Some(generation) = generation {
                    let prepared = postgres.prepare_vectors(generation).await;
                    prepared.map_err(|error| NodeError::Memory(error.to_string()))?;
                }
                (Arc::new(postgres.registry()), Arc::new(postgres.memory()))
            }
        };
        Ok(Self { log, registry, memory, file })
    }

    pub(crate) fn log(&self) -> Arc<dyn EventLog> {
        match &self.log {
            Log::Embedded(log) => Arc::clone(log) as _,
            Log::Nats(log) => Arc::clone(log) as _,
        }
    }

    pub(crate) fn registry(&self) -> Arc<dyn RegistryStore> {
        Arc::clone(&self.registry)
    }

    pub(crate) fn memory(&self) -> Arc<dyn MemoryStore> {
        Arc::clone(&self.memory)
    }

    /// What `/health` calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self.log {
            Log::Embedded(_) => "sqlite",
            Log::Nats(_) => "nats",
        }
    }

    /// The branch of the tree that keeps connections; there is none where all is embedded.
    pub(crate) fn health(&self) -> Option<ChildSpec> {
        let Log::Nats(log) = &self.log else { return None };
        let log = Arc::clone(log);
        let nats = ChildSpec::task("nats", move |cx| {
            let log = Arc::clone(&log);
            async move {
                tokio::select! {
                    () = log.run() => {}
                    () = cx.stopping() => {}
                }
                Ok(())
            }
        });
        Some(SupervisorSpec::new("health", Strategy::OneForOne).child(nats).into())
    }

    /// Closes what is to be closed in order.
    pub(crate) async fn close(&self) {
        // Connections end with their last user; what was answered is with the server.
        if let Some((file, _)) = &self.file {
            file.close().await;
        }
    }
}

/// Opens the database, and waits for it a while.
async fn postgres(config: &Config) -> Result<Postgres, NodeError> {
    let own = &config.postgres;
    let place = PostgresConfig {
        url: own.url.clone(),
        owner_url: Some(own.owner_url.clone()).filter(|url| !url.is_empty()),
        schema: own.schema.clone(),
        role: own.role.clone(),
        max_connections: usize::try_from(own.max_connections).unwrap_or(usize::MAX),
        answer_within: own.answer_within,
    };
    let until = Instant::now() + WAIT_FOR_POSTGRES;
    let mut pause = Duration::from_millis(250);
    loop {
        match Postgres::open(place.clone()).await {
            Err(error @ PostgresError::Unavailable(_)) if Instant::now() + pause < until => {
                tracing::warn!(%error, "cannot open the database yet; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            opened => return opened.map_err(|error| NodeError::Registry(error.to_string())),
        }
    }
}

fn sqlite(config: &Config) -> SqliteLogConfig {
    let retention = |(age, events): &(_, _)| soorma_sqlite::Retention { age: *age, events: *events };
    SqliteLogConfig {
        retain_for: config.log.retain_for,
        retain_events: config.log.retain_events,
        retain_of: config.log.retain_of.0.iter().map(|(topic, kept)| (*topic, retention(kept))).collect(),
        max_bytes: config.log.max_bytes.map(|size| size.0),
        vectors_kib: config.memory.vectors.as_usize() / 1_024,
    }
}

fn nats(config: &Config, servers: &Servers) -> Result<NatsLogConfig, EventLogError> {
    let own = &config.nats;
    let bytes = own.retain_bytes.map(|size| size.0);
    let retention = |age, events| soorma_nats::Retention { age, events: Some(events), bytes };
    let retain_of: BTreeMap<_, _> = config
        .log
        .retain_of
        .0
        .iter()
        .map(|(topic, (age, events))| (*topic, retention(*age, *events)))
        .collect();
    Ok(NatsLogConfig {
        servers: servers.0.clone(),
        credentials: credentials(config)?,
        tls_root: own.tls_root.clone(),
        tls_required: own.tls_required,
        prefix: own.prefix.clone(),
        replicas: usize::try_from(own.replicas).unwrap_or(1),
        retain: retention(config.log.retain_for, config.log.retain_events),
        retain_of,
        durability: match own.durability {
            Durability::Acknowledged => soorma_nats::Durability::Acknowledged,
            Durability::Synced => soorma_nats::Durability::Synced,
        },
        max_unanswered: usize::try_from(own.max_unanswered).unwrap_or(usize::MAX),
        answer_within: own.answer_within,
    })
}

fn credentials(config: &Config) -> Result<Credentials, EventLogError> {
    let own = &config.nats;
    let given = [!own.user.is_empty(), !own.token.is_empty(), own.credentials.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(EventLogError::Invalid(
            "nats.user, nats.token and nats.credentials exclude one another; give one of them".into(),
        ));
    }
    if let Some(path) = &own.credentials {
        return Ok(Credentials::File(path.clone()));
    }
    if !own.token.is_empty() {
        return Ok(Credentials::Token(own.token.clone()));
    }
    if !own.user.is_empty() {
        return Ok(Credentials::User { name: own.user.clone(), password: own.password.clone() });
    }
    Ok(Credentials::None)
}
