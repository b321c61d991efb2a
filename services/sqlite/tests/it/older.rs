//! Files as older versions wrote them.

use rusqlite::Connection;
use soorma_core::{Position, Topic};
use soorma_ports::{EventLog as _, Reach};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::tenant;

use super::world::World;

const VERSION_1: &str = include_str!("version_1.sql");
const TO_2: &str = include_str!("../../src/schema/version_2.sql");
const TO_3: &str = include_str!("../../src/schema/version_3.sql");

/// A file as version 1 wrote it, and as versions 2 and 3 made it of that.
pub(crate) const FILES: [&[&str]; 3] = [
    &[VERSION_1],
    &[VERSION_1, TO_2, "PRAGMA user_version = 2;"],
    &[VERSION_1, TO_2, TO_3, "PRAGMA user_version = 3;"],
];

/// A world that is closed, with such a file.
pub(crate) async fn closed_with(file: &[&str]) -> (World, Connection) {
    let world = World::new(SqliteLogConfig::default());
    world.log.close().await;
    std::fs::remove_file(world.path()).unwrap();
    let connection = Connection::open(world.path()).unwrap();
    for sql in file {
        connection.execute_batch(sql).unwrap();
    }
    (world, connection)
}

pub(crate) async fn assert_the_log_is_there(world: &World) {
    let acme = Reach::Tenant(tenant("acme"));
    let page = world.log.read(&acme, Topic::ActionRequests, Position(0), 100).await.unwrap();
    let ids: Vec<_> = page.entries.iter().map(|entry| entry.event.id.as_str()).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e4", "e6", "e7"]);
}
