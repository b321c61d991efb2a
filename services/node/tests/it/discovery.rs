//! Agents that are asked for in a sentence, at a whole node and over HTTP.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_node::config::{Config, EmbedderKind};
use soorma_node::{Node, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(data: &Path, embedder: Option<EmbedderKind>) -> Node {
    let mut config = Config::default();
    config.node.data = data.to_owned();
    config.edge.listen = "127.0.0.1:0".parse().unwrap();
    config.models.embedder = embedder;
    Node::start(config, Options::default()).await.unwrap()
}

/// Sends a request; returns the status and the body.
async fn send(node: &Node, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(node.addr().unwrap()).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// Registers an agent with one capability.
async fn register(node: &Node, id: &str, description: &str, capability: &str, does: &str) {
    let event = json!({"eventName": "e", "topic": "action-requests", "description": ""});
    let capability =
        json!({"taskName": capability, "description": does, "consumedEvent": event, "producedEvents": []});
    let agent = json!({"agentId": id, "name": id, "description": description, "capabilities": [capability]});
    let (status, answer) = send(node, "POST", "/v1/agents", &json!({ "agent": agent })).await;
    assert_eq!(status, 200, "{answer}");
}

async fn best(node: &Node, query: &str) -> (u16, Value) {
    let query = query.replace(' ', "+");
    send(node, "GET", &format!("/v1/agents/discover?view=full&query={query}"), &Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_embedder_who_fits_a_sentence_best_is_found_first_and_without_one_it_is_said_what_to_set() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), Some(EmbedderKind::Hashing)).await;
    register(&node, "clerk", "Writes bills and reminds who has not paid", "billing", "Makes a bill").await;
    register(&node, "ada", "Finds sources", "web_research", "Looks things up in the web").await;
    register(&node, "painter", "Draws pictures", "illustration", "Makes a picture of a text").await;
    for (query, expect) in [
        ("who can look things up in the web", "ada"),
        ("remind a customer of an unpaid bill", "clerk"),
        ("picture for my text", "painter"),
    ] {
        let (status, answer) = best(&node, query).await;
        assert_eq!((status, &answer["ranking"], &answer["count"]), (200, &json!("meaning"), &json!(3)));
        let agents = answer["agents"].as_array().unwrap();
        assert_eq!(agents[0]["agentId"], expect, "{answer}");
        let scores: Vec<_> = agents.iter().map(|agent| agent["score"].as_f64().unwrap()).collect();
        assert!(
            scores.is_sorted_by(|a, b| a >= b) && scores[0] > scores[1] && scores[0] <= 1.0,
            "{scores:?}"
        );
    }
    node.stop().await.unwrap();

    // The registry is read from the disk, and vectors are made anew; or there is nobody to make them.
    let node = start(data.path(), Some(EmbedderKind::Hashing)).await;
    assert_eq!(best(&node, "web research").await.1["agents"][0]["agentId"], "ada");
    node.stop().await.unwrap();
    let node = start(data.path(), None).await;
    let (status, answer) = best(&node, "web research").await;
    assert_eq!(status, 422, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("set models.embedder"), "{answer}");
    node.stop().await.unwrap();
}
