//! An endpoint passes the suite.

use std::sync::Arc;
use std::time::Duration;

use soorma_models::{OpenAiConfig, OpenAiEmbedder};
use soorma_ports::Embedder;
use soorma_testkit::SeededEntropy;
use soorma_testkit::contract::embedder::EmbedderHarness;

use super::endpoint::{DIMENSIONS, Endpoint};

/// Short waits, and long enough for a machine that has much else to do.
pub(crate) fn config(endpoint: &Endpoint) -> OpenAiConfig {
    OpenAiConfig {
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        ..OpenAiConfig::new(endpoint.url(), "scripted", DIMENSIONS)
    }
}

pub(crate) fn embedder(config: OpenAiConfig) -> Arc<OpenAiEmbedder> {
    Arc::new(OpenAiEmbedder::new(config, Arc::new(SeededEntropy::new(7))).unwrap())
}

struct OpenAi {
    endpoint: Endpoint,
    embedder: Arc<OpenAiEmbedder>,
}

impl OpenAi {
    fn config(endpoint: &Endpoint) -> OpenAiConfig {
        OpenAiConfig { answer_within: Duration::from_secs(2), attempts: 2, ..config(endpoint) }
    }
}

impl EmbedderHarness for OpenAi {
    const TOLERANCE: f32 = 1e-6;
    const ENDS_WITHIN: Duration = Duration::from_secs(30);

    async fn fresh() -> Self {
        let endpoint = Endpoint::start().await;
        let embedder = embedder(Self::config(&endpoint));
        Self { endpoint, embedder }
    }

    fn embedder(&self) -> Arc<dyn Embedder> {
        self.embedder.clone()
    }

    fn another(&self) -> Arc<dyn Embedder> {
        embedder(Self::config(&self.endpoint))
    }

    fn fall_silent(&self) -> bool {
        self.endpoint.silent(true);
        true
    }

    fn speak_again(&self) {
        self.endpoint.silent(false);
    }
}

soorma_testkit::embedder_contract!(
    #[tokio::test]
    OpenAi
);
