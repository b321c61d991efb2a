//! Several processes on one log, and calls that are called off.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use soorma_core::{Json, Position, Topic};
use soorma_nats::NatsLog;
use soorma_ports::{Consumer, ConsumerSpec, EventLog, Reach, Settle, Start};
use soorma_testkit::{event, name, tenant};
use tokio::task::JoinSet;

use super::world::{World, config};

const TOPIC: Topic = Topic::TaskEvents;
const LONG: Duration = Duration::from_secs(60);

fn spec() -> ConsumerSpec {
    ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [TOPIC].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(600),
        max_attempts: 3,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    }
}

async fn append(log: &NatsLog, id: &str) {
    log.append(&tenant("acme"), vec![Arc::new(event(id, TOPIC))]).await.unwrap();
}

/// Another process on the same log.
async fn other(world: &World) -> Arc<NatsLog> {
    NatsLog::open(&world.config, world.clock.clone()).await.unwrap()
}

async fn settle(member: &Arc<dyn Consumer>, id: soorma_ports::DeliveryId, settle: Settle) -> bool {
    member.settle(vec![(id, settle)]).await.unwrap()[0]
}

#[tokio::test]
async fn members_in_two_processes_share_the_events_and_the_credit() {
    let world = World::new(config()).await;
    let there = other(&world).await;
    let scarce = ConsumerSpec { max_unsettled: 2, ..spec() };
    let (ours, theirs) =
        (world.log.consumer(scarce.clone()).await.unwrap(), there.consumer(scarce).await.unwrap());
    for id in ["a", "b", "c"] {
        append(&world.log, id).await;
    }
    let a = ours.next(1, LONG).await.unwrap().remove(0);
    let b = theirs.next(5, LONG).await.unwrap();
    assert_eq!(b.len(), 1, "two in hand, whoever has them");
    let waiting = {
        let theirs = theirs.clone();
        let mut waiting = JoinSet::new();
        waiting.spawn(async move { theirs.next(5, LONG).await.unwrap() });
        waiting
    };
    tokio::task::yield_now().await;
    // What one process settles, and whoever held it, gives credit to the other.
    assert!(settle(&theirs, a.id, Settle::Ack).await);
    assert!(!settle(&ours, a.id, Settle::Ack).await);
    let c = waiting.join_all().await.remove(0);
    assert_eq!(c[0].event.id.as_str(), "c");
}

#[tokio::test]
async fn an_old_holder_in_another_process_may_only_ack() {
    let world = World::new(config()).await;
    let there = other(&world).await;
    let (ours, theirs) = (world.log.consumer(spec()).await.unwrap(), there.consumer(spec()).await.unwrap());
    append(&world.log, "a").await;
    let old = ours.next(1, LONG).await.unwrap().remove(0).id;
    world.elapse(Duration::from_secs(601)).await;
    let new = theirs.next(1, LONG).await.unwrap().remove(0).id;
    assert_eq!(new.attempt, 2);
    for settlement in [
        Settle::Extend,
        Settle::Release { after: Duration::ZERO },
        Settle::Retry { after: Duration::ZERO, cause: "late".into() },
        Settle::Reject { cause: "late".into() },
    ] {
        assert!(!settle(&ours, old, settlement).await);
    }
    assert!(settle(&ours, old, Settle::Ack).await);
    assert!(!settle(&theirs, new, Settle::Ack).await);
}

#[tokio::test]
async fn processes_that_work_against_each_other_settle_each_event_once() {
    let world = World::new(config()).await;
    let mut members = JoinSet::new();
    for _ in 0..3 {
        let log = other(&world).await;
        let member = log.consumer(ConsumerSpec { max_unsettled: 50, ..spec() }).await.unwrap();
        members.spawn(async move {
            let mut done = Vec::new();
            loop {
                let some = member.next(7, Duration::from_secs(2)).await.unwrap();
                if some.is_empty() {
                    return done;
                }
                for delivery in some {
                    assert_eq!(delivery.id.attempt, 1);
                    assert!(settle(&member, delivery.id, Settle::Ack).await);
                    done.push(delivery.event.id.to_string());
                }
            }
        });
    }
    let all: Vec<String> = (0..200).map(|nth| format!("e{nth:03}")).collect();
    for id in &all {
        append(&world.log, id).await;
    }
    let mut done: Vec<String> = members.join_all().await.into_iter().flatten().collect();
    done.sort_unstable();
    assert_eq!(done, all);
}

#[tokio::test]
async fn a_call_over_topics_that_a_process_began_is_finished_by_the_next() {
    let world = World::new(config()).await;
    let acme = tenant("acme");
    append(&world.log, "b").await;
    // As it is when a process dies after it has written the call down.
    let jetstream = world.jetstream().await;
    let parts = [event("a", TOPIC), event("b", TOPIC), event("c", Topic::PlanEvents)];
    for (nth, part) in parts.iter().enumerate() {
        let subject = format!("{}.calls.dead-3.{nth}", world.config.prefix);
        let payload = format!("acme\n{}", part.to_json(Json::Snake));
        jetstream.publish(subject, payload.into()).await.unwrap().await.unwrap();
    }
    let world = world.reopen().await;
    let calls = format!("{}-calls", world.config.prefix);
    let left = async || jetstream.get_stream(&calls).await.unwrap().cached_info().state.messages;
    assert!(tokio::time::timeout(LONG, async { while left().await > 0 {} }).await.is_ok(), "it is finished");
    for (topic, expected) in [(TOPIC, vec!["b", "a"]), (Topic::PlanEvents, vec!["c"])] {
        let page = world.log.read(&Reach::Tenant(acme.clone()), topic, Position(0), 10).await.unwrap();
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.event.id.as_str()).collect();
        assert_eq!(ids, expected);
    }
}

#[tokio::test]
async fn what_another_program_places_on_our_subjects_disturbs_nobody() {
    let world = World::new(config()).await;
    let acme = tenant("acme");
    let jetstream = world.jetstream().await;
    let prefix = &world.config.prefix;
    let member = world.log.consumer(spec()).await.unwrap();
    let mut follower = world.log.follow(TOPIC, Position(0)).await.unwrap();
    append(&world.log, "a").await;
    for (token, payload) in [
        ("acme.x", "no envelope".to_owned()),
        ("acme.=", String::new()),
        ("=ZZ.y", event("y", TOPIC).to_json(Json::Snake)),
        ("acme.other-id", event("z", TOPIC).to_json(Json::Snake)),
        ("acme.elsewhere", event("elsewhere", Topic::PlanEvents).to_json(Json::Snake)),
    ] {
        let subject = format!("{prefix}.events.task-events.{token}");
        jetstream.publish(subject, payload.into()).await.unwrap().await.unwrap();
    }
    append(&world.log, "b").await;
    let page = world.log.read(&Reach::Tenant(acme), TOPIC, Position(0), 10).await.unwrap();
    let read: Vec<_> = page.entries.iter().map(|entry| entry.event.id.as_str()).collect();
    assert_eq!(read, ["a", "b"]);
    let handed = member.next(10, Duration::ZERO).await.unwrap();
    let handed: Vec<_> = handed.iter().map(|delivery| delivery.event.id.as_str()).collect();
    assert_eq!(handed, ["a", "b"]);
    let mut followed = Vec::new();
    while followed.len() < 2 {
        followed.extend(follower.next().await.unwrap().into_iter().map(|entry| entry.event.id.to_string()));
    }
    assert_eq!(followed, ["a", "b"]);

    // At the end, where one waits, and as if more of it were to come.
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Soorma-Goes-On", "1");
    let subject = format!("{prefix}.events.task-events.acme.never-ends");
    jetstream.publish_with_headers(subject, headers, "no envelope".into()).await.unwrap().await.unwrap();
    assert_eq!(member.next(10, Duration::ZERO).await, Ok(vec![]));
    append(&world.log, "c").await;
    assert_eq!(member.next(10, LONG).await.unwrap()[0].event.id.as_str(), "c");
    assert_eq!(follower.next().await.unwrap()[0].event.id.as_str(), "c");
}

#[tokio::test]
async fn a_hand_out_that_nobody_took_comes_again_as_the_same_attempt() {
    let world = World::new(config()).await;
    let member = world.log.consumer(ConsumerSpec { max_attempts: 1, ..spec() }).await.unwrap();
    for nth in 0..30 {
        append(&world.log, &format!("e{nth}")).await;
        {
            let next = member.next(1, LONG);
            tokio::pin!(next);
            let asked = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
            assert!(asked, "the server has to be asked first");
            // Half of them are called off when they are asked, half when they are somewhere on their way.
            if nth % 2 == 0 {
                world.log.check().await.unwrap();
            }
        }
        let got = member.next(1, LONG).await.unwrap();
        assert_eq!((got[0].event.id.as_str(), got[0].id.attempt), (format!("e{nth}").as_str(), 1));
        assert!(settle(&member, got[0].id, Settle::Ack).await);
    }
}

#[tokio::test]
async fn an_event_that_the_server_would_not_take_is_refused_with_its_limit() {
    let world = World::new(config()).await;
    let mut large = event("large", TOPIC);
    large.subject = Some("x".repeat(2 << 20));
    let error = world.log.append(&tenant("acme"), vec![Arc::new(large)]).await.unwrap_err();
    assert!(error.to_string().contains("max_payload"), "{error}");
    let many = (0..1_001).map(|nth| Arc::new(event(&format!("e{nth}"), TOPIC)));
    let error = world.log.append(&tenant("acme"), many.collect()).await.unwrap_err();
    assert!(error.to_string().contains("1001"), "{error}");
    assert_eq!(world.log.bounds(TOPIC).await.unwrap().head, Position(0), "nothing of it is there");
}
