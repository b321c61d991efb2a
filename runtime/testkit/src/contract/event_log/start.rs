//! Clause 8 of the consumer.

use std::time::Duration;

use soorma_core::{Cursor, Position};
use soorma_ports::{ConsumerSpec, EventLogError, Settle, Start};

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, FACTS, REQUESTS, append, assert_nothing, handed, positions, retry, settle, spec, take_one,
    workers,
};

fn starting<H: EventLogHarness>(start: Start) -> ConsumerSpec {
    ConsumerSpec { start, ..spec::<H>("workers", &[REQUESTS, FACTS]) }
}

pub(super) async fn made_now_it_gets_what_comes_after_the_answer<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["old"]).await;
    let group = log.consumer(starting::<H>(Start::Now)).await.unwrap();
    assert_nothing(&group).await;
    append(&log, REQUESTS, &["new"]).await;
    append(&log, FACTS, &["fact"]).await;
    let mut all = group.next(10, H::UNIT).await.unwrap();
    while all.len() < 2 {
        all.extend(group.next(10, H::UNIT).await.unwrap());
    }
    let mut all = handed(&all);
    all.sort_unstable();
    assert_eq!(all, ["fact", "new"]);
}

pub(super) async fn made_at_the_earliest_it_gets_all<H: EventLogHarness>(h: H) {
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    assert_eq!(handed(&workers(&h).await.next(10, H::UNIT).await.unwrap()), ["a", "b"]);
}

pub(super) async fn made_after_a_cursor_it_gets_what_stands_after_it<H: EventLogHarness>(h: H) {
    let log = h.log();
    let places = positions(&append(&log, REQUESTS, &["a", "b", "c"]).await);
    append(&log, FACTS, &["not named, so not handed out"]).await;
    let cursor = Cursor::from_iter([(REQUESTS, places[0])]);
    let group = log.consumer(starting::<H>(Start::After(cursor))).await.unwrap();
    assert_eq!(handed(&group.next(10, H::UNIT).await.unwrap()), ["b", "c"]);
    assert_nothing(&group).await;
}

pub(super) async fn a_cursor_out_of_bounds_is_refused<H: EventLogHarness>(h: H) {
    let log = h.log();
    let after = append(&log, REQUESTS, &["a", "b"]).await;
    let (first, head) = (after[0].position, after[1].position);
    let ahead = Position(head.0 + 1);
    let start = |after| starting::<H>(Start::After(Cursor::from_iter([(REQUESTS, after)])));
    let beyond = EventLogError::Beyond { topic: REQUESTS, after: ahead, head };
    assert_eq!(log.consumer(start(ahead)).await.unwrap_err(), beyond);
    h.elapse(H::RETAIN_FOR + H::UNIT).await;
    append(&log, REQUESTS, &["c"]).await;
    let gone = EventLogError::Gone { topic: REQUESTS, after: first, before_first: head };
    assert_eq!(log.consumer(start(first)).await.unwrap_err(), gone);
    // A group that was refused was not made: its start still counts.
    let group = log.consumer(start(head)).await.unwrap();
    assert_eq!(handed(&group.next(10, H::UNIT).await.unwrap()), ["c"]);
}

pub(super) async fn a_spec_that_makes_no_sense_is_refused<H: EventLogHarness>(h: H) {
    let good = spec::<H>("workers", &[REQUESTS]);
    for wrong in [
        ConsumerSpec { topics: [].into(), ..good.clone() },
        ConsumerSpec { max_attempts: 0, ..good.clone() },
        ConsumerSpec { max_unsettled: 0, ..good.clone() },
        ConsumerSpec { ack_within: Duration::ZERO, ..good.clone() },
    ] {
        let answer = h.log().consumer(wrong).await;
        assert!(matches!(answer, Err(EventLogError::Invalid(_))), "{answer:?}");
    }
}

pub(super) async fn start_counts_only_when_it_is_made<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["old"]).await;
    log.consumer(starting::<H>(Start::Now)).await.unwrap();
    let group = log.consumer(starting::<H>(Start::Earliest)).await.unwrap();
    assert_nothing(&group).await;
    append(&log, REQUESTS, &["new"]).await;
    let ahead = Start::After(Cursor::from_iter([(REQUESTS, Position(u64::MAX))]));
    let group = log.consumer(starting::<H>(ahead)).await.unwrap();
    assert_eq!(take_one(&group).await.event.id.as_str(), "new");
}

pub(super) async fn a_reopened_group_resumes_where_it_was<H: EventLogHarness>(h: H) {
    let group = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b", "c"]).await;
    for delivery in group.next(2, AT_ONCE).await.unwrap() {
        assert!(settle(&group, delivery.id, Settle::Ack).await);
    }
    drop(group);
    let h = h.reopen().await;
    append(&h.log(), REQUESTS, &["d"]).await;
    let group = workers(&h).await;
    assert_eq!(handed(&group.next(10, H::UNIT).await.unwrap()), ["c", "d"]);
}

pub(super) async fn a_topic_added_later_starts_now<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, FACTS, &["old fact"]).await;
    append(&log, REQUESTS, &["a"]).await;
    workers(&h).await;
    drop(log);
    let h = h.reopen().await;
    let group = h.log().consumer(spec::<H>("workers", &[REQUESTS, FACTS])).await.unwrap();
    assert_eq!(handed(&group.next(10, H::UNIT).await.unwrap()), ["a"]);
    append(&h.log(), FACTS, &["new fact"]).await;
    assert_eq!(handed(&group.next(10, H::UNIT).await.unwrap()), ["new fact"]);
}

pub(super) async fn a_member_gets_its_own_topics_only<H: EventLogHarness>(h: H) {
    let log = h.log();
    let both = log.consumer(spec::<H>("workers", &[REQUESTS, FACTS])).await.unwrap();
    let one = workers(&h).await;
    append(&log, FACTS, &["to be retried", "fact"]).await;
    let delivery = both.next(1, H::UNIT).await.unwrap().remove(0);
    assert!(settle(&both, delivery.id, retry(AT_ONCE)).await);
    append(&log, REQUESTS, &["a", "b"]).await;
    // What is due again and what stands before it are not for this member.
    assert_eq!(handed(&one.next(1, H::UNIT).await.unwrap()), ["a"]);
    let mut rest = Vec::new();
    while rest.len() < 3 {
        rest.extend(both.next(10, H::UNIT).await.unwrap());
    }
    let mut rest = handed(&rest);
    rest.sort_unstable();
    assert_eq!(rest, ["b", "fact", "to be retried"]);
    assert_nothing(&one).await;
}

pub(super) async fn a_topic_that_nobody_asks_for_waits<H: EventLogHarness>(h: H) {
    let log = h.log();
    let both = spec::<H>("workers", &[REQUESTS, FACTS]);
    drop(log.consumer(both.clone()).await.unwrap());
    let one = workers(&h).await;
    append(&log, FACTS, &["meanwhile"]).await;
    assert_nothing(&one).await;
    drop((log, one));
    let h = h.reopen().await;
    let group = h.log().consumer(both).await.unwrap();
    assert_eq!(handed(&group.next(10, H::UNIT).await.unwrap()), ["meanwhile"]);
}

pub(super) async fn who_waits_is_woken_by_its_own_topics_whoever_waits_beside_it<H: EventLogHarness>(h: H) {
    let log = h.log();
    let mut waiting = tokio::task::JoinSet::new();
    for topic in [REQUESTS, FACTS] {
        let member = log.consumer(spec::<H>("workers", &[topic])).await.unwrap();
        assert_nothing(&member).await;
        waiting.spawn(async move { member.next(1, H::UNIT * 50).await.unwrap() });
    }
    tokio::task::yield_now().await;
    log.check().await.unwrap();
    append(&log, FACTS, &["fact"]).await;
    append(&log, REQUESTS, &["request"]).await;
    let mut got = Vec::new();
    while let Some(deliveries) = waiting.join_next().await {
        got.extend(handed(&deliveries.unwrap()).into_iter().map(ToOwned::to_owned));
    }
    got.sort_unstable();
    assert_eq!(got, ["fact", "request"]);
}
