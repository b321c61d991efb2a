//! Clauses 3, 4 and 10 of the consumer.

use soorma_core::Position;
use soorma_ports::{ConsumerSpec, Delivery, DeliveryId, Settle};

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, FACTS, REQUESTS, append, assert_nothing, dead_letters, handed, reject, release, retry, settle,
    spec, take_one, wait_while, workers,
};

/// Clause 3.
pub(super) async fn an_ack_is_final<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    assert!(settle(&member, delivery.id, Settle::Ack).await);
    h.elapse(H::UNIT * 50).await;
    assert_nothing(&member).await;
}

/// Clause 3.
pub(super) async fn an_ack_is_final_after_reopening<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    let in_hand = member.next(2, AT_ONCE).await.unwrap();
    assert!(settle(&member, in_hand[1].id, Settle::Ack).await);
    drop(member);
    let h = h.reopen().await;
    let member = workers(&h).await;
    h.elapse(H::UNIT * 5).await;
    assert_eq!(take_one(&member).await.event.id.as_str(), "a");
}

/// Clause 4.
pub(super) async fn a_retry_is_never_early_and_counts<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let first = take_one(&member).await;
    assert_eq!(first.id.attempt, 1);
    assert!(settle(&member, first.id, retry(H::UNIT * 10)).await);
    h.elapse(H::UNIT * 9).await;
    assert_nothing(&member).await;
    h.elapse(H::UNIT * 2).await;
    let second = take_one(&member).await;
    assert_eq!(second.id, DeliveryId { attempt: 2, ..first.id });
    assert_eq!(second.event, first.event);
}

/// Clause 4.
pub(super) async fn a_release_is_never_early_and_does_not_count<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let first = take_one(&member).await;
    assert!(settle(&member, first.id, release(H::UNIT * 10)).await);
    h.elapse(H::UNIT * 9).await;
    assert_nothing(&member).await;
    h.elapse(H::UNIT * 2).await;
    assert_eq!(take_one(&member).await.id, first.id);
}

/// Clause 4.
pub(super) async fn releases_never_use_up_the_attempts<H: EventLogHarness>(h: H) {
    let once = ConsumerSpec { max_attempts: 1, ..spec::<H>("workers", &[REQUESTS]) };
    let member = h.log().consumer(once).await.unwrap();
    append(&h.log(), REQUESTS, &["a"]).await;
    for _ in 0..5 {
        let delivery = take_one(&member).await;
        assert_eq!(delivery.id.attempt, 1);
        assert!(settle(&member, delivery.id, release(AT_ONCE)).await);
    }
    assert_eq!(dead_letters(&h.log()).await, []);
}

/// Clause 4.
pub(super) async fn a_retry_that_falls_due_wakes_a_waiting_member<H: EventLogHarness>(h: H) {
    let (one, other) = (workers(&h).await, workers(&h).await);
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&one).await;
    let got = wait_while(&h, &other, async {
        // The other is waiting for the end of the lease when the retry is planned.
        assert!(settle(&one, delivery.id, retry(H::UNIT * 2)).await);
        h.elapse(H::UNIT * 3).await;
    });
    assert_eq!(got.await.id.attempt, 2);
}

/// Clause 4.
pub(super) async fn a_member_that_comes_later_is_woken_by_a_retry_too<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    assert!(settle(&member, delivery.id, retry(H::UNIT * 2)).await);
    assert_eq!(wait_while(&h, &member, h.elapse(H::UNIT * 3)).await.id.attempt, 2);
}

/// Clause 4.
pub(super) async fn a_release_at_once_wakes_a_waiting_member<H: EventLogHarness>(h: H) {
    let (one, other) = (workers(&h).await, workers(&h).await);
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&one).await;
    let got = wait_while(&h, &other, async { assert!(settle(&one, delivery.id, release(AT_ONCE)).await) });
    assert_eq!(got.await.id, delivery.id);
}

/// Hands out an event twice; the first holder is an old one then.
async fn old_and_new<H: EventLogHarness>(h: &H) -> (Delivery, Delivery) {
    let member = workers(h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let old = take_one(&member).await;
    h.elapse(H::UNIT * 5).await;
    let new = take_one(&member).await;
    (old, new)
}

/// Clause 10.
pub(super) async fn an_old_holder_may_ack<H: EventLogHarness>(h: H) {
    let (old, new) = old_and_new(&h).await;
    let member = workers(&h).await;
    assert!(settle(&member, old.id, Settle::Ack).await);
    assert!(!settle(&member, new.id, Settle::Ack).await, "it is settled already");
    h.elapse(H::UNIT * 5).await;
    assert_nothing(&member).await;
}

/// Clause 10.
pub(super) async fn an_old_holder_may_do_nothing_else<H: EventLogHarness>(h: H) {
    let (old, new) = old_and_new(&h).await;
    let member = workers(&h).await;
    for settlement in [retry(AT_ONCE), release(AT_ONCE), reject(), Settle::Extend] {
        assert!(!settle(&member, old.id, settlement.clone()).await, "{settlement:?} of an old holder");
    }
    assert_nothing(&member).await;
    assert_eq!(dead_letters(&h.log()).await, []);
    assert!(settle(&member, new.id, Settle::Ack).await);
}

/// Clause 10.
pub(super) async fn who_has_settled_holds_nothing<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    assert!(settle(&member, delivery.id, retry(H::UNIT * 10)).await);
    for settlement in [retry(AT_ONCE), release(AT_ONCE), reject(), Settle::Extend] {
        assert!(!settle(&member, delivery.id, settlement.clone()).await, "{settlement:?} after a retry");
    }
    assert!(settle(&member, delivery.id, Settle::Ack).await, "an ack counts also then");
    h.elapse(H::UNIT * 11).await;
    assert_nothing(&member).await;
}

/// Clause 10.
pub(super) async fn settling_twice_counts_once<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&member).await;
    let twice = vec![(delivery.id, Settle::Ack), (delivery.id, Settle::Ack)];
    assert_eq!(member.settle(twice).await.unwrap(), [true, false]);
    assert!(!settle(&member, delivery.id, Settle::Ack).await);
    assert_eq!(member.settle(Vec::new()).await, Ok(vec![]));
}

/// Clause 10.
pub(super) async fn what_was_never_handed_out_cannot_be_settled<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    let position = append(&h.log(), REQUESTS, &["a"]).await[0].position;
    let id = DeliveryId { topic: REQUESTS, position, attempt: 1 };
    let ahead = DeliveryId { position: Position(u64::MAX), ..id };
    for settlement in [Settle::Ack, retry(AT_ONCE), release(AT_ONCE), reject(), Settle::Extend] {
        for id in [id, ahead] {
            assert!(!settle(&member, id, settlement.clone()).await, "{settlement:?} of {id:?}");
        }
    }
    let delivery = take_one(&member).await;
    assert!(!settle(&member, DeliveryId { topic: FACTS, ..delivery.id }, Settle::Ack).await);
    assert!(!settle(&member, DeliveryId { attempt: 7, ..delivery.id }, reject()).await);
    assert!(settle(&member, delivery.id, Settle::Ack).await);
}

/// Clause 10.
pub(super) async fn settlements_are_answered_in_order<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b", "c", "d"]).await;
    let in_hand = member.next(10, AT_ONCE).await.unwrap();
    let unknown = DeliveryId { position: Position(u64::MAX), ..in_hand[0].id };
    let counted = member
        .settle(vec![
            (in_hand[0].id, Settle::Ack),
            (unknown, Settle::Ack),
            (in_hand[1].id, release(AT_ONCE)),
            (in_hand[1].id, Settle::Extend),
            (in_hand[2].id, reject()),
            (in_hand[3].id, Settle::Extend),
        ])
        .await
        .unwrap();
    assert_eq!(counted, [true, false, true, false, true, true]);
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["b"]);
}
