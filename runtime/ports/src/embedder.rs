//! What turns texts into vectors, so that what is alike can be found.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{Error, ErrorCode};

/// Turns texts into vectors: the nearer two texts, the greater the product of their vectors.
///
/// # Contract
/// 1. **All or an error.** There is a vector for each text, in the order of the texts; never some of them. Nothing asked for is nothing
///    answered, whoever is away.
/// 2. **Unit length.** Each vector has as many numbers as the [generation](Self::generation) says, all finite, and is of length 1, so that the
///    product of two is the cosine of their angle.
/// 3. **One generation.** An embedder is of one generation as long as it lives. Vectors of two generations are never compared: who keeps
///    vectors keeps the generation beside them.
/// 4. **The same text, the same vector**, whatever stands beside it and whichever embedder of the generation is asked; a model that runs
///    elsewhere may differ in the last digits.
/// 5. **Any text.** Texts are taken as they are. One with nothing but white space in it has the vector of [`Generation::nothing`]; of one that is longer than the model
///    takes, the beginning counts.
/// 6. **Bounded.** A call takes at most [`max_batch`](Self::max_batch) texts, at least 1; more are refused unread. So are calls that come while too many wait.
/// 7. **In time.** A call ends within a bounded time, whatever is away. Dropping it leaves nothing behind that others wait for.
/// 8. **Told apart.** An error says whether the same call may succeed later, and holds neither a text nor a secret.
#[async_trait]
pub trait Embedder: Send + Sync + fmt::Debug + 'static {
    /// Returns the vectors of texts.
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError>;

    /// Returns which vectors these are.
    fn generation(&self) -> &Generation;

    /// Returns how many texts a call takes.
    fn max_batch(&self) -> usize;
}

/// Which model made a vector, and how many numbers it has; written `hashing-v1/256`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation {
    model: String,
    dimensions: usize,
}

impl Generation {
    /// The most dimensions: what a column of pgvector holds.
    pub const MOST_DIMENSIONS: usize = 16_000;
    /// The most characters that a model's name has.
    pub const LONGEST_MODEL: usize = 200;

    /// Names a generation.
    ///
    /// # Errors
    /// For a model without a name or with one that is too long or has control characters, and for no or too many dimensions.
    pub fn new(model: impl Into<String>, dimensions: usize) -> Result<Self, InvalidGeneration> {
        let model = model.into();
        if model.trim().is_empty() || model.trim() != model || model.chars().any(char::is_control) {
            return Err(InvalidGeneration::Model);
        }
        if model.chars().count() > Self::LONGEST_MODEL {
            return Err(InvalidGeneration::Long);
        }
        if dimensions == 0 || dimensions > Self::MOST_DIMENSIONS {
            return Err(InvalidGeneration::Dimensions);
        }
        Ok(Self { model, dimensions })
    }

    /// Returns the name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns how many numbers a vector has.
    pub const fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns the vector of a text that says nothing: the first axis. It is as good as any, and no vector of length 1 is zero.
    pub fn nothing(&self) -> Vec<f32> {
        let mut vector = vec![0.0; self.dimensions];
        if let Some(first) = vector.first_mut() {
            *first = 1.0;
        }
        vector
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.model, self.dimensions)
    }
}

impl FromStr for Generation {
    type Err = InvalidGeneration;

    /// Reads what `Display` writes; a model may have slashes in its name.
    fn from_str(text: &str) -> Result<Self, InvalidGeneration> {
        let (model, dimensions) = text.rsplit_once('/').ok_or(InvalidGeneration::Dimensions)?;
        let number = dimensions.bytes().all(|byte| byte.is_ascii_digit()) && !dimensions.starts_with('0');
        let dimensions = dimensions.parse().ok().filter(|_| number).ok_or(InvalidGeneration::Dimensions)?;
        Self::new(model, dimensions)
    }
}

/// Why something names no generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGeneration {
    /// The model has no name, or one that cannot be written.
    #[error("a model has a name without control characters and without spaces around it")]
    Model,
    /// The model's name is too long.
    #[error("the name of a model has at most {max} characters", max = Generation::LONGEST_MODEL)]
    Long,
    /// There are no dimensions, or too many.
    #[error("a vector has between 1 and {max} dimensions", max = Generation::MOST_DIMENSIONS)]
    Dimensions,
}

/// Brings a vector to length 1; nothing where it has no direction: it is zero, or not all of it is finite.
pub fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    if !vector.iter().all(|number| number.is_finite()) {
        return None;
    }
    // By the largest number first: squares of very large and very small numbers are none.
    let largest = vector.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    if largest == 0.0 {
        return None;
    }
    for number in &mut vector {
        *number /= largest;
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    for number in &mut vector {
        *number /= length;
    }
    Some(vector)
}

/// Why there are no vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedderError {
    /// The call cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// Too much is asked at once, of us or of who has the model.
    #[error("{message}")]
    Busy {
        /// Who is busy.
        message: String,
        /// When to come back, where that is known.
        retry_after: Option<Duration>,
    },
    /// There was no answer in the time allowed.
    #[error("{0}")]
    Timeout(String),
    /// Who has the model is away.
    #[error("{0}")]
    Unavailable(String),
    /// Who has the model refuses for good, until somebody changes something: a key, a model's name, an account.
    #[error("{0}")]
    Refused(String),
    /// What came is not what was asked for.
    #[error("{0}")]
    Misunderstood(String),
}

impl EmbedderError {
    /// Returns whether the same call may succeed later.
    pub const fn may_retry(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Timeout(_) | Self::Unavailable(_) => true,
            Self::Invalid(_) | Self::Refused(_) | Self::Misunderstood(_) => false,
        }
    }
}

impl From<EmbedderError> for Error {
    fn from(error: EmbedderError) -> Self {
        match error {
            EmbedderError::Invalid(message) => Self::invalid(message),
            EmbedderError::Busy { message, retry_after } => {
                Self { retry_after, ..Self::new(ErrorCode::Overloaded, message) }
            }
            EmbedderError::Timeout(message) => Self::new(ErrorCode::Timeout, message),
            EmbedderError::Unavailable(message) => {
                Self::unavailable(message).retry_after(Duration::from_secs(1))
            }
            EmbedderError::Refused(message) | EmbedderError::Misunderstood(message) => {
                Self::internal(message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors() -> [EmbedderError; 6] {
        let why = String::from("why");
        [
            EmbedderError::Invalid(why.clone()),
            EmbedderError::Busy { message: why.clone(), retry_after: Some(Duration::from_secs(7)) },
            EmbedderError::Timeout(why.clone()),
            EmbedderError::Unavailable(why.clone()),
            EmbedderError::Refused(why.clone()),
            EmbedderError::Misunderstood(why),
        ]
    }

    #[test]
    fn a_generation_reads_back_what_it_writes() {
        for (model, dimensions, text) in [
            ("hashing-v1", 256, "hashing-v1/256"),
            ("BAAI/bge-small-en-v1.5", 384, "BAAI/bge-small-en-v1.5/384"),
            ("ein Modell", 16_000, "ein Modell/16000"),
        ] {
            let generation = Generation::new(model, dimensions).unwrap();
            assert_eq!(generation.to_string(), text);
            assert_eq!(text.parse(), Ok(generation));
        }
    }

    #[test]
    fn what_names_no_generation_is_refused() {
        use InvalidGeneration::{Dimensions, Long, Model};
        for (text, why) in [
            ("", Dimensions),
            ("model", Dimensions),
            ("model/", Dimensions),
            ("model/0", Dimensions),
            ("model/007", Dimensions),
            ("model/+7", Dimensions),
            ("model/16001", Dimensions),
            ("model/99999999999999999999", Dimensions),
            ("/7", Model),
            (" model/7", Model),
            ("mo\ndel/7", Model),
        ] {
            assert_eq!(text.parse::<Generation>(), Err(why), "{text:?}");
        }
        assert_eq!(Generation::new("m".repeat(201), 1), Err(Long));
        assert!(Generation::new("ü".repeat(200), 1).is_ok());
    }

    #[test]
    fn what_has_a_direction_is_brought_to_length_1() {
        assert_eq!(unit(vec![3.0, 0.0, -4.0]), Some(vec![0.6, 0.0, -0.8]));
        for scale in [f32::MIN_POSITIVE, 1e-30, 1.0, 1e30, f32::MAX] {
            let vector = unit(vec![scale; 4]).unwrap();
            assert!(vector.iter().all(|number| (number - 0.5).abs() < 1e-6), "{scale}: {vector:?}");
        }
        for none in [vec![], vec![0.0, -0.0], vec![1.0, f32::NAN], vec![f32::INFINITY, 1.0]] {
            assert_eq!(unit(none.clone()), None, "{none:?}");
        }
        let nothing = Generation::new("m", 3).unwrap().nothing();
        assert_eq!(nothing, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn an_error_may_be_retried_where_its_code_says_so() {
        for error in errors() {
            let may_retry = error.may_retry();
            let told = Error::from(error);
            assert_eq!(told.code.may_retry(), may_retry, "{told:?}");
            assert_eq!(told.message, "why");
            assert!(may_retry || told.retry_after.is_none(), "{told:?}");
        }
        let busy = Error::from(errors()[1].clone());
        assert_eq!((busy.code, busy.retry_after), (ErrorCode::Overloaded, Some(Duration::from_secs(7))));
    }
}
