//! Who fits best what is asked for in a sentence: by meaning where vectors can be had in time, else by the words in common.
//!
//! Vectors live with the rows that they were made of, in memory alone: to make them again is cheap beside keeping them right in a store. An
//! embedder is of one generation as long as it lives (clause 3 of its port), so all that a process keeps can be compared.

mod common;
mod text;
mod vectors;

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Error, RankedBy};
use soorma_ports::{Embedder, EmbedderError, Ranked, Ranking, Registered};
use soorma_supervise::Rarely;
use tokio::time::{Instant, timeout_at};

use crate::view::row::Row;
use common::Sentence;
use text::Batch;
use vectors::Room;

pub(crate) use vectors::{Turns, Vector};

/// How long who asks waits for vectors. What was made by then is kept: of very many agents the next question makes the rest.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a tenant's questions go by words after the embedder has failed one: nobody is to wait for it each time.
const REST: Duration = Duration::from_secs(5);
/// How many texts the first call has: so few that a slow model has done them in time. Each that goes well is followed by one of twice as many.
const FIRST_BATCH: usize = 32;
/// After so many rows others have their turn on this thread.
const PIECE: usize = 500;

/// Ranks agents.
#[derive(Debug)]
pub(crate) struct Meaning {
    embedder: Option<Arc<dyn Embedder>>,
    room: Room,
    unsaid: Rarely,
}

/// An agent that fits, and its row.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) row: Arc<Row>,
    pub(crate) agent: Registered,
    /// What it says of itself as a vector, when that is known.
    pub(crate) vector: Option<Arc<Vector>>,
}

impl Candidate {
    /// Takes the vector of its row; returns itself where there is none yet.
    fn if_lacking(&mut self) -> Option<&mut Self> {
        self.vector = self.row.life().vector.clone();
        self.vector.is_none().then_some(self)
    }
}

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("the embedder has failed a moment ago")]
    Rests,
    #[error("vectors were not made within {} s; what there is of them is kept", WITHIN.as_secs())]
    Late,
    #[error("there is no room for more vectors of agents")]
    Full,
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
}

impl Meaning {
    pub(crate) fn new(embedder: Option<Arc<dyn Embedder>>, max_vector_kib: usize) -> Self {
        Self { embedder, room: Room::new(max_vector_kib), unsaid: Rarely::default() }
    }

    /// Refuses a question that cannot be answered; returns who turns it into a vector.
    pub(crate) fn asked(&self, meaning: &str) -> Result<&Arc<dyn Embedder>, Error> {
        if meaning.trim().is_empty() {
            return Err(Error::invalid("say in a sentence what the agent is to do"));
        }
        let most = Ranking::MAX_MEANING_BYTES;
        if meaning.len() > most {
            let has = meaning.len();
            return Err(Error::invalid(format!(
                "what is asked for has at most {most} bytes; this has {has}"
            )));
        }
        self.embedder.as_ref().ok_or_else(|| {
            Error::invalid(
                "agents cannot be ranked by meaning, since this node has no embedder; set models.embedder to \
                 hashing or openai, or look for words with text=, which needs none",
            )
        })
    }

    /// Puts agents in order, best first; returns at most `limit`. They come by name and id, and those that fit alike stay so.
    pub(crate) async fn rank(
        &self,
        embedder: &dyn Embedder,
        turns: &Turns,
        mut candidates: Vec<Candidate>,
        (meaning, limit): (&str, usize),
    ) -> Ranking {
        if candidates.is_empty() || limit == 0 {
            return Ranking { by: RankedBy::Meaning, agents: Vec::new() };
        }
        let (by, scores) = match self.by_meaning(embedder, turns, &mut candidates, meaning).await {
            Ok(scores) => (RankedBy::Meaning, scores),
            Err(why) => {
                if let Some(count) = self.unsaid.happened() {
                    tracing::warn!(count, %why, "agents are ranked by words instead of by meaning");
                }
                (RankedBy::Words, by_words(&candidates, meaning).await)
            }
        };
        let mut agents: Vec<_> = candidates
            .into_iter()
            .zip(scores)
            .map(|(candidate, score)| Ranked { agent: candidate.agent, score })
            .collect();
        agents.sort_by(|a, b| b.score.total_cmp(&a.score));
        agents.truncate(limit);
        Ranking { by, agents }
    }

    async fn by_meaning(
        &self,
        embedder: &dyn Embedder,
        turns: &Turns,
        candidates: &mut [Candidate],
        meaning: &str,
    ) -> Result<Vec<f32>, Why> {
        if turns.rest_until().is_some_and(|until| Instant::now() < until) {
            return Err(Why::Rests);
        }
        let deadline = Instant::now() + WITHIN;
        let asked = ask(embedder, turns, &[meaning.to_owned()], deadline).await?.concat();
        let mut lacking: Vec<_> = candidates.iter_mut().filter_map(Candidate::if_lacking).collect();
        if !lacking.is_empty() {
            // One question of a tenant has vectors made at a time: the next finds them there.
            let _turn = timeout_at(deadline, turns.next()).await.map_err(|_| Why::Late)?;
            lacking = lacking.into_iter().filter_map(Candidate::if_lacking).collect();
            self.make(embedder, turns, lacking, deadline).await?;
        }
        let mut scores = Vec::with_capacity(candidates.len());
        for piece in candidates.chunks(PIECE) {
            // All have one by now.
            scores.extend(piece.iter().map(|one| one.vector.as_ref().map_or(-1.0, |v| v.cosine(&asked))));
            tokio::task::yield_now().await;
        }
        Ok(scores)
    }

    /// Has vectors made.
    async fn make(
        &self,
        embedder: &dyn Embedder,
        turns: &Turns,
        lacking: Vec<&mut Candidate>,
        deadline: Instant,
    ) -> Result<(), Why> {
        let (most, dimensions) = (embedder.max_batch().max(1), embedder.generation().dimensions());
        let mut size = FIRST_BATCH.min(most);
        let mut left = lacking.into_iter();
        while !left.as_slice().is_empty() {
            let batch = Batch::take(&mut left, size);
            let mut room = self.room.take(batch.texts.len(), dimensions).ok_or(Why::Full)?;
            let vectors = ask(embedder, turns, &batch.texts, deadline).await?;
            for (numbers, candidates) in vectors.into_iter().zip(batch.of) {
                let vector = Arc::new(room.keep(numbers).ok_or(Why::Full)?);
                for candidate in candidates {
                    candidate.row.keep(&vector);
                    candidate.vector = Some(Arc::clone(&vector));
                }
            }
            size = (2 * size).min(most);
        }
        Ok(())
    }
}

/// Asks for vectors, and looks whether they are what was asked for. Who fails has a rest.
async fn ask(
    embedder: &dyn Embedder,
    turns: &Turns,
    texts: &[String],
    deadline: Instant,
) -> Result<Vec<Vec<f32>>, Why> {
    let began = Instant::now();
    let Ok(answer) = timeout_at(deadline, embedder.embed(texts)).await else {
        // It may have been asked a moment before the end only.
        if began.elapsed() >= WITHIN / 2 {
            turns.rest(REST);
        }
        return Err(Why::Late);
    };
    let dimensions = embedder.generation().dimensions();
    let is_whole =
        |vector: &Vec<f32>| vector.len() == dimensions && vector.iter().all(|number| number.is_finite());
    let looked_at = answer.and_then(|vectors| match vectors.len() == texts.len() {
        true if vectors.iter().all(is_whole) => Ok(vectors),
        _ => Err(EmbedderError::Misunderstood("the embedder's answer is not as its contract says".into())),
    });
    looked_at.map_err(|error| {
        turns.rest(REST);
        error.into()
    })
}

async fn by_words(candidates: &[Candidate], meaning: &str) -> Vec<f32> {
    let sentence = Sentence::new(meaning);
    let mut scores = Vec::with_capacity(candidates.len());
    let mut read = 0;
    for candidate in candidates {
        let text = text::of(candidate.row.record());
        scores.push(sentence.in_common(&text));
        read += text.len();
        if read >= text::TURN {
            read = 0;
            tokio::task::yield_now().await;
        }
    }
    scores
}
