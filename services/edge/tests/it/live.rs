//! Streams without a group.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soorma_core::Topic;
use soorma_edge::Config;
use soorma_testkit::MemoryLog;

use super::server::{Server, number, numbered, work};
use super::sse::{Frame, Stream};

const ALL: &str = "topics=*&agent_id=a";

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_with_what_would_be_right() {
    let server = Server::start().await;
    for (query, status, says) in [
        ("agent_id=a", 422, "topics is required"),
        ("topics=plan-events", 422, "agent_id is required"),
        ("", 422, "topics and agent_id are required"),
        ("topics=,%20,&agent_id=a", 400, "At least one topic is required"),
        ("topics=plan-events,research.*&agent_id=a", 422, "unknown topic 'research.*'"),
        ("topics=action-*&agent_id=a", 422, "task-events"),
        ("topics=plan-events&agent_id=", 422, "agent_id is empty"),
        ("topics=plan-events&agent_id=a%0ab", 422, "control character"),
        ("topics=plan-events&agent_id=a&agent_name=%20", 422, "agent_name is empty"),
        ("topics=plan-events&topics=task-events&agent_id=a", 422, "topics"),
        ("topics=plan-events&agent_id=a&last_event_id=7", 422, "'7' is not a position"),
        ("topics=plan-events&agent_id=a&last_event_id=plan-events=99", 422, "lies in the future"),
    ] {
        let reply = server.get(&format!("/v1/events/stream?{query}")).await;
        assert_eq!(reply.status, status, "{query}: {}", reply.body);
        assert!(reply.detail().contains(says), "{query}: {}", reply.detail());
    }
    assert_eq!(server.get("/health").await.json()["active_streams"], 0);
}

#[tokio::test]
async fn a_stream_begins_with_who_it_is_and_its_headers_keep_proxies_out_of_the_way() {
    let server = Server::start().await;
    let mut stream =
        Stream::unread(server.address, "topics=task-events,+plan-events,task-events&agent_id=a-1", &[]).await;
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("transfer-encoding", "chunked"),
    ] {
        assert!(stream.headers.contains(&(name.into(), value.into())), "{:?}", stream.headers);
    }
    let first = stream.next().await;
    assert_eq!(first.data["topics"], json!(["task-events", "plan-events"]));
    assert_eq!((first.event.as_str(), &first.data["agent_id"]), ("connected", &json!("a-1")));
    assert!(first.data["connection_id"].is_string());
    assert_eq!(first.id.as_deref(), Some("plan-events=0,task-events=0"));
}

#[tokio::test]
async fn a_tenant_sees_its_own_events_and_streams_alone() {
    let server = Server::start().await;
    let mut one = server.stream(ALL).await;
    let mut two = Stream::open(server.address, "topics=%3E&agent_id=b", &[("x-tenant-id", "two")]).await;
    for n in 0..10 {
        server.publish_as("one", work(&format!("one-{n}"))).await;
        server.publish_as("two", work(&format!("two-{n}"))).await;
    }
    for (stream, tenant) in [(&mut one, "one"), (&mut two, "two")] {
        for (n, frame) in stream.events(10).await.iter().enumerate() {
            assert_eq!(frame.event_id(), format!("{tenant}-{n}"));
            assert_eq!(frame.data["platform_tenant_id"], tenant);
        }
        let shown = server.send("GET", "/v1/admin/connections", &[("x-tenant-id", tenant)], "").await.json();
        assert_eq!(shown["count"], 1);
        assert_eq!(shown["connections"][0]["agent_id"], if tenant == "one" { "a" } else { "b" });
    }
    let nobody = server.get("/v1/admin/connections").await.json();
    assert_eq!(nobody, json!({"count": 0, "connections": []}));
}

#[tokio::test]
async fn a_stream_that_is_cut_behind_any_frame_resumes_to_the_same_sequence() {
    let server = Server::start().await;
    let query = "topics=action-requests&agent_id=a";
    let mut whole = Stream::unread(server.address, query, &[("x-tenant-id", "one")]).await;
    let mut cuts = vec![whole.next().await.id.expect("even the first frame has an id")];
    for n in 0..12 {
        server.publish(work(&format!("e{n}"))).await;
        server.publish_as("two", work(&format!("f{n}"))).await;
    }
    let frames = whole.events(12).await;
    cuts.extend(frames.iter().map(|frame| frame.id.clone().expect("each frame has an id")));
    for (cut, id) in cuts.iter().enumerate() {
        let expect: Vec<_> = frames[cut..].iter().map(|frame| &frame.data).collect();
        let by_header = [("x-tenant-id", "one"), ("last-event-id", id.as_str())];
        // The header is newer than the address, which a browser repeats as it was.
        let stale = format!("{query}&last_event_id=action-requests=0");
        let by_header = Stream::open(server.address, &stale, &by_header).await;
        let by_query = server.stream(&format!("{query}&last_event_id={id}")).await;
        for mut rest in [by_header, by_query] {
            let rest = rest.events(expect.len()).await;
            assert_eq!(rest.iter().map(|frame| &frame.data).collect::<Vec<_>>(), expect, "cut behind {cut}");
        }
    }
}

#[tokio::test]
async fn a_position_that_is_no_longer_kept_is_gone_and_says_from_where_to_go_on() {
    let keep_five = |clock: Arc<dyn soorma_ports::Clock>| MemoryLog::with_retention(clock, Duration::MAX, 5);
    let server = Server::over(Config::default(), soorma_bus::Config::default(), keep_five).await;
    for n in 0..20 {
        let mut event = work(&format!("e{n}"));
        event["topic"] = Topic::ALL[n % 2].as_str().into();
        server.publish(event).await;
    }
    let query = "topics=business-facts,action-requests,plan-events&agent_id=a&last_event_id";
    let path = format!("/v1/events/stream?{query}=business-facts=1,action-requests=2,plan-events=0");
    let reply = server.send("GET", &path, &[("x-tenant-id", "one")], "").await;
    assert_eq!((reply.status, reply.problem()["code"].as_str()), (410, Some("not_found")));
    let earliest = reply.problem()["earliest"].as_str().expect("a position").to_owned();
    let mut stream = server.stream(&format!("{query}={earliest}")).await;
    let mut ids = stream.ids(10).await;
    ids.sort_by_key(|id| number(id));
    assert_eq!(ids, numbered(10..20));
}

#[tokio::test]
async fn line_separators_of_other_alphabets_do_not_break_a_line() {
    let server = Server::start().await;
    let mut stream = server.stream(ALL).await;
    let text = "a\u{2028}b\u{2029}c\u{85}d\r\ne\u{1f600}";
    let mut small = work("small");
    small["data"] = json!({ "text": text });
    small["subject"] = text.into();
    let mut large = small.clone();
    large["id"] = "large".into();
    large["data"]["more"] = text.repeat(1_000).into();
    server.publish(small.clone()).await;
    server.publish(large.clone()).await;
    for sent in [small, large] {
        let frame = stream.next().await;
        for key in ["id", "data", "subject"] {
            assert_eq!(frame.data[key], sent[key]);
        }
    }
}

#[tokio::test]
async fn only_the_types_that_are_asked_for_are_shown_and_the_place_moves_on_over_the_others() {
    let config = Config { heartbeat_every: Duration::from_millis(50), ..Config::default() };
    let server = Server::with(config).await;
    let query = "topics=action-requests&agent_id=a&types=order.*,bill.sent";
    let mut stream = server.stream(query).await;
    let mut member = server.stream(&format!("{query}&agent_name=workers")).await;
    let events: Vec<_> = ["order.placed", "other", "bill.sent", "bill.paid", "order.late", "other"]
        .iter()
        .enumerate()
        .map(|(n, kind)| {
            let mut event = work(&format!("e{n}"));
            event["type"] = (*kind).into();
            event
        })
        .collect();
    server.publish_all(&events).await;
    for stream in [&mut stream, &mut member] {
        assert_eq!(stream.ids(3).await, ["e0", "e2", "e4"]);
    }
    let beat = loop {
        let frame = stream.next().await;
        if frame.id.as_deref() == Some("action-requests=6") {
            break frame;
        }
    };
    assert_eq!(beat.event, "heartbeat");
    let mut resumed = server.stream(&format!("{query}&last_event_id=action-requests=1")).await;
    assert_eq!(resumed.ids(2).await, ["e2", "e4"]);
}

#[tokio::test]
async fn a_principal_has_only_so_many_streams() {
    let server = Server::with(Config { max_streams_per_principal: 1, ..Config::default() }).await;
    let ann = [("x-tenant-id", "one"), ("x-service-tenant-id", "st"), ("x-user-id", "ann")];
    let _first = Stream::open(server.address, ALL, &ann).await;
    let path = format!("/v1/events/stream?{ALL}");
    let refused = server.send("GET", &path, &ann, "").await;
    assert_eq!((refused.status, refused.problem()["code"].as_str()), (429, Some("rate_limited")));
    assert_eq!(refused.header("retry-after"), Some("5"));
    for (service_tenant, user) in [("st", "bob"), ("other", "ann")] {
        let headers = [("x-tenant-id", "one"), ("x-service-tenant-id", service_tenant), ("x-user-id", user)];
        let _own = Stream::open(server.address, ALL, &headers).await;
    }
}

#[tokio::test]
async fn heartbeats_and_pings_come_in_both_kinds_of_streams() {
    let every = Duration::from_millis(40);
    let server = Server::with(Config { heartbeat_every: every, ..Config::default() }).await;
    for query in [ALL, "topics=*&agent_id=a&agent_name=group"] {
        let mut stream = Stream::unread(server.address, query, &[]).await;
        let connection = stream.next().await.data["connection_id"].clone();
        let (mut pings, mut heartbeats) = (0, 0);
        while pings < 2 || heartbeats < 2 {
            let block = stream.block().await.expect("it goes on");
            if let Some(comment) = block.strip_prefix(": ping - 2026-01-01 ") {
                assert!(comment.ends_with("+00:00"), "{comment}");
                pings += 1;
            } else {
                // A live stream's heartbeat says where to resume, too; the place of a group is kept here.
                let id = if query == ALL { "id: " } else { "data: " };
                assert!(block.starts_with(&format!("event: heartbeat\r\n{id}")), "{block}");
                assert!(block.ends_with(&format!("\r\ndata: {{\"connection_id\":{connection}}}")), "{block}");
                heartbeats += 1;
            }
        }
    }
}

#[tokio::test]
async fn when_the_server_stops_streams_end_with_a_last_frame_and_it_takes_no_more_connections() {
    let mut server = Server::start().await;
    let mut streams = vec![server.stream(ALL).await, server.member("workers").await];
    server.tell_to_stop();
    for stream in &mut streams {
        let last = stream.next().await;
        assert_eq!(last.event, "disconnected");
        assert!(last.data["connection_id"].is_string());
        assert_eq!(stream.try_next().await, None);
    }
    server.stopped().await;
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_a_closed_one_makes_room() {
    let config = Config { max_streams: 3, max_streams_per_tenant: 2, ..Config::default() };
    let mut server = Server::with(config).await;
    let first = server.stream(ALL).await;
    let _second = server.member("workers").await;
    let path = format!("/v1/events/stream?{ALL}");
    let refused = server.send("GET", &path, &[("x-tenant-id", "one")], "").await;
    assert_eq!((refused.status, refused.problem()["code"].as_str()), (429, Some("rate_limited")));
    let _third = Stream::open(server.address, ALL, &[("x-tenant-id", "two")]).await;
    let refused = server.send("GET", &path, &[("x-tenant-id", "three")], "").await;
    assert_eq!((refused.status, refused.problem()["code"].as_str()), (429, Some("overloaded")));
    drop(first);
    loop {
        let asked = server.get("/health").await.json();
        if asked["active_streams"] == 2 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let _again = server.stream(ALL).await;
    server.tell_to_stop();
    server.stopped().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_nothing_and_holds_up_nobody() {
    let bus = soorma_bus::Config { tail_buffer: 8, ..soorma_bus::Config::default() };
    let server = Server::over(Config::default(), bus, MemoryLog::new).await;
    let (mut slow, mut fast) = (server.stream(ALL).await, server.stream(ALL).await);
    // More than the sockets and buffers between them hold.
    for n in 0..400 {
        let mut event = work(&format!("e{n}"));
        event["data"]["text"] = "x".repeat(50_000).into();
        server.publish(event).await;
        assert_eq!(fast.ids(1).await, [format!("e{n}")]);
    }
    assert_eq!(slow.ids(400).await, numbered(0..400));
}

#[tokio::test]
async fn a_live_stream_may_begin_with_the_earliest_that_is_kept() {
    let keep_five = |clock: Arc<dyn soorma_ports::Clock>| MemoryLog::with_retention(clock, Duration::MAX, 5);
    let server = Server::over(Config::default(), soorma_bus::Config::default(), keep_five).await;
    for n in 0..8 {
        server.publish(work(&format!("e{n}"))).await;
    }
    let mut kept = server.stream(&format!("{ALL}&start=earliest")).await;
    let shown = kept.events(5).await;
    assert_eq!(shown.iter().map(Frame::event_id).collect::<Vec<_>>(), numbered(3..8));
    // A browser that connects again sends the same address, and the place that it was shown.
    let place = shown[3].id.as_deref().expect("a place");
    let resumed = [("x-tenant-id", "one"), ("last-event-id", place)];
    let mut stream = Stream::open(server.address, &format!("{ALL}&start=earliest"), &resumed).await;
    assert_eq!(stream.ids(1).await, numbered(7..8));
}
