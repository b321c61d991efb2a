//! Which backends a configuration means; one arm a technology.

use std::collections::BTreeMap;
use std::sync::Arc;

use soorma_nats::{Credentials, DialledLog, NatsLogConfig};
use soorma_ports::{Clock, EventLog, EventLogError};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_supervise::{ChildSpec, Strategy, SupervisorSpec};

use crate::config::{Config, Durability, Servers};
use crate::data_folder::DataFolder;
use crate::node::NodeError;

/// What a node stands on.
#[derive(Debug)]
pub(crate) enum Backends {
    /// All in one folder.
    Embedded { log: Arc<SqliteLog>, _data: DataFolder },
    /// The event log on NATS JetStream.
    Nats { log: Arc<DialledLog> },
}

impl Backends {
    /// Opens what the configuration names. A server that is away is dialled on; one that refuses for good is an error.
    pub(crate) async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, NodeError> {
        match &config.nats.servers {
            None => {
                let data = DataFolder::open(&config.node.data)?;
                let log = SqliteLog::open(&data.log(), sqlite(config), Arc::clone(clock));
                Ok(Self::Embedded { log: log.map_err(NodeError::Log)?, _data: data })
            }
            Some(servers) => {
                let log = DialledLog::new(nats(config, servers).map_err(NodeError::Log)?, Arc::clone(clock));
                log.first_try().await.map_err(NodeError::Log)?;
                Ok(Self::Nats { log })
            }
        }
    }

    pub(crate) fn log(&self) -> Arc<dyn EventLog> {
        match self {
            Self::Embedded { log, .. } => Arc::clone(log) as _,
            Self::Nats { log } => Arc::clone(log) as _,
        }
    }

    /// What `/health` calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => "sqlite",
            Self::Nats { .. } => "nats",
        }
    }

    /// The branch of the tree that keeps connections; there is none where all is embedded.
    pub(crate) fn health(&self) -> Option<ChildSpec> {
        let Self::Nats { log } = self else { return None };
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
        match self {
            Self::Embedded { log, .. } => log.close().await,
            // The connection ends with its last user; what was answered is with the server.
            Self::Nats { .. } => {}
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
