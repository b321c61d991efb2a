//! A call of `next` that is called off does not keep events from others.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rusqlite::Connection;
use soorma_core::Topic;
use soorma_ports::{Consumer, ConsumerSpec, EventLog, Settle, Start};
use soorma_sqlite::SqliteLogConfig;
use soorma_testkit::{event, name, tenant};

use super::world::World;

async fn member(world: &World) -> Arc<dyn Consumer> {
    let spec = ConsumerSpec {
        tenant: tenant("acme"),
        group: name("workers"),
        topics: [Topic::TaskEvents].into(),
        start: Start::Earliest,
        ack_within: Duration::from_secs(3_600),
        max_attempts: 1,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    };
    world.log.consumer(spec).await.unwrap()
}

/// Drops a call of `next` on its way: when it has been sent, or when it has been answered and nobody has taken it.
async fn call_off(world: &World, member: &dyn Consumer, answered: bool) {
    let next = member.next(1, Duration::from_secs(60));
    tokio::pin!(next);
    let meanwhile = Connection::open(world.path()).unwrap();
    meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
    let is_ready = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_ready())).await;
    assert!(!is_ready, "the writer has to wait for the other connection");
    meanwhile.execute_batch("ROLLBACK").unwrap();
    if answered {
        // The writer answers in the order in which it is asked.
        world.log.check().await.unwrap();
    }
}

#[tokio::test]
async fn a_hand_out_that_nobody_took_comes_again_as_the_same_attempt() {
    let world = World::new(SqliteLogConfig::default());
    let (member, acme) = (member(&world).await, tenant("acme"));
    for nth in 0..50 {
        let appended = vec![Arc::new(event(&format!("e{nth}"), Topic::TaskEvents))];
        world.log.append(&acme, appended).await.unwrap();
        call_off(&world, &*member, nth % 2 == 0).await;
        let got = member.next(1, Duration::from_secs(60)).await.unwrap();
        assert_eq!((got[0].event.id.as_str(), got[0].id.attempt), (format!("e{nth}").as_str(), 1));
        member.settle(vec![(got[0].id, Settle::Ack)]).await.unwrap();
    }
}

#[tokio::test]
async fn it_wakes_a_member_that_waits() {
    let world = World::new(SqliteLogConfig::default());
    let (one, other) = (member(&world).await, member(&world).await);
    let batch = vec![Arc::new(event("a", Topic::TaskEvents))];
    world.log.append(&tenant("acme"), batch).await.unwrap();
    let wait = Duration::from_secs(60);
    for nth in 0..20 {
        // Whether the one or the other gets it first: in the end it is the other's.
        let (_, got) = tokio::join!(call_off(&world, &*one, nth % 2 == 0), other.next(1, wait));
        let got = got.unwrap();
        assert_eq!(got[0].id.attempt, 1);
        let released = Settle::Release { after: Duration::ZERO };
        other.settle(vec![(got[0].id, released)]).await.unwrap();
    }
}

/// Polls a call once; says whether it has come to its end.
async fn poll(call: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *call).poll(cx).is_ready())).await
}

#[tokio::test]
async fn a_member_that_was_called_and_goes_away_passes_the_call_on() {
    let world = World::new(SqliteLogConfig::default());
    let (one, other) = (member(&world).await, member(&world).await);
    let wait = Duration::from_secs(3_600);
    let (mut first, mut second) = (one.next(1, wait), other.next(1, wait));
    // In this order, so the first is the one that is called. The writer answers in the order in which it is asked.
    for call in [&mut first, &mut second] {
        assert!(!poll(call).await);
        world.log.check().await.unwrap();
        assert!(!poll(call).await, "it waits");
    }
    {
        let batch = vec![Arc::new(event("a", Topic::TaskEvents))];
        world.log.append(&tenant("acme"), batch).await.unwrap();
        // The writer is busy, so the question of the first stays on its way and is dropped with it.
        let meanwhile = Connection::open(world.path()).unwrap();
        meanwhile.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut busy = world.log.check();
        assert!(!poll(&mut busy).await);
        assert!(!poll(&mut first).await, "it has been called, and asks");
        drop(first);
        meanwhile.execute_batch("ROLLBACK").unwrap();
    }
    let got = tokio::time::timeout(Duration::from_secs(60), second).await.expect("the other is called");
    assert_eq!(got.unwrap()[0].event.id.as_str(), "a");
}
