//! Clauses 9 to 12 of the log: what groups are, and what is done with them.

use std::sync::Arc;

use soorma_core::{Cursor, Name, Position, Topic};
use soorma_ports::{ConsumerSpec, EventLog, EventLogError, GroupCommand, GroupStatus, Reach, Settle, Start};

use super::EventLogHarness;
use super::steps::{
    AT_ONCE, FACTS, REQUESTS, append, append_of, assert_nothing, bury, dead_letters, handed, positions,
    read_all, reject, release, retry, settle, spec, take_one, wait_while, workers,
};
use crate::{name, tenant};

async fn status(log: &Arc<dyn EventLog>, group: &str) -> GroupStatus {
    log.group(&tenant("acme"), &name(group)).await.unwrap().expect("the group is there")
}

async fn command(log: &Arc<dyn EventLog>, command: GroupCommand) {
    assert_eq!(log.command(&tenant("acme"), &name("workers"), command).await, Ok(true));
}

fn idle<H: EventLogHarness>(group: &str) -> ConsumerSpec {
    ConsumerSpec { expire_after: Some(H::UNIT * 16), ..spec::<H>(group, &[REQUESTS]) }
}

pub(super) async fn a_group_says_how_far_behind_it_is<H: EventLogHarness>(h: H) {
    let log = h.log();
    let both = log.consumer(spec::<H>("workers", &[REQUESTS, FACTS])).await.unwrap();
    let fresh = status(&log, "workers").await;
    assert_eq!((fresh.behind(), fresh.oldest, fresh.paused), (0, None, false));
    assert_eq!(fresh.topics.keys().copied().collect::<Vec<_>>(), [FACTS, REQUESTS]);
    let places = positions(&append(&log, REQUESTS, &["a", "b", "c", "d"]).await);
    append_of(&log, "globex", REQUESTS, &["of others"]).await;
    append(&log, FACTS, &["f", "g", "h"]).await;
    let one = workers(&h).await;
    let mut in_hand = one.next(3, H::UNIT).await.unwrap();
    assert_eq!(handed(&in_hand), ["a", "b", "c"]);
    assert!(settle(&both, in_hand.remove(2).id, retry(H::UNIT)).await);
    let now = status(&log, "workers").await;
    assert_eq!((now.in_hand, now.waiting, now.dead_letters), (2, 1, 0));
    assert_eq!((now.topics[&REQUESTS].lag, now.topics[&FACTS].lag), (1, 3));
    assert_eq!(now.topics[&REQUESTS].position, places[2]);
    assert_eq!(now.behind(), 7);
    assert!(now.oldest.is_some());
    for delivery in in_hand {
        let reject = Settle::Reject { cause: "no".into() };
        assert!(settle(&one, delivery.id, reject).await);
    }
    let now = status(&log, "workers").await;
    assert_eq!((now.in_hand, now.waiting, now.dead_letters), (0, 1, 2));
}

pub(super) async fn groups_are_listed_by_tenant_and_name<H: EventLogHarness>(h: H) {
    let log = h.log();
    for group in ["b", "c", "a"] {
        log.consumer(spec::<H>(group, &[REQUESTS])).await.unwrap();
    }
    let theirs = ConsumerSpec { tenant: tenant("globex"), ..spec::<H>("b", &[REQUESTS]) };
    log.consumer(theirs).await.unwrap();
    let acme = Reach::Tenant(tenant("acme"));
    let names = |groups: Vec<GroupStatus>| -> Vec<String> {
        groups.into_iter().map(|group| format!("{}/{}", group.tenant, group.group)).collect()
    };
    assert_eq!(names(log.groups(&acme, None, 10).await.unwrap()), ["acme/a", "acme/b", "acme/c"]);
    assert_eq!(names(log.groups(&acme, None, 2).await.unwrap()), ["acme/a", "acme/b"]);
    let after = (tenant("acme"), name("b"));
    assert_eq!(names(log.groups(&acme, Some(&after), 2).await.unwrap()), ["acme/c"]);
    let all = log.groups(&Reach::Platform, Some(&after), 10).await.unwrap();
    assert_eq!(names(all), ["acme/c", "globex/b"]);
    assert_eq!(log.count_groups(&tenant("acme")).await, Ok(3));
    assert_eq!(log.count_groups(&tenant("initech")).await, Ok(0));
    let none = Reach::Tenant(tenant("initech"));
    assert_eq!(log.groups(&none, None, 10).await, Ok(vec![]));
}

pub(super) async fn a_group_that_is_not_there_says_so<H: EventLogHarness>(h: H) {
    let (log, nobody) = (h.log(), name("nobody"));
    workers(&h).await;
    for whose in ["acme", "globex"] {
        let group = if whose == "acme" { nobody.clone() } else { name("workers") };
        assert_eq!(log.group(&tenant(whose), &group).await, Ok(None));
        assert_eq!(log.settle(&tenant(whose), &group, vec![]).await, Ok(None));
        for command in [GroupCommand::Pause, GroupCommand::Seek(Start::Now), GroupCommand::Remove] {
            assert_eq!(log.command(&tenant(whose), &group, command).await, Ok(false));
        }
    }
}

pub(super) async fn who_is_no_member_may_settle<H: EventLogHarness>(h: H) {
    let (log, group) = (h.log(), name("workers"));
    let member = workers(&h).await;
    append(&log, REQUESTS, &["a", "b"]).await;
    let in_hand = member.next(2, AT_ONCE).await.unwrap();
    let settlements = vec![(in_hand[0].id, Settle::Ack), (in_hand[1].id, release(AT_ONCE))];
    let counted = log.settle(&tenant("acme"), &group, settlements.clone()).await;
    assert_eq!(counted, Ok(Some(vec![true, true])));
    assert_eq!(log.settle(&tenant("acme"), &group, settlements).await, Ok(Some(vec![false, false])));
    assert_eq!(take_one(&member).await.event.id.as_str(), "b");
}

pub(super) async fn paused_it_hands_out_nothing_until_it_is_resumed<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = workers(&h).await;
    append(&log, REQUESTS, &["a", "b", "c"]).await;
    let mut in_hand = member.next(2, AT_ONCE).await.unwrap();
    command(&log, GroupCommand::Pause).await;
    assert!(status(&log, "workers").await.paused);
    assert_nothing(&member).await;
    // What is in hand can be settled, and is not handed out again.
    assert!(settle(&member, in_hand.remove(0).id, Settle::Ack).await);
    assert!(settle(&member, in_hand.remove(0).id, release(AT_ONCE)).await);
    assert_nothing(&member).await;
    // To join is not to resume.
    let member = workers(&h).await;
    assert_nothing(&member).await;
    command(&log, GroupCommand::Resume).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["b", "c"]);
}

pub(super) async fn a_pause_survives_reopening<H: EventLogHarness>(h: H) {
    drop(workers(&h).await);
    append(&h.log(), REQUESTS, &["a"]).await;
    command(&h.log(), GroupCommand::Pause).await;
    let h = h.reopen().await;
    let member = workers(&h).await;
    assert_nothing(&member).await;
    command(&h.log(), GroupCommand::Resume).await;
    assert_eq!(take_one(&member).await.event.id.as_str(), "a");
}

pub(super) async fn a_member_that_waits_is_woken_when_it_is_resumed<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = workers(&h).await;
    command(&log, GroupCommand::Pause).await;
    append(&log, REQUESTS, &["a"]).await;
    let delivery = wait_while(&h, &member, command(&log, GroupCommand::Resume)).await;
    assert_eq!(delivery.event.id.as_str(), "a");
}

pub(super) async fn sought_back_it_hands_out_again<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = workers(&h).await;
    let places = positions(&append(&log, REQUESTS, &["a", "b", "c"]).await);
    for delivery in member.next(10, AT_ONCE).await.unwrap() {
        assert!(settle(&member, delivery.id, Settle::Ack).await);
    }
    let to = Start::After(Cursor::from_iter([(REQUESTS, places[0])]));
    let delivery = wait_while(&h, &member, command(&log, GroupCommand::Seek(to))).await;
    assert_eq!((delivery.event.id.as_str(), delivery.id.attempt), ("b", 1));
    assert_eq!(take_one(&member).await.event.id.as_str(), "c");
    assert!(settle(&member, delivery.id, Settle::Ack).await);
    command(&log, GroupCommand::Seek(Start::Earliest)).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["a", "b"]);
}

pub(super) async fn sought_forward_it_leaves_out<H: EventLogHarness>(h: H) {
    let log = h.log();
    let both = log.consumer(spec::<H>("workers", &[REQUESTS, FACTS])).await.unwrap();
    let places = positions(&append(&log, REQUESTS, &["a", "b", "c"]).await);
    append(&log, FACTS, &["fact"]).await;
    let to = Start::After(Cursor::from_iter([(REQUESTS, places[1])]));
    command(&log, GroupCommand::Seek(to)).await;
    let mut all = both.next(10, AT_ONCE).await.unwrap();
    all.extend(both.next(10, AT_ONCE).await.unwrap());
    let mut all = handed(&all);
    all.sort_unstable();
    assert_eq!(all, ["c", "fact"], "a topic that the cursor does not name stays where it is");
    append(&log, REQUESTS, &["d"]).await;
    command(&log, GroupCommand::Seek(Start::Now)).await;
    append(&log, REQUESTS, &["e"]).await;
    assert_eq!(handed(&both.next(10, H::UNIT).await.unwrap()), ["e"]);
}

pub(super) async fn what_is_open_when_it_is_sought_stays_open_and_comes_once<H: EventLogHarness>(h: H) {
    let log = h.log();
    let member = workers(&h).await;
    append(&log, REQUESTS, &["in hand", "waiting", "done"]).await;
    let in_hand = member.next(3, AT_ONCE).await.unwrap();
    assert!(settle(&member, in_hand[1].id, release(AT_ONCE)).await);
    assert!(settle(&member, in_hand[2].id, Settle::Ack).await);
    command(&log, GroupCommand::Seek(Start::Earliest)).await;
    let mut again = member.next(10, AT_ONCE).await.unwrap();
    again.extend(member.next(10, AT_ONCE).await.unwrap());
    let mut again = handed(&again);
    again.sort_unstable();
    assert_eq!(again, ["done", "waiting"]);
    assert!(settle(&member, in_hand[0].id, Settle::Ack).await);
    assert_nothing(&member).await;
}

pub(super) async fn a_place_out_of_bounds_cannot_be_sought<H: EventLogHarness>(h: H) {
    let log = h.log();
    workers(&h).await;
    let head = append(&log, REQUESTS, &["a"]).await[0].position;
    let after = Position(head.0 + 1);
    let to = GroupCommand::Seek(Start::After(Cursor::from_iter([(REQUESTS, after)])));
    let refused = log.command(&tenant("acme"), &name("workers"), to).await;
    assert_eq!(refused, Err(EventLogError::Beyond { topic: REQUESTS, after, head }));
}

pub(super) async fn removed_it_is_gone_and_made_anew_by_who_joins<H: EventLogHarness>(h: H) {
    let log = h.log();
    bury(&h, "dead").await;
    let member = workers(&h).await;
    append(&log, REQUESTS, &["a", "b"]).await;
    let in_hand = member.next(1, AT_ONCE).await.unwrap();
    command(&log, GroupCommand::Remove).await;
    assert_eq!(log.group(&tenant("acme"), &name("workers")).await, Ok(None));
    assert_eq!(dead_letters(&log).await, []);
    let answer = member.next(1, AT_ONCE).await;
    assert!(matches!(answer, Err(EventLogError::Unavailable(_))), "{answer:?}");
    let answer = member.settle(vec![(in_hand[0].id, Settle::Ack)]).await;
    assert!(matches!(answer, Err(EventLogError::Unavailable(_))), "{answer:?}");
    drop((member, log));
    let h = h.reopen().await;
    let anew = ConsumerSpec { start: Start::Now, ..spec::<H>("workers", &[REQUESTS]) };
    let member = h.log().consumer(anew).await.unwrap();
    assert_nothing(&member).await;
    append(&h.log(), REQUESTS, &["c"]).await;
    assert_eq!(handed(&member.next(10, H::UNIT).await.unwrap()), ["c"]);
}

pub(super) async fn made_anew_it_gets_the_past_again_also_where_an_old_member_lives_on<H: EventLogHarness>(
    h: H,
) {
    let log = h.log();
    let old = workers(&h).await;
    append(&log, REQUESTS, &["a", "b", "c"]).await;
    // One is settled, two are in hand, and it has seen that there is nothing more.
    let in_hand = old.next(10, AT_ONCE).await.unwrap();
    assert!(settle(&old, in_hand[0].id, Settle::Ack).await);
    assert_nothing(&old).await;
    command(&log, GroupCommand::Remove).await;
    let member = workers(&h).await;
    assert_eq!(handed(&member.next(10, AT_ONCE).await.unwrap()), ["a", "b", "c"]);
    drop(old);
}

async fn forgotten(log: &Arc<dyn EventLog>) -> Vec<Name> {
    log.expire_groups().await.unwrap().into_iter().map(|(_, group)| group).collect()
}

pub(super) async fn a_group_that_is_used_is_not_forgotten<H: EventLogHarness>(h: H) {
    let log = h.log();
    let asking = log.consumer(idle::<H>("asking")).await.unwrap();
    let settling = log.consumer(idle::<H>("settling")).await.unwrap();
    append(&log, REQUESTS, &["a"]).await;
    let delivery = take_one(&settling).await;
    for _ in 0..4 {
        h.elapse(H::UNIT * 12).await;
        asking.next(1, AT_ONCE).await.unwrap();
        settle(&settling, delivery.id, Settle::Extend).await;
        log.consumer(idle::<H>("joined")).await.unwrap();
        assert_eq!(forgotten(&log).await, [] as [Name; 0]);
    }
}

pub(super) async fn a_group_that_is_not_used_is_forgotten_in_time<H: EventLogHarness>(h: H) {
    let log = h.log();
    append(&log, REQUESTS, &["a"]).await;
    drop(log.consumer(idle::<H>("idle")).await.unwrap());
    drop(log);
    let h = h.reopen().await;
    h.elapse(H::UNIT * 15).await;
    assert_eq!(forgotten(&h.log()).await, [] as [Name; 0]);
    // An eighth is what a log need not write down.
    h.elapse(H::UNIT * 4).await;
    assert_eq!(forgotten(&h.log()).await, [name("idle")]);
    assert_eq!(forgotten(&h.log()).await, [] as [Name; 0]);
    assert_eq!(h.log().group(&tenant("acme"), &name("idle")).await, Ok(None));
    let anew = h.log().consumer(idle::<H>("idle")).await.unwrap();
    assert_eq!(take_one(&anew).await.event.id.as_str(), "a");
}

pub(super) async fn a_group_with_dead_letters_is_not_forgotten<H: EventLogHarness>(h: H) {
    let log = h.log();
    let letter = bury(&h, "dead").await;
    log.consumer(idle::<H>("workers")).await.unwrap();
    h.elapse(H::UNIT * 20).await;
    assert_eq!(forgotten(&log).await, [] as [Name; 0]);
    log.discard(&tenant("acme"), &[letter.id]).await.unwrap();
    assert_eq!(forgotten(&log).await, [name("workers")]);
}

pub(super) async fn given_up_again_after_a_seek_it_is_a_second_letter<H: EventLogHarness>(h: H) {
    let (log, acme) = (h.log(), tenant("acme"));
    let first = bury(&h, "a").await;
    let member = log.consumer(idle::<H>("workers")).await.unwrap();
    h.elapse(H::UNIT).await;
    command(&log, GroupCommand::Seek(Start::Earliest)).await;
    let again = take_one(&member).await;
    assert_eq!(again.id.position, first.position);
    assert!(settle(&member, again.id, reject()).await);
    let letters = dead_letters(&log).await;
    let [kept, second] = &letters[..] else { panic!("two dead letters are expected: {letters:?}") };
    assert_eq!((kept, second.position), (&first, first.position));
    assert_eq!(status(&log, "workers").await.dead_letters, 2);
    let announced = read_all(&log, "acme", Topic::SystemEvents).await;
    assert_eq!(announced.len(), 2);
    // Given back one by one: the group has an event open once.
    assert_eq!(log.redrive(&acme, &[first.id, second.id]).await.unwrap(), [first.id]);
    let again = take_one(&member).await;
    assert!(settle(&member, again.id, Settle::Ack).await);
    assert_eq!(dead_letters(&log).await, std::slice::from_ref(second));
    assert_eq!(log.discard(&acme, &[second.id]).await.unwrap(), [second.id]);
    assert_eq!(status(&log, "workers").await.dead_letters, 0);
    h.elapse(H::UNIT * 20).await;
    assert_eq!(forgotten(&log).await, [name("workers")]);
}

pub(super) async fn a_group_that_says_nothing_is_never_forgotten<H: EventLogHarness>(h: H) {
    workers(&h).await;
    h.elapse(H::RETAIN_FOR - H::UNIT).await;
    assert_eq!(forgotten(&h.log()).await, [] as [Name; 0]);
}
