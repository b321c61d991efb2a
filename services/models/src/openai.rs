//! An endpoint that speaks as OpenAI's does: `POST …/embeddings`.

mod answer;
mod batches;
mod config;
mod endpoint;
mod failure;

pub use config::OpenAiConfig;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join_all;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use serde::Serialize;
use soorma_core::retry_after;
use soorma_ports::{Embedder, EmbedderError, Entropy, Generation};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::beginning::beginning;
use batches::batches;

/// Asks an endpoint for vectors, in batches, a bounded number at once; asks again where that may help.
///
/// Redirects are not followed: texts and the key go where they were meant to go and nowhere else.
pub struct OpenAiEmbedder {
    config: OpenAiConfig,
    generation: Generation,
    url: Url,
    /// Marked as sensitive, so that nobody shows it.
    key: Option<HeaderValue>,
    http: reqwest::Client,
    entropy: Arc<dyn Entropy>,
    /// A place for each call that runs or waits.
    calls: Semaphore,
    /// A place for each request that runs.
    requests: Semaphore,
}

impl fmt::Debug for OpenAiEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.url.as_str();
        f.debug_struct("OpenAiEmbedder")
            .field("at", &at)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What is sent.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

/// A body to send, and how many texts are in it.
struct Batch {
    body: Bytes,
    texts: usize,
}

/// The longest error body that is read.
const ERROR_BYTES: usize = 16 * 1_024;

impl OpenAiEmbedder {
    /// Makes an embedder. Nothing is sent yet.
    ///
    /// # Errors
    /// [`EmbedderError::Invalid`] for an address, a key, a name or a number that cannot be.
    pub fn new(config: OpenAiConfig, entropy: Arc<dyn Entropy>) -> Result<Self, EmbedderError> {
        config.check()?;
        let url = endpoint::of(&config.url).map_err(EmbedderError::Invalid)?;
        // The name is looked at by itself first: with ours before it, an empty one would be none.
        let generation = Generation::new(config.model.as_str(), config.dimensions)
            .and_then(|_| Generation::new(format!("openai:{}", config.model), config.dimensions))
            .map_err(|error| EmbedderError::Invalid(error.to_string()))?;
        let key = config.key.as_ref().map(|key| {
            // What is wrong with it is not said in its own words: they may hold it.
            let header = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
            let mut header = header.map_err(|_| {
                EmbedderError::Invalid(
                    "the key has characters that no key has: line breaks or controls".to_owned(),
                )
            })?;
            header.set_sensitive(true);
            Ok(header)
        });
        if key.is_some() && endpoint::is_open(&url) {
            tracing::warn!(at = %url, "the key is sent without encryption, and can be read on the way");
        }
        let http = reqwest::Client::builder()
            .connect_timeout(config.answer_within)
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| {
                EmbedderError::Invalid(format!("no connection can be made: {}", cause(&error)))
            })?;
        Ok(Self {
            key: key.transpose()?,
            calls: Semaphore::new(config.calls_at_once),
            requests: Semaphore::new(config.requests_at_once),
            config,
            generation,
            url,
            http,
            entropy,
        })
    }

    /// Asks until there is an answer, or another try cannot help or comes too late.
    async fn vectors_of(&self, batch: Batch, by: Instant) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let mut seed = [0; 8];
        self.entropy.fill(&mut seed);
        let seed = u64::from_le_bytes(seed);
        let mut attempt = 1;
        loop {
            let error = match self.in_turn(&batch, by).await {
                Ok(vectors) => return Ok(vectors),
                Err(error) => error,
            };
            let backoff = retry_after(attempt, self.config.first_wait, self.config.longest_wait, seed);
            let wait = match &error {
                EmbedderError::Busy { retry_after: Some(told), .. } => backoff.max(*told),
                _ => backoff,
            };
            let in_time = Instant::now().checked_add(wait).is_some_and(|then| then < by);
            if !error.may_retry() || attempt >= self.config.attempts || !in_time {
                return Err(error);
            }
            tracing::warn!(attempt, wait_ms = wait.as_millis(), %error, "vectors are asked for again");
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Waits for a place, which is free again while a further try is waited for, and asks once.
    async fn in_turn(&self, batch: &Batch, by: Instant) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let waited = timeout_at(by, self.requests.acquire()).await;
        let Ok(Ok(_place)) = waited else {
            return Err(EmbedderError::Timeout(format!(
                "{} has had too much to do to be asked in time",
                self.at()
            )));
        };
        let within = self.config.answer_within.min(by.saturating_duration_since(Instant::now()));
        let mut request =
            self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").timeout(within);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let response =
            request.body(batch.body.clone()).send().await.map_err(|error| self.lost(&error, within))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        // No number is written in more than 32 characters by anybody.
        let most = batch.texts * self.generation.dimensions() * 32 + ERROR_BYTES;
        let body = match self.read(response, most, within).await? {
            Some(body) => body,
            None => return Err(self.misunderstood("more than any such answer holds")),
        };
        answer::vectors(&body, batch.texts, self.generation.dimensions())
            .map_err(|why| self.misunderstood(&why))
    }

    async fn refusal(&self, response: Response) -> EmbedderError {
        let status = response.status().as_u16();
        let after = failure::retry_after(response.headers());
        // The status says enough where the rest does not come.
        let body = self.read(response, ERROR_BYTES, self.config.answer_within).await.ok().flatten();
        let word = body.as_deref().and_then(failure::word);
        let word =
            word.filter(|word| self.config.key.as_ref().is_none_or(|key| !word.contains(key.expose())));
        failure::of(&self.at(), &self.config, status, word.as_deref(), after)
    }

    /// Reads a body, or nothing where it is larger than so many bytes.
    async fn read(
        &self,
        mut response: Response,
        most: usize,
        within: Duration,
    ) -> Result<Option<Vec<u8>>, EmbedderError> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.lost(&error, within))? {
            if body.len() + part.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&part);
        }
        Ok(Some(body))
    }

    fn lost(&self, error: &reqwest::Error, within: Duration) -> EmbedderError {
        let at = self.at();
        if error.is_timeout() {
            EmbedderError::Timeout(format!("{at} has not answered within {} ms", within.as_millis()))
        } else if error.is_connect() {
            EmbedderError::Unavailable(format!("{at} cannot be reached: {}", cause(error)))
        } else {
            EmbedderError::Unavailable(format!("the connection to {at} was lost: {}", cause(error)))
        }
    }

    fn misunderstood(&self, why: &str) -> EmbedderError {
        EmbedderError::Misunderstood(format!("{} answered with {why}", self.at()))
    }

    /// Whom it asks, to be named in an error.
    fn at(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        if texts.len() > self.config.max_batch {
            return Err(EmbedderError::Invalid(format!(
                "{} texts are more than the {} that a call takes",
                texts.len(),
                self.config.max_batch
            )));
        }
        let Ok(_place) = self.calls.try_acquire() else {
            return Err(EmbedderError::Busy {
                message: format!("{} calls wait for {} already", self.config.calls_at_once, self.at()),
                retry_after: Some(Duration::from_secs(1)),
            });
        };
        let by = Instant::now() + self.config.all_within;
        let texts: Vec<&str> = texts.iter().map(|text| beginning(text, self.config.text_bytes)).collect();
        // What says nothing is not asked for: such endpoints refuse it.
        let says_something = |text: &str| !text.trim().is_empty();
        let said: Vec<&str> = texts.iter().copied().filter(|text| says_something(text)).collect();
        let requests =
            batches(&said, self.config.request_texts, self.config.request_bytes).into_iter().map(|batch| {
                let request = Request {
                    model: &self.config.model,
                    input: batch,
                    dimensions: self.config.shortens.then_some(self.config.dimensions),
                };
                let body = serde_json::to_vec(&request)
                    .map_err(|error| EmbedderError::Invalid(format!("the texts cannot be sent: {error}")))?;
                Ok(Batch { body: body.into(), texts: batch.len() })
            });
        let requests = requests.collect::<Result<Vec<_>, EmbedderError>>()?;
        let answers = try_join_all(requests.into_iter().map(|batch| self.vectors_of(batch, by))).await?;
        let mut vectors = answers.into_iter().flatten();
        let vector = |text: &&str| {
            if says_something(text) { vectors.next() } else { Some(self.generation.nothing()) }
        };
        let all: Option<Vec<_>> = texts.iter().map(vector).collect();
        all.ok_or_else(|| self.misunderstood("too few vectors"))
    }

    fn generation(&self) -> &Generation {
        &self.generation
    }

    fn max_batch(&self) -> usize {
        self.config.max_batch
    }
}

/// Returns what is at the bottom of an error: what is above only says that something failed. No address is in it, and no header.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    // An error without a source would show the address.
    if std::ptr::addr_eq(cause, error) { "it was cut".to_owned() } else { cause.to_string() }
}
