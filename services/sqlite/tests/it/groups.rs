//! What the log in a file does with groups beyond what every log does.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::Topic;
use soorma_ports::{
    Clock as _, Consumer, ConsumerSpec, Delivery, EventLog, EventLogError, GroupCommand, GroupKey, Reach,
    Settle, Start,
};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::{event, name, tenant};
use tokio::task::JoinSet;

use super::world::World;

const TOPIC: Topic = Topic::PlanEvents;
const HOUR: Duration = Duration::from_secs(3_600);

fn spec(group: &str) -> ConsumerSpec {
    ConsumerSpec {
        start: Start::Earliest,
        ack_within: HOUR,
        ..ConsumerSpec::new(tenant("acme"), name(group), [TOPIC])
    }
}

fn keyed() -> ConsumerSpec {
    ConsumerSpec { key: Some("plan_id".parse().unwrap()), ..spec("workers") }
}

/// Appends events of one plan.
async fn append(world: &World, plan: &str, count: usize) {
    let batch = (0..count).map(|nth| {
        let mut event = event(&format!("{plan}{nth}"), TOPIC);
        event.plan_id = Some(plan.into());
        Arc::new(event)
    });
    world.log.append(&tenant("acme"), batch.collect()).await.unwrap();
}

async fn next(member: &Arc<dyn Consumer>, max: usize) -> Vec<Delivery> {
    member.next(max, Duration::ZERO).await.unwrap()
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.id.as_str()).collect()
}

async fn ack(member: &Arc<dyn Consumer>, delivery: &Delivery) {
    assert_eq!(member.settle(vec![(delivery.id, Settle::Ack)]).await.unwrap(), [true]);
}

/// Has members wait for an event each, until all of them were told that there is none.
async fn waiting(
    world: &World,
    members: Vec<Arc<dyn Consumer>>,
) -> JoinSet<Result<Vec<Delivery>, EventLogError>> {
    let mut waiting = JoinSet::new();
    for member in members {
        // No call that was made before is left over.
        assert_eq!(next(&member, 1).await, []);
        waiting.spawn(async move { member.next(1, HOUR * 100).await });
    }
    tokio::task::yield_now().await;
    world.log.check().await.unwrap();
    tokio::task::yield_now().await;
    waiting
}

#[tokio::test]
async fn what_stands_behind_many_of_one_key_is_found_at_once() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(keyed()).await.unwrap();
    append(&world, "hot", 3_000).await;
    append(&world, "cold", 1).await;
    assert_eq!(ids(&next(&member, 1).await), ["hot0"]);
    assert_eq!(ids(&next(&member, 10).await), ["cold0"], "asked for once, although it is taken in by slices");
    let status = world.log.group(&tenant("acme"), &name("workers")).await.unwrap().unwrap();
    assert_eq!((status.in_hand, status.waiting, status.behind()), (2, 2_999, 3_001));
}

#[tokio::test]
async fn a_key_with_too_many_parked_holds_up_the_others_until_it_has_fewer() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(keyed()).await.unwrap();
    append(&world, "hot", 10_001).await;
    append(&world, "cold", 2).await;
    let first = next(&member, 1).await;
    assert_eq!(ids(&first), ["hot0"]);
    assert_eq!(next(&member, 1).await, []);
    let mut others = waiting(&world, vec![member.clone(), member.clone()]).await;
    ack(&member, &first[0]).await;
    let mut got = Vec::new();
    while got.len() < 2 {
        let woken =
            tokio::time::timeout(Duration::from_secs(60), others.join_next()).await.expect("both are woken");
        got.extend(woken.unwrap().unwrap().unwrap());
    }
    let mut got = ids(&got);
    got.sort_unstable();
    assert_eq!(got, ["cold0", "hot1"]);
}

#[tokio::test]
async fn who_waits_behind_too_many_retries_is_called_when_there_are_fewer() {
    let world = World::new(SqliteLogConfig::default());
    let many = ConsumerSpec { max_unsettled: 20_000, ..spec("workers") };
    let member = world.log.consumer(many).await.unwrap();
    append(&world, "p", 10_001).await;
    let held = next(&member, 10_000).await;
    assert_eq!(held.len(), 10_000);
    let retry = || Settle::Retry { after: HOUR, cause: "the model is away".into() };
    member.settle(held.iter().map(|delivery| (delivery.id, retry())).collect()).await.unwrap();
    let mut waits = waiting(&world, vec![member.clone()]).await;
    // Its old holder has done it after all.
    ack(&member, &held[0]).await;
    let woken = tokio::time::timeout(Duration::from_secs(60), waits.join_next()).await.expect("it is called");
    assert_eq!(ids(&woken.unwrap().unwrap().unwrap()), ["p10000"]);
}

#[tokio::test]
async fn who_has_some_of_the_topics_is_not_held_up_by_what_waits_in_others() {
    let world = World::new(SqliteLogConfig::default());
    let both = ConsumerSpec { topics: [TOPIC, Topic::TaskEvents].into(), ..spec("workers") };
    let both = world.log.consumer(both).await.unwrap();
    append(&world, "p", 500).await;
    let all = next(&both, 500).await;
    let retry = || Settle::Retry { after: Duration::ZERO, cause: "later".into() };
    both.settle(all.iter().map(|delivery| (delivery.id, retry())).collect()).await.unwrap();
    let tasks = ConsumerSpec { topics: [Topic::TaskEvents].into(), ..spec("workers") };
    let tasks = world.log.consumer(tasks).await.unwrap();
    let mut waits = waiting(&world, vec![tasks.clone()]).await;
    world.log.append(&tenant("acme"), vec![Arc::new(event("task", Topic::TaskEvents))]).await.unwrap();
    let got = waits.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(ids(&got), ["task"]);
}

#[tokio::test]
async fn all_who_wait_hear_that_their_group_is_removed() {
    let world = World::new(SqliteLogConfig::default());
    let mut members = Vec::new();
    for topics in [vec![TOPIC], vec![TOPIC], vec![TOPIC, Topic::TaskEvents]] {
        let spec = ConsumerSpec { topics: topics.into_iter().collect(), ..spec("workers") };
        members.push(world.log.consumer(spec).await.unwrap());
    }
    let mut waits = waiting(&world, members).await;
    let (acme, workers) = (tenant("acme"), name("workers"));
    assert_eq!(world.log.command(&acme, &workers, GroupCommand::Remove).await, Ok(true));
    while let Some(heard) = waits.join_next().await {
        let heard = heard.unwrap();
        assert!(
            matches!(&heard, Err(EventLogError::Unavailable(why)) if why.contains("workers was removed")),
            "{heard:?}"
        );
    }
}

#[tokio::test]
async fn who_was_in_a_removed_group_is_in_no_other() {
    let world = World::new(SqliteLogConfig::default());
    let old = world.log.consumer(spec("workers")).await.unwrap();
    append(&world, "p", 1).await;
    let held = next(&old, 1).await;
    let (acme, workers) = (tenant("acme"), name("workers"));
    assert_eq!(world.log.command(&acme, &workers, GroupCommand::Remove).await, Ok(true));
    // Made as the next group that there is, of another tenant.
    let theirs = ConsumerSpec { tenant: tenant("globex"), ..spec("workers") };
    let theirs = world.log.consumer(theirs).await.unwrap();
    world.log.append(&tenant("globex"), vec![Arc::new(event("secret", TOPIC))]).await.unwrap();
    assert!(matches!(old.next(10, Duration::ZERO).await, Err(EventLogError::Unavailable(_))));
    let settled = old.settle(vec![(held[0].id, Settle::Ack)]).await;
    assert!(matches!(settled, Err(EventLogError::Unavailable(_))));
    assert_eq!(ids(&next(&theirs, 10).await), ["secret"]);
}

async fn forgotten(world: &World) -> Vec<GroupKey> {
    world.log.expire_groups().await.unwrap()
}

#[tokio::test]
async fn a_group_in_which_somebody_waits_is_used() {
    let world = World::new(SqliteLogConfig::default());
    let member =
        world.log.consumer(ConsumerSpec { expire_after: Some(HOUR), ..spec("workers") }).await.unwrap();
    let mut waits = waiting(&world, vec![member]).await;
    world.elapse(HOUR * 10).await;
    assert_eq!(forgotten(&world).await, []);
    waits.shutdown().await;
    assert_eq!(forgotten(&world).await, [(tenant("acme"), name("workers"))]);
}

#[tokio::test]
async fn a_group_is_not_forgotten_early_by_a_log_that_was_opened_anew() {
    let world = World::new(SqliteLogConfig::default());
    let spec = ConsumerSpec { expire_after: Some(Duration::from_secs(400)), ..spec("workers") };
    let member = world.log.consumer(spec).await.unwrap();
    // Used, and too soon after joining to be written down.
    world.elapse(Duration::from_secs(45)).await;
    assert_eq!(next(&member, 1).await, []);
    drop(member);
    let world = world.reopen().await;
    world.elapse(Duration::from_secs(380)).await;
    assert_eq!(forgotten(&world).await, []);
    world.elapse(Duration::from_secs(75)).await;
    assert_eq!(forgotten(&world).await.len(), 1, "an eighth later at most");
}

#[tokio::test]
async fn asking_in_vain_writes_nothing() {
    let world = World::new(SqliteLogConfig::default());
    let member =
        world.log.consumer(ConsumerSpec { expire_after: Some(HOUR), ..spec("workers") }).await.unwrap();
    let other = Connection::open(world.path()).unwrap();
    let version = || -> i64 { other.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = version();
    for _ in 0..20 {
        assert_eq!(next(&member, 1).await, []);
    }
    assert_eq!(version(), before);
    world.elapse(Duration::from_secs(61)).await;
    assert_eq!(next(&member, 1).await, []);
    assert_ne!(version(), before, "when it was used is written down now and then");
}

#[tokio::test]
async fn all_who_wait_in_a_paused_group_set_their_timers_when_it_is_resumed() {
    let world = World::new(SqliteLogConfig::default());
    let (one, other) = (
        world.log.consumer(spec("workers")).await.unwrap(),
        world.log.consumer(spec("workers")).await.unwrap(),
    );
    append(&world, "p", 1).await;
    let held = next(&one, 1).await;
    let (acme, workers) = (tenant("acme"), name("workers"));
    world.log.command(&acme, &workers, GroupCommand::Pause).await.unwrap();
    let retry = Settle::Retry { after: HOUR, cause: "later".into() };
    one.settle(vec![(held[0].id, retry)]).await.unwrap();
    let mut first = waiting(&world, vec![one]).await;
    let mut second = waiting(&world, vec![other]).await;
    world.log.command(&acme, &workers, GroupCommand::Resume).await.unwrap();
    // One is called by that, and learns when the event is due. It goes away before.
    tokio::task::yield_now().await;
    world.log.check().await.unwrap();
    tokio::task::yield_now().await;
    first.shutdown().await;
    world.elapse(HOUR + Duration::from_secs(1)).await;
    let got =
        tokio::time::timeout(Duration::from_secs(60), second.join_next()).await.expect("the other is woken");
    assert_eq!(got.unwrap().unwrap().unwrap()[0].id.attempt, 2);
}

#[tokio::test]
async fn who_waits_in_a_paused_group_does_not_ask_over_and_over() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(spec("workers")).await.unwrap();
    append(&world, "p", 1).await;
    let held = next(&member, 1).await;
    let (acme, workers) = (tenant("acme"), name("workers"));
    world.log.command(&acme, &workers, GroupCommand::Pause).await.unwrap();
    // It is due, and not to be handed out.
    member.settle(vec![(held[0].id, Settle::Release { after: Duration::ZERO })]).await.unwrap();
    let waits = waiting(&world, vec![member]).await;
    let connection = Connection::open(world.path()).unwrap();
    let used_at =
        || -> i64 { connection.query_row("SELECT used_at FROM consumers", [], |row| row.get(0)).unwrap() };
    let before = used_at();
    world.elapse(HOUR).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
        world.log.check().await.unwrap();
    }
    assert_eq!(used_at(), before, "each question would be written down after an hour");
    drop(waits);
}

#[tokio::test]
async fn ages_are_right_after_the_wall_clock_jumped() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(spec("workers")).await.unwrap();
    let (acme, workers) = (tenant("acme"), name("workers"));
    // As edge and command line count it.
    let ages = async || {
        let status = world.log.group(&acme, &workers).await.unwrap().unwrap();
        let listed = world.log.groups(&Reach::Tenant(acme.clone()), None, 10).await.unwrap().remove(0);
        assert!(listed.oldest.is_some());
        let now = world.clock.now();
        [status.oldest, listed.oldest, Some(status.used_at)].map(|at| now.since(at.unwrap()).as_secs())
    };
    append(&world, "p", 1).await;
    let age = Duration::from_secs(90);
    // It slept: tokio's clock has stood still meanwhile.
    world.clock.jump(HOUR * 8);
    world.elapse(age).await;
    assert_eq!(ages().await, [90, 90, 90]);
    world.clock.jump_back(HOUR * 20);
    assert_eq!(ages().await, [90, 90, 90]);
    let held = next(&member, 10).await;
    let status = world.log.group(&acme, &workers).await.unwrap().unwrap();
    assert!(world.clock.now().since(status.used_at) < Duration::from_secs(60), "used just now");
    ack(&member, &held[0]).await;
    append(&world, "q", 1).await;
    world.elapse(age).await;
    assert_eq!(ages().await, [90, 90, 90], "also of what came after it");
}

fn letter(cause: &str) -> Settle {
    Settle::Reject { cause: cause.into() }
}

#[tokio::test]
async fn an_old_holder_that_acks_what_waits_lets_the_next_of_its_key_go() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(keyed()).await.unwrap();
    append(&world, "p", 2).await;
    let first = next(&member, 10).await;
    let retry = Settle::Retry { after: HOUR, cause: "later".into() };
    assert_eq!(member.settle(vec![(first[0].id, retry)]).await.unwrap(), [true]);
    assert_eq!(next(&member, 10).await, []);
    ack(&member, &first[0]).await;
    assert_eq!(ids(&next(&member, 10).await), ["p1"]);
}

#[tokio::test]
async fn an_old_holder_that_acks_what_is_parked_lets_nothing_go() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(keyed()).await.unwrap();
    append(&world, "p", 3).await;
    let first = next(&member, 10).await;
    assert_eq!(member.settle(vec![(first[0].id, letter("no"))]).await.unwrap(), [true]);
    let second = next(&member, 10).await;
    assert_eq!(ids(&second), ["p1"]);
    // So that it waits for the second, and the third with it.
    assert_eq!(world.log.redrive(&tenant("acme"), &[1]).await, Ok(vec![1]));
    ack(&member, &first[0]).await;
    assert_eq!(next(&member, 10).await, []);
    ack(&member, &second[0]).await;
    assert_eq!(ids(&next(&member, 10).await), ["p2"]);
}

#[tokio::test]
async fn what_is_kept_for_one_group_alone_is_gone_for_the_others() {
    let world = World::new(SqliteLogConfig { retain_for: HOUR, ..SqliteLogConfig::default() });
    let holds = ConsumerSpec { ack_within: HOUR * 100, ..spec("holds") };
    let holds = world.log.consumer(holds).await.unwrap();
    let late = world.log.consumer(spec("late")).await.unwrap();
    append(&world, "p", 3).await;
    let held = next(&holds, 2).await;
    world.elapse(HOUR * 2).await;
    append(&world, "new", 1).await;
    let status = world.log.group(&tenant("acme"), &name("late")).await.unwrap().unwrap();
    assert_eq!((status.topics[&TOPIC].lag, status.behind()), (1, 1));
    assert_eq!(ids(&next(&late, 10).await), ["new0"]);
    ack(&holds, &held[0]).await;
    ack(&holds, &held[1]).await;
}

#[tokio::test]
async fn a_removed_group_leaves_nothing_in_the_file() {
    let world = World::new(SqliteLogConfig::default());
    let member = world.log.consumer(keyed()).await.unwrap();
    append(&world, "p", 4).await;
    let first = next(&member, 1).await;
    assert_eq!(member.settle(vec![(first[0].id, letter("no"))]).await.unwrap(), [true]);
    assert_eq!(next(&member, 1).await.len(), 1);
    let rows = || -> Vec<i64> {
        let connection = Connection::open(world.path()).unwrap();
        let count =
            |table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        ["consumers", "consumer_topics", "deliveries", "dead_letters"]
            .map(|table| count(table).unwrap())
            .into()
    };
    assert_eq!(rows(), [1, 1, 1, 1]);
    world.log.command(&tenant("acme"), &name("workers"), GroupCommand::Remove).await.unwrap();
    assert_eq!(rows(), [0, 0, 0, 0]);
}
