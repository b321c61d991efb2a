//! Streams that are members of a group.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_edge::Config;
use soorma_ports::EventLogError;
use soorma_testkit::{Call, Fault, MemoryLog};

use super::server::{HOUR, Server, number, numbered, patient, work};
use super::sse::Stream;

/// What a worker answers.
fn reply(id: &str, correlation_id: Option<&str>, parent: Option<&str>) -> Value {
    json!({
        "id": id, "source": "workers", "type": "work.done", "topic": "action-results",
        "correlation_id": correlation_id, "parent_event_id": parent, "tenant_id": "st", "user_id": "su",
    })
}

async fn publish(server: &Server, range: std::ops::Range<usize>) {
    for id in numbered(range) {
        server.publish(work(&id)).await;
    }
}

#[tokio::test]
async fn each_event_goes_to_one_member_and_every_group_gets_them_all() {
    let server = Server::with(Config { stream_credit: 1, ..patient() }).await;
    let (mut first, mut second) = (server.member("workers").await, server.member("workers").await);
    let mut other = server.member("auditors").await;
    publish(&server, 0..2).await;
    let shared: BTreeSet<_> = [first.ids(1).await, second.ids(1).await].concat().into_iter().collect();
    assert_eq!(shared, numbered(0..2).into_iter().collect());
    assert_eq!(other.ids(1).await, ["e0"]);
}

#[tokio::test]
async fn a_new_group_starts_at_now_and_keeps_its_place_while_nobody_is_there() {
    let server = Server::with(patient()).await;
    publish(&server, 0..3).await;
    let member = server.member("workers").await;
    drop(member);
    publish(&server, 3..6).await;
    let mut member = server.member("workers").await;
    assert_eq!(member.ids(3).await, numbered(3..6));
}

#[tokio::test]
async fn groups_of_one_name_in_two_tenants_know_nothing_of_each_other() {
    let server = Server::with(Config { stream_credit: 1, ..patient() }).await;
    let query = "topics=action-requests&agent_id=w&agent_name=workers";
    let mut one = server.member("workers").await;
    let mut two = Stream::open(server.address, query, &[("x-tenant-id", "two")]).await;
    for tenant in ["one", "two"] {
        for n in 0..2 {
            server.publish_as(tenant, work(&format!("{tenant}-{n}"))).await;
        }
    }
    assert_eq!((one.ids(1).await, two.ids(1).await), (vec!["one-0".into()], vec!["two-0".into()]));
    // A reply of one tenant settles nothing of the other, though all the names are the same.
    server.publish_as("two", reply("r", None, Some("one-0"))).await;
    server.publish_as("two", reply("s", None, Some("two-0"))).await;
    assert_eq!(two.ids(1).await, ["two-1"]);
    drop(one);
    let mut one = server.member("workers").await;
    assert_eq!(one.ids(1).await, ["one-0"]);
}

#[tokio::test]
async fn a_member_that_dies_gives_what_it_has_in_hand_back_in_order() {
    let server = Server::with(patient()).await;
    let mut dying = server.member("workers").await;
    publish(&server, 0..40).await;
    assert_eq!(dying.ids(40).await, numbered(0..40));
    server.publish(reply("r0", Some("about-e0"), None)).await;
    server.publish(reply("r3", None, Some("e3"))).await;
    drop(dying);
    let mut heir = server.member("workers").await;
    let expect: Vec<_> = numbered(0..40).into_iter().filter(|id| id != "e0" && id != "e3").collect();
    assert_eq!(heir.ids(38).await, expect);
}

#[tokio::test]
async fn a_reply_settles_what_it_answers_and_nothing_else_however_often_it_is_sent() {
    let server = Server::with(patient()).await;
    let mut member = server.member("workers").await;
    for id in numbered(0..4) {
        let mut event = work(&id);
        event["correlation_id"] = "plan".into();
        server.publish(event).await;
    }
    assert_eq!(member.ids(4).await, numbered(0..4));
    // Its answer was lost, so it is sent again.
    for _ in 0..2 {
        server.publish(reply("r", Some("plan"), None)).await;
    }
    // Two that name what they are about, such as its progress and its result.
    for id in ["progress", "result"] {
        server.publish(reply(id, Some("plan"), Some("e1"))).await;
    }
    drop(member);
    let mut heir = server.member("workers").await;
    assert_eq!(heir.ids(2).await, ["e2", "e3"]);
}

#[tokio::test]
async fn a_reply_makes_room_at_once() {
    let server = Server::with(Config { stream_credit: 2, ..patient() }).await;
    let mut member = server.member("workers").await;
    publish(&server, 0..30).await;
    let mut seen = member.ids(2).await;
    for n in 0..28 {
        // By the conversation, or by the event itself.
        let about = format!("about-e{n}");
        let id = format!("e{n}");
        let answer = match n % 2 {
            0 => reply(&format!("r{n}"), Some(&about), None),
            _ => reply(&format!("r{n}"), Some("another"), Some(&id)),
        };
        server.publish(answer).await;
        seen.extend(member.ids(1).await);
    }
    assert_eq!(seen, numbered(0..30));
}

#[tokio::test]
async fn only_a_reply_of_the_groups_agent_settles() {
    let server = Server::with(Config { stream_credit: 1, ..patient() }).await;
    let mut member = server.member("workers").await;
    publish(&server, 0..2).await;
    assert_eq!(member.ids(1).await, ["e0"]);
    let mut foreign = reply("r", Some("about-e0"), Some("e0"));
    foreign["source"] = "somebody".into();
    server.publish(foreign).await;
    server.publish(reply("s", Some("about-nothing"), Some("e1"))).await;
    drop(member);
    let mut member = server.member("workers").await;
    assert_eq!(member.ids(1).await, ["e0"], "nothing has settled it");
}

#[tokio::test]
async fn a_stream_that_stays_open_settles_what_needs_no_reply() {
    let config = Config { stream_credit: 1, settle_after: Duration::from_millis(30), ..patient() };
    let server = Server::with(config).await;
    let mut member = server.member("workers").await;
    publish(&server, 0..5).await;
    assert_eq!(member.ids(5).await, numbered(0..5));
}

#[tokio::test]
async fn an_event_that_kills_every_member_becomes_a_dead_letter_and_those_behind_it_do_not() {
    let server = Server::with(Config { max_attempts: 3, ..patient() }).await;
    let mut member = server.member("workers").await;
    publish(&server, 0..3).await;
    for attempt in 1..=3 {
        assert_eq!(member.ids(3).await, numbered(0..3), "attempt {attempt}");
        drop(member);
        member = server.member("workers").await;
    }
    assert_eq!(member.ids(2).await, numbered(1..3));
    let list = server.send("GET", "/v1/dead-letters", &[("x-tenant-id", "one")], "").await.json();
    let letters = list["dead_letters"].as_array().expect("a list");
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0]["event_id"], &letters[0]["attempts"]), (&json!("e0"), &json!(3)));
    assert_eq!(letters[0]["cause"], "the stream ended before it was settled");
}

#[tokio::test]
async fn a_stop_of_the_server_counts_as_no_attempt() {
    let mut server = Server::with(Config { max_attempts: 1, ..patient() }).await;
    let mut member = server.member("workers").await;
    publish(&server, 0..2).await;
    assert_eq!(member.ids(2).await, numbered(0..2));
    server.tell_to_stop();
    assert_eq!(member.next().await.event, "disconnected");
    server.stopped().await;
    let spec = soorma_ports::ConsumerSpec {
        tenant: soorma_testkit::tenant("one"),
        group: soorma_testkit::name("workers"),
        topics: [soorma_core::Topic::ActionRequests].into(),
        start: soorma_ports::Start::Now,
        ack_within: HOUR,
        max_attempts: 1,
        max_unsettled: 10,
        key: None,
        expire_after: None,
    };
    let consumer = soorma_ports::EventLog::consumer(&*server.log, spec).await.expect("joined");
    let handed = consumer.next(10, Duration::from_secs(5)).await.expect("handed out");
    let ids: Vec<_> =
        handed.iter().map(|delivery| (delivery.event.id.to_string(), delivery.id.attempt)).collect();
    assert_eq!(ids, [("e0".into(), 1), ("e1".into(), 1)]);
}

#[tokio::test]
async fn when_the_server_crashes_its_streams_end_and_what_they_had_in_hand_counts_as_untried() {
    let mut server = Server::with(patient()).await;
    let mut live = server.stream("topics=*&agent_id=a").await;
    let mut member = server.member("workers").await;
    publish(&server, 0..2).await;
    assert_eq!((live.ids(2).await, member.ids(2).await), (numbered(0..2), numbered(0..2)));
    server.crash().await;
    for stream in [&mut live, &mut member] {
        assert_eq!(stream.next().await.event, "disconnected");
        assert_eq!(stream.try_next().await, None);
    }
    let spec = soorma_ports::ConsumerSpec::new(
        soorma_testkit::tenant("one"),
        soorma_testkit::name("workers"),
        [soorma_core::Topic::ActionRequests],
    );
    let consumer = soorma_ports::EventLog::consumer(&*server.log, spec).await.expect("joined");
    let handed = consumer.next(10, Duration::from_secs(5)).await.expect("handed out");
    assert_eq!(handed.iter().map(|delivery| delivery.id.attempt).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_member_that_reads_nothing_loses_its_events_to_one_that_does() {
    let config = Config {
        stall_after: Duration::from_secs(1),
        settle_after: Duration::from_millis(20),
        ack_within: HOUR,
        ..Config::default()
    };
    let server = Server::with(config).await;
    let silent = server.member("workers").await;
    // More than the sockets and buffers between them hold.
    for n in 0..400 {
        let mut event = work(&format!("e{n}"));
        event["data"]["text"] = "x".repeat(50_000).into();
        server.publish(event).await;
    }
    let mut member = server.member("workers").await;
    // What had left the server before the member fell silent may count as done; the rest comes in order.
    let first = member.ids(1).await.remove(0);
    let first = number(&first);
    assert!((1..400).contains(&first), "{first}");
    assert_eq!(member.ids(399 - first).await, numbered(first + 1..400));
    drop(silent);
}

#[tokio::test]
async fn leases_are_kept_while_a_member_is_at_work() {
    let config = Config {
        stream_credit: 1,
        settle_after: HOUR,
        ack_within: Duration::from_millis(900),
        ..Config::default()
    };
    let server = Server::with(config).await;
    let mut working = server.member("workers").await;
    publish(&server, 0..1).await;
    assert_eq!(working.ids(1).await, ["e0"]);
    let mut idle = server.member("workers").await;
    // A lease is renewed when a third of it has passed: five of them are longer than one lease.
    server.log.delay(5, Call::Settle, Duration::ZERO);
    server.until_no_fault_is_left().await;
    publish(&server, 1..2).await;
    assert_eq!(idle.ids(1).await, ["e1"], "the first is still with the other");
}

#[tokio::test]
async fn a_log_that_is_away_for_a_moment_ends_no_group_stream() {
    let server = Server::with(Config { stream_credit: 1, ..patient() }).await;
    let away = || Fault::Fail(EventLogError::Unavailable("net".into()));
    server.log.on(Call::Next, away());
    let mut member = server.member("workers").await;
    publish(&server, 0..2).await;
    assert_eq!(member.ids(1).await, ["e0"]);
    server.log.on(Call::Settle, away());
    server.publish(reply("r", None, Some("e0"))).await;
    assert_eq!(member.ids(1).await, ["e1"]);
    assert_eq!(server.log.pending(), 0);
}

#[tokio::test]
async fn a_last_event_id_is_not_for_groups() {
    let server = Server::over(patient(), soorma_bus::Config::default(), MemoryLog::new).await;
    publish(&server, 0..3).await;
    let query = "topics=action-requests&agent_id=w&agent_name=workers";
    let headers = [("x-tenant-id", "one"), ("last-event-id", "action-requests=0")];
    let mut member = Stream::open(server.address, query, &headers).await;
    publish(&server, 3..4).await;
    let events = member.events(1).await;
    assert_eq!((events[0].event_id(), events[0].id.as_deref()), ("e3".into(), Some("action-requests=4")));
}
