//! The top of a tree.

use std::sync::Arc;

use soorma_core::TreeNode;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::handle::SupervisorHandle;
use crate::lifecycle::Observer;
use crate::spec::{Child, SupervisorSpec};
use crate::supervisor::{Env, Outcome, SupervisorChild};
use crate::tree::{self, IsSeen, View};

/// The root gave up: a failure came up all levels, or it was killed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the supervision tree gave up: {0}")]
pub struct GaveUp(pub String);

/// A running tree. Many can run in one process. Dropping this does not stop the tree.
#[derive(Clone)]
pub struct Root {
    child: SupervisorChild,
    outcome: watch::Receiver<Outcome>,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({})", self.child.info().id)
    }
}

impl Root {
    /// Starts a tree and waits until all of it has been up once.
    ///
    /// # Errors
    /// When it gives up before that.
    pub async fn start(spec: SupervisorSpec) -> Result<Self, GaveUp> {
        Self::start_with(spec, 0, None).await
    }

    /// As [`start`](Self::start), with a seed for the jitter of backoffs and an observer of what happens to children.
    ///
    /// # Errors
    /// When it gives up before all of it has been up once.
    pub async fn start_with(
        spec: SupervisorSpec,
        seed: u64,
        observer: Option<Observer>,
    ) -> Result<Self, GaveUp> {
        let root = Self::launch(spec, seed, observer).await?;
        root.ready().await?;
        Ok(root)
    }

    /// As [`start_with`](Self::start_with), but does not wait: see [`ready`](Self::ready).
    ///
    /// # Errors
    /// When not even the root can be started.
    pub async fn launch(spec: SupervisorSpec, seed: u64, observer: Option<Observer>) -> Result<Self, GaveUp> {
        let child = SupervisorChild::new(spec);
        let (sender, outcome) = watch::channel(Outcome::Starting);
        child.spawn_root(Arc::new(Env { seed, observer }), sender).await.map_err(GaveUp)?;
        Ok(Self { child, outcome })
    }

    /// Waits until all of the tree has been up once.
    ///
    /// # Errors
    /// When it ends before that.
    pub async fn ready(&self) -> Result<(), GaveUp> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(|outcome| *outcome != Outcome::Starting).await.as_deref() {
            Ok(Outcome::Ended(Some(why))) => Err(GaveUp(why.clone())),
            Ok(Outcome::Ended(None)) => Err(GaveUp("it was stopped before it was up".to_owned())),
            Ok(Outcome::Starting | Outcome::Ready) => Ok(()),
            Err(_) => Err(GaveUp("the root was killed".to_owned())),
        }
    }

    /// Stops the tree in reverse start order, each child within its deadline; returns when all have ended.
    ///
    /// # Errors
    /// When it gave up, now or before.
    pub async fn stop(&self) -> Result<(), GaveUp> {
        self.child.stop();
        self.ended().await
    }

    /// Waits until the tree has ended.
    ///
    /// # Errors
    /// When it ended because it gave up.
    pub async fn ended(&self) -> Result<(), GaveUp> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(|outcome| matches!(outcome, Outcome::Ended(_))).await.as_deref() {
            Ok(Outcome::Ended(Some(why))) => Err(GaveUp(why.clone())),
            Ok(_) => Ok(()),
            Err(_) => Err(GaveUp("the root was killed".to_owned())),
        }
    }

    /// Returns the tree as it is now, whole.
    pub fn tree(&self) -> TreeNode {
        self.tree_to(usize::MAX, usize::MAX)
    }

    /// Returns the tree as it is now, down to a depth (0: the root alone), at most `limit` children of each.
    pub fn tree_to(&self, depth: usize, limit: usize) -> TreeNode {
        self.show(depth, limit, None)
    }

    /// As [`tree_to`](Self::tree_to), of those alone that are to be seen, by their path below the root: the others are as if they were not
    /// there, also in the counts.
    pub fn tree_of(&self, depth: usize, limit: usize, seen: &dyn Fn(&[Arc<str>]) -> bool) -> TreeNode {
        self.show(depth, limit, Some(seen))
    }

    fn show(&self, depth: usize, limit: usize, seen: Option<IsSeen<'_>>) -> TreeNode {
        let view = View { limit, seen, now: Instant::now() };
        tree::show(&self.child, depth, &view, &mut Vec::new())
    }

    /// Returns a handle on the root's own children.
    pub fn handle(&self) -> SupervisorHandle {
        self.child.handle()
    }

    /// Kills what stands at a path below the root, such as `bus/groups`, as a fault would: without its last act, and
    /// a supervisor with all its children. Returns whether it was running. For tests of faults.
    pub fn kill(&self, path: &str) -> bool {
        let mut child: Arc<dyn Child> = Arc::new(self.child.clone());
        for id in path.split('/') {
            let Some(next) = child.brood().and_then(|brood| brood.child(id)) else {
                return false;
            };
            child = next;
        }
        child.kill()
    }
}
