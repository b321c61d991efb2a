//! Vectors without a model.

mod features;

use async_trait::async_trait;
use soorma_ports::{Embedder, EmbedderError, Generation, unit};

use crate::beginning::beginning;
use features::Features;

/// Feature hashing: each word of a text, and each three letters of a word, adds to one of 256 numbers.
///
/// It finds texts that share words, or spell them nearly alike, in any language that is written with letters. It knows no meaning: "car" and
/// "automobile" are as far apart as any two words, and "not good" is near "good". It asks nobody, and gives the same vector on every
/// machine and for ever: another way of computing is another generation. Accents that are written as characters of their own are not put
/// together with their letters.
#[derive(Debug)]
pub struct HashingEmbedder {
    generation: Generation,
}

const MODEL: &str = "hashing-v1";

/// With 256, two texts that share nothing have a product of about a sixteenth, by chance.
const DIMENSIONS: usize = 256;

/// A batch of usual texts takes a millisecond or two.
const MAX_BATCH: usize = 256;

/// What of a text counts: ten pages and more.
const MOST_BYTES: usize = 64 * 1_024;

/// After so much text others have their turn on this thread.
const TURN: usize = 16 * 1_024;

impl HashingEmbedder {
    /// Makes an embedder.
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "name and dimensions are the constants above")]
        let generation = Generation::new(MODEL, DIMENSIONS).expect("a legal name");
        Self { generation }
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let sums = Features::of(text).sums::<DIMENSIONS>();
        unit(sums.into()).unwrap_or_else(|| self.generation.nothing())
    }
}

impl Default for HashingEmbedder {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Embedder for HashingEmbedder {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        if texts.len() > MAX_BATCH {
            return Err(EmbedderError::Invalid(format!(
                "{} texts are more than the {MAX_BATCH} that a call takes",
                texts.len()
            )));
        }
        let mut vectors = Vec::with_capacity(texts.len());
        let mut done = 0;
        for text in texts {
            let text = beginning(text, MOST_BYTES);
            vectors.push(self.vector(text));
            done += text.len();
            if done >= TURN {
                done = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(vectors)
    }

    fn generation(&self) -> &Generation {
        &self.generation
    }

    fn max_batch(&self) -> usize {
        MAX_BATCH
    }
}
