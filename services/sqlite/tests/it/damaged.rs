//! What is damaged in the file is told of, and holds up nothing else.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::{Position, Topic};
use soorma_ports::{
    Consumer, ConsumerSpec, DeadLetterFilter, Delivery, EventLog, EventLogError, GroupCommand, Reach, Settle,
    Start,
};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::{event, name, tenant};

use super::world::World;

const TOPIC: Topic = Topic::TaskEvents;
/// What a damaged page may leave of an envelope: no JSON, and no UTF-8.
const DAMAGE: &str = "CAST(x'7b226964ff' AS TEXT)";

fn spec() -> ConsumerSpec {
    ConsumerSpec { start: Start::Earliest, ..ConsumerSpec::new(tenant("acme"), name("workers"), [TOPIC]) }
}

async fn append(world: &World, ids: &[&str]) {
    let batch = ids.iter().map(|id| {
        let mut event = event(id, TOPIC);
        event.plan_id = Some("p".into());
        Arc::new(event)
    });
    world.log.append(&tenant("acme"), batch.collect()).await.unwrap();
}

fn damage(world: &World, sql: &str) {
    let connection = Connection::open(world.path()).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
}

fn damage_event(world: &World, id: &str) {
    damage(world, &format!("UPDATE events SET envelope = {DAMAGE} WHERE id = '{id}'"));
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.id.as_str()).collect()
}

async fn next(member: &Arc<dyn Consumer>, max: usize) -> Vec<Delivery> {
    member.next(max, Duration::ZERO).await.unwrap()
}

async fn letters(world: &World) -> Vec<(u64, String, String)> {
    let all = world.log.dead_letters(&tenant("acme"), &DeadLetterFilter::default(), 0, 10).await.unwrap();
    all.into_iter().map(|letter| (letter.id, letter.event.id.to_string(), letter.cause)).collect()
}

#[tokio::test]
async fn an_event_that_cannot_be_read_becomes_a_dead_letter_and_the_others_are_handed_out() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world, &["a", "b", "c", "d", "e"]).await;
    damage_event(&world, "c");
    assert_eq!(ids(&next(&member, 10).await), ["a", "b", "d", "e"]);
    let status = world.log.group(&tenant("acme"), &name("workers")).await.unwrap().unwrap();
    assert_eq!((status.in_hand, status.waiting, status.dead_letters), (4, 0, 1));
    let letters = letters(&world).await;
    let [(1, id, cause)] = &letters[..] else { panic!("one letter is expected: {letters:?}") };
    assert_eq!(id, "c");
    assert!(cause.contains("cannot be read"), "{cause}");
    let told = world.log.read(&Reach::Platform, Topic::SystemEvents, Position(0), 10).await.unwrap();
    assert_eq!(told.entries.len(), 1, "an event tells of it");
}

#[tokio::test]
async fn a_redelivery_that_cannot_be_read_holds_up_no_other_either() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world, &["a", "b", "c"]).await;
    let held = next(&member, 10).await;
    let released = |delivery: &Delivery| (delivery.id, Settle::Release { after: Duration::ZERO });
    member.settle(held.iter().map(released).collect()).await.unwrap();
    damage_event(&world, "a");
    assert_eq!(ids(&next(&member, 1).await), ["b"], "who asks for one gets one");
    assert_eq!(ids(&next(&member, 10).await), ["c"]);
    assert_eq!(letters(&world).await.len(), 1);
}

#[tokio::test]
async fn what_waits_behind_an_event_of_its_key_that_cannot_be_read_goes_on() {
    let world = World::new(SqliteLogConfig::default());
    let keyed = ConsumerSpec { key: Some("plan_id".parse().unwrap()), ..spec() };
    let member = world.log.consumer(keyed).await.unwrap();
    append(&world, &["a", "b", "c"]).await;
    let held = next(&member, 10).await;
    assert_eq!(ids(&held), ["a"]);
    damage_event(&world, "b");
    member.settle(vec![(held[0].id, Settle::Ack)]).await.unwrap();
    assert_eq!(ids(&next(&member, 10).await), ["c"]);
}

#[tokio::test]
async fn a_log_of_many_that_cannot_be_read_is_gone_through_to_the_end() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(spec()).await.unwrap();
    let many: Vec<String> = (0..1_200).map(|nth| format!("e{nth}")).collect();
    append(&world, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    append(&world, &["last"]).await;
    let connection = Connection::open(world.path()).unwrap();
    let sql = format!("UPDATE events SET envelope = {DAMAGE} WHERE id != 'last'");
    assert_eq!(connection.execute(&sql, []).unwrap(), 1_200);
    assert_eq!(ids(&next(&member, 1).await), ["last"]);
    assert_eq!(
        world.log.group(&tenant("acme"), &name("workers")).await.unwrap().unwrap().dead_letters,
        1_200
    );
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_read_is_listed_with_what_is_known_and_can_be_discarded() {
    let world = World::new(SqliteLogConfig::default());
    let (member, acme) = (world.log.consumer(spec()).await.unwrap(), tenant("acme"));
    append(&world, &["a", "b", "c"]).await;
    let rejected = |delivery: &Delivery| (delivery.id, Settle::Reject { cause: "no such order".into() });
    member.settle(next(&member, 10).await.iter().map(rejected).collect()).await.unwrap();
    damage(&world, &format!("UPDATE dead_letters SET envelope = {DAMAGE} WHERE id = 2"));
    let cause = "no such order".to_owned();
    let expected = [(1, "a", &cause), (2, "b", &cause), (3, "c", &cause)];
    let expected = expected.map(|(nth, id, cause)| (nth, id.to_owned(), cause.clone()));
    assert_eq!(letters(&world).await, expected);
    let one = world.log.dead_letter(&acme, 2).await.unwrap().unwrap();
    assert_eq!((one.event.kind.as_str(), one.event.topic), (event("b", TOPIC).kind.as_str(), TOPIC));
    assert_eq!(world.log.redrive(&acme, &[1, 2, 3]).await, Ok(vec![1, 2, 3]));
    assert_eq!(ids(&next(&member, 10).await), ["a", "c"]);
    let [(4, id, cause)] = &letters(&world).await[..] else { panic!("it is given up again") };
    assert_eq!(id, "b");
    assert!(cause.contains("cannot be read"), "{cause}");
    assert_eq!(world.log.discard(&acme, &[4]).await, Ok(vec![4]));
    assert_eq!(letters(&world).await, []);
}

#[tokio::test]
async fn a_log_to_which_nothing_can_be_appended_stays_not_ready_until_something_can() {
    let world = World::new(SqliteLogConfig::default());
    let (member, acme) = (world.log.consumer(spec()).await.unwrap(), tenant("acme"));
    append(&world, &["a"]).await;
    let connection = Connection::open(world.path()).unwrap();
    // All that was written goes to the file; and after a commit of another the writer reads it from there.
    let set_page = |page: &[u8], at: u64| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let file = std::fs::OpenOptions::new().read(true).write(true).open(world.path()).unwrap();
        let mut before = vec![0; page.len()];
        file.read_exact_at(&mut before, at).unwrap();
        file.write_all_at(page, at).unwrap();
        connection
            .execute_batch("BEGIN; INSERT INTO probe VALUES (x'00'); DELETE FROM probe; COMMIT")
            .unwrap();
        before
    };
    let events = "SELECT rootpage FROM sqlite_schema WHERE name = 'events'";
    let root: u32 = connection.query_row(events, [], |row| row.get(0)).unwrap();
    let at = u64::from(root - 1) * 4_096;
    let before = set_page(&[0x5a; 4_096], at);
    let corrupt = |answer: Result<(), EventLogError>| {
        assert!(matches!(answer, Err(EventLogError::Corrupt(_))), "{answer:?}");
    };
    corrupt(world.log.append(&acme, vec![Arc::new(event("b", TOPIC))]).await.map(|_| ()));
    for _ in 0..3 {
        corrupt(world.log.check().await);
    }
    // That others write does not say that something can be appended.
    world.log.command(&acme, &name("workers"), GroupCommand::Pause).await.unwrap();
    corrupt(world.log.check().await);
    set_page(&before, at);
    assert_eq!(world.log.check().await, Ok(()));
    world.log.command(&acme, &name("workers"), GroupCommand::Resume).await.unwrap();
    append(&world, &["b"]).await;
    assert_eq!(ids(&next(&member, 10).await), ["a", "b"], "what was tried has left nothing");
}
