//! Who has the embedder asked: what waits for vectors, so much and no more, and what is gathered into one call.
//!
//! Questions come before writes. What gets its vector later has workers of its own, so that neither keeps the other waiting. Who waits no longer is passed over:
//! an embedder that is slow is not kept busy with what nobody needs. What it was asked already is kept of a question, also where the answer is late: who asks again has it.

mod batch;
mod health;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use soorma_core::TenantId;
use soorma_ports::{Embedder, EmbedderError, Generation};
use soorma_supervise::{Failure, TaskCx};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::bounds::kib;
use crate::config::Config;
use crate::questions::Questions;
use batch::Batch;
use health::Health;

/// How far from 1 the length of a vector may be, squared: no store takes it for damaged.
const UNIT: f32 = 5e-4;
/// The most bytes of the texts of one call.
const BATCH_BYTES: usize = 1_024 * 1_024;

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane<'a> {
    /// A question of somebody of a tenant who searches.
    Question(&'a TenantId),
    /// A text that is being written.
    Write,
    /// A text that is stored, and has no vector.
    Later,
}

/// Why there is no vector.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum NoVector {
    #[error("the embedder has failed a moment ago")]
    Rests,
    #[error("too many texts wait for the embedder")]
    Full,
    #[error("no vector was made in time")]
    Late,
    #[error("the embedder was interrupted")]
    Interrupted,
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
}

/// A text that waits for its vector.
#[derive(Debug)]
struct Job {
    text: String,
    /// Whose question it is.
    asker: Option<TenantId>,
    reply: oneshot::Sender<Result<Vec<f32>, NoVector>>,
    _room: OwnedSemaphorePermit,
}

/// What somebody waits for.
#[derive(Debug)]
struct Asked {
    questions: mpsc::Receiver<Job>,
    writes: mpsc::Receiver<Job>,
}

/// The embedder, as memory asks it.
#[derive(Debug)]
pub(crate) struct Embedding {
    embedder: Arc<dyn Embedder>,
    questions: mpsc::Sender<Job>,
    writes: mpsc::Sender<Job>,
    later: mpsc::Sender<Job>,
    asked: Mutex<Asked>,
    asked_later: Mutex<mpsc::Receiver<Job>>,
    kept: Arc<Questions>,
    room: Arc<Semaphore>,
    most_kib: u32,
    call_within: Duration,
    health: Health,
    embedded: AtomicU64,
}

impl Embedding {
    pub(crate) fn new(embedder: Arc<dyn Embedder>, kept: Arc<Questions>, config: &Config) -> Self {
        let (questions, questions_of) = mpsc::channel(config.max_embedding);
        let (writes, writes_of) = mpsc::channel(config.max_embedding);
        let (later, asked_later) = mpsc::channel(config.max_embedding);
        let asked = Asked { questions: questions_of, writes: writes_of };
        let kib = config.max_embedding_kib.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            embedder,
            questions,
            writes,
            later,
            asked: Mutex::new(asked),
            asked_later: Mutex::new(asked_later),
            kept,
            room: Arc::new(Semaphore::new(kib)),
            most_kib: u32::try_from(kib).unwrap_or(u32::MAX),
            call_within: config.embed_call_within,
            health: Health::new(config.embed_within),
            embedded: AtomicU64::new(0),
        }
    }

    pub(crate) fn generation(&self) -> &Generation {
        self.embedder.generation()
    }

    /// Returns how many texts a call takes.
    pub(crate) fn max_batch(&self) -> usize {
        self.embedder.max_batch().max(1)
    }

    /// Returns how many texts were turned into vectors.
    pub(crate) fn embedded(&self) -> u64 {
        self.embedded.load(Ordering::Relaxed)
    }

    pub(crate) fn is_away(&self) -> bool {
        self.health.is_away()
    }

    /// Returns how many texts wait, and for how many more there is room.
    pub(crate) fn gauge(&self) -> (u32, u32) {
        let lanes = [&self.questions, &self.writes, &self.later];
        let room: usize = lanes.iter().map(|lane| lane.capacity()).sum();
        let all: usize = lanes.iter().map(|lane| lane.max_capacity()).sum();
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        (number(all.saturating_sub(room)), number(room))
    }

    /// Returns the vector of a text, if there is one in time. Holds nothing that others need meanwhile.
    pub(crate) async fn vector(
        &self,
        lane: Lane<'_>,
        text: &str,
        within: Duration,
    ) -> Result<Vec<f32>, NoVector> {
        if !self.health.may_ask(lane != Lane::Later) {
            return Err(NoVector::Rests);
        }
        let deadline = Instant::now() + within;
        let kib = kib(text.len()).min(self.most_kib);
        let (reply, answer) = oneshot::channel();
        let asker = if let Lane::Question(tenant) = lane { Some(tenant.clone()) } else { None };
        let job = |room| Job { text: text.to_owned(), asker, reply, _room: room };
        match lane {
            Lane::Later => {
                // Who has time waits for room.
                let room = Arc::clone(&self.room).acquire_many_owned(kib);
                let room = timeout_at(deadline, room).await.map_err(|_| NoVector::Full)?;
                let sent = self.later.send(job(room.map_err(|_| NoVector::Full)?));
                timeout_at(deadline, sent).await.map_err(|_| NoVector::Full)?.map_err(|_| NoVector::Full)?;
            }
            Lane::Question(_) | Lane::Write => {
                let room = Arc::clone(&self.room).try_acquire_many_owned(kib).map_err(|_| NoVector::Full)?;
                let queue = if lane == Lane::Write { &self.writes } else { &self.questions };
                queue.try_send(job(room)).map_err(|_| NoVector::Full)?;
            }
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(vector)) => vector,
            Ok(Err(_)) => Err(NoVector::Interrupted),
            Err(_) => {
                self.health.late();
                Err(NoVector::Late)
            }
        }
    }

    /// Waits for texts that somebody waits for, and takes as many as one call takes. One worker waits at a time; the others come after it.
    async fn next(&self) -> Option<Batch<Job>> {
        let mut asked = self.asked.lock().await;
        let Asked { questions, writes } = &mut *asked;
        let (first, lane) = tokio::select! {
            biased;
            Some(job) = questions.recv() => (job, questions),
            Some(job) = writes.recv() => (job, writes),
            else => return None,
        };
        Some(self.gather(first, lane))
    }

    /// The same of what gets its vector later.
    async fn next_later(&self) -> Option<Batch<Job>> {
        let mut later = self.asked_later.lock().await;
        let first = later.recv().await?;
        Some(self.gather(first, &mut later))
    }

    fn gather(&self, first: Job, lane: &mut mpsc::Receiver<Job>) -> Batch<Job> {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(job) = next {
            if !job.reply.is_closed() {
                batch.add(job.text.clone(), job);
            }
            let has_room = batch.len() < self.max_batch() && batch.bytes() < BATCH_BYTES;
            next = if has_room { lane.try_recv().ok() } else { None };
        }
        batch
    }

    /// Has a batch turned into vectors, and answers who waits for them. A batch that is refused is halved until it is known which text is.
    async fn answer(&self, batch: Batch<Job>) {
        let mut left = vec![batch];
        while let Some(mut batch) = left.pop() {
            batch.retain(|job| !job.reply.is_closed());
            if batch.len() == 0 {
                continue;
            }
            match self.call(batch.texts()).await {
                Ok(vectors) => {
                    for (vector, jobs) in vectors.into_iter().zip(batch.into_jobs()) {
                        self.embedded.fetch_add(1, Ordering::Relaxed);
                        for job in jobs {
                            if let Some(tenant) = &job.asker {
                                self.kept.keep(tenant, &job.text, &vector);
                            }
                            drop(job.reply.send(Ok(vector.clone())));
                        }
                    }
                }
                Err(EmbedderError::Invalid(_)) if batch.len() > 1 => left.extend(batch.halves()),
                Err(error) => {
                    for job in batch.into_jobs().flatten() {
                        drop(job.reply.send(Err(error.clone().into())));
                    }
                }
            }
        }
    }

    /// Asks for vectors, and looks whether they are what was asked for.
    async fn call(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let began = Instant::now();
        let answer = timeout(self.call_within, self.embedder.embed(texts)).await.unwrap_or_else(|_| {
            Err(EmbedderError::Timeout(format!("no answer within {:?}", self.call_within)))
        });
        let looked_at = answer.and_then(|vectors| {
            match vectors.len() == texts.len() && vectors.iter().all(|vector| self.is_sound(vector)) {
                true => Ok(vectors),
                false => {
                    let message = "the embedder's answer is not as its contract says";
                    Err(EmbedderError::Misunderstood(message.into()))
                }
            }
        });
        match &looked_at {
            Ok(_) => self.health.answered(began.elapsed()),
            // It is the fault of a text, not of the embedder.
            Err(EmbedderError::Invalid(_)) => self.health.answered(began.elapsed()),
            Err(error) => self.health.failed(error),
        }
        looked_at
    }

    fn is_sound(&self, vector: &[f32]) -> bool {
        let length: f32 = vector.iter().map(|number| number * number).sum();
        vector.len() == self.generation().dimensions() && (length - 1.0).abs() < UNIT
    }
}

/// Answers who waits for vectors until it is asked to stop.
pub(crate) async fn run(embedding: Arc<Embedding>, cx: TaskCx) -> Result<(), Failure> {
    while let Some(batch) = unless_stopping(&cx, embedding.next()).await.flatten() {
        unless_stopping(&cx, embedding.answer(batch)).await;
    }
    Ok(())
}

/// Has vectors made for what is stored without.
pub(crate) async fn run_later(embedding: Arc<Embedding>, cx: TaskCx) -> Result<(), Failure> {
    while let Some(batch) = unless_stopping(&cx, embedding.next_later()).await.flatten() {
        unless_stopping(&cx, embedding.answer(batch)).await;
    }
    Ok(())
}

async fn unless_stopping<T>(cx: &TaskCx, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = cx.stopping() => None,
        done = work => Some(done),
    }
}
