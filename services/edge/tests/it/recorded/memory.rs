//! Memory's part of the recording: plans, values, what is known, what happened, contexts and sessions of one user.

use serde_json::{Value, json};

use super::super::http::Reply;
use super::super::server::Server;
use super::{Expect, Recorded, TENANT, compare, read, replay_as};

/// Who it was.
const WHO: [(&str, &str); 3] = [
    ("x-tenant-id", TENANT),
    ("x-service-tenant-id", TENANT),
    ("x-user-id", "pr_f2741920855246d98ecf7f25f4f04395"),
];
/// The names that are the same, whoever made them.
const MASKED: [&str; 5] = ["id", "createdAt", "updatedAt", "lastInteraction", "erasedAt"];

/// Puts a word for what is another id or time with us, and leaves of scores what is the same in numbers of 32 bits.
fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => {
            for (name, value) in fields {
                if MASKED.contains(&name.as_str()) {
                    *value = json!(value.as_str().map(|_| "masked"));
                } else if name == "score" {
                    *value = json!(value.as_f64().map(|score| format!("{score:.5}")));
                } else {
                    mask(value);
                }
            }
        }
        _ => {}
    }
}

fn look(name: &str, mut recorded: Recorded, mut reply: Reply, expect: &Expect) {
    if !reply.body.is_empty() {
        let mut ours = reply.json();
        mask(&mut ours);
        mask(&mut recorded.answer);
        reply.body = ours.to_string();
    }
    compare(name, &recorded, &reply, expect);
}

async fn replayed(server: &Server, exchanges: &[((&str, &str), Expect)]) {
    for ((name, text), expect) in exchanges {
        // Two things that happen at one moment have no order.
        server.clock.jump(std::time::Duration::from_millis(15));
        let recorded = read(text);
        let reply = replay_as(server, &recorded, &WHO).await;
        look(name, recorded, reply, expect);
    }
}

#[tokio::test]
async fn the_recorded_plan_and_its_values_are_answered_as_they_were() {
    let server = Server::start().await;
    let health = server.get("/health").await;
    let recorded = read(recorded!("003-memory-health").1);
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!((health.status, &health.json()["status"]), (recorded.status, &recorded.answer["status"]));
    assert!(
        keys(&recorded.answer).iter().all(|key| keys(&health.json()).contains(key)),
        "one node, one health"
    );
    // A value says which state of it this is.
    let more = || Expect::More(&["revision"]);
    replayed(
        &server,
        &[
            (recorded!("080-memory-create-plan"), Expect::Same),
            (recorded!("081-memory-list-plans"), Expect::Same),
            (recorded!("082-memory-get-plan"), Expect::Same),
            (recorded!("083-memory-update-plan"), Expect::Same),
            (recorded!("084-memory-get-plan-missing"), Expect::Same),
            (recorded!("085-memory-working-set-object"), more()),
            (recorded!("086-memory-working-get-object"), more()),
            (recorded!("087-memory-working-set-string"), more()),
            (recorded!("088-memory-working-set-overwrite"), more()),
            (recorded!("089-memory-working-set-null"), more()),
            (recorded!("090-memory-working-get-null"), more()),
            (recorded!("091-memory-working-get-missing"), Expect::Same),
            (recorded!("093-memory-working-set-no-body"), Expect::Errors),
            (recorded!("094-memory-working-delete-key"), Expect::Same),
            (recorded!("095-memory-working-delete-key-missing"), Expect::Same),
            (recorded!("096-memory-working-delete-plan"), Expect::Same),
            (recorded!("097-memory-delete-plan"), Expect::Same),
            (recorded!("098-memory-delete-plan"), Expect::Same),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_recorded_knowledge_is_found_as_it_was() {
    let server = Server::start().await;
    // What the embedder of the recording made of these texts: as near as they were.
    let rust = "Rust is a systems programming language with ownership";
    server.embedder.say("systems language rust", &[1.0]);
    server.embedder.say("rust", &[0.0, 1.0]);
    server.embedder.say(rust, &unit_of(&[0.612_372_4, 0.353_553_4]));
    server.embedder.say("Python is a dynamic language used for agents", &[0.0, 0.0, 1.0]);
    server
        .embedder
        .say("Python is a dynamic language used for AI agents, version two", &unit_of(&[0.174_077_66, 0.0]));
    replayed(
        &server,
        &[
            (recorded!("099-memory-semantic-store-private"), Expect::Same),
            (recorded!("100-memory-semantic-store-external-id"), Expect::Same),
            (recorded!("101-memory-semantic-store-upsert"), Expect::Same),
        ],
    )
    .await;
    // Between those two the same text was stored again with other metadata, which is not among the recorded ones.
    let again = json!({"content": rust, "metadata": {"lang": "rust2"}}).to_string();
    let headers = [&WHO[..], &[("content-type", "application/json")]].concat();
    assert_eq!(server.send("POST", "/v1/memory/semantic", &headers, &again).await.status, 201);
    replayed(
        &server,
        &[
            (recorded!("103-memory-semantic-query"), Expect::Same),
            (recorded!("105-memory-semantic-search-get"), Expect::Same),
            (recorded!("108-memory-semantic-store-no-content"), Expect::Errors),
        ],
    )
    .await;
}

/// Fills a vector up to length 1 in a direction that nobody asks for.
fn unit_of(begins: &[f32]) -> Vec<f32> {
    let rest = 1.0 - begins.iter().map(|x| x * x).sum::<f32>();
    begins.iter().copied().chain([0.0; 2]).chain([rest.sqrt()]).collect()
}

#[tokio::test]
async fn what_was_recorded_to_have_happened_is_told_as_it_was() {
    let server = Server::start().await;
    server.embedder.say("store event", &[1.0]);
    server.embedder.say("How do I store an event?", &unit_of(&[0.577_350_3]));
    server.embedder.say("Use the event service publish endpoint.", &unit_of(&[0.288_675_14]));
    replayed(
        &server,
        &[
            (recorded!("109-memory-episodic-log"), Expect::Same),
            (recorded!("110-memory-episodic-log-2"), Expect::Same),
            (recorded!("111-memory-episodic-recent"), Expect::Same),
            (recorded!("112-memory-episodic-search"), Expect::Same),
            (recorded!("113-memory-procedural-context"), Expect::Same),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_recorded_contexts_and_sessions_are_answered_as_they_were() {
    let server = Server::start().await;
    replayed(
        &server,
        &[
            (recorded!("114-memory-task-context-store"), Expect::Same),
            (recorded!("115-memory-task-context-get"), Expect::Same),
            (recorded!("117-memory-task-context-update"), Expect::Same),
            (recorded!("118-memory-task-context-missing"), Expect::Same),
            (recorded!("119-memory-task-context-delete"), Expect::Same),
            (recorded!("120-memory-session-create"), Expect::Same),
            (recorded!("121-memory-session-list"), Expect::Same),
            (recorded!("122-memory-session-get"), Expect::Same),
            (recorded!("123-memory-session-delete"), Expect::Same),
            (recorded!("124-memory-plan-context-create-plan"), Expect::Same),
            (recorded!("125-memory-plan-context-store"), Expect::Same),
            (recorded!("126-memory-plan-context-get"), Expect::Same),
            (recorded!("127-memory-plan-context-update"), Expect::Same),
            (recorded!("129-memory-plan-context-delete"), Expect::Same),
            (recorded!("131-memory-admin-delete-user-no-key"), Expect::Same),
        ],
    )
    .await;
}
