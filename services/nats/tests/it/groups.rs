//! Groups after something went wrong: a stream was deleted, a notice was lost, a process ended in the middle.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use soorma_core::{Event, Position, Topic};
use soorma_nats::{NatsLog, NatsLogConfig};
use soorma_ports::{
    Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, EventLog, GroupCommand, Reach, Settle,
    Start,
};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{event, name, tenant};
use tokio::time::timeout;

use super::world::{World, config};

const TOPIC: Topic = Topic::TaskEvents;
const LEASE: Duration = Duration::from_secs(600);
/// Longer than anything here takes that does not wait for an answer which never comes.
const LONG: Duration = Duration::from_secs(60);

fn spec() -> ConsumerSpec {
    ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: LEASE,
        max_attempts: 3,
        max_unsettled: 2_000,
        key: None,
        expire_after: None,
    }
}

async fn append(log: &NatsLog, whose: &str, ids: impl IntoIterator<Item = String>) {
    let events: Vec<Arc<Event>> = ids.into_iter().map(|id| Arc::new(event(&id, TOPIC))).collect();
    log.append(&tenant(whose), events).await.unwrap();
}

fn some(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|nth| format!("e{nth}"))
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.id.as_str()).collect()
}

async fn settle(member: &Arc<dyn Consumer>, deliveries: &[Delivery], how: Settle) {
    let settlements = deliveries.iter().map(|delivery| (delivery.id, how.clone()));
    let counted = member.settle(settlements.collect()).await.unwrap();
    assert!(counted.iter().all(|counts| *counts), "{counted:?}");
}

fn reject() -> Settle {
    Settle::Reject { cause: "no".into() }
}

/// Deletes the stream of a topic, as an operator would.
async fn delete(world: &World, topic: Topic) {
    let stream = format!("{}-{topic}", world.config.prefix);
    world.jetstream().await.delete_stream(stream).await.unwrap();
}

/// Another process on the same log; it makes what is missing.
async fn other(world: &World) -> Arc<NatsLog> {
    NatsLog::open(&world.config, world.clock.clone()).await.unwrap()
}

async fn letters(log: &NatsLog) -> Vec<DeadLetter> {
    log.dead_letters(&tenant("acme"), &DeadLetterFilter::default(), 0, 10_000).await.unwrap()
}

async fn announced(log: &NatsLog) -> usize {
    let all =
        log.read(&Reach::Tenant(tenant("acme")), Topic::SystemEvents, Position(0), 10_000).await.unwrap();
    all.entries.iter().filter(|entry| entry.event.kind == DeadLetter::ANNOUNCEMENT).count()
}

#[tokio::test]
async fn a_topic_that_was_deleted_is_worked_through_from_its_new_beginning() {
    let world = World::new(config()).await;
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world.log, "acme", some(5)).await;
    let in_hand = member.next(5, Duration::ZERO).await.unwrap();
    settle(&member, &in_hand[..3], Settle::Ack).await;
    drop(member);
    delete(&world, TOPIC).await;
    let world = world.reopen().await;
    // Also what was appended before anybody has joined.
    append(&world.log, "acme", ["new".to_owned()]).await;
    let member = world.log.consumer(spec()).await.unwrap();
    assert_eq!(ids(&member.next(10, Duration::ZERO).await.unwrap()), ["new"]);
    let status = world.log.group(&tenant("acme"), &name("workers")).await.unwrap().unwrap();
    assert_eq!((status.in_hand, status.waiting), (1, 0), "what was open is gone with the topic");
    assert_eq!(status.topics[&TOPIC].position, Position(1));
}

#[tokio::test]
async fn a_member_that_lives_on_hears_that_its_topic_was_deleted_when_it_is_connected_again() {
    let mut server = NatsServer::start(&[]);
    let world = World::new(NatsLogConfig { servers: vec![server.url().to_owned()], ..config() }).await;
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world.log, "acme", some(5)).await;
    let in_hand = member.next(5, Duration::ZERO).await.unwrap();
    settle(&member, &in_hand, Settle::Ack).await;
    delete(&world, TOPIC).await;
    drop(other(&world).await);
    server.restart();
    timeout(LONG, async { while world.log.check().await.is_err() {} }).await.unwrap();
    append(&world.log, "acme", ["new".to_owned()]).await;
    assert_eq!(ids(&member.next(1, LONG).await.unwrap()), ["new"]);
}

/// As after a power cut that took the end of the topic.
#[tokio::test]
async fn a_place_behind_the_end_of_a_topic_is_its_end() {
    let world = World::new(config()).await;
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world.log, "acme", some(3)).await;
    let in_hand = member.next(3, Duration::ZERO).await.unwrap();
    settle(&member, &in_hand, Settle::Ack).await;
    let jetstream = world.jetstream().await;
    let groups = jetstream.get_stream(format!("{}-groups", world.config.prefix)).await.unwrap();
    let subject = format!("{}.groups.state.acme.workers", world.config.prefix);
    let state = groups.get_last_raw_message_by_subject(&subject).await.unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&state.payload).unwrap();
    state["cursors"][TOPIC.as_str()] = 50_000.into();
    jetstream.publish(subject, state.to_string().into()).await.unwrap().await.unwrap();
    let there = other(&world).await.consumer(spec()).await.unwrap();
    append(&world.log, "acme", ["new".to_owned()]).await;
    // Also the one that has heard of another place before.
    assert_eq!(ids(&member.next(10, LONG).await.unwrap()), ["new"]);
    assert_eq!(there.next(10, Duration::ZERO).await, Ok(vec![]));
}

#[tokio::test]
async fn what_stands_now_where_an_open_event_stood_is_not_shown_to_another_tenant() {
    let world = World::new(config()).await;
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world.log, "acme", some(3)).await;
    assert_eq!(member.next(3, Duration::ZERO).await.unwrap().len(), 3);
    drop(member);
    // The server gives positions anew only after a damage; what it says of the streams is as it was.
    let subject = format!("{}.events.{TOPIC}.globex.theirs", world.config.prefix);
    let theirs = event("theirs", TOPIC).to_json(soorma_core::Json::Snake);
    let jetstream = world.jetstream().await;
    let theirs = jetstream.publish(subject, theirs.into()).await.unwrap().await.unwrap();
    let groups = jetstream.get_stream(format!("{}-groups", world.config.prefix)).await.unwrap();
    let subject = format!("{}.groups.state.acme.workers", world.config.prefix);
    let state = groups.get_last_raw_message_by_subject(&subject).await.unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&state.payload).unwrap();
    state["open"][0][1] = theirs.sequence.into();
    jetstream.publish(subject, state.to_string().into()).await.unwrap().await.unwrap();
    let world = world.reopen().await;
    let member = world.log.consumer(spec()).await.unwrap();
    world.elapse(LEASE * 2).await;
    let mut handed = member.next(10, Duration::ZERO).await.unwrap();
    handed.extend(member.next(10, Duration::ZERO).await.unwrap());
    assert_eq!(ids(&handed), ["e1", "e2"]);
}

#[tokio::test]
async fn any_number_of_dead_letters_is_announced_when_it_can_be_done_again() {
    const MANY: usize = 1_100;
    let world = World::new(config()).await;
    let member = world.log.consumer(spec()).await.unwrap();
    delete(&world, Topic::SystemEvents).await;
    append(&world.log, "acme", some(1_000)).await;
    append(&world.log, "acme", (1_000..MANY).map(|nth| format!("e{nth}"))).await;
    let mut left = MANY;
    while left > 0 {
        let in_hand = member.next(left, Duration::ZERO).await.unwrap();
        settle(&member, &in_hand, reject()).await;
        left -= in_hand.len();
    }
    assert_eq!(letters(&world.log).await.len(), MANY);
    drop(member);
    let world = world.reopen().await;
    assert_eq!(announced(&world.log).await, 0, "nothing could be told");
    let member = world.log.consumer(spec()).await.unwrap();
    assert_eq!(member.next(1, Duration::ZERO).await, Ok(vec![]));
    assert_eq!(announced(&world.log).await, MANY);
}

async fn command(log: &NatsLog, command: GroupCommand) {
    assert_eq!(log.command(&tenant("acme"), &name("workers"), command).await, Ok(true));
}

/// Has the server say no more of what is stored.
async fn silence(world: &World, stream: &str) {
    let jetstream = world.jetstream().await;
    let stream = jetstream.get_stream(format!("{}-{stream}", world.config.prefix)).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.republish = None;
    jetstream.update_stream(config).await.unwrap();
}

#[tokio::test]
async fn what_was_stored_unheard_is_found_when_the_wait_is_over() {
    let world = World::new(config()).await;
    let there = other(&world).await;
    let member = world.log.consumer(spec()).await.unwrap();
    assert_eq!(member.next(1, Duration::ZERO).await, Ok(vec![]));
    for stream in [TOPIC.as_str(), "groups"] {
        silence(&world, stream).await;
    }
    let wait = Duration::from_secs(2);
    let unheard = async {
        world.log.check().await.unwrap();
        append(&there, "acme", ["a".to_owned()]).await;
    };
    let (handed, ()) = tokio::join!(member.next(1, wait), unheard);
    assert_eq!(ids(&handed.unwrap()), ["a"]);
    // Neither does it hear that it is paused, resumed or sought.
    command(&world.log, GroupCommand::Pause).await;
    append(&there, "acme", ["b".to_owned()]).await;
    assert_eq!(member.next(1, Duration::ZERO).await, Ok(vec![]));
    let unheard = async {
        world.log.check().await.unwrap();
        command(&there, GroupCommand::Resume).await;
    };
    let (handed, ()) = tokio::join!(member.next(1, wait), unheard);
    let handed = handed.unwrap();
    assert_eq!(ids(&handed), ["b"]);
    settle(&member, &handed, Settle::Ack).await;
    command(&there, GroupCommand::Seek(Start::Earliest)).await;
    assert_eq!(ids(&member.next(1, Duration::ZERO).await.unwrap()), ["b"], "also who does not wait");
}

#[tokio::test]
async fn what_a_removal_left_goes_with_the_next() {
    let world = World::new(config()).await;
    let member = world.log.consumer(spec()).await.unwrap();
    append(&world.log, "acme", some(2)).await;
    let in_hand = member.next(2, Duration::ZERO).await.unwrap();
    settle(&member, &in_hand, reject()).await;
    drop(member);
    // As it is when a process dies between the two.
    let jetstream = world.jetstream().await;
    let groups = jetstream.get_stream(format!("{}-groups", world.config.prefix)).await.unwrap();
    let state = format!("{}.groups.state.acme.workers", world.config.prefix);
    groups.purge().filter(state).await.unwrap();
    assert_eq!(letters(&world.log).await.len(), 2);
    let removed = world.log.command(&tenant("acme"), &name("workers"), GroupCommand::Remove).await;
    assert_eq!(removed, Ok(false), "there is no such group");
    assert_eq!(letters(&world.log).await, []);
}

#[tokio::test]
async fn what_the_last_member_did_not_take_goes_to_the_next_at_once() {
    let world = World::new(config()).await;
    for nth in 0..10 {
        append(&world.log, "acme", [format!("e{nth}")]).await;
        {
            let member = world.log.consumer(spec()).await.unwrap();
            let next = member.next(1, LONG);
            tokio::pin!(next);
            let asked = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
            assert!(asked, "the server has to be asked first");
            // Half of them end when they are asked, half when it is somewhere on its way.
            if nth % 2 == 0 {
                world.log.check().await.unwrap();
            }
        }
        let member = world.log.consumer(spec()).await.unwrap();
        let handed = member.next(1, Duration::from_secs(10)).await.unwrap();
        assert_eq!(ids(&handed), [format!("e{nth}")]);
        assert_eq!(handed[0].id.attempt, 1);
        settle(&member, &handed, Settle::Ack).await;
    }
}
