//! Calls over several topics, which come to their end whatever becomes of their caller and of the server in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use futures_util::poll;
use soorma_core::{Event, Position, Topic};
use soorma_nats::{NatsLog, NatsLogConfig};
use soorma_ports::{EventLog, EventLogError, Reach};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{SeededEntropy, TestClock, event, tenant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::world::{World, config};

/// Topics are appended to in this order.
const FIRST: Topic = Topic::BusinessFacts;
const SECOND: Topic = Topic::TaskEvents;
/// Longer than anything here takes that is not for ever.
const LONG: Duration = Duration::from_secs(60);
const HASTY: Duration = Duration::from_secs(1);

fn hasty() -> NatsLogConfig {
    NatsLogConfig { answer_within: HASTY, ..config() }
}

fn call(id: &str) -> Vec<Arc<Event>> {
    [FIRST, SECOND].map(|topic| Arc::new(event(id, topic))).into()
}

async fn all(log: &NatsLog, topic: Topic) -> Result<Vec<String>, EventLogError> {
    let page = log.read(&Reach::Platform, topic, Position(0), 100_000).await?;
    Ok(page.entries.iter().map(|entry| entry.event.id.to_string()).collect())
}

async fn ids(log: &NatsLog, topic: Topic) -> Vec<String> {
    all(log, topic).await.unwrap()
}

async fn is_there(log: &NatsLog, topic: Topic, id: &str) {
    let there = async { while !ids(log, topic).await.contains(&id.to_owned()) {} };
    assert!(timeout(LONG, there).await.is_ok(), "{id} is not in {topic}");
}

async fn stream_of(world: &World, name: &str) -> stream::Stream {
    world.jetstream().await.get_stream(format!("{}-{name}", world.config.prefix)).await.unwrap()
}

/// How many there are, if somebody knows it now.
async fn parts_written_down(world: &World) -> Option<u64> {
    let calls = world.jetstream().await.get_stream(format!("{}-calls", world.config.prefix)).await;
    calls.ok().map(|calls| calls.cached_info().state.messages)
}

async fn nothing_is_written_down(world: &World) {
    let nothing = async { while parts_written_down(world).await != Some(0) {} };
    assert!(timeout(LONG, nothing).await.is_ok(), "calls are left: {:?}", parts_written_down(world).await);
}

async fn takes_at_most(world: &World, topic: Topic, bytes: i32) {
    let jetstream = world.jetstream().await;
    let found = stream_of(world, topic.as_str()).await.cached_info().config.clone();
    let limited = stream::Config { max_message_size: bytes, ..found };
    jetstream.update_stream(limited).await.unwrap();
}

/// Takes a stream away; what it returns brings it back, empty.
async fn without(world: &World, topic: Topic) -> (jetstream::Context, stream::Config) {
    let jetstream = world.jetstream().await;
    let found = stream_of(world, topic.as_str()).await.cached_info().config.clone();
    jetstream.delete_stream(&found.name).await.unwrap();
    (jetstream, found)
}

#[track_caller]
fn is_away<T: std::fmt::Debug>(answer: Result<T, EventLogError>) {
    assert!(matches!(answer, Err(EventLogError::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_in_the_middle_comes_to_its_end() {
    let world = World::new(config()).await;
    for nth in 0..20 {
        let acme = tenant("acme");
        let mut append = Box::pin(world.log.append(&acme, call(&format!("c{nth}"))));
        assert!(poll!(append.as_mut()).is_pending());
    }
    for topic in [FIRST, SECOND] {
        for nth in 0..20 {
            is_there(&world.log, topic, &format!("c{nth}")).await;
        }
    }
    nothing_is_written_down(&world).await;
}

#[tokio::test]
async fn what_a_topic_does_not_take_for_a_while_is_finished_by_the_same_log() {
    let world = World::new(hasty()).await;
    let (jetstream, taken_away) = without(&world, SECOND).await;
    for _ in 0..5 {
        // Each time the same call: it is written down once.
        is_away(world.log.append(&tenant("acme"), call("c")).await);
    }
    assert_eq!(parts_written_down(&world).await, Some(2));
    jetstream.create_stream(taken_away).await.unwrap();
    is_there(&world.log, SECOND, "c").await;
    nothing_is_written_down(&world).await;
    assert_eq!((ids(&world.log, FIRST).await.len(), ids(&world.log, SECOND).await.len()), (1, 1));
}

#[tokio::test]
async fn what_is_left_is_finished_when_the_connection_is_made_anew() {
    let mut server = NatsServer::start(&[]);
    // So that it is the connection, and not the time that passes.
    let patient = NatsLogConfig {
        servers: vec![server.url().to_owned()],
        answer_within: Duration::from_secs(3_600),
        ..config()
    };
    let world = World::new(patient).await;
    let (jetstream, taken_away) = without(&world, SECOND).await;
    is_away(world.log.append(&tenant("acme"), call("c")).await);
    jetstream.create_stream(taken_away).await.unwrap();
    assert_eq!(ids(&world.log, SECOND).await, Vec::<String>::new());
    server.kill();
    server.restart();
    let made = async { while world.log.check().await.is_err() {} };
    timeout(LONG, made).await.unwrap();
    is_there(&world.log, SECOND, "c").await;
    nothing_is_written_down(&world).await;
}

#[tokio::test]
async fn what_is_left_is_finished_by_who_opens_the_log_and_what_cannot_be_stops_nobody() {
    // What is left here is left for ever.
    let patient = NatsLogConfig { answer_within: Duration::from_secs(3_600), ..config() };
    let world = World::new(patient).await;
    let (jetstream, taken_away) = without(&world, SECOND).await;
    let mut too_large = call("too-large");
    too_large[1] = Arc::new(Event { subject: Some("x".repeat(2_000)), ..event("too-large", SECOND) });
    is_away(world.log.append(&tenant("acme"), too_large).await);
    is_away(world.log.append(&tenant("acme"), call("c")).await);
    jetstream.create_stream(taken_away).await.unwrap();
    takes_at_most(&world, SECOND, 1_500).await;
    let other = NatsLog::open(&world.config, Arc::new(TestClock::new())).await.unwrap();
    assert_eq!(ids(&other, SECOND).await, ["c"]);
    nothing_is_written_down(&world).await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_invalid_and_not_tried_again() {
    let world = World::new(config()).await;
    takes_at_most(&world, SECOND, 1_500).await;
    let mut too_large = call("too-large");
    too_large[1] = Arc::new(Event { subject: Some("x".repeat(2_000)), ..event("too-large", SECOND) });
    let answer = world.log.append(&tenant("acme"), too_large).await;
    assert!(matches!(answer, Err(EventLogError::Invalid(_))), "{answer:?}");
    nothing_is_written_down(&world).await;
    NatsLog::open(&world.config, Arc::new(TestClock::new())).await.unwrap();
}

#[tokio::test]
async fn a_call_that_cannot_be_crossed_out_is_answered_and_done_once() {
    let world = World::new(hasty()).await;
    let jetstream = world.jetstream().await;
    let found = stream_of(&world, "calls").await.cached_info().config.clone();
    jetstream.update_stream(stream::Config { deny_purge: true, ..found }).await.unwrap();
    let appended = world.log.append(&tenant("acme"), call("c")).await.unwrap();
    assert!(appended.iter().all(|appended| !appended.duplicate));
    let appended = world.log.append(&tenant("acme"), call("c")).await.unwrap();
    assert!(appended.iter().all(|appended| appended.duplicate));
    assert_eq!(parts_written_down(&world).await, Some(2));
    let other = NatsLog::open(&world.config, Arc::new(TestClock::new())).await.unwrap();
    for topic in [FIRST, SECOND] {
        assert_eq!(ids(&other, topic).await, ["c"]);
    }
}

#[tokio::test]
async fn calls_that_are_on_their_way_are_not_disturbed_by_those_who_open_the_log() {
    let world = World::new(config()).await;
    let mut callers = JoinSet::new();
    for caller in 0..4 {
        let log = world.log.clone();
        callers.spawn(async move {
            for nth in 0..50 {
                let events = [SECOND, FIRST, SECOND]
                    .iter()
                    .enumerate()
                    .map(|(part, topic)| Arc::new(event(&format!("{caller}-{nth}-{part}"), *topic)));
                log.append(&tenant("acme"), events.collect()).await.unwrap();
            }
        });
    }
    let mut opened = 0;
    while opened < 10 || !callers.is_empty() {
        NatsLog::open(&world.config, Arc::new(TestClock::new())).await.unwrap();
        opened += 1;
        while let Some(ended) = callers.try_join_next() {
            ended.unwrap();
        }
    }
    nothing_is_written_down(&world).await;
    assert_eq!(ids(&world.log, FIRST).await.len(), 4 * 50);
    let second = ids(&world.log, SECOND).await;
    assert_eq!(second.len(), 2 * 4 * 50);
    for pair in second.chunks(2) {
        let calls: Vec<_> = pair.iter().filter_map(|id| id.rsplit_once('-')).collect();
        assert!(calls[0].0 == calls[1].0 && calls[0].1 < calls[1].1, "a call stands together: {pair:?}");
    }
}

#[tokio::test]
async fn calls_that_hang_are_answered_in_time_and_whole_in_the_end() {
    let server = NatsServer::start(&[]);
    let servers = vec![server.url().to_owned()];
    let world = World::new(NatsLogConfig { servers, max_unanswered: 2, ..hasty() }).await;
    let acme = tenant("acme");
    server.pause();
    // Two are begun, and the others have no place.
    let calls = (0..20).map(|nth| world.log.append(&acme, call(&format!("c{nth}"))));
    let answers = timeout(LONG, futures_util::future::join_all(calls)).await.unwrap();
    answers.into_iter().for_each(is_away);
    server.resume();
    let goes_on = async { while world.log.append(&acme, call("again")).await.is_err() {} };
    timeout(LONG, goes_on).await.unwrap();
    nothing_is_written_down(&world).await;
    let (first, second) = (ids(&world.log, FIRST).await, ids(&world.log, SECOND).await);
    assert_eq!(BTreeSet::from_iter(&first), BTreeSet::from_iter(&second));
    assert!(first.len() < 10, "what has no place is not begun: {first:?}");
}

#[tokio::test]
async fn calls_are_whole_after_the_server_was_killed_and_their_callers_went_away() {
    whole_after_kills(vec![NatsServer::start(&[])], 4).await;
}

#[tokio::test]
async fn calls_are_whole_after_servers_of_a_cluster_were_killed() {
    // It takes some seconds to find new leaders.
    whole_after_kills(NatsServer::cluster(3), 2).await;
}

async fn whole_after_kills(mut servers: Vec<NatsServer>, rounds: usize) {
    let urls = servers.iter().map(|server| server.url().to_owned()).collect();
    let config = NatsLogConfig { servers: urls, replicas: servers.len(), ..hasty() };
    let there = async { while NatsLog::open(&config, Arc::new(TestClock::new())).await.is_err() {} };
    timeout(LONG, there).await.unwrap();
    let world = World::new(config).await;
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let entropy = Arc::new(SeededEntropy::new(seed));
    let (say, mut said) = mpsc::unbounded_channel();
    let mut answered = BTreeSet::new();
    let mut callers = JoinSet::new();
    for caller in 0..6 {
        let (log, entropy, say) = (world.log.clone(), entropy.clone(), say.clone());
        callers.spawn(async move {
            for nth in 0.. {
                let id = format!("{caller}-{nth}");
                // A third of them does not wait for the answer.
                let patience = if nth % 3 == 0 { entropy.below(3_000) } else { 60_000_000 };
                let acme = tenant("acme");
                let append = log.append(&acme, call(&id));
                if let Ok(Ok(_)) = timeout(Duration::from_micros(patience), append).await {
                    say.send(id).unwrap();
                }
            }
        });
    }
    for _ in 0..rounds {
        for _ in 0..=entropy.below(100) {
            answered.insert(timeout(LONG, said.recv()).await.unwrap().unwrap());
        }
        let nth = usize::try_from(entropy.below(servers.len() as u64)).unwrap();
        servers[nth].kill();
        servers[nth].restart();
    }
    callers.shutdown().await;
    while let Ok(id) = said.try_recv() {
        answered.insert(id);
    }
    let made = async { while world.log.check().await.is_err() {} };
    timeout(LONG, made).await.unwrap();
    let whole = async {
        loop {
            let read = (all(&world.log, FIRST).await, all(&world.log, SECOND).await);
            // A cluster may still be without a leader.
            let (Ok(first), Ok(second)) = read else { continue };
            let sets = (BTreeSet::from_iter(first.clone()), BTreeSet::from_iter(second.clone()));
            assert!(sets.0.len() == first.len() && sets.1.len() == second.len(), "something is there twice");
            if sets.0 == sets.1 && parts_written_down(&world).await == Some(0) {
                return sets.0;
            }
        }
    };
    let there = timeout(LONG, whole).await.expect("what was begun comes to its end");
    let lost: Vec<_> = answered.difference(&there).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
}
