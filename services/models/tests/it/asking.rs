//! What is asked of an endpoint, and how much at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soorma_models::{OpenAiConfig, OpenAiEmbedder, Secret};
use soorma_ports::{Embedder, EmbedderError};
use soorma_testkit::SeededEntropy;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::endpoint::{Act, DIMENSIONS, Endpoint, vector_of};
use super::openai::{config, embedder};

const PATIENCE: Duration = Duration::from_secs(30);

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("text {i}")).collect()
}

/// The vector of a text, as it should come.
fn expected(text: &str) -> Vec<f64> {
    let vector = vector_of(text);
    let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    vector.iter().map(|number| number / length).collect()
}

pub(crate) fn assert_vectors(vectors: &[Vec<f32>], texts: &[String]) {
    assert_eq!(vectors.len(), texts.len());
    for (vector, text) in vectors.iter().zip(texts) {
        for (number, right) in vector.iter().zip(expected(text)) {
            assert!((f64::from(*number) - right).abs() < 1e-6, "{text}: {vector:?}");
        }
    }
}

#[tokio::test]
async fn it_asks_for_a_model_with_the_key_and_says_no_dimensions_unless_it_is_to() {
    let endpoint = Endpoint::start().await;
    let keyed = OpenAiConfig { key: Some(Secret::new("hunter2")), ..config(&endpoint) };
    let shortened = OpenAiConfig { shortens: true, ..config(&endpoint) };
    for config in [keyed, shortened] {
        let vectors = embedder(config).embed(&texts(2)).await.unwrap();
        assert_vectors(&vectors, &texts(2));
    }
    let asked = endpoint.asked();
    assert!(asked[0].head.starts_with("POST /v1/embeddings HTTP/1.1\r\n"), "{}", asked[0].head);
    assert!(asked[0].head.contains("\r\nauthorization: Bearer hunter2\r\n"), "{}", asked[0].head);
    assert!(asked[0].head.contains("\r\ncontent-type: application/json\r\n"), "{}", asked[0].head);
    assert_eq!(asked[0].body, json!({ "model": "scripted", "input": ["text 0", "text 1"] }));
    assert!(!asked[1].head.contains("authorization"), "{}", asked[1].head);
    assert_eq!(asked[1].body["dimensions"], DIMENSIONS);
}

#[tokio::test]
async fn the_generation_is_the_model_and_the_dimensions() {
    let endpoint = Endpoint::start().await;
    assert_eq!(embedder(config(&endpoint)).generation().to_string(), "openai:scripted/8");
    assert!(endpoint.asked().is_empty(), "nobody is asked for it");
}

#[tokio::test]
async fn many_texts_go_in_batches_of_so_many_texts_and_bytes_and_come_in_order() {
    let endpoint = Endpoint::start().await;
    let config = OpenAiConfig { request_texts: 10, request_bytes: 1_000, ..config(&endpoint) };
    let mut many = texts(95);
    many[20] = "a".repeat(990);
    many[50] = "b".repeat(5_000);
    many[51] = " ".into();
    for _ in 0..30 {
        endpoint.on_next(Act::Shuffle);
    }
    let vectors = embedder(config).embed(&many).await.unwrap();
    assert_eq!(vectors[51], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_vectors(&vectors[..51], &many[..51]);
    assert_vectors(&vectors[52..], &many[52..]);
    let mut sent = 0;
    for asked in endpoint.asked() {
        let inputs = asked.body["input"].as_array().unwrap();
        let bytes: usize = inputs.iter().map(|text| text.as_str().unwrap().len()).sum();
        assert!(inputs.len() <= 10 && (bytes <= 1_000 || inputs.len() == 1), "{} of {bytes}", inputs.len());
        sent += inputs.len();
    }
    assert_eq!(sent, 94, "what says nothing is not sent");
}

#[tokio::test]
async fn of_a_long_text_the_beginning_is_sent() {
    let endpoint = Endpoint::start().await;
    let long = "é".repeat(10_000);
    embedder(config(&endpoint)).embed(&[long, " ".repeat(9_000) + "after nothing"]).await.unwrap();
    assert_eq!(endpoint.asked()[0].body["input"], json!(["é".repeat(4_000)]));
}

#[tokio::test]
async fn so_many_requests_run_at_once_and_no_more() {
    let endpoint = Endpoint::start().await;
    let config = OpenAiConfig { request_texts: 1, requests_at_once: 3, ..config(&endpoint) };
    let embedder = embedder(config);
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let embedder = Arc::clone(&embedder);
        calls.spawn(async move { embedder.embed(&texts(20)).await });
    }
    while let Some(call) = calls.join_next().await {
        assert_vectors(&call.unwrap().unwrap(), &texts(20));
    }
    assert_eq!(endpoint.asked().len(), 100);
    assert_eq!(endpoint.most_at_once(), 3);
}

#[tokio::test]
async fn more_calls_than_may_wait_are_told_so_at_once() {
    let endpoint = Endpoint::start().await;
    let embedder = embedder(OpenAiConfig { calls_at_once: 2, requests_at_once: 1, ..config(&endpoint) });
    endpoint.silent(true);
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let embedder = Arc::clone(&embedder);
        calls.spawn(async move { embedder.embed(&texts(1)).await });
    }
    timeout(PATIENCE, endpoint.was_asked(1)).await.expect("the first is asked");
    let refused = embedder.embed(&texts(1)).await.unwrap_err();
    assert!(matches!(&refused, EmbedderError::Busy { retry_after: Some(_), .. }), "{refused:?}");
    endpoint.silent(false);
    while let Some(call) = calls.join_next().await {
        assert_vectors(&call.unwrap().unwrap(), &texts(1));
    }
    assert_vectors(&embedder.embed(&texts(1)).await.unwrap(), &texts(1));
}

#[tokio::test]
async fn what_cannot_be_configured_is_refused_before_anything_is_sent() {
    let endpoint = Endpoint::start().await;
    let good = || config(&endpoint);
    for (config, says) in [
        (OpenAiConfig { url: "localhost:1/v1".into(), ..good() }, "is no http address"),
        (OpenAiConfig { model: String::new(), ..good() }, "a model has a name"),
        (OpenAiConfig { model: "a\nb".into(), ..good() }, "a model has a name"),
        (OpenAiConfig { dimensions: 0, ..good() }, "between 1 and 16000"),
        (OpenAiConfig { key: Some(Secret::new("hunter2\r\nx: y")), ..good() }, "the key has characters"),
        (OpenAiConfig { request_texts: 0, ..good() }, "texts of a request"),
        (OpenAiConfig { requests_at_once: 0, ..good() }, "requests at once"),
        (OpenAiConfig { calls_at_once: usize::MAX, ..good() }, "calls at once"),
        (OpenAiConfig { all_within: Duration::MAX, ..good() }, "no time, or too much"),
    ] {
        let refused = OpenAiEmbedder::new(config, Arc::new(SeededEntropy::new(1))).unwrap_err();
        assert!(matches!(refused, EmbedderError::Invalid(_)), "{refused:?}");
        let refused = refused.to_string();
        assert!(refused.contains(says) && !refused.contains("hunter2"), "{refused}");
    }
    assert!(endpoint.asked().is_empty());
}
