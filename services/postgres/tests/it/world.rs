//! A database, and what stands on it.

use std::time::Duration;

use soorma_core::{AgentRecord, Data, EventDefinition, PayloadSchema, SchemaVersion, Timestamp, Topic};
use soorma_ports::{RegistryAct, RegistryStore, RegistryWrite, Standing};
use soorma_postgres::{Postgres, PostgresConfig, PostgresMemory, PostgresRegistry};
use soorma_testkit::servers::PostgresDatabase;
use soorma_testkit::{name, tenant};

pub(super) fn config(url: &str) -> PostgresConfig {
    PostgresConfig {
        url: url.into(),
        max_connections: 4,
        answer_within: Duration::from_secs(10),
        ..Default::default()
    }
}

/// A database of its own, with a store on it.
pub(super) async fn world() -> (PostgresDatabase, PostgresRegistry) {
    let database = PostgresDatabase::fresh();
    let store = open(&database).await;
    (database, store)
}

pub(super) async fn open(database: &PostgresDatabase) -> PostgresRegistry {
    Postgres::open(config(database.url())).await.unwrap().registry()
}

pub(super) async fn open_memory(database: &PostgresDatabase) -> PostgresMemory {
    Postgres::open(config(database.url())).await.unwrap().memory()
}

/// The sentence by which a configuration is refused.
pub(super) async fn refused(config: PostgresConfig) -> String {
    Postgres::open(config).await.unwrap_err().to_string()
}

pub(super) fn write(whose: &str, what: RegistryAct) -> RegistryWrite {
    RegistryWrite { tenant: tenant(whose), at: Timestamp::from_micros(1_000_000), what }
}

pub(super) fn put(whose: &str, id: &str) -> RegistryWrite {
    let agent = AgentRecord {
        id: name(id),
        name: name(id),
        description: "answers questions".into(),
        kind: None,
        version: None,
        capabilities: vec![],
        consumes: vec![],
        produces: vec![],
    };
    write(whose, RegistryAct::PutAgent { agent, standing: Standing::READY })
}

pub(super) fn define(whose: &str, event: &str) -> RegistryWrite {
    let definition = EventDefinition {
        name: name(event),
        topic: Topic::BusinessFacts,
        description: "an order".into(),
        payload_schema_name: None,
        response_schema_name: None,
        payload_schema: None,
        response_schema: None,
    };
    write(whose, RegistryAct::PutEvent(definition))
}

pub(super) fn schema(whose: &str, called: &str) -> RegistryWrite {
    let schema = PayloadSchema {
        name: name(called),
        version: SchemaVersion::new("1").unwrap(),
        schema: Data::from_json("{}").unwrap(),
        description: None,
        owner: None,
        created_at: Timestamp::MIN,
    };
    write(whose, RegistryAct::PutSchema(schema))
}

/// How many agents a store tells of.
pub(super) async fn agents(store: &dyn RegistryStore) -> usize {
    store.changes(0.into(), usize::MAX).await.unwrap().changes.len()
}
