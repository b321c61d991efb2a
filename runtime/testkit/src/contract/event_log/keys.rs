//! Clause 12 of the consumer: order by key.

use std::sync::Arc;

use soorma_core::{Event, Topic};
use soorma_ports::{Consumer, ConsumerSpec, Delivery, EventLog, GroupCommand, Settle, Start};

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, FACTS, REQUESTS, append, assert_nothing, dead_letters, handed, reject, retry, settle, spec,
    take_one, wait_while,
};
use crate::{event, name, tenant};

fn of_plan(id: &str, topic: Topic, plan: &str) -> Event {
    let mut event = event(id, topic);
    event.plan_id = Some(plan.into());
    event
}

/// Appends events whose plan is the first letter of their id.
async fn append_plans(log: &Arc<dyn EventLog>, ids: &[&str]) {
    for id in ids {
        let event = of_plan(id, REQUESTS, id.get(..1).unwrap());
        log.append(&tenant("acme"), vec![Arc::new(event)]).await.unwrap();
    }
}

fn by_plan<H: EventLogHarness>(topics: &[Topic]) -> ConsumerSpec {
    ConsumerSpec { key: Some("plan_id".parse().unwrap()), ..spec::<H>("workers", topics) }
}

async fn planners<H: EventLogHarness>(h: &H) -> Arc<dyn Consumer> {
    h.log().consumer(by_plan::<H>(&[REQUESTS])).await.unwrap()
}

async fn take_all(member: &Arc<dyn Consumer>) -> Vec<Delivery> {
    let mut all = Vec::new();
    loop {
        let some = member.next(10, AT_ONCE).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

pub(super) async fn of_one_key_one_is_in_hand_at_a_time<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2", "a3", "b1", "b2"]).await;
    let first = take_all(&member).await;
    assert_eq!(handed(&first), ["a1", "b1"]);
    let status = h.log().group(&tenant("acme"), &spec::<H>("workers", &[]).group).await.unwrap().unwrap();
    assert_eq!((status.in_hand, status.behind()), (2, 5));
    assert!(settle(&member, first[0].id, Settle::Ack).await);
    let second = take_all(&member).await;
    assert_eq!(handed(&second), ["a2"]);
    assert!(settle(&member, first[1].id, Settle::Ack).await);
    assert_eq!(handed(&take_all(&member).await), ["b2"]);
    assert!(settle(&member, second[0].id, Settle::Ack).await);
    assert_eq!(handed(&take_all(&member).await), ["a3"]);
}

pub(super) async fn of_one_key_they_come_in_order_whoever_asks<H: EventLogHarness>(h: H) {
    let members = [planners(&h).await, planners(&h).await, planners(&h).await];
    let ids: Vec<String> = (0..30).map(|n| format!("{}{n:02}", ["a", "b", "c"][n % 3])).collect();
    append_plans(&h.log(), &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut seen: Vec<String> = Vec::new();
    for round in 0.. {
        let member = &members[round % 3];
        let some = member.next(2, AT_ONCE).await.unwrap();
        if some.is_empty() {
            break;
        }
        for delivery in some {
            seen.push(delivery.event.id.to_string());
            assert!(settle(&members[(round + 1) % 3], delivery.id, Settle::Ack).await);
        }
    }
    for plan in ["a", "b", "c"] {
        let of = |ids: &[String]| -> Vec<String> {
            ids.iter().filter(|id| id.starts_with(plan)).cloned().collect()
        };
        assert_eq!(of(&seen), of(&ids));
    }
}

pub(super) async fn other_keys_and_events_without_one_do_not_wait<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2"]).await;
    append(&h.log(), REQUESTS, &["free1", "free2"]).await;
    append_plans(&h.log(), &["b1"]).await;
    assert_eq!(handed(&take_all(&member).await), ["a1", "free1", "free2", "b1"]);
}

pub(super) async fn a_retry_holds_its_key_back<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2", "b1"]).await;
    let first = take_all(&member).await;
    assert!(settle(&member, first[0].id, retry(H::UNIT * 2)).await);
    assert!(settle(&member, first[1].id, Settle::Ack).await);
    assert_nothing(&member).await;
    h.elapse(H::UNIT * 3).await;
    let again = take_one(&member).await;
    assert_eq!((again.event.id.as_str(), again.id.attempt), ("a1", 2));
    assert!(settle(&member, again.id, Settle::Ack).await);
    assert_eq!(take_one(&member).await.event.id.as_str(), "a2");
}

pub(super) async fn a_lease_that_ends_keeps_the_order<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2"]).await;
    take_one(&member).await;
    h.elapse(H::UNIT * 5).await;
    let again = take_one(&member).await;
    assert_eq!((again.event.id.as_str(), again.id.attempt), ("a1", 2));
    assert!(settle(&member, again.id, Settle::Ack).await);
    assert_eq!(take_one(&member).await.event.id.as_str(), "a2");
}

pub(super) async fn a_dead_letter_lets_the_next_of_its_key_go<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2"]).await;
    let first = take_one(&member).await;
    assert!(settle(&member, first.id, reject()).await);
    assert_eq!(take_one(&member).await.event.id.as_str(), "a2");
}

pub(super) async fn a_redriven_letter_waits_for_its_key_and_goes_first<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = planners(&h).await;
    append_plans(&log, &["a1", "a2", "a3"]).await;
    let first = take_one(&member).await;
    assert!(settle(&member, first.id, reject()).await);
    let second = take_one(&member).await;
    assert_nothing(&member).await;
    let letter = dead_letters(&log).await.remove(0);
    assert_eq!(log.redrive(&tenant("acme"), &[letter.id]).await, Ok(vec![letter.id]));
    assert_nothing(&member).await;
    assert!(settle(&member, second.id, Settle::Ack).await);
    let redriven = take_one(&member).await;
    assert_eq!((redriven.event.id.as_str(), redriven.id.attempt), ("a1", 1));
    assert!(settle(&member, redriven.id, Settle::Ack).await);
    assert_eq!(take_one(&member).await.event.id.as_str(), "a3");
}

pub(super) async fn a_key_that_was_moved_back_goes_on_with_its_earliest<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = planners(&h).await;
    append_plans(&log, &["a1", "a2", "a3"]).await;
    let first = take_one(&member).await;
    assert!(settle(&member, first.id, Settle::Ack).await);
    let second = take_one(&member).await;
    assert_nothing(&member).await;
    // The third waits for the second; now the first waits for it, too.
    let sought = log.command(&tenant("acme"), &name("workers"), GroupCommand::Seek(Start::Earliest)).await;
    assert_eq!(sought, Ok(true));
    assert_nothing(&member).await;
    assert!(settle(&member, second.id, Settle::Ack).await);
    for id in ["a1", "a3"] {
        let next = take_one(&member).await;
        assert_eq!(next.event.id.as_str(), id);
        assert!(settle(&member, next.id, Settle::Ack).await);
    }
    assert_nothing(&member).await;
}

pub(super) async fn an_ack_wakes_who_waits_for_the_next_of_its_key<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2"]).await;
    let first = take_one(&member).await;
    let ack = async {
        assert!(settle(&member, first.id, Settle::Ack).await);
    };
    assert_eq!(wait_while(&h, &member, ack).await.event.id.as_str(), "a2");
}

pub(super) async fn order_survives_reopening<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2", "a3"]).await;
    let first = take_one(&member).await;
    assert!(settle(&member, first.id, Settle::Ack).await);
    take_one(&member).await;
    drop(member);
    let h = h.reopen().await;
    let member = planners(&h).await;
    // Its lease ends at the latest now.
    h.elapse(H::UNIT * 5).await;
    let second = take_one(&member).await;
    assert_eq!(second.event.id.as_str(), "a2");
    assert!(settle(&member, second.id, Settle::Ack).await);
    assert_eq!(take_one(&member).await.event.id.as_str(), "a3");
}

pub(super) async fn a_key_holds_over_topics<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = log.consumer(by_plan::<H>(&[REQUESTS, FACTS])).await.unwrap();
    for (id, topic) in [("one", REQUESTS), ("two", FACTS), ("three", REQUESTS)] {
        log.append(&tenant("acme"), vec![Arc::new(of_plan(id, topic, "p"))]).await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let delivery = take_one(&member).await;
        assert_nothing(&member).await;
        assert!(settle(&member, delivery.id, Settle::Ack).await);
        seen.push(delivery.event.id.to_string());
    }
    assert!(seen.iter().position(|id| id == "one") < seen.iter().position(|id| id == "three"));
    seen.sort_unstable();
    assert_eq!(seen, ["one", "three", "two"]);
}

pub(super) async fn without_a_key_nothing_waits<H: EventLogHarness>(h: H) {
    let member = h.log().consumer(spec::<H>("workers", &[REQUESTS])).await.unwrap();
    append_plans(&h.log(), &["a1", "a2", "a3"]).await;
    assert_eq!(handed(&take_all(&member).await), ["a1", "a2", "a3"]);
}

pub(super) async fn a_key_that_is_taken_away_lets_all_go<H: EventLogHarness>(h: H) {
    let member = planners(&h).await;
    append_plans(&h.log(), &["a1", "a2", "a3"]).await;
    take_one(&member).await;
    assert_nothing(&member).await;
    let member = h.log().consumer(spec::<H>("workers", &[REQUESTS])).await.unwrap();
    assert_eq!(handed(&take_all(&member).await), ["a2", "a3"]);
}
