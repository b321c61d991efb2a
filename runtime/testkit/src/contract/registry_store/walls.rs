//! Clause 8 of the store.

use soorma_core::{AgentStatus, Topic};
use soorma_ports::Refused;

use super::RegistryStoreHarness;
use super::follower::{Key, Row};
use super::steps::{
    all, all_done, at, define, done, hear, hear_as, made, of, one, put, remove, remove_unless, schema,
    standing, write,
};
use crate::{name, tenant};

/// One that begins like another, or differs in case, is another.
const TENANTS: [&str; 4] = ["acme", "acme2", "ACME", "globex"];

pub(super) async fn the_same_names_in_other_tenants_are_others<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    for (nth, whose) in (1..).zip(TENANTS) {
        let writes = vec![
            of(whose, put("same", nth)),
            of(whose, define("same", Topic::BusinessFacts, whose, nth)),
            of(whose, schema("same", "1", &format!(r#"{{"of":"{whose}"}}"#), nth)),
        ];
        assert!(all_done(&*store, writes).await.iter().all(|written| written.made), "{whose}");
    }
    let all = all(&*store).await;
    assert_eq!(all.rows.len(), 3 * TENANTS.len());
    for (nth, whose) in (1..).zip(TENANTS) {
        let Row::Agent(agent) = &all.rows[&Key::Agent(tenant(whose), name("same"))] else { panic!() };
        assert_eq!(agent.registered_at, at(nth));
        let Row::Event(event) = &all.rows[&Key::Event(tenant(whose), name("same"))] else { panic!() };
        assert_eq!(event.description, whose);
    }
}

pub(super) async fn a_write_finds_nothing_of_another_tenant<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let ours = vec![
        put("a", 10),
        define("e", Topic::BusinessFacts, "ours", 10),
        schema("s", "1", r#"{"ours":1}"#, 10),
    ];
    all_done(&*store, ours).await;
    let before = all(&*store).await;
    // A tenant that has something of its own, and one that nobody has heard of.
    done(&*store, of("globex", put("b", 1))).await;
    for stranger in ["globex", "initech"] {
        for write in [
            hear("a", 20),
            hear_as("a", standing(AgentStatus::Quarantined, "no"), 20),
            remove("a", 20),
            remove_unless("a", 30, 20),
        ] {
            assert_eq!(one(&*store, of(stranger, write)).await, Err(Refused::NotFound), "{stranger}");
        }
        let theirs = vec![
            of(stranger, define("e", Topic::TaskEvents, "theirs", 20)),
            of(stranger, schema("s", "1", r#"{"theirs":1}"#, 20)),
            of(stranger, put("a", 20)),
            of(stranger, remove("a", 21)),
        ];
        let answers = write(&*store, theirs).await;
        assert_eq!(made(&answers), [Ok(true), Ok(true), Ok(true), Ok(false)], "{stranger}");
    }
    let after = all(&*store).await;
    for (key, row) in &before.rows {
        assert_eq!(after.rows.get(key), Some(row));
    }
}

pub(super) async fn a_batch_of_many_tenants_keeps_them_apart<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut writes: Vec<_> = TENANTS.iter().map(|whose| of(whose, put("same", 1))).collect();
    writes.push(of("acme2", remove("same", 2)));
    writes.extend((10..).zip(TENANTS).map(|(nth, whose)| of(whose, hear("same", nth))));
    let answers = made(&write(&*store, writes).await);
    let (put, rest) = answers.split_at(TENANTS.len());
    assert_eq!(put, [Ok(true); 4]);
    assert_eq!(rest, [Ok(false), Ok(false), Err(Refused::NotFound), Ok(false), Ok(false)]);
    let all = all(&*store).await;
    let heard: Vec<_> = all
        .rows
        .iter()
        .map(|(key, row)| match (key, row) {
            (Key::Agent(tenant, _), Row::Agent(agent)) => (tenant.as_str(), agent.heard_at),
            other => panic!("agents alone are expected: {other:?}"),
        })
        .collect();
    assert_eq!(heard, [("ACME", at(12)), ("acme", at(10)), ("globex", at(13))]);
}

pub(super) async fn a_topic_binds_its_own_tenant_alone<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let writes = vec![
        of("globex", define("e", Topic::TaskEvents, "theirs", 1)),
        define("e", Topic::BusinessFacts, "ours", 1),
    ];
    all_done(&*store, writes).await;
    let all = all(&*store).await;
    for (whose, topic) in [("acme", Topic::BusinessFacts), ("globex", Topic::TaskEvents)] {
        let Row::Event(event) = &all.rows[&Key::Event(tenant(whose), name("e"))] else { panic!() };
        assert_eq!(event.topic, topic);
    }
}
