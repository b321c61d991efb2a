//! Clauses 1, 6, 7 and 9 of the consumer.

use std::collections::BTreeSet;

use soorma_ports::{ConsumerSpec, Settle};
use tokio::task::JoinSet;

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, FACTS, REQUESTS, append, assert_nothing, handed, retry, settle, spec, take_one, wait_while,
    workers,
};

fn crediting<H: EventLogHarness>(max_unsettled: u32) -> ConsumerSpec {
    ConsumerSpec { max_unsettled, ..spec::<H>("workers", &[REQUESTS]) }
}

/// Clause 1.
pub(super) async fn each_event_goes_to_one_member<H: EventLogHarness>(h: H) {
    let (one, other) = (workers(&h).await, workers(&h).await);
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    let first = one.next(1, AT_ONCE).await.unwrap();
    let second = other.next(10, AT_ONCE).await.unwrap();
    assert_eq!((handed(&first), handed(&second)), (vec!["a"], vec!["b"]));
    assert_nothing(&one).await;
    assert_nothing(&other).await;
}

/// Clause 1.
pub(super) async fn many_members_at_once_share_the_events<H: EventLogHarness>(h: H) {
    let (done, mut all_done) = tokio::sync::mpsc::unbounded_channel();
    let mut members = JoinSet::new();
    for _ in 0..16 {
        let (member, done) = (workers(&h).await, done.clone());
        members.spawn(async move {
            loop {
                for delivery in member.next(3, H::UNIT * 50).await.unwrap() {
                    assert!(settle(&member, delivery.id, Settle::Ack).await);
                    done.send(delivery.event.id.to_string()).unwrap();
                }
            }
        });
    }
    for nth in 0..200 {
        append(&h.log(), REQUESTS, &[&format!("e{nth}")]).await;
    }
    let mut different = BTreeSet::new();
    for _ in 0..200 {
        let id = tokio::select! {
            biased;
            Some(id) = all_done.recv() => id,
            Some(ended) = members.join_next() => panic!("a member has failed: {ended:?}"),
        };
        assert!(different.insert(id), "each event goes to one member");
    }
    members.shutdown().await;
    assert!(all_done.try_recv().is_err());
    assert_nothing(&workers(&h).await).await;
}

/// Clause 6.
pub(super) async fn a_waiting_member_is_woken_by_an_append<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    let got = wait_while(&h, &member, async {
        append(&h.log(), REQUESTS, &["a"]).await;
    });
    assert_eq!(got.await.event.id.as_str(), "a");
}

/// Clause 6.
pub(super) async fn every_waiting_member_gets_its_event<H: EventLogHarness>(h: H) {
    let mut members = JoinSet::new();
    for _ in 0..8 {
        let member = workers(&h).await;
        members.spawn(async move { member.next(1, H::UNIT * 50).await.unwrap() });
    }
    tokio::task::yield_now().await;
    // One append of eight: one wake-up has to reach eight members.
    let batch = (0..8).map(|nth| std::sync::Arc::new(crate::event(&format!("e{nth}"), REQUESTS)));
    h.log().append(&crate::tenant("acme"), batch.collect()).await.unwrap();
    let got = members.join_all().await;
    let different: BTreeSet<_> = got.iter().flat_map(|deliveries| handed(deliveries)).collect();
    assert_eq!(different.len(), 8);
}

/// Clause 6.
pub(super) async fn a_member_waits_as_long_as_it_said<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    let started = tokio::time::Instant::now();
    let wait = async {
        assert_eq!(member.next(1, H::UNIT * 2).await.unwrap(), []);
        started.elapsed()
    };
    let (waited, ()) = tokio::join!(wait, async {
        h.elapse(H::UNIT).await;
        h.log().check().await.unwrap();
        h.elapse(H::UNIT * 2).await;
    });
    assert!(waited >= H::UNIT * 2, "it waited only {waited:?}");
}

/// Clause 6.
pub(super) async fn at_most_max_are_handed_out<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b", "c"]).await;
    assert_eq!(handed(&member.next(2, AT_ONCE).await.unwrap()), ["a", "b"]);
    assert_eq!(handed(&member.next(2, AT_ONCE).await.unwrap()), ["c"]);
}

/// Clause 6.
pub(super) async fn asking_for_none_gives_none_at_once<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    assert_eq!(member.next(0, H::UNIT * 1_000).await.unwrap(), []);
}

/// Clause 6.
pub(super) async fn never_more_than_max_unsettled_are_in_hand<H: EventLogHarness>(h: H) {
    let member = h.log().consumer(crediting::<H>(2)).await.unwrap();
    append(&h.log(), REQUESTS, &["a", "b", "c", "d"]).await;
    let in_hand = member.next(10, AT_ONCE).await.unwrap();
    assert_eq!(handed(&in_hand), ["a", "b"]);
    assert_nothing(&member).await;
    assert!(settle(&member, in_hand[1].id, Settle::Ack).await);
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["c"]);
    assert_nothing(&member).await;
}

/// Clause 6.
pub(super) async fn credit_is_shared_by_the_members<H: EventLogHarness>(h: H) {
    let one = h.log().consumer(crediting::<H>(2)).await.unwrap();
    let other = h.log().consumer(crediting::<H>(2)).await.unwrap();
    append(&h.log(), REQUESTS, &["a", "b", "c"]).await;
    let first = one.next(1, AT_ONCE).await.unwrap();
    assert_eq!(handed(&other.next(10, AT_ONCE).await.unwrap()), ["b"]);
    assert_nothing(&other).await;
    assert!(settle(&other, first[0].id, Settle::Ack).await, "any member may ack");
    assert_eq!(handed(&one.next(10, AT_ONCE).await.unwrap()), ["c"]);
}

/// Clause 6.
pub(super) async fn an_ack_gives_credit_to_a_waiting_member<H: EventLogHarness>(h: H) {
    let one = h.log().consumer(crediting::<H>(1)).await.unwrap();
    let other = h.log().consumer(crediting::<H>(1)).await.unwrap();
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    let first = take_one(&one).await;
    let got = wait_while(&h, &other, async { assert!(settle(&one, first.id, Settle::Ack).await) });
    assert_eq!(got.await.event.id.as_str(), "b");
}

/// Clause 6: a retry settles, so that one event that fails for hours does not hold up the group.
pub(super) async fn what_waits_for_its_retry_takes_no_credit<H: EventLogHarness>(h: H) {
    let member = h.log().consumer(crediting::<H>(1)).await.unwrap();
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    let delivery = take_one(&member).await;
    assert!(settle(&member, delivery.id, retry(H::UNIT * 50)).await);
    assert_eq!(take_one(&member).await.event.id.as_str(), "b");
}

/// Clause 9.
pub(super) async fn events_of_a_topic_come_in_order<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = log.consumer(spec::<H>("workers", &[REQUESTS, FACTS])).await.unwrap();
    for nth in 0..20 {
        append(&log, if nth % 3 == 0 { FACTS } else { REQUESTS }, &[&format!("e{nth}")]).await;
    }
    let mut last = std::collections::BTreeMap::new();
    for _ in 0..20 {
        let id = member.next(1, H::UNIT).await.unwrap()[0].id;
        assert!(last.insert(id.topic, id.position).is_none_or(|last| last < id.position));
    }
    assert_nothing(&member).await;
}

/// Clause 9.
pub(super) async fn due_again_goes_before_new<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b", "c"]).await;
    let first = member.next(1, AT_ONCE).await.unwrap().remove(0);
    assert!(settle(&member, first.id, retry(AT_ONCE)).await);
    assert_eq!(handed(&member.next(2, AT_ONCE).await.unwrap()), ["a", "b"]);
}

/// Clause 9.
pub(super) async fn all_topics_of_the_group_are_handed_out<H: EventLogHarness>(h: H) {
    let topics = soorma_core::Topic::ALL;
    let member = h.log().consumer(spec::<H>("workers", &topics)).await.unwrap();
    for topic in topics {
        append(&h.log(), topic, &["a", "b"]).await;
    }
    let mut got = BTreeSet::new();
    while got.len() < 16 {
        for delivery in member.next(5, H::UNIT).await.unwrap() {
            assert!(got.insert((delivery.event.topic, delivery.event.id.to_string())));
        }
    }
    assert_nothing(&member).await;
}

/// Clause 7.
pub(super) async fn groups_do_not_disturb_each_other<H: EventLogHarness>(h: H) {
    let log = h.log();
    let (ours, theirs) = (workers(&h).await, log.consumer(spec::<H>("auditors", &[REQUESTS])).await.unwrap());
    append(&log, REQUESTS, &["a", "b"]).await;
    for delivery in ours.next(10, AT_ONCE).await.unwrap() {
        assert!(settle(&ours, delivery.id, Settle::Ack).await);
    }
    let deliveries = theirs.next(10, AT_ONCE).await.unwrap();
    assert_eq!(handed(&deliveries), ["a", "b"]);
    assert!(!settle(&ours, deliveries[0].id, Settle::Ack).await, "it has settled that one already");
    h.elapse(H::UNIT * 5).await;
    assert_nothing(&ours).await;
    assert_eq!(handed(&theirs.next(10, AT_ONCE).await.unwrap()), ["a", "b"]);
}
