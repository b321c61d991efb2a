//! Agents that are asked for in a sentence.

use std::sync::Arc;

use serde_json::{Value, json};
use soorma_ports::EmbedderError;
use soorma_testkit::{EmbedderFault, ScriptedEmbedder};

use super::server::Server;

const ASKED: &str = "/v1/agents/discover?query=who+searches";

fn agent(id: &str, description: &str) -> Value {
    json!({"agentId": id, "name": id, "description": description, "capabilities": []})
}

/// Three agents: `b` fits best, then `c`, then `a`.
async fn three() -> (Server, Arc<ScriptedEmbedder>) {
    let embedder = ScriptedEmbedder::new("scripted/4");
    let server = Server::with_embedder(embedder.clone()).await;
    embedder.say("who searches", &[1.0]);
    for (id, vector) in [("a", [0.0, 1.0]), ("b", [0.8, 0.6]), ("c", [0.6, 0.8])] {
        embedder.say(&format!("{id}\ndoes"), &vector);
        server.register(agent(id, "does")).await;
    }
    (server, embedder)
}

#[tokio::test]
async fn the_best_come_first_in_every_form_and_the_answer_says_by_what() {
    let (server, _embedder) = three().await;
    let short = server.read(ASKED).await;
    assert_eq!(server.ids(ASKED).await, ["b", "c", "a"]);
    assert_eq!((&short["ranking"], &short["count"]), (&json!("meaning"), &json!(3)));
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&short), ["agents", "count", "ranking"]);
    assert!(short["agents"][0].get("score").is_none(), "{short}");

    let full = server.read(&format!("{ASKED}&view=full")).await;
    let scores: Vec<_> = full["agents"]
        .as_array()
        .expect("agents")
        .iter()
        .map(|one| one["score"].as_f64().expect("a score"))
        .collect();
    assert!(scores.iter().zip([0.8, 0.6, 0.0]).all(|(score, is)| (score - is).abs() < 1e-6), "{scores:?}");
    assert_eq!((&full["agents"][0]["status"], &full["ranking"]), (&json!("ready"), &json!("meaning")));

    let path = format!("{ASKED}&format=llm");
    let text = server.send("GET", &path, &[("x-tenant-id", "one")], "").await.body;
    assert_eq!(text.find("b: does"), Some(0), "{text}");
    assert!(text.find("c: does") < text.find("a: does"), "{text}");
    let headers = [("x-tenant-id", "one"), ("accept", "application/json")];
    let told = server.send("GET", &path, &headers, "").await.json();
    let names: Vec<_> = told["agents"].as_array().expect("agents").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["b", "c", "a"]);
    assert_eq!(told["ranking"], "meaning");
    // Who asks for nothing in a sentence is answered as ever.
    assert_eq!(keys(&server.read("/v1/agents/discover").await), ["agents", "count"]);
    assert!(server.read("/v1/agents/discover?view=full").await["agents"][0].get("score").is_none());
    let plain = server.send("GET", "/v1/agents/discover?format=llm", &headers, "").await.json();
    assert_eq!(keys(&plain), ["agents", "leftOut"]);
}

#[tokio::test]
async fn filters_hold_and_another_tenant_is_not_seen() {
    let (server, embedder) = three().await;
    for (more, expect) in [
        ("&limit=2", &["b", "c"][..]),
        ("&name=a", &["a"]),
        ("&text=does+c", &["c"]),
        ("&kind=planner", &[]),
        ("&agent_id=%20%0A", &[]),
    ] {
        assert_eq!(server.ids(&format!("{ASKED}{more}")).await, expect, "{more}");
    }
    let asked = embedder.calls().len();
    let reply = server.send("GET", ASKED, &[("x-tenant-id", "two")], "").await;
    assert_eq!(reply.json(), json!({"agents": [], "count": 0, "ranking": "meaning"}));
    assert_eq!(embedder.calls().len(), asked, "there is nobody to compare");
}

#[tokio::test]
async fn ten_are_shown_where_nothing_is_said_and_a_hundred_at_most() {
    let embedder = ScriptedEmbedder::new("scripted/4");
    let server = Server::with_embedder(embedder).await;
    for n in 0..101 {
        server.register(agent(&format!("a{n}"), "does")).await;
    }
    for (more, count) in [("", 10), ("&limit=11", 11), ("&limit=10000", 100)] {
        let answer = server.read(&format!("{ASKED}{more}")).await;
        assert_eq!((&answer["count"], answer.get("nextCursor")), (&json!(count), None), "{more}");
    }
}

#[tokio::test]
async fn where_the_embedder_is_away_words_decide_and_without_one_it_is_said_what_to_set() {
    let (server, embedder) = three().await;
    server.register(agent("z", "Searches, whatever it is")).await;
    embedder.on_next(EmbedderFault::Fail(EmbedderError::Unavailable("unplugged".into())));
    let answer = server.read(&format!("{ASKED}&view=full&limit=2")).await;
    assert_eq!(answer["ranking"], "words");
    let best = &answer["agents"][0];
    assert_eq!((&best["agentId"], &best["score"]), (&json!("z"), &json!(0.5)));
    assert_eq!(answer["agents"][1]["score"].as_f64(), Some(0.0));

    let bare = Server::start().await;
    let long = format!("/v1/agents/discover?query={}", "x".repeat(8_193));
    for (server, path, says) in [
        (&bare, ASKED, "set models.embedder to hashing or openai, or look for words with text="),
        (&server, "/v1/agents/discover?query=%20", "say in a sentence"),
        (&server, long.as_str(), "at most 8192 bytes"),
    ] {
        let reply = server.ask("GET", path, &Value::Null).await;
        assert_eq!((reply.status, &reply.problem()["code"]), (422, &json!("invalid")), "{}", reply.body);
        assert!(reply.detail().contains(says), "{}", reply.body);
    }
    // An empty one counts as absent.
    assert_eq!(bare.ids("/v1/agents/discover?query=").await, Vec::<String>::new());
}
