//! Clause 5 of the consumer.

use soorma_core::{Position, Topic};
use soorma_ports::{ConsumerSpec, DeadLetter, DeadLetterFilter, Settle};

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, FACTS, REQUESTS, append, assert_nothing, bury, dead_letters, handed, read_all, reject, retry,
    settle, spec, take_one, wait_while, workers,
};
use crate::{event, name, tenant};

fn event_ids(letters: &[DeadLetter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.event.id.as_str()).collect()
}

pub(super) async fn the_last_attempt_that_fails_is_a_dead_letter<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = workers(&h).await;
    let position = append(&log, REQUESTS, &["a"]).await[0].position;
    for attempt in 1..=3 {
        assert_eq!(dead_letters(&log).await, []);
        let delivery = take_one(&member).await;
        assert_eq!(delivery.id.attempt, attempt);
        h.elapse(H::UNIT).await;
        let settlement = Settle::Retry { after: AT_ONCE, cause: format!("failure {attempt}") };
        assert!(settle(&member, delivery.id, settlement).await);
    }
    assert_nothing(&member).await;
    let letters = dead_letters(&log).await;
    let [letter] = &letters[..] else { panic!("one dead letter is expected: {letters:?}") };
    assert_eq!((letter.group.as_str(), letter.position), ("workers", position));
    assert_eq!((letter.cause.as_str(), letter.attempts), ("failure 3", 3));
    assert_eq!(*letter.event, event("a", REQUESTS));
    let took = letter.last_at.since(letter.first_at);
    assert!(took >= H::UNIT * 3 && took < H::UNIT * 6, "from the first attempt to the end: {took:?}");
    assert_eq!(log.dead_letter(&tenant("acme"), letter.id).await.unwrap().as_ref(), Some(letter));
}

pub(super) async fn the_last_attempt_that_takes_too_long_is_a_dead_letter<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a"]).await;
    for _ in 0..3 {
        take_one(&member).await;
        h.elapse(H::UNIT * 5).await;
    }
    // That its time is up is noticed at the latest when a member asks.
    assert_nothing(&member).await;
    let letters = dead_letters(&h.log()).await;
    assert_eq!(event_ids(&letters), ["a"]);
    assert_eq!(letters[0].attempts, 3);
    assert!(letters[0].cause.contains("not settled within"), "{}", letters[0].cause);
}

pub(super) async fn the_last_attempt_of_a_dead_process_is_a_dead_letter<H: EventLogHarness>(h: H) {
    let once = ConsumerSpec { max_attempts: 1, ..spec::<H>("workers", &[REQUESTS]) };
    let member = h.log().consumer(once.clone()).await.unwrap();
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    member.next(1, AT_ONCE).await.unwrap();
    drop(member);
    let h = h.reopen().await;
    let member = h.log().consumer(once).await.unwrap();
    h.elapse(H::UNIT * 5).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["b"]);
    assert_eq!(event_ids(&dead_letters(&h.log()).await), ["a"]);
}

pub(super) async fn a_rejected_event_is_a_dead_letter_at_once<H: EventLogHarness>(h: H) {
    let letter = bury(&h, "a").await;
    assert_eq!((letter.cause.as_str(), letter.attempts), ("no such order", 1));
    assert_eq!(letter.event.id.as_str(), "a");
}

pub(super) async fn the_group_goes_on_without_it<H: EventLogHarness>(h: H) {
    let member = workers(&h).await;
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    let first = member.next(1, AT_ONCE).await.unwrap().remove(0);
    assert!(settle(&member, first.id, reject()).await);
    let second = take_one(&member).await;
    assert_eq!(second.event.id.as_str(), "b");
    assert!(settle(&member, second.id, Settle::Ack).await);
    h.elapse(H::UNIT * 5).await;
    assert_nothing(&member).await;
    assert!(!settle(&member, first.id, Settle::Ack).await, "it is no longer in hand");
    assert_eq!(event_ids(&dead_letters(&h.log()).await), ["a"]);
}

pub(super) async fn redriven_letters_come_again_in_order<H: EventLogHarness>(h: H) {
    let (log, member) = (h.log(), workers(&h).await);
    append(&log, REQUESTS, &["a", "b", "c"]).await;
    for delivery in member.next(3, AT_ONCE).await.unwrap() {
        assert!(settle(&member, delivery.id, reject()).await);
    }
    append(&log, REQUESTS, &["new"]).await;
    let letters: Vec<_> = dead_letters(&log).await.iter().map(|letter| letter.id).collect();
    let [a, b, c] = letters[..] else { panic!("three dead letters are expected: {letters:?}") };
    assert_eq!(log.redrive(&tenant("acme"), &[a, b, c]).await.unwrap(), [a, b, c]);
    assert_eq!(dead_letters(&log).await, []);
    let again = member.next(10, AT_ONCE).await.unwrap();
    assert_eq!(handed(&again), ["a", "b", "c", "new"]);
    assert!(again.iter().all(|delivery| delivery.id.attempt == 1), "no attempt is used");
}

pub(super) async fn a_redriven_letter_wakes_a_waiting_member<H: EventLogHarness>(h: H) {
    let (letter, member) = (bury(&h, "a").await, workers(&h).await);
    let got = wait_while(&h, &member, async {
        assert_eq!(h.log().redrive(&tenant("acme"), &[letter.id]).await.unwrap(), [letter.id]);
    });
    assert_eq!(got.await.event.id.as_str(), "a");
}

pub(super) async fn a_redriven_letter_has_an_age_before_it_is_handed_out<H: EventLogHarness>(h: H) {
    let letter = bury(&h, "a").await;
    let log = h.log();
    log.redrive(&tenant("acme"), &[letter.id]).await.unwrap();
    let group = log.group(&tenant("acme"), &letter.group).await.unwrap().unwrap();
    assert_eq!((group.waiting, group.oldest.is_some()), (1, true));
}

pub(super) async fn a_redriven_letter_that_fails_again_is_a_new_one<H: EventLogHarness>(h: H) {
    let (first, member) = (bury(&h, "a").await, workers(&h).await);
    h.elapse(H::UNIT * 2).await;
    h.log().redrive(&tenant("acme"), &[first.id]).await.unwrap();
    for _ in 0..3 {
        let delivery = take_one(&member).await;
        assert!(settle(&member, delivery.id, retry(AT_ONCE)).await);
    }
    let letters = dead_letters(&h.log()).await;
    assert_eq!(event_ids(&letters), ["a"]);
    assert!(letters[0].id > first.id);
    assert_eq!((letters[0].attempts, letters[0].position), (3, first.position));
    assert!(letters[0].first_at > first.first_at, "its time starts anew");
}

pub(super) async fn redriving_says_which_were_there<H: EventLogHarness>(h: H) {
    let (a, b) = (bury(&h, "a").await.id, bury(&h, "b").await.id);
    let (log, acme) = (h.log(), tenant("acme"));
    assert_eq!(log.redrive(&acme, &[b, b + 100, b]).await.unwrap(), [b]);
    assert_eq!(log.redrive(&acme, &[b]).await, Ok(vec![]));
    assert_eq!(log.redrive(&acme, &[u64::MAX, a]).await.unwrap(), [a]);
    assert_eq!(log.redrive(&acme, &[]).await, Ok(vec![]));
}

pub(super) async fn discarding_says_which_were_there<H: EventLogHarness>(h: H) {
    let (a, b) = (bury(&h, "a").await.id, bury(&h, "b").await.id);
    let (log, acme) = (h.log(), tenant("acme"));
    assert_eq!(log.discard(&acme, &[a, u64::MAX, a]).await.unwrap(), [a]);
    assert_eq!(log.discard(&acme, &[a]).await, Ok(vec![]));
    assert_eq!(log.redrive(&acme, &[a]).await, Ok(vec![]));
    assert_eq!(log.dead_letter(&acme, a).await, Ok(None));
    assert_eq!(event_ids(&dead_letters(&log).await), ["b"]);
    assert_eq!(log.discard(&acme, &[b]).await.unwrap(), [b]);
    let c = bury(&h, "c").await.id;
    assert!(c > b, "an id is not given twice");
    h.elapse(H::UNIT * 5).await;
    assert_nothing(&workers(&h).await).await;
}

pub(super) async fn a_redriven_letter_goes_to_one_who_takes_its_topic<H: EventLogHarness>(h: H) {
    let letter = bury(&h, "a").await;
    let other = h.log().consumer(spec::<H>("workers", &[FACTS])).await.unwrap();
    assert_eq!(h.log().redrive(&tenant("acme"), &[letter.id]).await, Ok(vec![letter.id]));
    assert_nothing(&other).await;
    assert_eq!(take_one(&workers(&h).await).await.event.id.as_str(), "a");
}

/// Reads the announcements of `acme`.
async fn announced(log: &std::sync::Arc<dyn soorma_ports::EventLog>) -> Vec<soorma_core::Event> {
    let all = read_all(log, "acme", Topic::SystemEvents).await;
    let of_letters = all.into_iter().filter(|entry| entry.event.kind == DeadLetter::ANNOUNCEMENT);
    of_letters.map(|entry| soorma_core::Event::clone(&entry.event)).collect()
}

pub(super) async fn a_dead_letter_is_announced_once<H: EventLogHarness>(h: H) {
    let letter = bury(&h, "a").await;
    let log = h.log();
    let [event] = &announced(&log).await[..] else { panic!("one announcement is expected") };
    assert_eq!(Some(event), letter.announcement(&tenant("acme")).as_ref());
    assert_eq!(event.parent_event_id.as_deref(), Some("a"));
    assert_eq!(event.subject.as_deref(), Some("workers"));
    let told: serde_json::Value = event.data.as_ref().unwrap().parse().unwrap();
    assert_eq!((&told["dead_letter"], &told["cause"]), (&letter.id.into(), &"no such order".into()));
    drop(log);
    let h = h.reopen().await;
    let workers = workers(&h).await;
    assert_nothing(&workers).await;
    assert_eq!(announced(&h.log()).await.len(), 1);
    // Given up again, it is another letter.
    h.log().redrive(&tenant("acme"), &[letter.id]).await.unwrap();
    let again = take_one(&workers).await;
    h.elapse(H::UNIT).await;
    assert!(settle(&workers, again.id, reject()).await);
    assert_eq!(announced(&h.log()).await.len(), 2);
}

pub(super) async fn what_takes_too_long_is_announced_too<H: EventLogHarness>(h: H) {
    let once = ConsumerSpec { max_attempts: 1, ..spec::<H>("workers", &[REQUESTS]) };
    let member = h.log().consumer(once).await.unwrap();
    append(&h.log(), REQUESTS, &["a", "b"]).await;
    assert_eq!(member.next(2, AT_ONCE).await.unwrap().len(), 2);
    h.elapse(H::UNIT * 5).await;
    assert_nothing(&member).await;
    let parents: Vec<_> =
        announced(&h.log()).await.into_iter().filter_map(|event| event.parent_event_id).collect();
    assert_eq!(parents, ["a", "b"]);
}

pub(super) async fn an_announcement_that_is_given_up_is_not_announced<H: EventLogHarness>(h: H) {
    let log = h.log();
    let watcher = log.consumer(spec::<H>("watcher", &[Topic::SystemEvents])).await.unwrap();
    bury(&h, "a").await;
    let mut got = watcher.next(1, H::UNIT).await.unwrap();
    let announcement = got.pop().expect("the announcement is an event like any other");
    assert!(settle(&watcher, announcement.id, reject()).await);
    assert_eq!(dead_letters(&log).await.len(), 2);
    assert_eq!(announced(&log).await.len(), 1);
    assert_nothing(&watcher).await;
}

pub(super) async fn lists_are_paged_oldest_first<H: EventLogHarness>(h: H) {
    for id in ["a", "b", "c"] {
        bury(&h, id).await;
    }
    let (log, acme, all) = (h.log(), tenant("acme"), DeadLetterFilter::default());
    let page = log.dead_letters(&acme, &all, 0, 2).await.unwrap();
    assert_eq!(event_ids(&page), ["a", "b"]);
    assert!(page[0].id < page[1].id);
    let page = log.dead_letters(&acme, &all, page[1].id, 2).await.unwrap();
    assert_eq!(event_ids(&page), ["c"]);
    assert_eq!(log.dead_letters(&acme, &all, page[0].id, 2).await, Ok(vec![]));
    assert_eq!(log.dead_letters(&acme, &all, u64::MAX, 2).await, Ok(vec![]));
    assert_eq!(log.dead_letters(&acme, &all, 0, 0).await, Ok(vec![]));
}

pub(super) async fn lists_are_filtered<H: EventLogHarness>(h: H) {
    let log = h.log();
    for (group, topic, id) in [("one", REQUESTS, "a"), ("one", FACTS, "b"), ("two", REQUESTS, "c")] {
        let member = log.consumer(spec::<H>(group, &[REQUESTS, FACTS])).await.unwrap();
        append(&log, topic, &[id]).await;
        for delivery in member.next(10, AT_ONCE).await.unwrap() {
            let keep = delivery.event.id.as_str() == id;
            settle(&member, delivery.id, if keep { reject() } else { Settle::Ack }).await;
        }
    }
    let acme = tenant("acme");
    for (group, topic, kind, expected) in [
        (None, None, None, vec!["a", "b", "c"]),
        (Some("one"), None, None, vec!["a", "b"]),
        (None, Some(REQUESTS), None, vec!["a", "c"]),
        (Some("one"), Some(REQUESTS), None, vec!["a"]),
        (Some("two"), Some(FACTS), None, vec![]),
        (Some("nobody"), None, None, vec![]),
        (Some("one"), None, Some("test.happened"), vec!["a", "b"]),
        (None, None, Some("test.happen"), vec![]),
    ] {
        let filter = DeadLetterFilter { group: group.map(name), topic, kind: kind.map(Into::into) };
        let letters = log.dead_letters(&acme, &filter, 0, 10).await.unwrap();
        assert_eq!(event_ids(&letters), expected, "{filter:?}");
    }
}

pub(super) async fn dead_letters_survive_reopening<H: EventLogHarness>(h: H) {
    let letter = bury(&h, "a").await;
    let h = h.reopen().await;
    let (log, member) = (h.log(), workers(&h).await);
    assert_eq!(dead_letters(&log).await, std::slice::from_ref(&letter));
    assert_nothing(&member).await;
    assert!(bury(&h, "b").await.id > letter.id);
    assert_eq!(log.redrive(&tenant("acme"), &[letter.id]).await.unwrap(), [letter.id]);
    let delivery = take_one(&member).await;
    assert_eq!((delivery.id.position, &*delivery.event), (letter.position, &event("a", REQUESTS)));
}

pub(super) async fn a_dead_letter_outlives_its_event<H: EventLogHarness>(h: H) {
    let letter = bury(&h, "a").await;
    h.elapse(H::RETAIN_FOR + H::UNIT).await;
    let (log, member) = (h.log(), workers(&h).await);
    append(&log, REQUESTS, &["b"]).await;
    let gone = log.bounds(REQUESTS).await.unwrap().before_first;
    assert!(gone >= letter.position && gone > Position(0), "the event itself is gone");
    assert_eq!(dead_letters(&log).await, std::slice::from_ref(&letter));
    assert_eq!(log.redrive(&tenant("acme"), &[letter.id]).await.unwrap(), [letter.id]);
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["a", "b"]);
}
