//! What is done in the background: what has expired is removed, tenants are counted, and what was stored without a vector gets one.
//!
//! Nothing of it is kept beside the store: whoever goes on after a crash finds there what is left to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{join, join_all};
use soorma_core::{Error, MemoryKind, Timestamp};
use soorma_ports::{EmbedderError, NewVector, Unembedded};
use soorma_supervise::{Failure, Rarely, TaskCx};
use tokio::time::{Instant, MissedTickBehavior, sleep};
use uuid::Uuid;

use crate::embedder::{Embedding, Lane, NoVector};
use crate::lacking::before;
use crate::shared::Shared;

/// How many entries are removed at once: what others write has room beside them.
const AT_ONCE: usize = 1_000;
/// How many texts are read at once to be given vectors: for so many calls of the embedder.
const CALLS: usize = 4;
/// The same, whatever the embedder takes.
const TEXTS: (usize, usize) = (64, 1_024);
/// How long who gives vectors waits before it looks again, so that a burst of writes is one pass.
const PAUSE: Duration = Duration::from_millis(200);
/// The same after something has failed.
const LATER: Duration = Duration::from_secs(2);
/// How long a text may wait for its vector: its turn comes behind all that wait before it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Looks after memory until it is asked to stop.
pub(crate) async fn run(shared: Arc<Shared>, cx: TaskCx) -> Result<(), Failure> {
    let embedding = async {
        match &shared.embedding {
            Some(embedding) => embed(&shared, embedding).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cx.stopping() => {}
        ((), ()) = join(sweep(&shared), embedding) => {}
    }
    Ok(())
}

/// Removes what has expired and counts who is to be counted, for ever.
async fn sweep(shared: &Shared) {
    let mut every = tokio::time::interval(shared.config.sweep_every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {
                if let Err(error) = remove(shared).await {
                    tracing::debug!(%error, "cannot remove what has expired; later again");
                }
            }
            () = shared.tenants.to_count.notified() => {}
        }
        count(shared).await;
    }
}

async fn remove(shared: &Shared) -> Result<(), Error> {
    loop {
        let count = shared.ask(shared.store.expire(shared.now(), AT_ONCE)).await?;
        shared.expired.fetch_add(count, Ordering::Relaxed);
        if count < number(AT_ONCE) {
            break;
        }
    }
    let Some(keep_for) = shared.config.keep_episodes_for else { return Ok(()) };
    let before = earlier(shared.now(), keep_for);
    loop {
        let count = shared.ask(shared.store.retire(&MemoryKind::EPISODIC, before, AT_ONCE)).await?;
        shared.expired.fetch_add(count, Ordering::Relaxed);
        if count < number(AT_ONCE) {
            return Ok(());
        }
    }
}

async fn count(shared: &Shared) {
    for tenant in shared.tenants.due() {
        // One that cannot be counted is none of the others'.
        match shared.ask(shared.store.count(&tenant, None, None)).await {
            Ok(counts) => {
                let entries = counts.iter().map(|count| count.entries).sum();
                let bytes = counts.iter().map(|count| count.bytes).sum();
                shared.tenants.counted(&tenant, entries, bytes);
            }
            Err(error) => tracing::debug!(%tenant, %error, "cannot count what a tenant has; later again"),
        }
    }
}

/// Gives vectors to what has none, for ever: when something was stored without, and now and then in any case.
async fn embed(shared: &Shared, embedding: &Embedding) {
    let refused = Rarely::default();
    let mut all_at = Instant::now();
    loop {
        tokio::select! {
            () = shared.lacking.some() => sleep(PAUSE).await,
            () = tokio::time::sleep_until(all_at) => {
                all_at = Instant::now() + shared.config.embed_all_every;
                shared.lacking.add_all();
            }
        }
        let Some(first) = shared.lacking.take() else { continue };
        let mut after = before(first);
        // What fails is tried again until it is done: nobody else asks for it.
        while let Err(why) = embed_from(shared, embedding, &refused, &mut after).await {
            tracing::debug!(%why, "not all that is stored could be given a vector; later again");
            sleep(LATER).await;
            if let Some(first) = shared.lacking.take() {
                after = after.min(before(first));
            }
        }
    }
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Embedder(#[from] NoVector),
}

/// Goes once through all behind an id that has no vector; where it stops, it is to go on.
async fn embed_from(
    shared: &Shared,
    embedding: &Embedding,
    refused: &Rarely,
    after: &mut Option<Uuid>,
) -> Result<(), Stopped> {
    let generation = embedding.generation();
    let limit = (embedding.max_batch() * CALLS).clamp(TEXTS.0, TEXTS.1);
    loop {
        let page = shared.ask(shared.store.unembedded(generation, *after, limit)).await?;
        let Some(last) = page.last().map(|last| last.id) else { return Ok(()) };
        let asked = page.iter().map(|one| embedding.vector(Lane::Later, &one.text, PATIENCE));
        let answers = join_all(asked).await;
        let mut vectors = Vec::with_capacity(page.len());
        let mut stopped = None;
        for (Unembedded { tenant, id, revision, .. }, answer) in page.into_iter().zip(answers) {
            match answer {
                Ok(vector) => vectors.push(NewVector { tenant, id, revision, vector }),
                // It is the text that cannot be taken. The others have theirs.
                Err(NoVector::Embedder(EmbedderError::Invalid(why))) => {
                    if let Some(count) = refused.happened() {
                        tracing::warn!(%tenant, %id, why, count, "the embedder refuses a text; it is found by words and time");
                    }
                }
                Err(why) => stopped = Some(why),
            }
        }
        if !vectors.is_empty() {
            shared.ask(shared.store.put_vectors(generation, vectors)).await?;
        }
        if let Some(why) = stopped {
            return Err(why.into());
        }
        *after = Some(last);
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(by))
}
