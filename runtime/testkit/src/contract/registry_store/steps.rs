//! What the cases do over and over.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{
    AgentRecord, AgentStatus, Data, EventDefinition, PayloadSchema, SchemaVersion, Timestamp, Topic,
};
use soorma_ports::{
    Refused, RegistryAct, RegistryChange, RegistryRow, RegistryStore, RegistryWrite, Standing, Written,
};

use super::RegistryStoreHarness;
use super::follower::{Agent, Follower, Row};
use crate::{name, tenant};

/// More than there is.
pub(crate) const ALL: usize = 1_000_000;
/// By when who waits is woken: the contract says a second, the rest is for a machine that has much else to do.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// So many seconds after 2026-01-01T00:00:00Z.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + seconds * 1_000_000)
}

pub(crate) fn agent(id: &str) -> AgentRecord {
    AgentRecord {
        id: name(id),
        name: name("researcher"),
        description: format!("is {id}"),
        kind: None,
        version: None,
        capabilities: vec![],
        consumes: vec![name("research.requested")],
        produces: vec![],
    }
}

pub(crate) fn standing(status: AgentStatus, reason: &str) -> Standing {
    Standing { status, reason: (!reason.is_empty()).then(|| reason.to_owned()) }
}

fn act(seconds: i64, what: RegistryAct) -> RegistryWrite {
    RegistryWrite { tenant: tenant("acme"), at: at(seconds), what }
}

/// The same in another tenant.
pub(crate) fn of(whose: &str, write: RegistryWrite) -> RegistryWrite {
    RegistryWrite { tenant: tenant(whose), ..write }
}

pub(crate) fn put_as(agent: AgentRecord, standing: Standing, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::PutAgent { agent, standing })
}

pub(crate) fn put(id: &str, seconds: i64) -> RegistryWrite {
    put_as(agent(id), Standing::READY, seconds)
}

pub(crate) fn hear(id: &str, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::Hear { agent: name(id), standing: None })
}

pub(crate) fn hear_as(id: &str, standing: Standing, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::Hear { agent: name(id), standing: Some(standing) })
}

pub(crate) fn remove(id: &str, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::RemoveAgent { agent: name(id), unless_heard_after: None })
}

pub(crate) fn remove_unless(id: &str, heard_after: i64, seconds: i64) -> RegistryWrite {
    let unless_heard_after = Some(at(heard_after));
    act(seconds, RegistryAct::RemoveAgent { agent: name(id), unless_heard_after })
}

pub(crate) fn definition(event: &str, topic: Topic, description: &str) -> EventDefinition {
    EventDefinition {
        name: name(event),
        topic,
        description: description.to_owned(),
        payload_schema_name: None,
        response_schema_name: None,
        payload_schema: None,
        response_schema: None,
    }
}

pub(crate) fn define_as(definition: EventDefinition, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::PutEvent(definition))
}

pub(crate) fn define(event: &str, topic: Topic, description: &str, seconds: i64) -> RegistryWrite {
    define_as(definition(event, topic, description), seconds)
}

pub(crate) fn schema_of(called: &str, version: &str, json: &str) -> PayloadSchema {
    PayloadSchema {
        name: name(called),
        version: SchemaVersion::new(version).unwrap(),
        schema: Data::from_json(json).unwrap(),
        description: None,
        owner: None,
        // Not the time of the write.
        created_at: Timestamp::MIN,
    }
}

pub(crate) fn schema_as(schema: PayloadSchema, seconds: i64) -> RegistryWrite {
    act(seconds, RegistryAct::PutSchema(schema))
}

pub(crate) fn schema(called: &str, version: &str, json: &str, seconds: i64) -> RegistryWrite {
    schema_as(schema_of(called, version, json), seconds)
}

pub(crate) async fn write(
    store: &dyn RegistryStore,
    writes: Vec<RegistryWrite>,
) -> Vec<Result<Written, Refused>> {
    let asked = writes.len();
    let answers = store.write(writes).await.unwrap();
    assert_eq!(answers.len(), asked, "one write has one answer");
    answers
}

/// Does one write.
pub(super) async fn one(store: &dyn RegistryStore, what: RegistryWrite) -> Result<Written, Refused> {
    write(store, vec![what]).await.remove(0)
}

/// Does one write that is not refused.
pub(super) async fn done(store: &dyn RegistryStore, what: RegistryWrite) -> Written {
    one(store, what).await.unwrap()
}

/// Does all in one call; none is refused.
pub(super) async fn all_done(store: &dyn RegistryStore, writes: Vec<RegistryWrite>) -> Vec<Written> {
    write(store, writes).await.into_iter().collect::<Result<_, _>>().unwrap()
}

/// Whether each was made, without its revision.
pub(super) fn made(answers: &[Result<Written, Refused>]) -> Vec<Result<bool, Refused>> {
    answers.iter().map(|answer| answer.map(|written| written.made)).collect()
}

/// All that there is.
pub(super) async fn all(store: &dyn RegistryStore) -> Follower {
    Follower::from_zero(store, ALL).await
}

/// An agent of `acme`, as who begins is told of it.
pub(super) async fn find(store: &dyn RegistryStore, id: &str) -> Option<Agent> {
    all(store).await.agents().get(id).map(|agent| (*agent).clone())
}

/// All changes after a revision, read as one page.
pub(super) async fn changes(store: &dyn RegistryStore, after: u64) -> Vec<RegistryChange> {
    let page = store.changes(after.into(), ALL).await.unwrap();
    assert!(!page.more, "one page holds it all");
    page.changes
}

/// What the one change is about that came after a revision.
pub(super) async fn only_change(store: &dyn RegistryStore, after: u64) -> RegistryRow {
    let mut changes = changes(store, after).await;
    assert_eq!(changes.len(), 1, "one change is expected: {changes:?}");
    changes.remove(0).row
}

/// What a change is about, in words.
pub(super) fn words(changes: &[RegistryChange]) -> Vec<String> {
    let words = |RegistryChange { tenant, row, .. }: &RegistryChange| match row {
        RegistryRow::Agent { agent, .. } => format!("{tenant} agent {}", agent.id),
        RegistryRow::Heard { agent, .. } => format!("{tenant} heard {agent}"),
        RegistryRow::Removed { agent } => format!("{tenant} removed {agent}"),
        RegistryRow::Event(event) => format!("{tenant} event {}", event.name),
        RegistryRow::Schema(schema) => format!("{tenant} schema {} {}", schema.name, schema.version),
    };
    changes.iter().map(words).collect()
}

/// The store and the other handle on the same data; the store twice where there is none.
pub(super) async fn handles<H: RegistryStoreHarness>(h: &H) -> [Arc<dyn RegistryStore>; 2] {
    let second = h.second().await.unwrap_or_else(|| h.store());
    [h.store(), second]
}

/// The rows that are neither agents nor gone.
pub(super) fn definitions(follower: &Follower) -> Vec<&EventDefinition> {
    let definitions = follower.rows.values().filter_map(|row| match row {
        Row::Event(event) => Some(event),
        _ => None,
    });
    definitions.collect()
}

pub(super) fn schemas(follower: &Follower) -> Vec<&PayloadSchema> {
    let schemas = follower.rows.values().filter_map(|row| match row {
        Row::Schema(schema) => Some(schema),
        _ => None,
    });
    schemas.collect()
}
