//! How children of a supervisor come and go while it runs.

use std::sync::Arc;
use std::time::Duration;

use crate::addr::{Addr, CallError};
use crate::brood::{Brood, StartError};
use crate::spec::ChildSpec;
use crate::supervisor::Command;
use crate::ward::Key;

/// Adds and removes children of a supervisor; good for as long as the supervisor's own child spec exists.
#[derive(Clone)]
pub struct SupervisorHandle {
    pub(crate) addr: Addr<Command>,
    pub(crate) brood: Arc<Brood>,
}

impl std::fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SupervisorHandle({})", self.addr.id())
    }
}

/// How long a handle waits for its supervisor. What is longer under way goes on all the same.
const PATIENCE: Duration = Duration::from_secs(60);

impl SupervisorHandle {
    /// Adds a child and starts it; its address takes messages when this returns. While the supervisor is down the child
    /// is added all the same, and started with it.
    ///
    /// # Errors
    /// [`StartError::Exists`].
    pub async fn start(&self, spec: ChildSpec) -> Result<(), StartError> {
        let key = self.enlist(spec)?;
        self.started(key).await;
        Ok(())
    }

    /// Takes a child in, to be started.
    pub(crate) fn enlist(&self, spec: ChildSpec) -> Result<Key, StartError> {
        self.brood.insert(spec)
    }

    /// Has an enlisted child started.
    pub(crate) async fn started(&self, key: Key) {
        // An error here says that the supervisor is on its way down or up: it takes the child from the brood.
        let _later = self.addr.call(PATIENCE, |reply| Command::Added(key, reply)).await;
    }

    /// Stops a child and drops it; returns when it has ended, and whether it was there.
    pub async fn remove(&self, id: &str) -> bool {
        let Some(key) = self.brood.leave(id) else {
            return false;
        };
        match self.addr.call(PATIENCE, |reply| Command::Leave(key, reply)).await {
            // Nobody runs it; who starts next does not either.
            Err(CallError::Unavailable { .. }) => self.brood.forget(key),
            // It takes long, or the supervisor ended meanwhile: who is marked as leaving is not started again.
            Ok(()) | Err(CallError::Timeout | CallError::Ended | CallError::Overloaded) => {}
        }
        true
    }

    /// Starts a quarantined child again; returns whether there was one.
    pub async fn release(&self, id: &str) -> bool {
        let Some(key) = self.brood.key(id) else {
            return false;
        };
        self.addr.call(PATIENCE, |reply| Command::Release(key, reply)).await.unwrap_or(false)
    }

    /// Returns the ids of the children, in start order.
    pub fn ids(&self) -> Vec<Arc<str>> {
        self.brood.ids()
    }

    /// Returns how many children there are.
    pub fn len(&self) -> usize {
        self.brood.len()
    }

    /// Returns whether there are no children.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether there is a child of that id.
    pub fn contains(&self, id: &str) -> bool {
        self.brood.key(id).is_some()
    }
}
