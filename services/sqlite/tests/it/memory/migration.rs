//! A file in which there was no memory gets one.

use rusqlite::Connection;
use soorma_core::{Position, Topic};
use soorma_ports::{EventLog as _, EventLogError, Reach};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::tenant;

use super::steps::{all, done, draft, nth, put, saying};
use crate::it::world::World;

const VERSION_1: &str = include_str!("../version_1.sql");
const TO_2: &str = include_str!("../../../src/schema/version_2.sql");
const TO_3: &str = include_str!("../../../src/schema/version_3.sql");

/// A file as version 1 wrote it, and as versions 2 and 3 made it of that.
const FILES: [&[&str]; 3] = [
    &[VERSION_1],
    &[VERSION_1, TO_2, "PRAGMA user_version = 2;"],
    &[VERSION_1, TO_2, TO_3, "PRAGMA user_version = 3;"],
];

/// A world that is closed, with such a file.
async fn closed_with(file: &[&str]) -> (World, Connection) {
    let world = World::new(SqliteLogConfig::default());
    world.log.close().await;
    std::fs::remove_file(world.path()).unwrap();
    let connection = Connection::open(world.path()).unwrap();
    for sql in file {
        connection.execute_batch(sql).unwrap();
    }
    (world, connection)
}

async fn assert_the_log_is_there(world: &World) {
    let acme = Reach::Tenant(tenant("acme"));
    let page = world.log.read(&acme, Topic::ActionRequests, Position(0), 100).await.unwrap();
    let ids: Vec<_> = page.entries.iter().map(|entry| entry.event.id.as_str()).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e4", "e6", "e7"]);
}

#[tokio::test]
async fn memory_is_added_to_a_file_of_any_version() {
    for file in FILES {
        let (world, connection) = closed_with(file).await;
        drop(connection);
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        assert!(all(&world.log.memory(), "ada").await.is_empty());
        done(&world.log.memory(), put("ada", draft(1, "it remembers"))).await;
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        assert_eq!(all(&world.log.memory(), "ada").await, [nth(1)]);
        assert_eq!(saying(&world.log.memory(), "ada", "remembers").await, [nth(1)]);
    }
}

#[tokio::test]
async fn however_a_file_came_to_be_its_tables_are_the_same() {
    let new = World::new(SqliteLogConfig::default());
    let tables = |world: &World| {
        let connection = Connection::open(world.path()).unwrap();
        let mut select = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
        let tables = select.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        tables.collect::<Result<Vec<_>, _>>().unwrap()
    };
    let expected = tables(&new);
    for file in FILES {
        let (world, connection) = closed_with(file).await;
        drop(connection);
        assert_eq!(tables(&world.reopen().await), expected);
    }
}

/// A change that fails leaves the file as it was, for the version that wrote it.
#[tokio::test]
async fn a_change_that_fails_changes_nothing() {
    for (version, file) in (1..).zip(FILES) {
        let (world, connection) = closed_with(file).await;
        // In the way of the last thing that the change makes.
        connection.execute_batch("CREATE TABLE memory_word_places(x)").unwrap();
        let refused = SqliteLog::open(&world.path(), SqliteLogConfig::default(), world.clock.clone());
        assert!(matches!(refused, Err(EventLogError::Unavailable(_))), "{refused:?}");
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(found, version);
        connection.execute_batch("DROP TABLE memory_word_places").unwrap();
        drop(connection);
        assert_the_log_is_there(&world.reopen().await).await;
    }
}
