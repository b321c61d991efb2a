//! A sentence model from a folder, that runs here.

mod batches;
mod bert;
mod config;
mod folder;
mod model;
mod tokens;
mod weights;

pub use config::LocalConfig;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_ports::{Embedder, EmbedderError, Generation};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use batches::batches;
use model::Model;

/// A model of the BERT family, as sentence-transformers saves it: what it finds is what the model holds to be alike.
///
/// It asks nobody, and runs on a thread where it may take its time; it takes all cores for one batch after the other, so that calls have
/// their turn in the order in which they came, a batch each. `RAYON_NUM_THREADS` says how many cores it takes.
pub struct LocalEmbedder {
    config: LocalConfig,
    model: Arc<Model>,
    /// A place for each call that runs or waits.
    calls: Semaphore,
    /// Who reads texts: one at a time.
    reads: Arc<Semaphore>,
    /// Who has the model: one batch at a time.
    runs: Arc<Semaphore>,
}

impl fmt::Debug for LocalEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEmbedder")
            .field("folder", &self.config.folder)
            .field("generation", self.model.generation())
            .finish_non_exhaustive()
    }
}

impl LocalEmbedder {
    /// Reads a model into memory. It takes a second or so and must not be done where others wait.
    ///
    /// # Errors
    /// [`EmbedderError::Invalid`] for bounds that let nothing through, and for a folder that holds no model that can be used: it says
    /// which file is at fault.
    pub fn open(config: LocalConfig) -> Result<Self, EmbedderError> {
        config.check()?;
        let model = Model::open(&config.folder, config.name.as_deref()).map_err(EmbedderError::Invalid)?;
        Ok(Self {
            model: Arc::new(model),
            calls: Semaphore::new(config.calls_at_once),
            reads: Arc::new(Semaphore::new(1)),
            runs: Arc::new(Semaphore::new(1)),
            config,
        })
    }

    async fn vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let said = texts.iter().enumerate().filter(|(_, text)| !text.trim().is_empty());
        let said =
            said.map(|(place, text)| (place, self.model.beginning(text).to_owned())).collect::<Vec<_>>();
        let mut vectors = vec![self.model.generation().nothing(); texts.len()];
        if said.is_empty() {
            return Ok(vectors);
        }
        let sentences = self.in_turn(&self.reads, move |model| model.read(&said)).await?;
        for batch in batches(sentences, self.config.batch_tokens) {
            let done = self.in_turn(&self.runs, move |model| {
                let vectors = model.vectors(&batch)?;
                Ok(batch.into_iter().map(|sentence| sentence.place).zip(vectors).collect::<Vec<_>>())
            });
            for (place, vector) in done.await? {
                if let Some(empty) = vectors.get_mut(place) {
                    *empty = vector;
                }
            }
        }
        Ok(vectors)
    }

    /// Waits for a turn, and has it on a thread where it may take its time. Who gives up waiting leaves nothing behind; who gives up later
    /// leaves what runs, and the next waits until it is done.
    async fn in_turn<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce(&Model) -> Result<T, EmbedderError> + Send + 'static,
    ) -> Result<T, EmbedderError> {
        let Ok(turn) = Arc::clone(turns).acquire_owned().await else {
            return Err(EmbedderError::Unavailable("the model is gone".to_owned()));
        };
        let model = Arc::clone(&self.model);
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&model);
            drop(turn);
            done
        });
        done.await.unwrap_or_else(|error| {
            Err(match error.is_panic() {
                true => EmbedderError::Misunderstood("the model has crashed".to_owned()),
                false => EmbedderError::Unavailable("the model is being stopped".to_owned()),
            })
        })
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
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
                message: format!("{} calls wait for the model already", self.config.calls_at_once),
                retry_after: Some(Duration::from_secs(1)),
            });
        };
        let by = Instant::now() + self.config.all_within;
        timeout_at(by, self.vectors(texts)).await.unwrap_or_else(|_| {
            Err(EmbedderError::Timeout(format!(
                "the model has not come to an end of the texts within {} ms",
                self.config.all_within.as_millis()
            )))
        })
    }

    fn generation(&self) -> &Generation {
        self.model.generation()
    }

    fn max_batch(&self) -> usize {
        self.config.max_batch
    }
}
