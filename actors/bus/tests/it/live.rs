//! Clause 3 of the bus: a live stream shows each event once and in order, however slow it is.

use std::sync::Arc;
use std::time::Duration;

use soorma_bus::Config;
use soorma_core::{Cursor, ErrorCode, Json, Position, Topic};
use soorma_ports::{Bus, EventLogError};
use soorma_testkit::{Call, Fault, MemoryLog, TestClock, tenant};

use super::world::{World, drain, ids, numbered, settle, subscription};

const TOPIC: Topic = Topic::ActionRequests;
const OTHER: Topic = Topic::ActionResults;

fn small() -> Config {
    Config { tail_buffer: 4, ..Config::default() }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_cursor_starts_at_now() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    world.publish(&one, TOPIC, numbered("old", 0..3)).await;
    let mut stream = world.subscribe(&one, &[TOPIC], None).await;
    world.publish(&one, TOPIC, numbered("new", 0..3)).await;
    world.publish(&one, OTHER, numbered("elsewhere", 0..3)).await;
    assert_eq!(ids(&drain(&mut *stream).await), numbered("new", 0..3));
}

#[tokio::test(start_paused = true)]
async fn an_event_is_shown_as_one_line_of_ascii() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    let mut stream = world.subscribe(&one, &[TOPIC], Some(Cursor::default())).await;
    let mut sent = soorma_testkit::event("a", TOPIC);
    sent.subject = Some("first\u{2028}second\nthird \u{1f600}".into());
    world.bus.publish(&one, vec![sent]).await.expect("published");
    let live = stream.next().await.expect("shown");
    assert!(live.json.is_ascii() && !live.json.contains(['\n', '\r']), "{}", live.json);
    assert_eq!(live.json, live.entry.event.to_json(Json::Snake));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_resumes_behind_every_event_without_loss_or_repetition() {
    let world = World::new(small()).await;
    let one = tenant("one");
    let start = Cursor::from_iter([(TOPIC, Position(0)), (OTHER, Position(0))]);
    for n in 0..20 {
        world.publish(&one, if n % 3 == 0 { OTHER } else { TOPIC }, [format!("e{n}")]).await;
        world.publish(&tenant("two"), TOPIC, [format!("foreign{n}")]).await;
    }
    let mut whole = world.subscribe(&one, &[TOPIC, OTHER], Some(start.clone())).await;
    let mut cursors = vec![start];
    let mut expect = Vec::new();
    for _ in 0..20 {
        expect.push(whole.next().await.expect("shown").entry.event.clone());
        cursors.push(whole.cursor().clone());
    }
    for (cut, cursor) in cursors.into_iter().enumerate() {
        // Written and read, as it travels.
        let cursor: Cursor = cursor.to_string().parse().expect("a cursor");
        let mut rest = world.subscribe(&one, &[TOPIC, OTHER], Some(cursor)).await;
        let rest = drain(&mut *rest).await;
        for topic in [TOPIC, OTHER] {
            let of = |event: &&Arc<soorma_core::Event>| event.topic == topic;
            let expect: Vec<_> = expect[cut..].iter().filter(of).collect();
            let shown: Vec<_> = rest.iter().map(|live| &live.entry.event).filter(of).collect();
            assert_eq!(shown, expect, "cut behind {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_a_cursor_does_not_name_starts_at_now() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    world.publish(&one, TOPIC, ["a".into()]).await;
    world.publish(&one, OTHER, ["b".into()]).await;
    let after = Cursor::from_iter([(TOPIC, Position(0))]);
    let mut stream = world.subscribe(&one, &[TOPIC, OTHER], Some(after)).await;
    assert_eq!(ids(&drain(&mut *stream).await), ["a"]);
    world.publish(&one, OTHER, ["c".into()]).await;
    assert_eq!(ids(&drain(&mut *stream).await), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_far_slower_than_the_buffer_gets_everything_once() {
    let world = World::new(small()).await;
    let one = tenant("one");
    let mut slow = world.subscribe(&one, &[TOPIC], None).await;
    let mut shown = Vec::new();
    for round in 0..50 {
        world.publish(&one, TOPIC, numbered("e", round * 20..(round + 1) * 20)).await;
        settle().await;
        // One for twenty.
        shown.push(slow.next().await.expect("shown"));
    }
    shown.extend(drain(&mut *slow).await);
    assert_eq!(ids(&shown), numbered("e", 0..1_000));
}

#[tokio::test(start_paused = true)]
async fn one_encoding_serves_all_streams_of_a_tenant() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(world.subscribe(&one, &[TOPIC], None).await);
    }
    settle().await;
    world.publish(&one, TOPIC, numbered("e", 0..10)).await;
    let first = drain(&mut *streams[0]).await;
    assert_eq!(ids(&first), numbered("e", 0..10));
    for stream in &mut streams[1..] {
        let shown = drain(&mut **stream).await;
        assert!(shown.iter().zip(&first).all(|(a, b)| Arc::ptr_eq(a, b)) && shown.len() == first.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_far_behind_does_not_hold_up_the_others() {
    let world = World::new(Config::default()).await;
    let one = tenant("one");
    world.publish(&one, TOPIC, numbered("old", 0..1_000)).await;
    world.publish(&one, OTHER, numbered("older", 0..200)).await;
    settle().await;
    let start =
        Cursor::from_iter([(TOPIC, Position(0)), (OTHER, Position(0)), (Topic::PlanEvents, Position(0))]);
    let mut stream = world.subscribe(&one, &[TOPIC, OTHER, Topic::PlanEvents], Some(start)).await;
    let mut shown = Vec::new();
    for _ in 0..300 {
        shown.push(stream.next().await.expect("shown"));
    }
    assert!(ids(&shown).contains(&"older0".to_owned()), "both are caught up with in turn");
    world.publish(&one, Topic::PlanEvents, ["live".into()]).await;
    settle().await;
    let next = [stream.next().await.expect("shown"), stream.next().await.expect("shown")];
    assert!(ids(&next).contains(&"live".to_owned()), "what is live passes by what is old");
    shown.extend(next);
    shown.extend(drain(&mut *stream).await);
    assert_eq!(shown.len(), 1_201);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_called_off_loses_nothing() {
    let world = World::new(small()).await;
    let one = tenant("one");
    let start = Cursor::from_iter([(TOPIC, Position(0))]);
    world.publish(&one, TOPIC, numbered("e", 0..100)).await;
    world.log.delay(20, Call::Read, Duration::from_millis(3));
    let mut stream = world.subscribe(&one, &[TOPIC], Some(start)).await;
    let mut shown = Vec::new();
    for round in 0..60 {
        if let Ok(next) = tokio::time::timeout(Duration::from_millis(round % 5), stream.next()).await {
            shown.push(next.expect("shown"));
        }
        world.publish(&one, TOPIC, [format!("e{}", 100 + round)]).await;
    }
    shown.extend(drain(&mut *stream).await);
    assert_eq!(ids(&shown), numbered("e", 0..160));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_ends_one_wait_and_loses_nothing() {
    let world = World::new(small()).await;
    let one = tenant("one");
    let mut stream = world.subscribe(&one, &[TOPIC], None).await;
    settle().await;
    world.publish(&one, TOPIC, numbered("e", 0..30)).await;
    settle().await;
    world.log.on(Call::Read, Fault::Fail(EventLogError::Unavailable("net".into())));
    assert_eq!(stream.next().await.expect_err("the log fails").code, ErrorCode::Unavailable);
    assert_eq!(ids(&drain(&mut *stream).await), numbered("e", 0..30));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_retention_has_passed_or_the_log_never_gave_out_is_refused() {
    let log = MemoryLog::with_retention(Arc::new(TestClock::new()), Duration::MAX, 5);
    let world = World::over(log, Config::default());
    let one = tenant("one");
    world.publish(&one, TOPIC, numbered("e", 0..10)).await;
    let at = |n| Some(Cursor::from_iter([(TOPIC, Position(n))]));
    let subscribe = |after| world.bus.subscribe(subscription(&one, &[TOPIC], after));
    let refused = subscribe(at(4)).await.expect_err("gone");
    let (after, before_first) = (Position(4), Position(5));
    assert_eq!(refused, EventLogError::Gone { topic: TOPIC, after, before_first });
    let refused = subscribe(at(11)).await.expect_err("beyond");
    assert_eq!(refused, EventLogError::Beyond { topic: TOPIC, after: Position(11), head: Position(10) });
    let mut earliest = subscribe(at(5)).await.expect("the earliest position that is left");
    assert_eq!(ids(&drain(&mut *earliest).await), numbered("e", 5..10));
    let nothing = world.bus.subscribe(subscription(&one, &[], None)).await.expect_err("no topic");
    assert!(matches!(nothing, EventLogError::Invalid(_)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_retention_overtakes_ends_instead_of_skipping() {
    let log = MemoryLog::with_retention(Arc::new(TestClock::new()), Duration::MAX, 10);
    let mut world = World::over(log, small());
    world.start_tails();
    let one = tenant("one");
    let mut slow = world.subscribe(&one, &[TOPIC], None).await;
    settle().await;
    world.publish(&one, TOPIC, numbered("e", 0..100)).await;
    settle().await;
    for _ in 0..2 {
        assert_eq!(slow.next().await.expect_err("it missed events").code, ErrorCode::NotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn the_cursor_of_a_quiet_stream_stays_within_what_retention_keeps() {
    let log = MemoryLog::with_retention(Arc::new(TestClock::new()), Duration::MAX, 10);
    let mut world = World::over(log, Config::default());
    world.start_tails();
    settle().await;
    let (quiet, loud) = (tenant("quiet"), tenant("loud"));
    let mut stream = world.subscribe(&quiet, &[TOPIC, OTHER], None).await;
    world.publish(&quiet, OTHER, ["own".into()]).await;
    for round in 0..10 {
        world.publish(&loud, TOPIC, numbered("foreign", round * 5..(round + 1) * 5)).await;
        let shown = drain(&mut *stream).await;
        assert_eq!(shown.len(), usize::from(round == 0));
    }
    let resumed = subscription(&quiet, &[TOPIC, OTHER], Some(stream.cursor().clone()));
    let mut resumed = world.bus.subscribe(resumed).await.expect("nothing of this tenant is gone");
    world.publish(&quiet, TOPIC, ["more".into()]).await;
    assert_eq!(ids(&drain(&mut *resumed).await), ["more"]);
}
