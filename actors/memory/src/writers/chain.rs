//! The changes of one value that are carried out together, and what they come to.
//!
//! Changes that say what is to be, whatever is there, are written one by one, each with its own revision. Where one of several depends on what is there, they are
//! made in memory, in their order, and the last state is written if the value is still the one that was read: who made a state before it is told the state
//! without a revision, since nobody can set anything on that any more.

use std::collections::HashMap;

use soorma_core::{AnyJson, Error, MemoryScope, Timestamp, WorkingValue};
use soorma_ports::{MemoryAct, MemoryDone, MemoryEntry, MemoryPlace, MemoryRefused, SetWhen, When};
use uuid::Uuid;

use super::{Act, Answer, Job, Spot};
use crate::kinds::working;
use crate::op::{self, conflict};
use crate::shared::{Outcome, Shared, unknown};

/// Changes of one value, in their order; at least one.
#[derive(Debug)]
pub(super) struct Chain {
    spot: Spot,
    jobs: Vec<Job>,
}

/// What is written for a chain, and what is answered when it was.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) acts: Vec<MemoryAct>,
    /// An answer for each change.
    pub(super) answers: Vec<Said>,
}

/// What is answered to a change.
#[derive(Debug)]
pub(super) enum Said {
    /// What becomes of its own write.
    Own,
    /// This state, which was the last where that is said.
    Value {
        value: AnyJson,
        expires_at: Option<Timestamp>,
        is_last: bool,
    },
    /// Whether something was there.
    Removed(bool),
    Failed(Error),
}

/// A value while it is being changed.
struct State {
    value: Option<(AnyJson, Option<Timestamp>)>,
    /// Its revision, as long as it is the one that was read.
    revision: Option<u64>,
    /// The number of the change that it comes from.
    from: Option<usize>,
}

impl Chain {
    /// Gathers changes by the value that they are of.
    pub(super) fn gather(jobs: Vec<Job>) -> Vec<Self> {
        let mut chains: Vec<Self> = Vec::new();
        let mut places: HashMap<Spot, usize> = HashMap::new();
        for job in jobs {
            let new = chains.len();
            let place = *places.entry(job.spot.clone()).or_insert(new);
            match chains.get_mut(place) {
                Some(chain) => chain.jobs.push(job),
                None => chains.push(Self { spot: job.spot.clone(), jobs: vec![job] }),
            }
        }
        chains
    }

    pub(super) const fn scope(&self) -> &MemoryScope {
        &self.spot.scope
    }

    pub(super) fn place(&self) -> MemoryPlace {
        working::place(&self.spot.plan, &self.spot.key)
    }

    /// Whether what is there must be known. One condition alone is the store's to look at.
    pub(super) fn must_be_read(&self) -> bool {
        let is_blind = |job: &Job| match &job.act {
            Act::Set { when, .. } => *when == SetWhen::Any || self.jobs.len() == 1,
            Act::Remove => true,
            Act::Update(_) | Act::Clear => false,
        };
        !self.jobs.iter().all(is_blind)
    }

    /// Says to all that it could not be done.
    pub(super) fn fail(self, error: &Error) {
        for job in self.jobs {
            drop(job.reply.send(Err(error.clone())));
        }
    }

    /// Returns what is to be written, where this is there.
    pub(super) fn plan(
        &self,
        there: Option<&MemoryEntry>,
        now: Timestamp,
        new_id: impl Fn() -> Uuid,
    ) -> Planned {
        match self.must_be_read() {
            true => self.fold(there, now, new_id()),
            false => self.one_by_one(now, new_id),
        }
    }

    fn one_by_one(&self, now: Timestamp, new_id: impl Fn() -> Uuid) -> Planned {
        let mut planned = Planned::default();
        for job in &self.jobs {
            let act = match &job.act {
                Act::Set { value, when, ttl } => {
                    let when = match when {
                        SetWhen::Any => When::Any,
                        SetWhen::Absent => When::Absent,
                        SetWhen::Revision(revision) => When::Revision(*revision),
                    };
                    self.put(value, ttl.map(|ttl| now.plus(ttl)), when, new_id())
                }
                Act::Remove | Act::Update(_) | Act::Clear => {
                    Ok(MemoryAct::Remove { place: self.place(), revision: None })
                }
            };
            match act {
                Ok(act) => {
                    planned.acts.push(act);
                    planned.answers.push(Said::Own);
                }
                Err(error) => planned.answers.push(Said::Failed(error)),
            }
        }
        planned
    }

    fn fold(&self, there: Option<&MemoryEntry>, now: Timestamp, id: Uuid) -> Planned {
        let read = |entry: &MemoryEntry| working::value(entry).map(|(_, value)| (value, entry.expires_at));
        let value = match there.map(read).transpose() {
            Ok(value) => value,
            Err(error) => {
                let answers = self.jobs.iter().map(|_| Said::Failed(error.clone())).collect();
                return Planned { acts: Vec::new(), answers };
            }
        };
        let revision = there.map(|entry| entry.revision);
        let mut state = State { value, revision, from: None };
        let steps = self.jobs.iter().enumerate();
        let mut answers: Vec<_> = steps.map(|(number, job)| state.step(&job.act, number, now)).collect();
        let Some(last) = state.from else { return Planned { acts: Vec::new(), answers } };
        let act = match (&state.value, revision) {
            (Some((value, expires_at)), revision) => {
                let when = revision.map_or(When::Absent, When::Revision);
                self.put(value, *expires_at, when, id)
            }
            (None, Some(_)) => Ok(MemoryAct::Remove { place: self.place(), revision }),
            // It came and went.
            (None, None) => return Planned { acts: Vec::new(), answers },
        };
        match act {
            Ok(act) => {
                if let Some(Said::Value { is_last, .. }) = answers.get_mut(last) {
                    *is_last = true;
                }
                Planned { acts: vec![act], answers }
            }
            Err(error) => {
                let answers = answers.iter().map(|_| Said::Failed(error.clone())).collect();
                Planned { acts: Vec::new(), answers }
            }
        }
    }

    fn put(
        &self,
        value: &AnyJson,
        expires_at: Option<Timestamp>,
        when: When,
        id: Uuid,
    ) -> Result<MemoryAct, Error> {
        let mut draft = working::draft(&self.spot.plan, &self.spot.key, value, id)?;
        draft.expires_at = expires_at;
        Ok(MemoryAct::Put { draft: Box::new(draft), when })
    }

    /// Answers; returns itself where another was quicker, and nothing was written.
    pub(super) fn answer(
        self,
        shared: &Shared,
        answers: Vec<Said>,
        outcomes: Vec<Result<Outcome, Error>>,
        now: Timestamp,
    ) -> Option<Self> {
        if !self.must_be_read() {
            self.answer_each(shared, answers, outcomes, now);
            return None;
        }
        let done = match outcomes.into_iter().next() {
            Some(Ok(Err(_refused))) => return Some(self),
            Some(Err(error)) => {
                self.fail(&error);
                return None;
            }
            Some(Ok(Ok(done))) => Some(done),
            None => None,
        };
        if done.is_some() {
            shared.watches.changed(&self.spot.scope, &self.spot.plan);
        }
        let (id, revision) = match &done {
            Some(MemoryDone::Put { id, revision, .. }) => (*id, Some(*revision)),
            _ => (shared.new_id(), None),
        };
        let is_new = matches!(done, Some(MemoryDone::Put { made: true, .. }));
        let is_gone = matches!(done, Some(MemoryDone::Removed(_)));
        for (job, said) in self.jobs.into_iter().zip(answers) {
            let answer = match said {
                Said::Value { value, expires_at, is_last } => {
                    if is_last {
                        job.put(&value, is_new);
                    }
                    let revision = revision.filter(|_| is_last);
                    Ok(Answer::Value(job.value(value, id, revision, expires_at, now)))
                }
                Said::Removed(was_there) => {
                    if was_there && is_gone {
                        job.place.removed(1);
                    }
                    Ok(Answer::Removed(u64::from(was_there)))
                }
                Said::Failed(error) => Err(error),
                Said::Own => Err(unknown()),
            };
            drop(job.reply.send(answer));
        }
        None
    }

    fn answer_each(
        self,
        shared: &Shared,
        answers: Vec<Said>,
        outcomes: Vec<Result<Outcome, Error>>,
        now: Timestamp,
    ) {
        let mut outcomes = outcomes.into_iter();
        let mut has_changed = false;
        let mut told = Vec::with_capacity(self.jobs.len());
        for (job, said) in self.jobs.into_iter().zip(answers) {
            let answer = match said {
                Said::Own => outcomes
                    .next()
                    .unwrap_or_else(|| Err(unknown()))
                    .and_then(|outcome| job.own(outcome, now)),
                Said::Failed(error) => Err(error),
                Said::Value { .. } | Said::Removed(_) => Err(unknown()),
            };
            has_changed |= matches!(&answer, Ok(Answer::Value(_) | Answer::Removed(1..)));
            told.push((job.reply, answer));
        }
        if has_changed {
            shared.watches.changed(&self.spot.scope, &self.spot.plan);
        }
        for (reply, answer) in told {
            drop(reply.send(answer));
        }
    }
}

impl State {
    /// Takes one change.
    fn step(&mut self, act: &Act, number: usize, now: Timestamp) -> Said {
        let next = match act {
            Act::Set { value, when, ttl } => {
                let is_so = match when {
                    SetWhen::Any => true,
                    SetWhen::Absent => self.value.is_none(),
                    SetWhen::Revision(revision) => self.value.is_some() && self.revision == Some(*revision),
                };
                match is_so {
                    true => Ok((value.clone(), ttl.map(|ttl| now.plus(ttl)))),
                    false => Err(conflict("the value has changed in the meantime; read it and try again")),
                }
            }
            Act::Update(op) => {
                let (there, expires_at) = match &self.value {
                    Some((value, expires_at)) => (Some(value), *expires_at),
                    None => (None, None),
                };
                op::apply(there, op).map(|value| (value, expires_at))
            }
            Act::Remove | Act::Clear => {
                let was_there = self.value.take().is_some();
                if was_there {
                    (self.revision, self.from) = (None, Some(number));
                }
                return Said::Removed(was_there);
            }
        };
        match next {
            Ok((value, expires_at)) => {
                self.value = Some((value.clone(), expires_at));
                (self.revision, self.from) = (None, Some(number));
                Said::Value { value, expires_at, is_last: false }
            }
            Err(error) => Said::Failed(error),
        }
    }
}

impl Job {
    /// Returns what is answered where it was written by itself.
    fn own(&self, outcome: Outcome, now: Timestamp) -> Result<Answer, Error> {
        match (outcome, &self.act) {
            (Ok(MemoryDone::Put { id, revision, made, .. }), Act::Set { value, ttl, .. }) => {
                self.put(value, made);
                let expires_at = ttl.map(|ttl| now.plus(ttl));
                Ok(Answer::Value(self.value(value.clone(), id, Some(revision), expires_at, now)))
            }
            (Ok(MemoryDone::Removed(count)), _) => {
                self.place.removed(count);
                Ok(Answer::Removed(count))
            }
            (Ok(MemoryDone::Put { .. }), _) => Err(unknown()),
            (Err(MemoryRefused::NotFound), Act::Remove) => Ok(Answer::Removed(0)),
            (Err(_), _) => Err(conflict("the value has changed in the meantime; read it and try again")),
        }
    }

    /// Notes how much more there is.
    fn put(&self, value: &AnyJson, made: bool) {
        match made {
            true => self.place.added(value.as_str().len()),
            false => self.place.replaced(value.as_str().len()),
        }
    }

    fn value(
        &self,
        value: AnyJson,
        id: Uuid,
        revision: Option<u64>,
        expires_at: Option<Timestamp>,
        updated_at: Timestamp,
    ) -> WorkingValue {
        WorkingValue {
            id,
            tenant_id: self.spot.scope.tenant.clone(),
            plan_id: self.spot.plan.clone(),
            key: self.spot.key.clone(),
            value,
            updated_at,
            revision,
            expires_at,
        }
    }
}
