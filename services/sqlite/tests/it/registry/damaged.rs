//! A row that is damaged in the file is left out of what is told, and holds up none of the others.

use rusqlite::Connection;
use soorma_core::Topic;
use soorma_ports::{Refused, RegistryRow, RegistryStore as _};
use soorma_sqlite::SqliteLogConfig;

use super::steps::{at, define, done, hear, names, one, put, remove, schema, told};
use crate::it::world::World;

/// What a damaged page may leave of a text: no JSON and no UTF-8, JSON that is cut off, and JSON of something else.
const DAMAGES: [&str; 3] = ["CAST(x'7b226964ff' AS TEXT)", "'{\"id\":\"b\",'", "'{}'"];

pub(super) fn damage(world: &World, sql: &str) {
    let connection = Connection::open(world.path()).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1, "{sql}");
}

async fn filled() -> World {
    let world = World::new(SqliteLogConfig::default());
    let store = world.log.registry();
    for id in ["a", "b", "c"] {
        let writes = vec![put(id, 1), define(id, Topic::TaskEvents, 1), schema(id, 1)];
        assert!(store.write(writes).await.unwrap().iter().all(Result::is_ok));
    }
    world
}

const ALL: [&str; 9] =
    ["agent a", "agent b", "agent c", "event a", "event b", "event c", "schema a", "schema b", "schema c"];

#[tokio::test]
async fn the_rows_around_it_are_told_in_pages_of_any_size() {
    for damaged in DAMAGES {
        let world = filled().await;
        let store = world.log.registry();
        damage(&world, &format!("UPDATE registry_agents SET document = {damaged} WHERE id = 'b'"));
        damage(&world, &format!("UPDATE registry_events SET document = {damaged} WHERE name = 'a'"));
        damage(&world, &format!("UPDATE registry_schemas SET document = {damaged} WHERE name = 'c'"));
        let whole = |name: &&str| !["agent b", "event a", "schema c"].contains(name);
        let expected: Vec<&str> = ALL.into_iter().filter(whole).collect();
        for limit in [1, 2, 3, 100] {
            let told: Vec<String> = told(&store, limit).await.into_keys().collect();
            assert_eq!(told, expected, "{damaged} by {limit}");
        }
        // Who follows goes on past it.
        let upto = store.changes(0.into(), 100).await.unwrap().upto;
        let written = done(&store, put("d", 2)).await;
        let page = store.changes(upto.into(), 1).await.unwrap();
        assert_eq!((page.changes.len(), page.upto), (1, written.revision));
        // And it is no matter of the process.
        let world = world.reopen().await;
        assert_eq!(names(&world.log.registry()).await.len(), expected.len() + 1);
    }
}

#[tokio::test]
async fn an_agent_is_whole_again_when_it_registers_again() {
    for damaged in DAMAGES {
        let world = filled().await;
        let store = world.log.registry();
        damage(&world, &format!("UPDATE registry_agents SET document = {damaged} WHERE id = 'b'"));
        assert!(!names(&store).await.contains(&"agent b".to_owned()), "{damaged}");
        // It is there all the while: it is heard, and it is not made anew.
        assert!(one(&store, hear("b", 5)).await.unwrap().is_ok());
        assert!(!done(&store, put("b", 7)).await.made);
        let told = told(&store, 100).await;
        let Some(RegistryRow::Agent { registered_at, heard_at, .. }) = told.get("agent b") else {
            panic!("it is told of: {told:?}")
        };
        assert_eq!((*registered_at, *heard_at), (at(1), at(7)));
    }
}

#[tokio::test]
async fn an_agent_that_cannot_be_read_can_be_removed() {
    let world = filled().await;
    let store = world.log.registry();
    damage(&world, "UPDATE registry_agents SET document = '' WHERE id = 'b'");
    let upto = store.changes(0.into(), 100).await.unwrap().upto;
    done(&store, remove("b", 5)).await;
    let page = store.changes(upto.into(), 100).await.unwrap();
    assert!(matches!(&page.changes[..], [change] if matches!(change.row, RegistryRow::Removed { .. })));
}

#[tokio::test]
async fn a_standing_that_cannot_be_read_is_left_out_until_it_is_said_again() {
    let world = filled().await;
    let store = world.log.registry();
    damage(
        &world,
        "UPDATE registry_heard SET status = 'reedy'
         WHERE agent = (SELECT key FROM registry_agents WHERE id = 'b')",
    );
    assert_eq!(names(&store).await.len(), ALL.len() - 1);
    done(&store, put("b", 5)).await;
    assert_eq!(names(&store).await, ALL);
}

#[tokio::test]
async fn a_definition_that_is_said_again_is_whole_and_keeps_its_topic() {
    let world = filled().await;
    let store = world.log.registry();
    damage(&world, "UPDATE registry_events SET document = 'x' WHERE name = 'b'");
    assert!(!done(&store, define("b", Topic::PlanEvents, 5)).await.made);
    let told = told(&store, 100).await;
    let Some(RegistryRow::Event(event)) = told.get("event b") else { panic!("it is told of: {told:?}") };
    assert_eq!(event.topic, Topic::TaskEvents);
}

/// What it was is not known, so nobody may say that it was something else.
#[tokio::test]
async fn a_schema_that_cannot_be_read_is_not_replaced() {
    let world = filled().await;
    let store = world.log.registry();
    damage(&world, "UPDATE registry_schemas SET document = 'x' WHERE name = 'b'");
    assert_eq!(one(&store, schema("b", 5)).await, Ok(Err(Refused::AlreadyExists)));
}

/// A tenant of a damaged name is nobody's, and no wall falls by it.
#[tokio::test]
async fn rows_of_a_tenant_that_cannot_be_read_are_left_out() {
    let world = filled().await;
    let store = world.log.registry();
    let other = put("x", 1);
    let other = soorma_ports::RegistryWrite { tenant: soorma_testkit::tenant("globex"), ..other };
    done(&store, other).await;
    damage(&world, "UPDATE tenants SET name = CAST(x'61ff' AS TEXT) WHERE name = 'globex'");
    assert_eq!(names(&store).await, ALL);
}
