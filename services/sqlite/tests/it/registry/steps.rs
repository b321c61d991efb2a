//! Writes and what is known of them, in few words.

use std::collections::BTreeMap;

use soorma_core::{AgentRecord, Data, EventDefinition, PayloadSchema, SchemaVersion, Timestamp, Topic};
use soorma_ports::{
    ReadFrom, Refused, RegistryAct, RegistryRow, RegistryStore, RegistryStoreError, RegistryWrite, Standing,
    Written,
};
use soorma_sqlite::SqliteRegistry;
use soorma_testkit::{name, tenant};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + seconds * 1_000_000)
}

fn act(seconds: i64, what: RegistryAct) -> RegistryWrite {
    RegistryWrite { tenant: tenant("acme"), at: at(seconds), what }
}

pub(super) fn put_with(id: &str, description: &str, seconds: i64) -> RegistryWrite {
    let agent = AgentRecord {
        id: name(id),
        name: name("researcher"),
        description: description.into(),
        kind: None,
        version: None,
        capabilities: vec![],
        consumes: vec![name("research.requested")],
        produces: vec![],
    };
    act(seconds, RegistryAct::PutAgent { agent, standing: Standing::READY })
}

pub(super) fn put(id: &str, seconds: i64) -> RegistryWrite {
    put_with(id, &format!("is {id}"), seconds)
}

pub(super) fn hear(id: &str, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::Hear { agent: name(id), standing: None })
}

pub(super) fn remove(id: &str, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::RemoveAgent { agent: name(id), unless_heard_after: None })
}

pub(super) fn define(event: &str, topic: Topic, seconds: i64) -> RegistryWrite {
    let definition = EventDefinition {
        name: name(event),
        topic,
        description: format!("means {event}"),
        payload_schema_name: None,
        response_schema_name: None,
        payload_schema: None,
        response_schema: None,
    };
    act(seconds, RegistryAct::PutEvent(definition))
}

pub(super) fn schema(called: &str, seconds: i64) -> RegistryWrite {
    let schema = PayloadSchema {
        name: name(called),
        version: SchemaVersion::new("1").unwrap(),
        schema: Data::from_value(&serde_json::json!({ "title": called })).unwrap(),
        description: None,
        owner: None,
        created_at: Timestamp::MIN,
    };
    act(seconds, RegistryAct::PutSchema(schema))
}

pub(super) async fn one(
    store: &SqliteRegistry,
    write: RegistryWrite,
) -> Result<Result<Written, Refused>, RegistryStoreError> {
    store.write(vec![write]).await.map(|mut answers| answers.remove(0))
}

/// Does one write that is not refused.
pub(super) async fn done(store: &SqliteRegistry, write: RegistryWrite) -> Written {
    one(store, write).await.unwrap().unwrap()
}

/// What is told to one who begins, in pages: what it is, by `agent a` and the like.
pub(super) async fn told(store: &SqliteRegistry, limit: usize) -> BTreeMap<String, RegistryRow> {
    let (mut told, mut from) = (BTreeMap::new(), ReadFrom::default());
    loop {
        let page = store.changes(from, limit).await.unwrap();
        let next = page.next();
        for change in page.changes {
            match &change.row {
                RegistryRow::Agent { agent, .. } => {
                    told.insert(format!("agent {}", agent.id), change.row.clone());
                }
                RegistryRow::Removed { agent } => {
                    told.remove(&format!("agent {agent}"));
                }
                RegistryRow::Heard { .. } => {}
                RegistryRow::Event(event) => {
                    told.insert(format!("event {}", event.name), change.row.clone());
                }
                RegistryRow::Schema(schema) => {
                    told.insert(format!("schema {}", schema.name), change.row.clone());
                }
            }
        }
        if !page.more {
            return told;
        }
        assert!(page.upto > from.after);
        from = next;
    }
}

pub(super) async fn names(store: &SqliteRegistry) -> Vec<String> {
    told(store, 1_000).await.into_keys().collect()
}
