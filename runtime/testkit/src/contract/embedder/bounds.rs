//! Clauses 6 to 8.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::EmbedderError;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::EmbedderHarness;
use super::answers::{TEXTS, owned};

/// Clauses 6 and 8.
pub(super) async fn a_full_batch_is_taken_and_one_text_more_is_refused<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    let most = embedder.max_batch();
    assert!(most >= 1);
    let mut texts: Vec<String> = (0..most).map(|i| format!("text {i}")).collect();
    assert_eq!(embedder.embed(&texts).await.unwrap().len(), most);
    texts.push("hunter2".into());
    let refused = embedder.embed(&texts).await.unwrap_err();
    assert!(matches!(refused, EmbedderError::Invalid(_)), "{refused:?}");
    assert!(!refused.may_retry());
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}

/// Clauses 7 and 8.
pub(super) async fn a_call_ends_in_time_whoever_is_away_and_says_that_it_may_be_tried_again<
    H: EmbedderHarness,
>(
    h: H,
) {
    let embedder = h.embedder();
    let asks = h.fall_silent();
    let answer = timeout(H::ENDS_WITHIN, embedder.embed(&owned(&["hunter2"]))).await.expect("it ends");
    match answer {
        Ok(vectors) => assert!(!asks && vectors.len() == 1, "who is silent answers nothing"),
        Err(error) => {
            assert!(asks && error.may_retry(), "{error:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
    h.speak_again();
    assert_eq!(embedder.embed(&owned(&TEXTS)).await.unwrap().len(), TEXTS.len());
}

/// Clause 7.
pub(super) async fn calls_that_are_dropped_leave_nothing_behind<H: EmbedderHarness>(h: H) {
    let embedder = h.embedder();
    h.fall_silent();
    for _ in 0..1_000 {
        // Polled once: it has begun whatever it begins with.
        drop(timeout(Duration::ZERO, embedder.embed(&owned(&TEXTS))).await);
    }
    h.speak_again();
    assert_eq!(embedder.embed(&owned(&TEXTS)).await.unwrap().len(), TEXTS.len());
}

/// Clauses 6 and 7.
pub(super) async fn many_calls_at_once_are_each_answered_or_told_that_it_is_too_much<H: EmbedderHarness>(
    h: H,
) {
    let embedder = h.embedder();
    let mut calls = JoinSet::new();
    for i in 0..2_000 {
        let embedder = Arc::clone(&embedder);
        calls.spawn(async move { embedder.embed(&[format!("call {i}")]).await });
    }
    let mut answered = 0;
    while let Some(call) = calls.join_next().await {
        match call.unwrap() {
            Ok(vectors) => {
                assert_eq!(vectors.len(), 1);
                answered += 1;
            }
            Err(error) => assert!(matches!(error, EmbedderError::Busy { .. }), "{error:?}"),
        }
    }
    assert!(answered > 0);
    assert_eq!(
        embedder.embed(&owned(&TEXTS)).await.unwrap().len(),
        TEXTS.len(),
        "and afterwards all is well"
    );
}
