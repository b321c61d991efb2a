//! Appends that wait at the same time, stored together.
//!
//! A server that syncs before it answers does so once for a batch, and one publish after the other. So while one batch is on its
//! way, the calls that come meanwhile are gathered for the next, whosever they are; each keeps its own answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use soorma_core::Topic;
use soorma_ports::EventLogError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::append::backoff;
use crate::error::Refused;
use crate::names::Names;
use crate::wire::{MOST_IN_BATCH, Put, Wire};

/// How many calls of a topic wait to be gathered; more wait to be taken.
const WAITING: usize = 1_024;
/// How large a batch of several calls may be: the server keeps it until its end has come.
const MOST_BYTES: usize = 4 << 20;
/// Up to how many publishes are synced, one after the other, in the time that one batch takes: the server makes a folder for it first.
const FEW: usize = 12;
/// How often calls are tried together, before each is tried alone.
const TRIES: usize = 3;

#[derive(Debug)]
pub(crate) struct Gathered {
    wire: Arc<Wire>,
    topics: BTreeMap<Topic, mpsc::Sender<Call>>,
}

/// Messages that are stored together or not at all, all of them with their subjects for the first time.
#[derive(Debug)]
struct Call {
    puts: Vec<Put>,
    reply: oneshot::Sender<Result<u64, Refused>>,
}

/// Stores what is appended to one topic, one batch at a time.
struct Gatherer {
    wire: Arc<Wire>,
    stream: String,
    waiting: mpsc::Receiver<Call>,
    /// What did not fit into the batch before.
    held: Option<Call>,
}

impl Gathered {
    /// Starts a gatherer for each topic.
    pub(crate) fn start(wire: &Arc<Wire>, names: &Names, tasks: &mut JoinSet<()>) -> Self {
        let mut topics = BTreeMap::new();
        for topic in Topic::ALL {
            let (calls, waiting) = mpsc::channel(WAITING);
            let stream = names.events_stream(topic);
            tasks.spawn(Gatherer { wire: wire.clone(), stream, waiting, held: None }.run());
            topics.insert(topic, calls);
        }
        Self { wire: wire.clone(), topics }
    }

    /// Stores what belongs to one call, side by side, or nothing of it; answers the sequence of the last one.
    pub(crate) async fn store(&self, topic: Topic, puts: Vec<Put>) -> Result<u64, Refused> {
        let closed = || EventLogError::Unavailable("the log was closed".into());
        let answer = async {
            let (reply, answer) = oneshot::channel();
            let topic = self.topics.get(&topic).ok_or_else(closed)?;
            topic.send(Call { puts, reply }).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        self.wire.answer(answer).await
    }
}

impl Gatherer {
    async fn run(mut self) {
        while let Some(calls) = self.gather().await {
            self.store(calls).await;
        }
    }

    /// Waits for a call, and takes along those that wait and fit.
    async fn gather(&mut self) -> Option<Vec<Call>> {
        let mut next = match self.held.take() {
            Some(call) => Some(call),
            None => Some(self.waiting.recv().await?),
        };
        let (mut calls, mut subjects, mut bytes) = (Vec::new(), HashSet::new(), 0);
        while let Some(call) = next {
            // Nobody waits any more for what was given up.
            if !call.reply.is_closed() {
                bytes += call.puts.iter().map(|put| put.payload.len()).sum::<usize>();
                let is_full = subjects.len() + call.puts.len() > MOST_IN_BATCH || bytes > MOST_BYTES;
                // The same id again is refused by the server, and with it all that it came with.
                let is_again = call.puts.iter().any(|put| subjects.contains(&put.subject));
                if !calls.is_empty() && (is_full || is_again) {
                    self.held = Some(call);
                    break;
                }
                subjects.extend(call.puts.iter().map(|put| put.subject.clone()));
                calls.push(call);
            }
            next = self.waiting.try_recv().ok();
        }
        Some(calls)
    }

    async fn store(&self, mut calls: Vec<Call>) {
        for tried in 0..TRIES {
            let is_few = calls.len() <= FEW && calls.iter().all(|call| call.puts.len() == 1);
            if is_few || calls.len() == 1 {
                break;
            }
            let together: Vec<&[Put]> = calls.iter().map(|call| &call.puts[..]).collect();
            match self.wire.put_all(&together).await {
                Ok(last) => return answer(calls, last),
                Err(Refused::Raced(_)) => match self.known(&calls).await {
                    Ok(known) => calls = without(calls, &known),
                    Err(error) => return refuse(calls, &error),
                },
                Err(Refused::BatchBroken(_)) => tokio::time::sleep(backoff(tried)).await,
                Err(Refused::Log(error @ (EventLogError::Unavailable(_) | EventLogError::Full(_)))) => {
                    return refuse(calls, &error);
                }
                // Of one of them, which the others are not to suffer from.
                Err(Refused::Log(_)) => break,
            }
        }
        join_all(calls.into_iter().map(|call| async move {
            // Who has gone away hears nothing.
            drop(call.reply.send(self.wire.store(&call.puts).await));
        }))
        .await;
    }

    /// Returns which subjects have a message already, and where.
    async fn known(&self, calls: &[Call]) -> Result<HashMap<String, u64>, EventLogError> {
        let subjects: Vec<String> =
            calls.iter().flat_map(|call| &call.puts).map(|put| put.subject.clone()).collect();
        let found = self.wire.last_of(&self.stream, &subjects).await?;
        Ok(found.into_iter().map(|message| (message.subject, message.sequence)).collect())
    }
}

/// Tells each where its last message stands: they stand side by side, in order.
fn answer(calls: Vec<Call>, last: u64) {
    let mut last = last;
    for call in calls.into_iter().rev() {
        let count = call.puts.len() as u64;
        drop(call.reply.send(Ok(last)));
        last = last.saturating_sub(count);
    }
}

fn refuse(calls: Vec<Call>, error: &EventLogError) {
    for call in calls {
        drop(call.reply.send(Err(Refused::Log(error.clone()))));
    }
}

/// Tells those who come with something known, and returns the others.
fn without(calls: Vec<Call>, known: &HashMap<String, u64>) -> Vec<Call> {
    let mut rest = Vec::new();
    for call in calls {
        let mut there = call.puts.iter().filter_map(|put| known.get(&put.subject));
        match (there.next(), call.puts.len()) {
            (None, _) => rest.push(call),
            (Some(sequence), 1) => drop(call.reply.send(Err(Refused::Raced(Some(*sequence))))),
            (Some(_), _) => drop(call.reply.send(Err(Refused::Raced(None)))),
        }
    }
    rest
}
