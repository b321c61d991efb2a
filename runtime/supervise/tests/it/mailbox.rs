use std::time::Duration;

use soorma_supervise::{Backoff, CallError, CastError, ChildSpec, Root, Strategy};
use tokio::time::Instant;

use super::fixture::{Args, Diary, Msg, Probe, Start, count, find, patient, probe, settle};

fn small(diary: &Diary, mailbox: u32) -> (ChildSpec, soorma_supervise::Addr<Msg>) {
    let args = Args { name: "a", diary: diary.clone(), start: Start::Well };
    let (spec, addr) = ChildSpec::actor_with_mailbox::<Probe>("a", args, mailbox);
    (spec.backoff(Backoff::NONE), addr)
}

#[tokio::test(start_paused = true)]
async fn a_cast_to_a_full_mailbox_is_refused_and_the_message_comes_back() {
    let (a, addr) = small(&Diary::default(), 3);
    let root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Work(Duration::from_secs(1), "one")).unwrap();
    settle().await;
    for _ in 0..3 {
        addr.cast(Msg::Add).unwrap();
    }
    assert_eq!((find(&root.tree(), "a").depth, addr.credit()), (3, 0));
    let Err(CastError::Overloaded(Msg::Add)) = addr.cast(Msg::Add) else { panic!("a fourth place") };
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((count(&addr).await, addr.credit()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_place_within_its_time() {
    let (a, addr) = small(&Diary::default(), 1);
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Work(Duration::from_secs(10), "one")).unwrap();
    settle().await;
    addr.cast(Msg::Add).unwrap();
    let asked = Instant::now();
    assert_eq!(addr.call(Duration::from_secs(5), Msg::Count).await, Err(CallError::Overloaded));
    assert_eq!(asked.elapsed().as_secs(), 5);
    assert_eq!(addr.call(Duration::from_secs(20), Msg::Count).await, Ok(1));
    let Err(CastError::Overloaded(_)) = ({
        addr.cast(Msg::Work(Duration::from_secs(10), "two")).unwrap();
        settle().await;
        addr.cast(Msg::Add).unwrap();
        addr.send(Msg::Add, Duration::from_secs(1)).await
    }) else {
        panic!("send must not find a place")
    };
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_in_time_says_so() {
    let (a, addr) = small(&Diary::default(), 8);
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Hang).unwrap();
    assert_eq!(addr.call(Duration::from_secs(5), Msg::Count).await, Err(CallError::Timeout));
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_the_mailbox_tells_the_callers_and_frees_the_places() {
    let (a, addr) = small(&Diary::default(), 4);
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    addr.cast(Msg::Work(Duration::from_secs(1), "one")).unwrap();
    settle().await;
    addr.cast(Msg::Panic).unwrap();
    addr.cast(Msg::Add).unwrap();
    assert_eq!(addr.call(Duration::from_secs(10), Msg::Count).await, Err(CallError::Ended));
    settle().await;
    assert_eq!((addr.credit(), count(&addr).await), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn while_it_waits_for_its_restart_an_address_says_when_to_come_back() {
    let diary = Diary::default();
    let (a, addr) = probe("a", &diary);
    let backoff =
        Backoff { jitter: 0.0, ..Backoff::exponential(Duration::from_secs(8), Duration::from_secs(8)) };
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a.backoff(backoff))).await.unwrap();
    addr.cast(Msg::Panic).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let retry_in = Some(Duration::from_secs(5));
    assert!(
        matches!(addr.cast(Msg::Add), Err(CastError::Unavailable { retry_in: at, .. }) if at == retry_in)
    );
    assert_eq!(addr.call(Duration::from_secs(1), Msg::Count).await, Err(CallError::Unavailable { retry_in }));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(count(&addr).await, 0);
}

#[tokio::test(start_paused = true)]
async fn messages_sent_while_an_actor_starts_wait_for_it() {
    let diary = Diary::default();
    let (a, addr) = super::fixture::probe_that("a", &diary, Start::Slow(Duration::from_secs(2)));
    let root = Root::launch(patient("root", Strategy::OneForOne).child(a), 0, None).await.unwrap();
    settle().await;
    addr.cast(Msg::Add).unwrap();
    assert_eq!(addr.call(Duration::from_secs(5), Msg::Count).await, Ok(1));
    root.stop().await.unwrap();
}

/// Many senders at a small mailbox of an actor that keeps crashing: places are neither lost nor made.
#[tokio::test(start_paused = true)]
async fn places_are_conserved_through_crashes() {
    let (a, addr) = small(&Diary::default(), 16);
    let _root = Root::start(patient("root", Strategy::OneForOne).child(a)).await.unwrap();
    let senders = (0..40_u32).map(|n| {
        let addr = addr.clone();
        async move {
            for m in 0..50_u32 {
                let message = if (n + m) % 7 == 0 { Msg::Panic } else { Msg::Add };
                let _refused = addr.send(message, Duration::from_millis(5)).await;
                let _lost = addr.call(Duration::from_millis(5), Msg::Count).await;
            }
        }
    });
    futures_util::future::join_all(senders).await;
    settle().await;
    assert_eq!(addr.credit(), 16);
}
