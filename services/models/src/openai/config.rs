//! Where the endpoint is, and how much it is asked.

use std::time::Duration;

use soorma_ports::EmbedderError;

use crate::secret::Secret;

/// The endpoint, its model, and the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAiConfig {
    /// The base address, such as `https://api.openai.com/v1`; one without a path gets `/v1`.
    pub url: String,
    /// The key that it asks for, where it does.
    pub key: Option<Secret>,
    /// The model. Vectors of one model are kept under its name.
    pub model: String,
    /// How many numbers a vector has; an answer with more or fewer is an error.
    pub dimensions: usize,
    /// Whether the endpoint is asked to shorten its vectors to that many.
    pub shortens: bool,
    /// How many texts a call takes.
    pub max_batch: usize,
    /// How many texts are in a request at most.
    pub request_texts: usize,
    /// How many bytes the texts of a request have at most.
    pub request_bytes: usize,
    /// How many bytes of a text count.
    pub text_bytes: usize,
    /// How many requests run at once; more wait their turn.
    pub requests_at_once: usize,
    /// How many calls run or wait at once; more are refused.
    pub calls_at_once: usize,
    /// How often a request is tried.
    pub attempts: u32,
    /// How long after the first failure it is tried again; then twice as long.
    pub first_wait: Duration,
    /// The longest wait, unless the endpoint asks for a longer one.
    pub longest_wait: Duration,
    /// How long one answer is waited for.
    pub answer_within: Duration,
    /// Within what a call ends.
    pub all_within: Duration,
}

impl OpenAiConfig {
    /// Returns the usual bounds for an endpoint without a key.
    pub fn new(url: impl Into<String>, model: impl Into<String>, dimensions: usize) -> Self {
        Self {
            url: url.into(),
            key: None,
            model: model.into(),
            dimensions,
            shortens: false,
            max_batch: 256,
            // 64 texts of 1,536 numbers are an answer of about a megabyte and a half.
            request_texts: 64,
            request_bytes: 256 * 1_024,
            // OpenAI's models take 8,191 tokens, and no token is shorter than a byte.
            text_bytes: 8_000,
            requests_at_once: 4,
            calls_at_once: 256,
            attempts: 3,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(4),
            answer_within: Duration::from_secs(10),
            all_within: Duration::from_secs(30),
        }
    }

    /// Looks for bounds that let nothing through.
    pub(super) fn check(&self) -> Result<(), EmbedderError> {
        for (what, bound) in [
            ("texts of a call", self.max_batch),
            ("texts of a request", self.request_texts),
            ("bytes of a request", self.request_bytes),
            // Shorter ones might not hold one character.
            ("bytes of a text", self.text_bytes / 4),
            ("requests at once", self.requests_at_once),
            ("calls at once", self.calls_at_once),
        ] {
            if bound == 0 || bound > tokio::sync::Semaphore::MAX_PERMITS {
                return Err(EmbedderError::Invalid(format!("the {what} are too few or too many")));
            }
        }
        if self.answer_within.is_zero() || self.all_within.is_zero() || self.all_within > LONGEST {
            return Err(EmbedderError::Invalid("no time, or too much, is given for an answer".to_owned()));
        }
        Ok(())
    }
}

/// Nobody waits longer for a vector.
const LONGEST: Duration = Duration::from_secs(3_600);
