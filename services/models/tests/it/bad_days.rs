//! Endpoints that are away, slow, or wrong.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use soorma_models::{OpenAiConfig, Secret};
use soorma_ports::{Embedder, EmbedderError};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::asking::assert_vectors;
use super::endpoint::{Act, Endpoint, answer_to};
use super::openai::{config, embedder};

const KEY: &str = "sk-hunter2hunter2";

fn texts() -> Vec<String> {
    vec!["a text of somebody".into(), "another".into()]
}

fn say(status: u16, lines: &'static str) -> Act {
    Act::Say(status, lines, r#"{"error":{"message":"a text of somebody, with sk-hunter2hunter2","code":"sk-hunter2hunter2","type":"hunter"}}"#.into())
}

fn keyed(endpoint: &Endpoint) -> OpenAiConfig {
    OpenAiConfig { key: Some(Secret::new(KEY)), answer_within: Duration::from_secs(20), ..config(endpoint) }
}

#[tokio::test]
async fn what_may_help_is_tried_again_and_then_answered() {
    for fault in [
        say(429, ""),
        say(429, "retry-after: 0\r\n"),
        say(500, ""),
        say(502, ""),
        say(503, "retry-after-ms: 3\r\n"),
        say(504, ""),
        say(408, ""),
        Act::Half,
        Act::Close,
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on_next(fault.clone());
        endpoint.on_next(fault.clone());
        let vectors = embedder(keyed(&endpoint)).embed(&texts()).await.unwrap();
        assert_vectors(&vectors, &texts());
        assert_eq!(endpoint.asked().len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn after_so_many_tries_it_gives_up_and_says_that_it_may_work_later() {
    let endpoint = Endpoint::start().await;
    for _ in 0..4 {
        endpoint.on_next(say(500, ""));
    }
    let error = embedder(keyed(&endpoint)).embed(&texts()).await.unwrap_err();
    assert!(matches!(error, EmbedderError::Unavailable(_)) && error.may_retry(), "{error:?}");
    assert_eq!(endpoint.asked().len(), 3);
}

#[tokio::test]
async fn what_no_second_try_can_help_is_not_tried_again() {
    let quota = r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#;
    for (fault, says) in [
        (say(401, ""), "does not take the key (401, hunter)"),
        (say(404, ""), "has no model 'scripted'"),
        (say(400, ""), "does not take the texts (400, hunter)"),
        (say(302, "location: http://127.0.0.1:1/v1/embeddings\r\n"), "points elsewhere (302"),
        (say(307, "location: /v2/embeddings\r\n"), "points elsewhere (307"),
        (Act::Say(429, "", quota.into()), "used up (429, insufficient_quota)"),
        (Act::Say(418, "", "not JSON at all".into()), "does not take the texts (418)"),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on_next(fault);
        let error = embedder(keyed(&endpoint)).embed(&texts()).await.unwrap_err();
        assert!(matches!(error, EmbedderError::Refused(_)) && !error.may_retry(), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(endpoint.asked().len(), 1, "{says}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_for_is_an_error() {
    let good = answer_to(&json!({ "model": "scripted", "input": texts() }));
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut answer = good.clone();
        change(&mut answer["data"]);
        answer.to_string()
    };
    for (body, says) in [
        (String::new(), "no answer of this kind"),
        ("<html>".into(), "no answer of this kind"),
        (good.to_string().replacen("-", "--", 1), "no answer of this kind"),
        (changed(&|data| drop(data.as_array_mut().unwrap().pop())), "1 vectors where 2"),
        (changed(&|data| data[1]["index"] = json!(0)), "text 0"),
        (changed(&|data| drop(data[1]["embedding"].as_array_mut().unwrap().pop())), "7 dimensions where 8"),
        (changed(&|data| data[1]["embedding"][0] = json!(null)), "no answer of this kind"),
        (changed(&|data| data[1]["embedding"] = json!([0, 0, 0, 0, 0, 0, 0, 0])), "without a direction"),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on_next(Act::Say(200, "", body));
        let error = embedder(keyed(&endpoint)).embed(&texts()).await.unwrap_err();
        assert!(matches!(error, EmbedderError::Misunderstood(_)) && !error.may_retry(), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(endpoint.asked().len(), 1, "{says}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endpoint = Endpoint::start().await;
    endpoint.on_next(Act::Flood);
    let error = embedder(keyed(&endpoint)).embed(&texts()).await.unwrap_err();
    assert!(error.to_string().contains("more than any such answer holds"), "{error}");
}

#[tokio::test]
async fn an_error_whose_body_never_comes_or_never_ends_is_still_told() {
    for (lines, says) in
        [("content-length: 99\r\nx: ", "(401)"), ("transfer-encoding: chunked\r\nx: ", "(401)")]
    {
        let endpoint = Endpoint::start().await;
        // The line that says how long the body is is swallowed by `x`: less comes than was promised.
        endpoint.on_next(Act::Say(401, lines, String::new()));
        let config = OpenAiConfig { answer_within: Duration::from_millis(300), ..keyed(&endpoint) };
        let error = embedder(config).embed(&texts()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn who_hangs_is_given_up_in_time_and_all_of_it_has_an_end() {
    let endpoint = Endpoint::start().await;
    endpoint.silent(true);
    let one = OpenAiConfig { answer_within: Duration::from_millis(50), ..config(&endpoint) };
    let error = embedder(one).embed(&texts()).await.unwrap_err();
    assert!(matches!(error, EmbedderError::Timeout(_)), "{error:?}");
    assert_eq!(endpoint.asked().len(), 3, "each try had its time");

    let all = OpenAiConfig { all_within: Duration::from_millis(200), ..keyed(&endpoint) };
    let started = Instant::now();
    let error = embedder(all).embed(&texts()).await.unwrap_err();
    assert!(matches!(error, EmbedderError::Timeout(_)), "{error:?}");
    assert!(started.elapsed() >= Duration::from_millis(200) && started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn who_waits_for_a_place_until_the_end_is_told_so() {
    let endpoint = Endpoint::start().await;
    endpoint.silent(true);
    let config = OpenAiConfig {
        requests_at_once: 1,
        request_texts: 1,
        attempts: 1,
        all_within: Duration::from_millis(200),
        ..keyed(&endpoint)
    };
    let embedder = embedder(config);
    let texts = texts();
    let (one, two) = tokio::join!(embedder.embed(&texts), embedder.embed(&texts));
    for call in [one, two] {
        assert!(matches!(call, Err(EmbedderError::Timeout(_))), "{call:?}");
    }
}

#[tokio::test]
async fn a_wait_that_ends_too_late_is_not_begun() {
    let endpoint = Endpoint::start().await;
    endpoint.on_next(say(429, "retry-after: 3600\r\n"));
    let answer = timeout(Duration::from_secs(20), embedder(keyed(&endpoint)).embed(&texts())).await;
    let error = answer.expect("at once").unwrap_err();
    let EmbedderError::Busy { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(3_600)), "whoever asks is told when to come back");
    assert_eq!(endpoint.asked().len(), 1);
}

#[tokio::test]
async fn the_wait_that_is_asked_for_is_waited() {
    let endpoint = Endpoint::start().await;
    endpoint.on_next(say(429, "retry-after-ms: 150\r\n"));
    let started = Instant::now();
    assert_vectors(&embedder(keyed(&endpoint)).embed(&texts()).await.unwrap(), &texts());
    assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = Endpoint::start().await;
    let config = OpenAiConfig { url: format!("http://{addr}/v1"), ..keyed(&endpoint) };
    let error = embedder(config).embed(&texts()).await.unwrap_err();
    assert!(matches!(error, EmbedderError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains(&format!("http://{addr} cannot be reached: ")), "{error}");
}

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_the_key_nor_a_text_is_in_an_error_or_a_log_line() {
    let lines = Lines::default();
    let own = lines.clone();
    let logged = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || own.clone())
        .finish();
    let guard = tracing::subscriber::set_default(logged);
    let mut told = Vec::new();
    for fault in [
        say(429, ""),
        say(500, ""),
        say(401, ""),
        say(403, ""),
        say(400, ""),
        say(302, "location: http://sk-hunter2hunter2@127.0.0.1:1/\r\n"),
        Act::Say(200, "", format!("{KEY}, a text of somebody")),
        Act::Say(
            200,
            "",
            json!({ "data": [{ "index": 0, "embedding": [KEY, "a text of somebody"] }] }).to_string(),
        ),
        Act::Half,
        Act::Close,
        Act::Hang,
    ] {
        let endpoint = Endpoint::start().await;
        let config =
            OpenAiConfig { attempts: 2, answer_within: Duration::from_millis(500), ..keyed(&endpoint) };
        told.push(format!("{config:?}"));
        let embedder = embedder(config);
        endpoint.on_next(fault.clone());
        endpoint.on_next(fault);
        let error = embedder.embed(&texts()).await.unwrap_err();
        told.extend([format!("{error} {error:?}"), format!("{embedder:?}")]);
        told.push(soorma_core::Error::from(error).to_string());
    }
    drop(guard);
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("vectors are asked for again"), "{logged}");
    told.push(logged);
    for text in told {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("a text of somebody"), "{text}");
    }
}
