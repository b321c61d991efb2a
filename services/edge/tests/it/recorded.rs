//! The exchanges that were recorded from the published services, replayed. What differs is listed with each.

use serde_json::{Value, json};

use super::http::{Reply, exchange, request};
use super::server::{Server, guarded, patient};
use super::sse::Stream;

const TENANT: &str = "pt_2b21b832c5674b7a8ef30b91b9fe8395";

/// How the answer differs.
enum Expect {
    /// The same status and body.
    Same,
    /// The same status; these keys more.
    More(&'static [&'static str]),
    /// The same status; a sentence for `detail`, and the same list in `errors` but for `ctx`.
    Errors,
    /// The same status; `detail` begins with the same words.
    Begins,
    /// Another status, and these words in `detail`.
    Instead(u16, &'static str),
}

/// A recorded exchange: the request line, headers, body, and the answer's status and body.
struct Recorded {
    method: String,
    path: String,
    content_type: Option<String>,
    authorization: Option<String>,
    body: String,
    status: u16,
    answer: Value,
}

fn read(text: &str) -> Recorded {
    let text = text.replace("\r\n", "\n");
    let (asked, answered) = text.split_once("<<<<< RESPONSE\n").expect("an answer");
    let (_, asked) = asked.split_once(">>>>> REQUEST\n").expect("a request");
    let (head, body) = asked.split_once("\n\n").expect("a head");
    let header = |name: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(name));
        found.map(|value| value.trim_start_matches(": ").to_owned())
    };
    let length = header("Content-Length").map_or(0, |length| length.parse().expect("a length"));
    let mut words = head.split(' ');
    let (answer_head, answer) = answered.split_once("\n\n").expect("a head");
    Recorded {
        method: words.next().expect("a method").into(),
        path: words.next().expect("a path").into(),
        content_type: header("Content-Type"),
        authorization: header("Authorization"),
        body: body.get(..length).expect("the whole body").into(),
        status: answer_head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"),
        answer: serde_json::from_str(answer.trim()).unwrap_or(Value::Null),
    }
}

async fn replay(server: &Server, recorded: &Recorded) -> Reply {
    replay_as(server, recorded, &[("x-tenant-id", TENANT)]).await
}

async fn replay_as(server: &Server, recorded: &Recorded, who: &[(&str, &str)]) -> Reply {
    let mut headers = who.to_vec();
    if let Some(content_type) = &recorded.content_type {
        headers.push(("content-type", content_type));
    }
    // Of what is recorded with a good token, the headers say who asked.
    if let Some(authorization) = recorded.authorization.as_ref().filter(|_| recorded.status == 401) {
        headers.push(("authorization", authorization));
    }
    let request = request(&recorded.method, &recorded.path, &headers, recorded.body.as_bytes());
    exchange(server.address, &request).await
}

fn compare(name: &str, recorded: &Recorded, reply: &Reply, expect: &Expect) {
    let theirs = &recorded.answer;
    let ours = if reply.body.is_empty() { Value::Null } else { reply.json() };
    let status = if let Expect::Instead(status, _) = expect { *status } else { recorded.status };
    assert_eq!(reply.status, status, "{name}: {ours}");
    if reply.status >= 400 {
        reply.problem();
    }
    match expect {
        Expect::Same if reply.status < 300 => assert_eq!(&ours, theirs, "{name}"),
        Expect::Same => assert_eq!(ours["detail"], theirs["detail"], "{name}"),
        Expect::More(keys) => {
            let mut ours = ours;
            for key in *keys {
                assert!(
                    ours.as_object_mut().is_some_and(|ours| ours.remove(*key).is_some()),
                    "{name}: {key}"
                );
            }
            assert_eq!(&ours, theirs, "{name}");
        }
        Expect::Errors => {
            let (mut theirs, mut errors) = (theirs["detail"].clone(), ours["errors"].clone());
            for error in [&mut theirs, &mut errors].into_iter().flat_map(Value::as_array_mut).flatten() {
                let error = error.as_object_mut().expect("an error");
                error.remove("ctx");
                // What stands for nothing may be left out.
                error.retain(|key, value| key != "input" || !(value.is_null() || *value == json!({})));
            }
            assert_eq!(errors, theirs, "{name}");
            assert!(ours["detail"].is_string(), "{name}");
        }
        Expect::Begins => {
            let (theirs, ours) = (theirs["detail"].as_str(), ours["detail"].as_str());
            assert!(ours.expect("a detail").starts_with(theirs.expect("a detail")), "{name}: {ours:?}");
        }
        Expect::Instead(_, says) => {
            assert!(ours["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{name}: {ours}");
        }
    }
}

macro_rules! recorded {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/", $name, ".http")))
    };
}

mod memory;
mod registry;

#[tokio::test]
async fn the_recorded_requests_are_answered_as_they_were() {
    let server = Server::with(patient()).await;
    let alone = [
        (recorded!("002-event-health"), Expect::More(&["service", "version", "memory", "embedder"])),
        (recorded!("058-event-publish-minimal"), Expect::Same),
        (recorded!("059-event-publish-all-fields"), Expect::Same),
        (recorded!("064-event-publish-missing-tenant"), Expect::Same),
        (recorded!("065-event-publish-missing-user"), Expect::Same),
        (recorded!("066-event-publish-wrong-topic"), Expect::Errors),
        (recorded!("067-event-publish-missing-type"), Expect::Errors),
        (recorded!("068-event-publish-data-not-object"), Expect::Errors),
        (recorded!("069-event-publish-tenant-too-long"), Expect::Same),
        (recorded!("070-event-publish-invalid-json"), Expect::Errors),
        (recorded!("074-event-publish-get"), Expect::Begins),
        (recorded!("075-event-stream-no-topics"), Expect::Errors),
        (recorded!("076-event-stream-empty-topics"), Expect::Same),
        // No token is asked for, and the topic is none.
        (recorded!("077-event-stream-no-auth"), Expect::Instead(422, "unknown topic 'x'")),
    ];
    for ((name, text), expect) in &alone {
        let recorded = read(text);
        compare(name, &recorded, &replay(&server, &recorded).await, expect);
    }

    let query = "topics=action-requests,action-results&agent_id=golden-sub-1&agent_name=golden-sub";
    let _stream = Stream::open(server.address, query, &[("x-tenant-id", TENANT)]).await;
    let (name, text) = recorded!("061-event-health-with-stream");
    let health = read(text);
    compare(
        name,
        &health,
        &replay(&server, &health).await,
        &Expect::More(&["service", "version", "memory", "embedder"]),
    );
    let connections = read(recorded!("060-event-admin-connections").1);
    let mut ours = replay(&server, &connections).await.json();
    let mut theirs = connections.answer.clone();
    for shown in [&mut ours, &mut theirs] {
        assert!(shown["connections"][0]["connection_id"].is_string());
        shown["connections"][0]["connection_id"] = "masked".into();
    }
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn who_proves_nothing_is_answered_as_they_were() {
    let server = Server::letting_in(guarded).await;
    for (name, text) in [
        recorded!("006-registry-root"),
        recorded!("054-registry-bad-jwt"),
        recorded!("077-event-stream-no-auth"),
    ] {
        let recorded = read(text);
        assert_eq!(recorded.status, 401, "{name}");
        compare(name, &recorded, &replay(&server, &recorded).await, &Expect::Same);
    }
}

/// Returns the frames of the recorded stream: name and data.
fn recorded_frames() -> Vec<(String, Value)> {
    let (_, text) = recorded!("057-event-sse-stream");
    let mut frames = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(event) = line.strip_prefix("event: ") {
            let data = lines.next().and_then(|line| line.strip_prefix("data: ")).expect("data");
            frames.push((event.to_owned(), serde_json::from_str(data).expect("JSON")));
        }
    }
    frames
}

#[tokio::test]
async fn the_recorded_stream_is_shown_frame_by_frame() {
    let server = Server::with(soorma_edge::Config {
        heartbeat_every: std::time::Duration::from_millis(300),
        ..patient()
    })
    .await;
    let query = "topics=action-requests,action-results&agent_id=golden-sub-1&agent_name=golden-sub";
    let mut stream = Stream::unread(server.address, query, &[("x-tenant-id", TENANT)]).await;
    let recorded = recorded_frames();
    let names: Vec<_> = recorded.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(names, ["connected", "message", "message", "message", "message", "message", "heartbeat"]);

    let connected = stream.next().await;
    let connection = connected.data["connection_id"].clone();
    let mask = |mut data: Value| {
        if data.get("connection_id").is_some() {
            data["connection_id"] = "masked".into();
        }
        data
    };
    assert_eq!(mask(connected.data), mask(recorded[0].1.clone()));
    for (nth, (_, data)) in recorded[1..6].iter().enumerate() {
        // Two were sent as recorded; of the others, what was sent follows from what was shown.
        let sent = match nth {
            0 => read(recorded!("058-event-publish-minimal").1).body,
            1 => read(recorded!("059-event-publish-all-fields").1).body,
            _ => json!({ "event": with_camel_case(data) }).to_string(),
        };
        let headers = [("content-type", "application/json"), ("x-tenant-id", TENANT)];
        let reply = server.send("POST", "/v1/events/publish", &headers, &sent).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let frame = loop {
            let frame = stream.next().await;
            if frame.event == "message" {
                break frame;
            }
        };
        assert_eq!(&frame.data, data);
        assert!(frame.id.is_some(), "unlike the published services, a message has an id");
    }
    let beat = loop {
        let frame = stream.next().await;
        if frame.event == "heartbeat" {
            break frame;
        }
    };
    assert_eq!(beat.data, json!({ "connection_id": connection }));
}

/// Spells an event as clients may, and claims a platform tenant that is not the caller's.
fn with_camel_case(event: &Value) -> Value {
    let mut sent = serde_json::Map::new();
    for (key, value) in event.as_object().expect("an event") {
        let mut words = key.split('_');
        let mut name = words.next().expect("a word").to_owned();
        for word in words {
            let (first, rest) = word.split_at(1);
            name.extend([first.to_uppercase().as_str(), rest]);
        }
        sent.insert(name, value.clone());
    }
    sent.insert("platformTenantId".into(), "pt_somebody_else".into());
    sent.into()
}
