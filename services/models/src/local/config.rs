//! Where the model is, and how much it is given to do.

use std::path::PathBuf;
use std::time::Duration;

use soorma_ports::EmbedderError;

/// The folder of a sentence model, and the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalConfig {
    /// The folder, as sentence-transformers saves a model: `config.json`, `tokenizer.json`, `model.safetensors` and what goes with them.
    pub folder: PathBuf,
    /// The name that vectors are kept under. Without one it is what the model says it was made from, with a number made of its files: then
    /// other files are another generation by themselves.
    pub name: Option<String>,
    /// How many texts a call takes.
    pub max_batch: usize,
    /// How many tokens go through the model at once, if there is more than one text. It bounds what a batch takes of memory, and how long others wait for it.
    pub batch_tokens: usize,
    /// How many calls run or wait at once; more are refused.
    pub calls_at_once: usize,
    /// Within what a call ends.
    pub all_within: Duration,
}

impl LocalConfig {
    /// Returns the usual bounds for the model of a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            name: None,
            // Of the longest texts so many take about four seconds on two cores.
            max_batch: 32,
            // More at once is hardly faster, and takes half a second on two cores.
            batch_tokens: 1_024,
            calls_at_once: 64,
            all_within: Duration::from_secs(30),
        }
    }

    /// Looks for bounds that let nothing through.
    pub(super) fn check(&self) -> Result<(), EmbedderError> {
        for (what, bound) in [
            ("texts of a call", self.max_batch),
            ("tokens of a batch", self.batch_tokens),
            ("calls at once", self.calls_at_once),
        ] {
            if bound == 0 || bound > tokio::sync::Semaphore::MAX_PERMITS {
                return Err(EmbedderError::Invalid(format!("the {what} are too few or too many")));
            }
        }
        if self.all_within.is_zero() || self.all_within > LONGEST {
            return Err(EmbedderError::Invalid("no time, or too much, is given for a call".to_owned()));
        }
        Ok(())
    }
}

/// Nobody waits longer for a vector.
const LONGEST: Duration = Duration::from_secs(3_600);
