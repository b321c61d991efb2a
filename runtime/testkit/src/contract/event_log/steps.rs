//! What the cases do over and over.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_ports::{
    Appended, Consumer, ConsumerSpec, DeadLetter, DeadLetterFilter, Delivery, DeliveryId, Entry, EventLog,
    Reach, Settle, Start,
};

use tokio::task::JoinSet;

use super::EventLogHarness;
use crate::{event, name, tenant};

pub(super) const REQUESTS: Topic = Topic::ActionRequests;
pub(super) const FACTS: Topic = Topic::BusinessFacts;
pub(super) const AT_ONCE: Duration = Duration::ZERO;

/// Appends events of `acme`, one call each.
pub(super) async fn append(log: &Arc<dyn EventLog>, topic: Topic, ids: &[&str]) -> Vec<Appended> {
    append_of(log, "acme", topic, ids).await
}

/// Appends events of a tenant, one call each.
pub(super) async fn append_of(
    log: &Arc<dyn EventLog>,
    whose: &str,
    topic: Topic,
    ids: &[&str],
) -> Vec<Appended> {
    let mut appended = Vec::new();
    for id in ids {
        appended.extend(log.append(&tenant(whose), vec![Arc::new(event(id, topic))]).await.unwrap());
    }
    appended
}

/// Reads all that a tenant has in a topic, in pages of two.
pub(super) async fn read_all(log: &Arc<dyn EventLog>, whose: &str, topic: Topic) -> Vec<Entry> {
    let mut after = log.bounds(topic).await.unwrap().before_first;
    let mut entries = Vec::new();
    while after < log.bounds(topic).await.unwrap().head {
        let page = log.read(&Reach::Tenant(tenant(whose)), topic, after, 2).await.unwrap();
        assert!(page.next > after, "a page moves on until the end");
        entries.extend(page.entries);
        after = page.next;
    }
    entries
}

pub(super) fn ids(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.event.id.as_str()).collect()
}

pub(super) fn handed(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.id.as_str()).collect()
}

pub(super) fn positions(appended: &[Appended]) -> Vec<Position> {
    appended.iter().map(|appended| appended.position).collect()
}

/// A group of `acme` that starts with the first event; leases last 4 units, 3 attempts, 100 in hand.
pub(super) fn spec<H: EventLogHarness>(group: &str, topics: &[Topic]) -> ConsumerSpec {
    ConsumerSpec {
        tenant: tenant("acme"),
        group: name(group),
        topics: topics.iter().copied().collect(),
        start: Start::Earliest,
        ack_within: H::UNIT * 4,
        max_attempts: 3,
        max_unsettled: 100,
        key: None,
        expire_after: None,
    }
}

/// Joins the group `workers` of [`spec`] on [`REQUESTS`].
pub(super) async fn workers<H: EventLogHarness>(h: &H) -> Arc<dyn Consumer> {
    h.log().consumer(spec::<H>("workers", &[REQUESTS])).await.unwrap()
}

/// Takes the one delivery that there is.
pub(super) async fn take_one(consumer: &Arc<dyn Consumer>) -> Delivery {
    let mut deliveries = consumer.next(2, AT_ONCE).await.unwrap();
    assert_eq!(deliveries.len(), 1, "exactly one delivery is expected: {deliveries:?}");
    deliveries.remove(0)
}

pub(super) async fn assert_nothing(consumer: &Arc<dyn Consumer>) {
    assert_eq!(consumer.next(10, AT_ONCE).await.unwrap(), [], "nothing is to be handed out");
}

/// Has a member wait for one event while something happens, and returns what it got.
pub(super) async fn wait_while<H: EventLogHarness>(
    h: &H,
    member: &Arc<dyn Consumer>,
    happening: impl Future<Output = ()>,
) -> Delivery {
    // No call that was made before is left over.
    assert_nothing(member).await;
    let member = member.clone();
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { member.next(1, H::UNIT * 50).await.unwrap() });
    tokio::task::yield_now().await;
    // Answered after the member was told that there is nothing.
    h.log().check().await.unwrap();
    happening.await;
    // Before anything else falls due that could wake it.
    let woken = tokio::time::timeout(H::UNIT / 2, waiting.join_next()).await;
    let mut got = woken.expect("a waiting member is woken at once").unwrap().unwrap();
    assert_eq!(got.len(), 1, "the member waited in vain");
    got.remove(0)
}

pub(super) async fn settle(consumer: &Arc<dyn Consumer>, id: DeliveryId, settle: Settle) -> bool {
    let counted = consumer.settle(vec![(id, settle)]).await.unwrap();
    assert_eq!(counted.len(), 1, "one settlement has one answer");
    counted[0]
}

pub(super) fn retry(after: Duration) -> Settle {
    Settle::Retry { after, cause: "the model is away".into() }
}

pub(super) fn release(after: Duration) -> Settle {
    Settle::Release { after }
}

pub(super) fn reject() -> Settle {
    Settle::Reject { cause: "no such order".into() }
}

/// Lists all dead letters of `acme`.
pub(super) async fn dead_letters(log: &Arc<dyn EventLog>) -> Vec<DeadLetter> {
    log.dead_letters(&tenant("acme"), &DeadLetterFilter::default(), 0, 1_000).await.unwrap()
}

/// Appends an event and has `workers` reject it; returns the dead letter.
pub(super) async fn bury<H: EventLogHarness>(h: &H, id: &str) -> DeadLetter {
    let workers = workers(h).await;
    append(&h.log(), REQUESTS, &[id]).await;
    let delivery = take_one(&workers).await;
    assert!(settle(&workers, delivery.id, reject()).await);
    dead_letters(&h.log()).await.pop().expect("a rejected event is a dead letter")
}
