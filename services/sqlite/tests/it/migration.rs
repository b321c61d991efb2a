//! A file of an older version is brought to the newest one, with all that is in it.

use std::time::Duration;

use rusqlite::Connection;
use soorma_core::{Position, Timestamp, Topic};
use soorma_ports::{
    ConsumerSpec, DeadLetterFilter, EventLog, EventLogError, GroupCommand, Reach, Settle, Start,
};
use soorma_sqlite::{SqliteLog, SqliteLogConfig};
use soorma_testkit::{event, name, tenant};

use super::older::{FILES, assert_the_log_is_there, closed_with};
use super::world::World;

const TOPIC: Topic = Topic::ActionRequests;

/// A world whose log was written by version 1.
async fn of_version_1() -> World {
    let (world, connection) = closed_with(FILES[0]).await;
    drop(connection);
    world.reopen().await
}

fn workers(whose: &str) -> ConsumerSpec {
    ConsumerSpec {
        ack_within: Duration::from_secs(30),
        max_attempts: 3,
        max_unsettled: 100,
        start: Start::Now,
        ..ConsumerSpec::new(tenant(whose), name("workers"), [TOPIC])
    }
}

fn text(connection: &Connection, sql: &str) -> String {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn events_are_where_they_were_and_are_known() {
    let world = of_version_1().await;
    let page = world.log.read(&Reach::Tenant(tenant("acme")), TOPIC, Position(0), 100).await.unwrap();
    let ids: Vec<_> = page.entries.iter().map(|entry| (entry.position.0, entry.event.id.as_str())).collect();
    assert_eq!(ids, [(1, "e1"), (2, "e2"), (3, "e3"), (4, "e4"), (6, "e6"), (7, "e7")]);
    let again = vec![std::sync::Arc::new(event("e1", TOPIC)), std::sync::Arc::new(event("new", TOPIC))];
    let appended = world.log.append(&tenant("acme"), again).await.unwrap();
    let appended: Vec<_> = appended.iter().map(|one| (one.position.0, one.duplicate)).collect();
    assert_eq!(appended, [(1, true), (9, false)]);
}

#[tokio::test]
async fn groups_go_on_where_they_were() {
    let world = of_version_1().await;
    let before = world.log.group(&tenant("acme"), &name("workers")).await.unwrap().unwrap();
    assert_eq!((before.in_hand, before.waiting, before.dead_letters, before.paused), (1, 2, 1, false));
    assert_eq!((before.topics[&TOPIC].position, before.topics[&TOPIC].lag), (Position(5), 2));
    assert_eq!((before.key, before.expire_after), (None, None));
    let age = Timestamp::from_micros(1_767_225_600_000_000).since(before.oldest.unwrap());
    assert_eq!(age.as_secs_f64().round(), 8.0, "e2 is the oldest that is open");
    assert!(before.used_at >= Timestamp::from_micros(1_767_225_600_000_000), "not known, so taken for now");

    let member = world.log.consumer(workers("acme")).await.unwrap();
    let handed = member.next(10, Duration::ZERO).await.unwrap();
    let handed: Vec<_> = handed.iter().map(|one| (one.event.id.to_string(), one.id.attempt)).collect();
    let expected = [("e2", 2), ("e5", 1), ("e6", 1), ("e7", 1)];
    let expected = expected.map(|(id, attempt)| (id.to_owned(), attempt));
    let mut sorted = handed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "{handed:?}");
    world.elapse(Duration::from_secs(61)).await;
    let late = member.next(10, Duration::ZERO).await.unwrap();
    let e3 = late.iter().find(|one| one.event.id.as_str() == "e3").expect("its time is up");
    assert_eq!(e3.id.attempt, 2);
    assert_eq!(member.settle(vec![(e3.id, Settle::Ack)]).await.unwrap(), [true]);

    // The other groups have seen nothing yet.
    let theirs = world.log.consumer(workers("globex")).await.unwrap();
    assert_eq!(theirs.next(10, Duration::ZERO).await.unwrap()[0].event.id.as_str(), "x1");
    let groups = world.log.groups(&Reach::Platform, None, 10).await.unwrap();
    let groups: Vec<_> = groups.iter().map(|one| format!("{}/{}", one.tenant, one.group)).collect();
    assert_eq!(groups, ["acme/auditors", "acme/workers", "globex/workers"]);
}

#[tokio::test]
async fn dead_letters_are_found_by_their_type_and_come_again() {
    let world = of_version_1().await;
    let acme = tenant("acme");
    let of = |kind: &str| DeadLetterFilter { kind: Some(kind.into()), ..DeadLetterFilter::default() };
    let letters = world.log.dead_letters(&acme, &of("order.failed"), 0, 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("one letter is expected: {letters:?}") };
    assert_eq!((letter.id, letter.event.id.as_str(), letter.cause.as_str()), (1, "e4", "no such order"));
    assert_eq!((letter.attempts, letter.group.as_str()), (3, "workers"));
    assert_eq!(world.log.dead_letters(&acme, &of("order.placed"), 0, 10).await, Ok(vec![]));
    let damaged = world.log.dead_letter(&acme, 2).await.unwrap().expect("it is told of");
    assert_eq!((damaged.cause.as_str(), damaged.event.kind.as_str()), ("damaged", ""));
    assert_eq!(world.log.redrive(&acme, &[1]).await, Ok(vec![1]));
    let member = world.log.consumer(workers("acme")).await.unwrap();
    let handed = member.next(10, Duration::ZERO).await.unwrap();
    assert!(handed.iter().any(|one| one.event.id.as_str() == "e4" && one.id.attempt == 1));
}

#[tokio::test]
async fn what_is_new_works_in_an_old_file() {
    let world = of_version_1().await;
    let keyed = ConsumerSpec { key: Some("plan_id".parse().unwrap()), ..workers("acme") };
    let member = world.log.consumer(keyed.clone()).await.unwrap();
    // What was open before the group had a key is free.
    let first = member.next(10, Duration::ZERO).await.unwrap();
    let first: Vec<_> = first.iter().map(|one| one.event.id.to_string()).collect();
    assert_eq!(first.iter().filter(|id| ["e6", "e7"].contains(&id.as_str())).count(), 1, "{first:?}");
    let (acme, group) = (tenant("acme"), name("workers"));
    assert_eq!(world.log.command(&acme, &group, GroupCommand::Pause).await, Ok(true));
    let world = world.reopen().await;
    let status = world.log.group(&acme, &group).await.unwrap().unwrap();
    assert!(status.paused);
    assert_eq!(status.key, keyed.key);
    assert_eq!(world.log.command(&acme, &group, GroupCommand::Remove).await, Ok(true));
    // Its number is not given to the next.
    let highest = |world: &World| -> i64 {
        let sql = "SELECT max(id) FROM consumers";
        Connection::open(world.path()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let before = highest(&world);
    world.log.command(&tenant("globex"), &group, GroupCommand::Remove).await.unwrap();
    world.log.consumer(workers("initech")).await.unwrap();
    assert!(highest(&world) > before);
}

#[tokio::test]
async fn however_a_file_came_to_be_its_tables_are_the_same() {
    let new = World::new(SqliteLogConfig::default());
    let tables = |world: &World| {
        let connection = Connection::open(world.path()).unwrap();
        assert_eq!(text(&connection, "PRAGMA integrity_check"), "ok");
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
    // In the way of the last thing that versions 2, 3 and 4 make.
    let in_the_way =
        [("dead_letters_of_kind", 1), ("registry_schemas_revision", 2), ("memory_word_places", 3)];
    let cases = in_the_way.into_iter().flat_map(|(table, upto)| {
        (1..).zip(FILES).take(upto).map(move |(version, file)| (table, version, file))
    });
    for (table, version, file) in cases {
        let (world, connection) = closed_with(file).await;
        connection.execute_batch(&format!("CREATE TABLE {table}(x)")).unwrap();
        let refused = SqliteLog::open(&world.path(), SqliteLogConfig::default(), world.clock.clone());
        assert!(matches!(refused, Err(EventLogError::Unavailable(_))), "{refused:?}");
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(found, version);
        connection.execute_batch(&format!("DROP TABLE {table}")).unwrap();
        drop(connection);
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        let letter = world.log.dead_letter(&tenant("acme"), 1).await.unwrap().unwrap();
        assert_eq!(letter.event.id.as_str(), "e4");
    }
}
