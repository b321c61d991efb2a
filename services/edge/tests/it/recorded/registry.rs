//! The registry's part of the recording: one agent with its events and its schema, from its coming to its leaving.

use serde_json::{Value, json};

use super::super::http::Reply;
use super::super::server::Server;
use super::{Expect, Recorded, compare, read, replay};

/// Puts a word for what is another time with us.
fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "createdAt" | "updatedAt" => *value = json!(value.as_str().map(|_| "masked")),
                    _ => mask(value),
                }
            }
        }
        _ => {}
    }
}

/// Compares what is no empty answer.
fn look(name: &str, mut recorded: Recorded, mut reply: Reply, expect: &Expect) {
    let mut ours = reply.json();
    mask(&mut ours);
    mask(&mut recorded.answer);
    reply.body = ours.to_string();
    compare(name, &recorded, &reply, expect);
}

#[tokio::test]
async fn the_recorded_life_of_an_agent_is_answered_as_it_was() {
    let server = Server::start().await;
    for ((name, text), expect) in [
        // One node, one health.
        (
            recorded!("001-registry-health"),
            Expect::More(&[
                "adapter",
                "connected",
                "active_streams",
                "service",
                "version",
                "memory",
                "embedder",
            ]),
        ),
        (recorded!("026-registry-register-event"), Expect::Same),
        (recorded!("027-registry-register-event-2"), Expect::Same),
        (recorded!("028-registry-register-event-again"), Expect::Same),
        (recorded!("029-registry-query-event-by-name"), Expect::Same),
        (recorded!("030-registry-query-events-by-topic"), Expect::Same),
        (recorded!("031-registry-query-events-all"), Expect::Same),
        (recorded!("032-registry-register-schema"), Expect::Same),
        (recorded!("033-registry-register-schema-dup"), Expect::Same),
        (recorded!("034-registry-get-schema-latest"), Expect::Same),
        (recorded!("035-registry-get-schema-version"), Expect::Same),
        (recorded!("036-registry-get-schema-missing"), Expect::Same),
        (recorded!("037-registry-list-schemas"), Expect::Same),
        (recorded!("038-registry-register-agent"), Expect::Same),
        (recorded!("039-registry-register-agent-again"), Expect::Same),
        (recorded!("040-registry-heartbeat"), Expect::Same),
        (recorded!("041-registry-heartbeat-post"), Expect::Same),
        (recorded!("043-registry-get-agent"), Expect::Same),
        (recorded!("044-registry-query-agents-consumed"), Expect::Same),
        (recorded!("045-registry-query-agents-produced"), Expect::Same),
        (recorded!("047-registry-discover-by-event"), Expect::Same),
        (recorded!("048-registry-discover-by-capability"), Expect::Same),
        (recorded!("049-registry-discover-none"), Expect::Same),
        (recorded!("051-registry-register-agent-invalid"), Expect::Errors),
        (recorded!("052-registry-register-agent-invalid-json"), Expect::Errors),
    ] {
        let recorded = read(text);
        let reply = replay(&server, &recorded).await;
        look(name, recorded, reply, &expect);
    }

    // The published services find nobody by name, since an error of theirs is swallowed; we find who has it.
    let (name, text) = recorded!("046-registry-query-agents-name");
    let found = read(recorded!("043-registry-get-agent").1).answer;
    let by_name = read(text);
    assert_eq!(by_name.answer, json!({ "agents": [], "count": 0 }));
    let by_name = Recorded { answer: found, ..by_name };
    let reply = replay(&server, &by_name).await;
    look(name, by_name, reply, &Expect::Same);

    let gone = read(recorded!("055-registry-deregister-agent").1);
    let reply = replay(&server, &gone).await;
    assert_eq!((reply.status, gone.status), (204, 204));
    assert_eq!((reply.header("content-type"), reply.body.as_str()), (Some("application/json"), ""));
    let (name, text) = recorded!("056-registry-deregister-agent-again");
    let again = read(text);
    let reply = replay(&server, &again).await;
    look(name, again, reply, &Expect::Same);
}

#[tokio::test]
async fn answers_are_written_as_the_recorded_ones_to_the_byte() {
    let server = Server::start().await;
    for (_, text) in [
        recorded!("026-registry-register-event"),
        recorded!("027-registry-register-event-2"),
        recorded!("038-registry-register-agent"),
    ] {
        let recorded = read(text);
        assert_eq!(replay(&server, &recorded).await.status, 200);
    }
    for (name, text) in [
        recorded!("028-registry-register-event-again"),
        recorded!("031-registry-query-events-all"),
        recorded!("040-registry-heartbeat"),
        recorded!("044-registry-query-agents-consumed"),
        recorded!("049-registry-discover-none"),
    ] {
        let recorded = read(text);
        let body = text.trim().lines().next_back();
        assert_eq!(Some(replay(&server, &recorded).await.body.as_str()), body, "{name}");
    }
}
