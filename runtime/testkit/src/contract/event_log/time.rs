//! Clause 2 of the consumer, and what becomes of its times when processes end and clocks jump.

use soorma_ports::{ConsumerSpec, Settle};
use tokio::task::JoinSet;

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, REQUESTS, append, assert_nothing, handed, ids, read_all, retry, settle, spec, take_one,
    wait_while, workers,
};

const HOUR: i64 = 3_600;

/// Clause 2.
pub(super) async fn unsettled_in_time_is_handed_out_again<H: EventLogHarness>(h: H) {
    let (one, other) = (workers(&h).await, workers(&h).await);
    append(&h.log(), REQUESTS, &["a"]).await;
    assert_eq!(take_one(&one).await.id.attempt, 1);
    h.elapse(H::UNIT * 3).await;
    assert_nothing(&other).await;
    h.elapse(H::UNIT * 2).await;
    let delivery = take_one(&other).await;
    assert_eq!((delivery.event.id.as_str(), delivery.id.attempt), ("a", 2));
}

/// Clause 2.
pub(super) async fn a_lease_that_ends_wakes_a_waiting_member<H: EventLogHarness>(h: H) {
    let (one, other) = (workers(&h).await, workers(&h).await);
    append(&h.log(), REQUESTS, &["a"]).await;
    take_one(&one).await;
    assert_eq!(wait_while(&h, &other, h.elapse(H::UNIT * 5)).await.id.attempt, 2);
}

/// Clause 2: the other waits already when there is nothing at all.
pub(super) async fn a_member_that_waited_before_the_lease_is_woken_too<H: EventLogHarness>(h: H) {
    let one_at_a_time = ConsumerSpec { max_unsettled: 1, ..spec::<H>("workers", &[REQUESTS]) };
    let mut members = JoinSet::new();
    for _ in 0..3 {
        let member = h.log().consumer(one_at_a_time.clone()).await.unwrap();
        members.spawn(async move { member.next(1, H::UNIT * 50).await.unwrap().remove(0).id.attempt });
    }
    tokio::task::yield_now().await;
    append(&h.log(), REQUESTS, &["a"]).await;
    for attempt in 1..=3 {
        assert_eq!(members.join_next().await.unwrap().unwrap(), attempt);
        // None of the holders settles.
        h.elapse(H::UNIT * 5).await;
    }
}

/// Clause 2.
pub(super) async fn extending_starts_the_time_anew<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    for _ in 0..4 {
        h.elapse(H::UNIT * 3).await;
        assert_nothing(&member).await;
        assert!(settle(&member, delivery.id, Settle::Extend).await);
    }
    h.elapse(H::UNIT * 5).await;
    assert_eq!(take_one(&member).await.id.attempt, 2);
}

/// Clause 2.
pub(super) async fn unsettled_when_the_process_ends_is_handed_out_again<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    assert_eq!(member.next(2, AT_ONCE).await.unwrap().len(), 2);
    drop(member);
    let h = h.reopen().await;
    let member = workers(&h).await;
    h.elapse(H::UNIT * 5).await;
    let again = member.next(10, AT_ONCE).await.unwrap();
    assert_eq!(handed(&again), ["a", "b"]);
    assert_eq!(again[0].id.attempt, 2, "the oldest counts as tried");
    assert!(again[1].id.attempt <= 2, "a log that knows that the process ended does not blame the others");
}

/// Clause 2.
pub(super) async fn attempts_survive_reopening<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    assert!(settle(&member, delivery.id, retry(AT_ONCE)).await);
    drop(member);
    let h = h.reopen().await;
    assert_eq!(take_one(&workers(&h).await).await.id.attempt, 2);
}

/// Clause 4.
pub(super) async fn a_retry_time_survives_reopening<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    assert!(settle(&member, delivery.id, retry(H::UNIT * 40)).await);
    drop(member);
    h.elapse(H::UNIT * 10).await;
    let h = h.reopen().await;
    let member = workers(&h).await;
    h.elapse(H::UNIT * 20).await;
    assert_nothing(&member).await;
    h.elapse(H::UNIT * 15).await;
    assert_eq!(take_one(&member).await.id.attempt, 2);
}

pub(super) async fn a_clock_set_back_loses_nothing<H: EventLogHarness>(h: H) {
    let (log, member) = (h.log(), workers(&h).await);
    let before = append(&log, REQUESTS, &["leased", "retried"]).await[1].position;
    let in_hand = member.next(2, AT_ONCE).await.unwrap();
    assert!(settle(&member, in_hand[1].id, retry(H::UNIT * 2)).await);
    h.jump(-HOUR);
    assert!(append(&log, REQUESTS, &["new"]).await[0].position > before);
    assert_eq!(take_one(&member).await.event.id.as_str(), "new");
    h.elapse(H::UNIT * 3).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["retried"], "its time is up all the same");
    h.elapse(H::UNIT * 5).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["leased", "new", "retried"]);
    assert_eq!(ids(&read_all(&log, "acme", REQUESTS).await), ["leased", "retried", "new"]);
}

pub(super) async fn a_clock_set_back_between_processes_loses_nothing<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["leased", "retried"]).await;
    let in_hand = member.next(2, AT_ONCE).await.unwrap();
    assert!(settle(&member, in_hand[1].id, retry(H::UNIT * 10)).await);
    drop(member);
    h.jump(-HOUR);
    let h = h.reopen().await;
    let member = workers(&h).await;
    h.elapse(H::UNIT * 5).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["leased"]);
    h.elapse(H::UNIT * 6).await;
    let again = member.next(10, AT_ONCE).await.unwrap();
    assert!(
        handed(&again).contains(&"retried"),
        "an hour that was lived twice does not put it off: {again:?}"
    );
}

/// Clause 4.
pub(super) async fn a_clock_set_forward_hands_out_nothing_early<H: EventLogHarness>(h: H) {
    let (log, member) = (h.log(), workers(&h).await);
    append(&log, REQUESTS, &["leased", "retried"]).await;
    let in_hand = member.next(2, AT_ONCE).await.unwrap();
    assert!(settle(&member, in_hand[1].id, retry(H::UNIT * 10)).await);
    h.jump(HOUR * 24 * 365);
    append(&log, REQUESTS, &["new"]).await;
    assert_eq!(take_one(&member).await.event.id.as_str(), "new");
    assert_eq!(
        ids(&read_all(&log, "acme", REQUESTS).await),
        ["leased", "retried", "new"],
        "nothing is old yet"
    );
}
