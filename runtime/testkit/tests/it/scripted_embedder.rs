//! The scripted embedder passes the suite, and fails as planned.

use std::sync::Arc;
use std::time::Duration;

use soorma_ports::{Embedder, EmbedderError};
use soorma_testkit::contract::embedder::{EmbedderHarness, run};
use soorma_testkit::{EmbedderFault, ScriptedEmbedder};
use tokio::time::{Instant, timeout};

struct Scripted(Arc<ScriptedEmbedder>);

impl EmbedderHarness for Scripted {
    const TOLERANCE: f32 = 0.0;
    const ENDS_WITHIN: Duration = Duration::from_secs(1);

    async fn fresh() -> Self {
        Self(ScriptedEmbedder::new("scripted/32"))
    }

    fn embedder(&self) -> Arc<dyn Embedder> {
        self.0.clone()
    }

    fn another(&self) -> Arc<dyn Embedder> {
        ScriptedEmbedder::new("scripted/32")
    }

    fn fall_silent(&self) -> bool {
        false
    }

    fn speak_again(&self) {}
}

soorma_testkit::embedder_contract!(
    #[tokio::test(start_paused = true)]
    Scripted
);

async fn embed(embedder: &ScriptedEmbedder, text: &str) -> Result<Vec<Vec<f32>>, EmbedderError> {
    embedder.embed(&[text.to_owned()]).await
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test(start_paused = true)]
async fn texts_that_share_words_are_nearer_and_what_it_is_told_goes_before() {
    let embedder = ScriptedEmbedder::new("scripted/64");
    let of = async |text: &str| embed(&embedder, text).await.unwrap().remove(0);
    let (order, orders, weather) =
        (of("order placed").await, of("order placed twice").await, of("sun and rain").await);
    assert!(product(&order, &orders) > 0.5, "{}", product(&order, &orders));
    assert!(product(&order, &weather) < 0.5, "{}", product(&order, &weather));
    embedder.say("sun and rain", &[3.0, 4.0]);
    let told = of("sun and rain").await;
    assert_eq!((told[0], told[1], told.len()), (0.6, 0.8, 64));
    assert_eq!(told.iter().filter(|number| **number != 0.0).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_fault_happens_once_in_the_order_of_the_plan() {
    let embedder = ScriptedEmbedder::new("scripted/8");
    let away = EmbedderError::Unavailable("planned".into());
    embedder.on_next(EmbedderFault::Fail(away.clone()));
    embedder.on_next(EmbedderFault::TooFew);
    embedder.on_next(EmbedderFault::TooLong);
    embedder.on_next(EmbedderFault::NotFinite);
    embedder.on_next(EmbedderFault::Delay(Duration::from_secs(60)));
    embedder.on_next(EmbedderFault::Hang);
    assert_eq!(embedder.pending(), 6);
    assert_eq!(embed(&embedder, "a").await, Err(away));
    assert_eq!(embed(&embedder, "b").await, Ok(vec![]));
    assert_eq!(embed(&embedder, "c").await.unwrap()[0].len(), 9);
    assert!(embed(&embedder, "d").await.unwrap()[0].iter().all(|number| number.is_nan()));
    let started = Instant::now();
    assert_eq!(embed(&embedder, "e").await.unwrap().len(), 1);
    assert_eq!(started.elapsed(), Duration::from_secs(60));
    timeout(Duration::from_secs(86_400), embed(&embedder, "f")).await.expect_err("it hangs");
    assert_eq!(embed(&embedder, "g").await.unwrap().len(), 1);
    assert_eq!(embedder.pending(), 0);
    assert_eq!(embedder.calls().concat(), ["a", "b", "c", "d", "e", "f", "g"]);
}

/// An embedder that breaks its contract in one way, each time it is asked.
struct Broken<const HOW: usize>(Scripted);

const WAYS: [EmbedderFault; 3] = [EmbedderFault::TooFew, EmbedderFault::TooLong, EmbedderFault::NotFinite];

impl<const HOW: usize> EmbedderHarness for Broken<HOW> {
    const TOLERANCE: f32 = 0.0;
    const ENDS_WITHIN: Duration = Duration::from_secs(1);

    async fn fresh() -> Self {
        let scripted = Scripted::fresh().await;
        for _ in 0..100 {
            scripted.0.on_next(WAYS[HOW].clone());
        }
        Self(scripted)
    }

    fn embedder(&self) -> Arc<dyn Embedder> {
        self.0.embedder()
    }

    fn another(&self) -> Arc<dyn Embedder> {
        self.0.another()
    }

    fn fall_silent(&self) -> bool {
        false
    }

    fn speak_again(&self) {}
}

#[tokio::test(start_paused = true)]
#[should_panic = "left: 4"]
async fn the_suite_finds_a_vector_that_is_missing() {
    run::there_is_a_vector_for_each_text_in_their_order::<Broken<0>>().await;
}

#[tokio::test(start_paused = true)]
#[should_panic = "left: 33"]
async fn the_suite_finds_a_number_too_many() {
    run::every_vector_is_finite_of_length_1_and_of_its_dimensions::<Broken<1>>().await;
}

#[tokio::test(start_paused = true)]
#[should_panic = "is_finite"]
async fn the_suite_finds_what_is_no_number() {
    run::every_vector_is_finite_of_length_1_and_of_its_dimensions::<Broken<2>>().await;
}
