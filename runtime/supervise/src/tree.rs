//! The tree as it is now, read without asking anybody: a supervisor in a storm of restarts answers late, a lock does not.

use std::sync::Arc;

use soorma_core::{ChildState, TreeNode};
use tokio::time::Instant;

use crate::slot::Kind;
use crate::spec::Child;

/// Says of a child, by its path below the root, whether it is to be seen.
pub(crate) type IsSeen<'a> = &'a dyn Fn(&[Arc<str>]) -> bool;

/// How much is shown.
pub(crate) struct View<'a> {
    /// How many children of each.
    pub(crate) limit: usize,
    /// Which of them; the others are as if they were not there. All where it is not said.
    pub(crate) seen: Option<IsSeen<'a>>,
    pub(crate) now: Instant,
}

/// Shows a child and, down to a depth, what stands below it. `path` is the child's own; it is left as it was.
pub(crate) fn show(child: &dyn Child, depth: usize, view: &View<'_>, path: &mut Vec<Arc<str>>) -> TreeNode {
    let now = view.now;
    let life = child.info().life();
    let (waiting, credit) = child.depth_and_credit();
    let mut node = TreeNode {
        id: child.info().id.to_string(),
        kind: match child.info().kind {
            Kind::Supervisor => "supervisor",
            Kind::Actor => "actor",
            Kind::Task => "task",
        }
        .to_owned(),
        strategy: child.brood().map(|brood| brood.strategy.as_str().to_owned()),
        state: life.state,
        restarts: life.restarts,
        depth: waiting,
        credit,
        age_seconds: match (life.state, life.since) {
            (ChildState::Starting | ChildState::Running | ChildState::Stopping, Some(since)) => {
                now.saturating_duration_since(since).as_secs_f64()
            }
            _ => 0.0,
        },
        restart_in_ms: life
            .due
            .map(|due| u64::try_from(due.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX)),
        last_failure: life.failure.map(String::from),
        children: Vec::new(),
        more: 0,
    };
    if let Some(brood) = child.brood() {
        let limit = if depth == 0 { 0 } else { view.limit };
        let (children, all) = match view.seen {
            None => brood.first(limit, None),
            Some(seen) => brood.first(limit, Some(&|id| seen(&[path.as_slice(), &[id.into()]].concat()))),
        };
        node.more = u64::try_from(all - children.len()).unwrap_or(u64::MAX);
        for child in children {
            path.push(Arc::clone(&child.info().id));
            node.children.push(show(child.as_ref(), depth - 1, view, path));
            path.pop();
        }
    }
    node
}
