//! An embedder that says what it was told to, and fails as planned.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soorma_ports::{Embedder, EmbedderError, Generation, unit};

use crate::SeededEntropy;

/// What happens to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbedderFault {
    /// It fails.
    Fail(EmbedderError),
    /// It never ends.
    Hang,
    /// It is answered so much later.
    Delay(Duration),
    /// It is answered with a vector too few: who asks an embedder that breaks its contract.
    TooFew,
    /// It is answered with vectors that have a number too many.
    TooLong,
    /// It is answered with vectors that are no numbers.
    NotFinite,
}

/// Gives texts that share words vectors that are near each other, and any text the vector it is told to.
///
/// Each planned fault happens to one call, in the order of the plan; calls without one are answered.
#[derive(Debug)]
pub struct ScriptedEmbedder {
    generation: Generation,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    told: BTreeMap<String, Vec<f32>>,
    plan: VecDeque<EmbedderFault>,
    calls: Vec<Vec<String>>,
}

/// How many texts a call takes: few, so that who has more is found out.
const MAX_BATCH: usize = 32;

impl ScriptedEmbedder {
    /// Makes an embedder of a generation such as `scripted/8`.
    pub fn new(generation: &str) -> Arc<Self> {
        Arc::new(Self { generation: generation.parse().unwrap(), state: Mutex::default() })
    }

    /// Says what the vector of a text is; it is brought to length 1, and what is missing of it is zero.
    pub fn say(&self, text: &str, vector: &[f32]) {
        let mut vector = vector.to_vec();
        assert!(vector.len() <= self.generation.dimensions(), "{} numbers", vector.len());
        vector.resize(self.generation.dimensions(), 0.0);
        let vector = unit(vector).expect("it has a direction");
        self.state(|state| state.told.insert(text.to_owned(), vector));
    }

    /// Plans a fault for the next call that has none planned.
    pub fn on_next(&self, fault: EmbedderFault) {
        self.state(|state| state.plan.push_back(fault));
    }

    /// Returns what it was asked for, a list of texts a call, also those that failed.
    pub fn calls(&self) -> Vec<Vec<String>> {
        self.state(|state| state.calls.clone())
    }

    /// Returns how many planned faults have not happened yet.
    pub fn pending(&self) -> usize {
        self.state(|state| state.plan.len())
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        if let Some(told) = self.state(|state| state.told.get(text).cloned()) {
            return told;
        }
        let mut sum = vec![0.0; self.generation.dimensions()];
        for word in text.split_whitespace() {
            let seed = word.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
            let random = SeededEntropy::new(seed);
            for number in &mut sum {
                *number += f32::from(i16::try_from(random.below(2_001)).unwrap() - 1_000);
            }
        }
        unit(sum).unwrap_or_else(|| self.generation.nothing())
    }
}

#[async_trait]
impl Embedder for ScriptedEmbedder {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        if texts.len() > MAX_BATCH {
            return Err(EmbedderError::Invalid(format!("{} texts are more than {MAX_BATCH}", texts.len())));
        }
        let fault = self.state(|state| {
            state.calls.push(texts.to_vec());
            state.plan.pop_front()
        });
        let mut vectors: Vec<_> = texts.iter().map(|text| self.vector(text)).collect();
        match fault {
            None => {}
            Some(EmbedderFault::Fail(error)) => return Err(error),
            Some(EmbedderFault::Hang) => std::future::pending().await,
            Some(EmbedderFault::Delay(by)) => tokio::time::sleep(by).await,
            Some(EmbedderFault::TooFew) => drop(vectors.pop()),
            Some(EmbedderFault::TooLong) => vectors.iter_mut().for_each(|vector| vector.push(0.0)),
            Some(EmbedderFault::NotFinite) => vectors.iter_mut().for_each(|vector| vector.fill(f32::NAN)),
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
