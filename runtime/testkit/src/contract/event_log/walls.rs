//! Clause 8 of the log.

use soorma_core::Position;
use soorma_ports::{ConsumerSpec, DeadLetterFilter, Reach, Settle};

use super::EventLogHarness;
use super::steps::{
    REQUESTS, append, append_of, assert_nothing, bury, dead_letters, handed, ids, settle, spec, take_one,
    workers,
};
use crate::tenant;

fn globex<H: EventLogHarness>() -> ConsumerSpec {
    ConsumerSpec { tenant: tenant("globex"), ..spec::<H>("workers", &[REQUESTS]) }
}

pub(super) async fn a_reader_sees_nothing_of_another_tenant<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["a"]).await;
    append_of(&log, "globex", REQUESTS, &["x"]).await;
    append(&log, REQUESTS, &["b"]).await;
    // A name that begins like another, or differs in case, is another.
    append_of(&log, "acme2", REQUESTS, &["y"]).await;
    append_of(&log, "ACME", REQUESTS, &["z"]).await;
    let page = log.read(&Reach::Tenant(tenant("acme")), REQUESTS, Position(0), 10).await.unwrap();
    assert_eq!(ids(&page.entries), ["a", "b"]);
    let page = log.read(&Reach::Platform, REQUESTS, Position(0), 10).await.unwrap();
    assert_eq!(ids(&page.entries), ["a", "x", "b", "y", "z"]);
}

pub(super) async fn a_group_gets_nothing_of_another_tenant<H: EventLogHarness>(h: H) {
    let workers = workers(&h).await;
    append_of(&h.log(), "globex", REQUESTS, &["x", "y"]).await;
    assert_nothing(&workers).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    assert_eq!(handed(&workers.next(10, H::UNIT).await.unwrap()), ["a"]);
}

pub(super) async fn groups_of_one_name_in_two_tenants_are_two<H: EventLogHarness>(h: H) {
    let ours = workers(&h).await;
    let theirs = h.log().consumer(globex::<H>()).await.unwrap();
    append(&h.log(), REQUESTS, &["same"]).await;
    append_of(&h.log(), "globex", REQUESTS, &["same"]).await;
    let delivery = take_one(&ours).await;
    assert!(settle(&ours, delivery.id, Settle::Ack).await);
    assert_eq!(take_one(&theirs).await.id.attempt, 1);
}

pub(super) async fn a_delivery_of_another_tenant_cannot_be_settled<H: EventLogHarness>(h: H) {
    let ours = workers(&h).await;
    let theirs = h.log().consumer(globex::<H>()).await.unwrap();
    append(&h.log(), REQUESTS, &["a"]).await;
    let delivery = take_one(&ours).await;
    assert!(!settle(&theirs, delivery.id, Settle::Ack).await);
    assert!(settle(&ours, delivery.id, Settle::Ack).await);
}

pub(super) async fn dead_letters_of_another_tenant_are_not_there<H: EventLogHarness>(h: H) {
    let log = h.log();
    let ours = bury(&h, "a").await;
    // So that they have a letter too, of any number.
    let theirs = log.consumer(globex::<H>()).await.unwrap();
    append_of(&log, "globex", REQUESTS, &["x", "y", "z"]).await;
    for delivery in theirs.next(10, H::UNIT).await.unwrap() {
        settle(&theirs, delivery.id, Settle::Reject { cause: "no".into() }).await;
    }
    let listed = log.dead_letters(&tenant("globex"), &DeadLetterFilter::default(), 0, 10).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|letter| letter.event.id.as_str()).collect();
    assert_eq!(listed, ["x", "y", "z"]);

    for stranger in ["globex", "initech"] {
        let stranger = tenant(stranger);
        let seen = log.dead_letter(&stranger, ours.id).await.unwrap();
        assert!(seen.is_none_or(|letter| letter.event.id.as_str() != "a"));
    }
    let initech = tenant("initech");
    assert_eq!(log.redrive(&initech, &[ours.id]).await, Ok(vec![]));
    assert_eq!(log.discard(&initech, &[ours.id]).await, Ok(vec![]));
    log.discard(&tenant("globex"), &[1, 2, 3, 4, ours.id]).await.unwrap();
    assert_eq!(dead_letters(&log).await, [ours]);
}
