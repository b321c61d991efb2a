//! Children without number, spread over supervisors of a bounded size: a supervisor with 100,000 children restarts them
//! three times slower than a hundred with 1,000 each, and hears nothing else meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use crate::brood::StartError;
use crate::handle::SupervisorHandle;
use crate::intensity::Intensity;
use crate::spec::{ChildSpec, Strategy, SupervisorSpec};

/// A supervisor of supervisors ("shards") over dynamic children. Shards are added as children come.
#[derive(Debug, Clone)]
pub struct Sharded {
    top: SupervisorHandle,
    shards: Arc<Mutex<Vec<SupervisorHandle>>>,
    intensity: Intensity,
    max: usize,
}

/// How many children a shard has at most.
const PER_SHARD: usize = 1_000;

impl Sharded {
    /// Describes a sharded supervisor of at most `max` children. The intensity is each shard's own.
    pub fn new(id: impl Into<Arc<str>>, intensity: Intensity, max: usize) -> (ChildSpec, Self) {
        let (spec, top) = SupervisorSpec::new(id, Strategy::OneForOne).intensity(intensity).into_child();
        (spec, Self { top, shards: Arc::default(), intensity, max })
    }

    /// Adds a child and starts it; its address takes messages when this returns.
    ///
    /// # Errors
    /// When there is a child of that id, or as many children as there may be.
    pub async fn start(&self, spec: ChildSpec) -> Result<(), StartError> {
        let (shard, key, new) = {
            let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
            if shards.iter().any(|shard| shard.contains(spec.id())) {
                return Err(StartError::Exists);
            }
            if shards.iter().map(SupervisorHandle::len).sum::<usize>() >= self.max {
                return Err(StartError::Full);
            }
            let (shard, new) = match shards.iter().find(|shard| shard.len() < PER_SHARD) {
                Some(shard) => (shard.clone(), None),
                None => {
                    let id = shards.len().to_string();
                    let (spec, shard) = SupervisorSpec::dynamic(id).intensity(self.intensity).into_child();
                    shards.push(shard.clone());
                    (shard, Some(spec))
                }
            };
            let key = shard.enlist(spec)?;
            (shard, key, new)
        };
        if let Some(new) = new {
            self.top.start(new).await?;
        }
        shard.started(key).await;
        Ok(())
    }

    /// Stops a child and drops it; returns whether it was there.
    pub async fn remove(&self, id: &str) -> bool {
        match self.shard_of(id) {
            Some(shard) => shard.remove(id).await,
            None => false,
        }
    }

    /// Starts a quarantined child again; returns whether there was one.
    pub async fn release(&self, id: &str) -> bool {
        match self.shard_of(id) {
            Some(shard) => shard.release(id).await,
            None => false,
        }
    }

    /// Returns whether there is a child of that id.
    pub fn contains(&self, id: &str) -> bool {
        self.shard_of(id).is_some()
    }

    /// Returns how many children there are.
    pub fn len(&self) -> usize {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).iter().map(SupervisorHandle::len).sum()
    }

    /// Returns whether there are no children.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard_of(&self, id: &str) -> Option<SupervisorHandle> {
        let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().find(|shard| shard.contains(id)).cloned()
    }
}
