//! What is in the view is weighed as it comes, changes and goes.

use soorma_core::{
    AgentStatus, Data, EventDefinition, Name, PayloadSchema, SchemaVersion, TenantId, Timestamp, Topic,
};
use soorma_ports::{RegistryChange, RegistryRow};

use super::*;
use crate::weight::of_agent;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn record(id: &str, description: usize) -> AgentRecord {
    AgentRecord {
        id: name(id),
        name: name("worker"),
        description: "d".repeat(description),
        kind: None,
        version: None,
        capabilities: Vec::new(),
        consumes: vec![name("e")],
        produces: Vec::new(),
    }
}

fn standing(reason: usize) -> Standing {
    Standing { status: AgentStatus::Ready, reason: Some("r".repeat(reason)) }
}

fn put(id: &str, description: usize, reason: usize) -> RegistryRow {
    RegistryRow::Agent {
        agent: Box::new(record(id, description)),
        standing: standing(reason),
        registered_at: Timestamp::default(),
        heard_at: Timestamp::default(),
    }
}

fn heard(id: &str, reason: usize) -> RegistryRow {
    RegistryRow::Heard { agent: name(id), standing: standing(reason), heard_at: Timestamp::from_micros(1) }
}

fn event(description: usize) -> RegistryRow {
    RegistryRow::Event(Box::new(definition(description)))
}

fn definition(description: usize) -> EventDefinition {
    EventDefinition {
        name: name("e"),
        topic: Topic::BusinessFacts,
        description: "d".repeat(description),
        payload_schema_name: None,
        response_schema_name: None,
        payload_schema: None,
        response_schema: None,
    }
}

fn schema(version: &str) -> PayloadSchema {
    PayloadSchema {
        name: name("s"),
        version: SchemaVersion::new(version).expect("a version"),
        schema: Data::from_json("{\"title\":\"t\"}").expect("an object"),
        description: None,
        owner: None,
        created_at: Timestamp::default(),
    }
}

#[test]
fn what_is_there_is_weighed_once_however_it_came_and_what_goes_weighs_nothing() {
    let (view, one, two) = (View::default(), TenantId::default(), TenantId::new("two").expect("a tenant"));
    let mut revision = 0;
    let mut apply = |tenant: &TenantId, row: RegistryRow| {
        // Each change is read twice, as after a crash.
        for _ in 0..2 {
            revision += 1;
            let _row = view.apply(RegistryChange { revision, tenant: tenant.clone(), row: row.clone() });
        }
    };
    let agent = |description: usize, reason: usize| {
        of_agent(&record("a", description)) + of_standing(&standing(reason))
    };
    let (small, defined, kept) = (agent(0, 0), of_event(&definition(50)), of_schema(&schema("1")));
    apply(&two, put("x", 10, 0));
    let elsewhere = agent(10, 0);
    for (row, bytes) in [
        (put("a", 100, 0), agent(100, 0)),
        (put("a", 9, 0), agent(9, 0)),
        (put("a", 100, 1_000), agent(100, 1_000)),
        (heard("a", 5_000), agent(100, 5_000)),
        (heard("nobody", 5_000), agent(100, 5_000)),
        (put("a", 100, 3_000), agent(100, 3_000)),
        (put("a", 0, 0), small),
        (event(10), small + of_event(&definition(10))),
        (event(50), small + defined),
        (RegistryRow::Schema(Box::new(schema("1"))), small + defined + kept),
        (RegistryRow::Schema(Box::new(schema("2"))), small + defined + 2 * kept),
        (put("b", 0, 0), 2 * small + defined + 2 * kept),
        (RegistryRow::Removed { agent: name("b") }, small + defined + 2 * kept),
        (heard("a", 5_000), agent(0, 5_000) + defined + 2 * kept),
        (RegistryRow::Removed { agent: name("a") }, defined + 2 * kept),
    ] {
        apply(&one, row.clone());
        let tenant = view.tenant(&one).expect("it is there");
        assert_eq!((tenant.bytes(), view.bytes()), (bytes, bytes + elsewhere), "{row:?}");
    }
    apply(&two, RegistryRow::Removed { agent: name("x") });
    assert_eq!(view.bytes(), defined + 2 * kept);
    assert!(view.tenant(&two).is_none());
}
