//! The writers of working memory. All changes of a plan go to one of them, which takes what waits, makes of it one write for each value, and has the store carry
//! them out together: one after the other would cost a sync each.

mod chain;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use soorma_core::{AnyJson, Error, ErrorCode, MemoryScope, WorkingValue};
use soorma_ports::{MemoryAct, MemoryDone, MemoryEntry, MemoryPlace, MemoryWrite, SetWhen, WorkingOp};
use soorma_supervise::{ChildSpec, Failure, TaskCx};
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;

use crate::bounds::kib;
use crate::kinds::working;
use crate::shared::{Shared, TRIES, changes_too_fast, unknown};
use crate::tenants::Place;
use chain::Chain;

/// The most changes of one write.
const MOST: usize = 256;
/// How many owners' values are read at once.
const READ_AT_ONCE: usize = 8;
/// A full queue has room again after a commit or two of the store.
const COME_BACK: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Act {
    Set {
        value: AnyJson,
        when: SetWhen,
        ttl: Option<Duration>,
    },
    Update(WorkingOp),
    Remove,
    /// Removes all values of the plan.
    Clear,
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Answer {
    Value(WorkingValue),
    Removed(u64),
}

/// Whose value it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Spot {
    scope: MemoryScope,
    plan: String,
    key: String,
}

/// A change that waits, and who waits for it.
#[derive(Debug)]
struct Job {
    spot: Spot,
    act: Act,
    reply: oneshot::Sender<Result<Answer, Error>>,
    place: Place,
    /// Its tenant's place in the queue, as long as it waits there.
    share: Option<OwnedSemaphorePermit>,
}

type Queue = Arc<Mutex<mpsc::Receiver<Job>>>;

/// The writers, as they are asked.
#[derive(Debug)]
pub(crate) struct Writers {
    queues: Vec<mpsc::Sender<Job>>,
}

impl Writers {
    /// Makes the writers and their children of the tree.
    pub(crate) fn new(shared: &Arc<Shared>) -> (Self, Vec<ChildSpec>) {
        let (mut queues, mut children) = (Vec::new(), Vec::new());
        for number in 0..shared.config.writers {
            let (sender, waiting) = mpsc::channel(shared.config.max_waiting_per_writer);
            let (waiting, of) = (Arc::new(Mutex::new(waiting)), Arc::clone(shared));
            let gauged = sender.clone();
            let gauge = move || {
                let (room, all) = (gauged.capacity(), gauged.max_capacity());
                let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
                (number(all.saturating_sub(room)), number(room))
            };
            let run = move |cx| run(Arc::clone(&of), Arc::clone(&waiting), cx);
            children.push(ChildSpec::gauged_task(number.to_string(), gauge, run));
            queues.push(sender);
        }
        (Self { queues }, children)
    }

    /// Has something done, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        shared: &Shared,
        scope: &MemoryScope,
        plan: &str,
        key: &str,
        act: Act,
    ) -> Result<Answer, Error> {
        let at = || working::place(plan, key);
        let place = match &act {
            Act::Set { value, .. } => shared.enter_to_put(scope, at, value.as_str().len(), false).await?,
            Act::Update(op) => {
                let (operand, grows) = operand(op);
                shared.enter_to_put(scope, at, operand.as_str().len(), grows).await?
            }
            Act::Remove | Act::Clear => shared.tenants.enter(&scope.tenant, kib(plan.len() + key.len()))?,
        };
        let (reply, answer) = oneshot::channel();
        let spot = Spot { scope: scope.clone(), plan: plan.to_owned(), key: key.to_owned() };
        let (number, queue) =
            self.of(scope, plan).ok_or_else(|| Error::unavailable("memory has no writers"))?;
        let share = Some(place.waits_for(number).ok_or_else(too_many)?);
        queue.try_send(Job { spot, act, reply, place, share }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => too_many(),
            mpsc::error::TrySendError::Closed(_) => Error::unavailable("memory has ended"),
        })?;
        match timeout(shared.config.answer_within, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unknown()),
            Err(_) => {
                let message = "memory did not answer in time; whether it was written is not known. Try again";
                Err(Error::new(ErrorCode::Timeout, message).retry_after(COME_BACK))
            }
        }
    }

    /// Returns the writer of a plan: its number, and its queue.
    fn of(&self, scope: &MemoryScope, plan: &str) -> Option<(usize, &mpsc::Sender<Job>)> {
        let mut hasher = DefaultHasher::new();
        (scope, plan).hash(&mut hasher);
        let count = u64::try_from(self.queues.len()).ok()?;
        let number = usize::try_from(hasher.finish().checked_rem(count)?).ok()?;
        self.queues.get(number).map(|queue| (number, queue))
    }
}

fn too_many() -> Error {
    let message = "too many changes of working memory wait; try again in a moment";
    Error::new(ErrorCode::Overloaded, message).retry_after(COME_BACK)
}

/// Returns what a change brings, and whether that comes to what is there: else it stands in its place.
fn operand(op: &WorkingOp) -> (&AnyJson, bool) {
    match op {
        WorkingOp::Append(value) | WorkingOp::Extend(value) | WorkingOp::Merge(value) => (value, true),
        WorkingOp::Increment(value) | WorkingOp::CompareAndSet { value, .. } => (value, false),
    }
}

/// Runs until it is asked to stop. What waits stays in the queue, for the next incarnation.
async fn run(shared: Arc<Shared>, queue: Queue, cx: TaskCx) -> Result<(), Failure> {
    let mut queue = queue.lock().await;
    loop {
        let mut jobs = Vec::new();
        let taken = tokio::select! {
            biased;
            () = cx.stopping() => return Ok(()),
            taken = queue.recv_many(&mut jobs, MOST) => taken,
        };
        if taken == 0 {
            return Ok(());
        }
        jobs.iter_mut().for_each(|job| job.share = None);
        // Nobody waits any more for what was given up.
        jobs.retain(|job| !job.reply.is_closed());
        let mut together = Vec::with_capacity(jobs.len());
        for job in jobs {
            if matches!(job.act, Act::Clear) {
                change(&shared, std::mem::take(&mut together)).await;
                clear(&shared, job).await;
            } else {
                together.push(job);
            }
        }
        change(&shared, together).await;
    }
}

/// Removes all of a plan. What came before it is written, what comes after it is not.
async fn clear(shared: &Shared, job: Job) {
    let Spot { scope, plan, .. } = &job.spot;
    let act = MemoryAct::RemoveGroup { kind: working::KIND, group: working::group(plan) };
    let answer = match shared.write_one(scope, act).await {
        Ok(Ok(MemoryDone::Removed(count))) => {
            job.place.removed(count);
            shared.watches.changed(scope, plan);
            Ok(Answer::Removed(count))
        }
        Ok(_) => Ok(Answer::Removed(0)),
        Err(error) => Err(error),
    };
    drop(job.reply.send(answer));
}

/// Carries out changes and answers them. What another node has changed between reading and writing is read and made again.
async fn change(shared: &Shared, jobs: Vec<Job>) {
    let mut chains = Chain::gather(jobs);
    for tried in 0..TRIES {
        if chains.is_empty() {
            return;
        }
        if tried > 0 {
            shared.wait_a_little(tried).await;
        }
        chains = once(shared, chains).await;
    }
    chains.into_iter().for_each(|chain| chain.fail(&changes_too_fast()));
}

/// Reads, makes and writes once; returns those whose value another has changed meanwhile.
async fn once(shared: &Shared, chains: Vec<Chain>) -> Vec<Chain> {
    let (chains, there) = read(shared, chains).await;
    let now = shared.now();
    let mut writes = Vec::new();
    let mut made = Vec::with_capacity(chains.len());
    for (chain, there) in chains.into_iter().zip(there) {
        let planned = chain.plan(there.as_ref(), now, || shared.new_id());
        let scope = chain.scope().clone();
        let count = planned.acts.len();
        writes.extend(planned.acts.into_iter().map(|act| MemoryWrite { scope: scope.clone(), at: now, act }));
        made.push((chain, planned.answers, count));
    }
    let outcomes = if writes.is_empty() { Vec::new() } else { shared.write(writes).await };
    let mut outcomes = outcomes.into_iter();
    let mut again = Vec::new();
    for (chain, answers, count) in made {
        let outcomes: Vec<_> = outcomes.by_ref().take(count).collect();
        again.extend(chain.answer(shared, answers, outcomes, now));
    }
    again
}

/// Reads the values that must be known, of each owner's in one call. What cannot be read is answered so.
async fn read(shared: &Shared, chains: Vec<Chain>) -> (Vec<Chain>, Vec<Option<MemoryEntry>>) {
    let mut owners: Vec<(MemoryScope, Vec<MemoryPlace>, Vec<usize>)> = Vec::new();
    for (number, chain) in chains.iter().enumerate().filter(|(_, chain)| chain.must_be_read()) {
        let scope = chain.scope();
        let place = chain.place();
        match owners.iter_mut().find(|(owner, ..)| owner == scope) {
            Some((_, places, numbers)) => {
                places.push(place);
                numbers.push(number);
            }
            None => owners.push((scope.clone(), vec![place], vec![number])),
        }
    }
    let answers: Vec<_> = stream::iter(owners)
        .map(|(scope, places, numbers)| async move {
            let entries = shared.ask(shared.store.get(&scope, shared.now(), &places)).await;
            (numbers, entries)
        })
        .buffer_unordered(READ_AT_ONCE)
        .collect()
        .await;
    let mut there: Vec<Result<Option<MemoryEntry>, Error>> = chains.iter().map(|_| Ok(None)).collect();
    for (numbers, entries) in answers {
        let entries: Vec<_> = match entries {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => numbers.iter().map(|_| Err(error.clone())).collect(),
        };
        for (number, entry) in numbers.into_iter().zip(entries) {
            if let Some(slot) = there.get_mut(number) {
                *slot = entry;
            }
        }
    }
    let mut read = (Vec::new(), Vec::new());
    for (chain, there) in chains.into_iter().zip(there) {
        match there {
            Ok(there) => {
                read.0.push(chain);
                read.1.push(there);
            }
            Err(error) => chain.fail(&error),
        }
    }
    read
}
