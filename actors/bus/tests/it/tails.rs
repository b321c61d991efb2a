//! Tail readers crash, start late, and come back; live streams do not notice but for the wait.

use std::sync::Arc;
use std::time::Duration;

use soorma_bus::Config;
use soorma_core::{Cursor, Position, Topic};
use soorma_ports::EventLogError;
use soorma_testkit::{Call, Fault, MemoryLog, TestClock, tenant};

use super::world::{World, drain, ids, numbered, settle};

const TOPIC: Topic = Topic::ActionRequests;

#[tokio::test(start_paused = true)]
async fn a_stream_catches_up_without_a_tail_and_then_waits_for_it() {
    let mut world = World::without_tails(Config::default());
    let one = tenant("one");
    world.publish(&one, TOPIC, numbered("e", 0..100)).await;
    let start = Cursor::from_iter([(TOPIC, Position(0))]);
    let mut stream = world.subscribe(&one, &[TOPIC], Some(start)).await;
    assert_eq!(ids(&drain(&mut *stream).await), numbered("e", 0..100));
    // These are in the log before the tail reader ever looks; it starts behind them.
    world.publish(&one, TOPIC, numbered("e", 100..110)).await;
    assert!(drain(&mut *stream).await.is_empty());
    world.start_tails();
    assert_eq!(ids(&drain(&mut *stream).await), numbered("e", 100..110));
    world.publish(&one, TOPIC, numbered("e", 110..120)).await;
    assert_eq!(ids(&drain(&mut *stream).await), numbered("e", 110..120));
}

#[tokio::test(start_paused = true)]
async fn what_was_appended_while_the_tail_was_down_is_shown_when_it_is_back() {
    let mut world = World::new(Config { tail_buffer: 8, ..Config::default() }).await;
    let one = tenant("one");
    let mut stream = world.subscribe(&one, &[TOPIC], None).await;
    let mut expect = 0;
    for round in 0..20 {
        world.publish(&one, TOPIC, numbered("e", expect..expect + round)).await;
        // Sometimes it has sent what there is, sometimes it crashes before.
        if round % 2 == 0 {
            settle().await;
        }
        world.crash_tail(TOPIC);
        world.publish(&one, TOPIC, numbered("e", expect + round..expect + 2 * round)).await;
        world.start_tail(TOPIC);
        assert_eq!(ids(&drain(&mut *stream).await), numbered("e", expect..expect + 2 * round));
        expect += 2 * round;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_the_log_lets_down_goes_on_where_it_was() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    let mut stream = world.subscribe(&one, &[TOPIC], None).await;
    settle().await;
    let failure = || Fault::Fail(EventLogError::Unavailable("net".into()));
    for n in 0..10 {
        world.log.on(Call::Followed, failure());
        world.log.on(Call::Follow, failure());
        world.publish(&one, TOPIC, [format!("e{n}")]).await;
        // Longer than it waits before it tries again.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(ids(&drain(&mut *stream).await), numbered("e", 0..10));
    assert_eq!(world.log.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_retention_has_overtaken_goes_on_and_streams_hear_of_the_gap() {
    let log = MemoryLog::with_retention(Arc::new(TestClock::new()), Duration::MAX, 10);
    let mut world = World::over(log, Config::default());
    world.start_tails();
    let one = tenant("one");
    let mut cut_off = world.subscribe(&one, &[TOPIC], None).await;
    let mut elsewhere = world.subscribe(&one, &[Topic::PlanEvents], None).await;
    world.publish(&one, TOPIC, numbered("e", 0..5)).await;
    assert_eq!(ids(&drain(&mut *cut_off).await), numbered("e", 0..5));
    world.crash_tail(TOPIC);
    world.publish(&one, TOPIC, numbered("e", 5..100)).await;
    world.start_tail(TOPIC);
    settle().await;
    assert!(cut_off.next().await.is_err(), "what it waits for is gone");
    world.publish(&one, Topic::PlanEvents, ["other".into()]).await;
    assert_eq!(ids(&drain(&mut *elsewhere).await), ["other"]);
    let mut anew = world.subscribe(&one, &[TOPIC], None).await;
    world.publish(&one, TOPIC, ["live".into()]).await;
    assert_eq!(ids(&drain(&mut *anew).await), ["live"]);
}
