//! Gathers the writes that wait and has the store carry them out together: one after the other would cost a sync each.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::Error;
use soorma_ports::{RegistryAct, RegistryStoreError, RegistryWrite};
use soorma_supervise::{Failure, TaskCx};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};

use crate::shared::{Job, Outcome, Shared};

/// The most writes of one transaction.
const MOST: usize = 1_024;
/// How long the store may take: then it counts as away, and nobody waits any longer.
const WITHIN: Duration = Duration::from_secs(10);

/// What was written, or why not; one for each write.
type Answers = Vec<Result<Outcome, Error>>;

/// Runs until it is asked to stop. What waits stays in the queue, for the next incarnation.
pub(crate) async fn run(
    shared: Arc<Shared>,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    cx: TaskCx,
) -> Result<(), Failure> {
    let mut queue = queue.lock().await;
    // A store that was away before a crash is tried at once.
    let mut try_at = Instant::now();
    loop {
        if shared.outage.is_on() {
            tokio::select! {
                biased;
                () = cx.stopping() => return Ok(()),
                () = tokio::time::sleep_until(try_at) => {}
                // It came in while the store went away.
                Some(job) = queue.recv() => {
                    answer(job, Err(away()));
                    continue;
                }
            }
            match within(shared.store.check()).await {
                // A store that is full is there: it hears and removes.
                Ok(()) | Err(RegistryStoreError::Full(_)) => shared.outage.over(),
                Err(error) => try_at = Instant::now() + shared.outage.failed(&error),
            }
            continue;
        }
        let first = tokio::select! {
            biased;
            () = cx.stopping() => return Ok(()),
            first = queue.recv() => first,
        };
        let Some(first) = first else { return Ok(()) };
        let mut jobs = vec![first];
        while jobs.len() < MOST
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        // Nobody waits any more for what was given up.
        jobs.retain(|job| !job.reply.is_closed());
        if let Some(wait) = carry_out(&shared, jobs).await {
            try_at = Instant::now() + wait;
        }
    }
}

/// Carries out jobs and answers them; when the store is away, returns when to try again.
async fn carry_out(shared: &Shared, jobs: Vec<Job>) -> Option<Duration> {
    if jobs.is_empty() {
        return None;
    }
    let writes: Vec<_> = jobs.iter().map(|job| job.write.clone()).collect();
    let (answers, wait) = match write(shared, writes).await {
        Ok(outcomes) => {
            if !jobs.iter().all(is_small) {
                shared.fullness.over();
            }
            (outcomes.into_iter().map(Ok).collect(), None)
        }
        Err(error) if jobs.len() == 1 || matches!(error, RegistryStoreError::Unavailable(_)) => {
            let wait = paused(shared, &error);
            (vec![Err(said(shared, error)); jobs.len()], wait)
        }
        Err(RegistryStoreError::Full(why)) => without_growing(shared, &jobs, &why).await,
        // It is the fault of one, which the others are not to suffer from.
        Err(_) => one_by_one(shared, &jobs).await,
    };
    shared.written.notify_one();
    for (job, outcome) in jobs.into_iter().zip(answers) {
        answer(job, outcome);
    }
    wait
}

/// Carries out what takes no room: agents that are there stay there.
async fn without_growing(shared: &Shared, jobs: &[Job], why: &str) -> (Answers, Option<Duration>) {
    let small: Vec<_> = jobs.iter().filter(|job| is_small(job)).map(|job| job.write.clone()).collect();
    let full = said(shared, RegistryStoreError::Full(why.to_owned()));
    let (mut outcomes, mut failed, mut wait) = (Vec::new(), None, None);
    if !small.is_empty() {
        match write(shared, small).await {
            Ok(written) => outcomes = written,
            Err(error) => {
                wait = paused(shared, &error);
                failed = Some(said(shared, error));
            }
        }
    }
    let mut outcomes = outcomes.into_iter();
    let answers = jobs.iter().map(|job| match is_small(job) {
        true => outcomes.next().ok_or_else(|| failed.clone().unwrap_or_else(away)),
        false => Err(full.clone()),
    });
    (answers.collect(), wait)
}

fn is_small(job: &Job) -> bool {
    matches!(job.write.what, RegistryAct::Hear { .. } | RegistryAct::RemoveAgent { .. })
}

/// Carries out jobs each for itself; when the store is away, none of the rest.
async fn one_by_one(shared: &Shared, jobs: &[Job]) -> (Answers, Option<Duration>) {
    let (mut answers, mut wait) = (Answers::with_capacity(jobs.len()), None);
    for job in jobs {
        if wait.is_some() {
            answers.push(Err(away()));
            continue;
        }
        answers.push(match write(shared, vec![job.write.clone()]).await {
            Ok(outcomes) => outcomes.into_iter().next().ok_or_else(away),
            Err(error) => {
                wait = paused(shared, &error);
                Err(said(shared, error))
            }
        });
    }
    (answers, wait)
}

/// Notes that the store is away, if that is what an error says; returns how long to leave it alone.
fn paused(shared: &Shared, error: &RegistryStoreError) -> Option<Duration> {
    matches!(error, RegistryStoreError::Unavailable(_)).then(|| shared.outage.failed(error))
}

/// Writes; a store that does not answer one outcome for each is as good as away.
async fn write(shared: &Shared, writes: Vec<RegistryWrite>) -> Result<Vec<Outcome>, RegistryStoreError> {
    let count = writes.len();
    let outcomes = within(shared.store.write(writes)).await?;
    if outcomes.len() == count {
        return Ok(outcomes);
    }
    Err(RegistryStoreError::Unavailable(format!("it answered {} of {count} writes", outcomes.len())))
}

/// Gives up what takes too long.
pub(crate) async fn within<T>(
    work: impl Future<Output = Result<T, RegistryStoreError>>,
) -> Result<T, RegistryStoreError> {
    timeout(WITHIN, work).await.unwrap_or_else(|_| {
        Err(RegistryStoreError::Unavailable(format!("no answer within {} seconds", WITHIN.as_secs())))
    })
}

/// Says that the store did not write to who asked, and why to who watches.
fn said(shared: &Shared, error: RegistryStoreError) -> Error {
    match &error {
        RegistryStoreError::Corrupt(_) | RegistryStoreError::Gone(_) => {
            tracing::error!(%error, "the registry's store did not write");
        }
        RegistryStoreError::Full(why) => drop(shared.fullness.failed(why)),
        // Of an outage it is said where it is noted.
        RegistryStoreError::Unavailable(_) | RegistryStoreError::Invalid(_) => {}
    }
    error.into()
}

fn away() -> Error {
    Error::unavailable("the registry's store is away; try again in a moment")
        .retry_after(Duration::from_secs(1))
}

/// Answers a job; nobody may be waiting any more.
fn answer(job: Job, outcome: Result<Outcome, Error>) {
    drop(job.reply.send(outcome));
}
