//! A store, who follows it, and what they know.

use std::collections::BTreeMap;
use std::sync::Arc;

use soorma_core::{AgentRecord, Name, TenantId};
use soorma_ports::{Refused, RegistryAct, RegistryStore, RegistryStoreError, RegistryWrite, Written};

use super::step::Step;
use crate::contract::registry_store::follower::{Follower, Key, Row};
use crate::contract::registry_store::steps::{ALL, at, write};

/// What came out of a step.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Nothing,
    Written(Vec<Result<bool, Refused>>),
    Forgotten(u64),
    Known(BTreeMap<Key, Row>),
    /// Sent back to the beginning.
    Gone,
}

pub(super) struct Side {
    handles: Vec<Arc<dyn RegistryStore>>,
    /// The last revision that was given, and those of the agents.
    last: u64,
    agents: BTreeMap<(TenantId, Name), u64>,
    /// Follows to the end each time.
    follower: Follower,
    /// Follows by small pages, and is never waited for.
    pager: Follower,
    /// How followers were when they had seen all.
    before: Vec<Follower>,
}

impl Side {
    pub(super) fn new(handles: Vec<Arc<dyn RegistryStore>>) -> Self {
        let (follower, pager) = (Follower::default(), Follower::default());
        Self { handles, last: 0, agents: BTreeMap::new(), follower, pager, before: Vec::new() }
    }

    /// The process ends.
    pub(super) fn let_go(&mut self) {
        self.handles.clear();
    }

    /// Goes on with the same data in a new process; who follows does not notice.
    pub(super) fn reopened(&mut self, handles: Vec<Arc<dyn RegistryStore>>) {
        self.handles = handles;
    }

    /// What one knows at the end who begins, and who paged all the while.
    pub(super) async fn all(&mut self) -> Outcome {
        let store = self.handles[0].clone();
        let all = Follower::from_zero(&*store, ALL).await;
        match self.pager.follow(&*store, 2).await {
            Ok(()) => assert_eq!(self.pager.rows, all.rows, "who paged knows what there is"),
            Err(error) => assert_eq!(error, RegistryStoreError::Gone(self.pager.upto)),
        }
        Outcome::Known(all.rows)
    }

    pub(super) async fn run(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Write { by, writes } => {
                let answers = write(&*self.handles[*by], writes.clone()).await;
                self.look_at(writes, &answers);
                let made = answers.iter().map(|answer| answer.map(|written| written.made));
                Outcome::Written(made.collect())
            }
            Step::Forget { by, seconds } => {
                Outcome::Forgotten(self.handles[*by].forget(at(*seconds)).await.unwrap())
            }
            Step::Follow { by, limit } => {
                let mut follower = std::mem::take(&mut self.follower);
                let outcome = follow(&*self.handles[*by], &mut follower, *limit).await;
                if outcome != Outcome::Gone {
                    self.before.push(follower.clone());
                    self.follower = follower;
                }
                outcome
            }
            Step::Page { by, limit } => {
                // Where pages end is a store's own affair, and so is what one knows between them.
                match self.pager.page(&*self.handles[*by], *limit).await {
                    Ok(_) => {}
                    Err(RegistryStoreError::Gone(_)) => self.pager = Follower::default(),
                    Err(error) => panic!("{error}"),
                }
                Outcome::Nothing
            }
            Step::ComeBack { by, who, limit } => {
                let Some(who) = who.checked_rem(self.before.len()) else { return Outcome::Nothing };
                let mut follower = self.before[who].clone();
                follow(&*self.handles[*by], &mut follower, *limit).await
            }
            Step::Begin { by, limit } => {
                Outcome::Known(Follower::from_zero(&*self.handles[*by], *limit).await.rows)
            }
            Step::Reopen => Outcome::Nothing,
        }
    }

    /// Each write that changed something has a revision past all those before.
    fn look_at(&mut self, writes: &[RegistryWrite], answers: &[Result<Written, Refused>]) {
        for (write, answer) in writes.iter().zip(answers) {
            let Ok(Written { revision, .. }) = answer else { continue };
            let least = match &write.what {
                // One that says nothing new may change nothing.
                RegistryAct::Hear { agent, .. } => {
                    self.agents.get(&(write.tenant.clone(), agent.clone())).copied().unwrap_or(0)
                }
                _ => self.last + 1,
            };
            assert!(*revision >= least, "{revision} is before {least}: {write:?}");
            self.last = self.last.max(*revision);
            if let RegistryAct::PutAgent { agent: AgentRecord { id, .. }, .. }
            | RegistryAct::Hear { agent: id, .. } = &write.what
            {
                self.agents.insert((write.tenant.clone(), id.clone()), *revision);
            }
        }
    }
}

/// Follows to the end; what is known then is what there is.
async fn follow(store: &dyn RegistryStore, follower: &mut Follower, limit: usize) -> Outcome {
    match follower.follow(store, limit).await {
        Ok(()) => {
            let all = Follower::from_zero(store, ALL).await;
            assert_eq!(follower.rows, all.rows, "who followed knows what there is");
            Outcome::Known(all.rows)
        }
        // Who knows of nothing loses nothing. A write that was refused may have a revision or not: where it has none, who has seen it is still
        // at the beginning and never sent back.
        Err(RegistryStoreError::Gone(_)) if follower.rows.is_empty() => {
            *follower = Follower::from_zero(store, limit).await;
            Outcome::Known(follower.rows.clone())
        }
        Err(RegistryStoreError::Gone(_)) => Outcome::Gone,
        Err(error) => panic!("{error}"),
    }
}
