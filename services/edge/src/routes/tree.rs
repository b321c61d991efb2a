//! The supervision tree, cut to a size that can be shown.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use soorma_api::TreeQuery;
use soorma_core::TreeNode;

use crate::app::Shared;
use crate::reply::{Refusal, json, query};

const DEPTH: usize = 8;
const MAX_DEPTH: usize = 32;
const LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

pub(crate) async fn show(State(app): State<Shared>, uri: Uri) -> Result<Response, Refusal> {
    let wanted: TreeQuery = query(&uri)?;
    let depth = wanted.depth.unwrap_or(DEPTH).min(MAX_DEPTH);
    let limit = wanted.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
    let mut tree = (app.edge.tree)();
    cut(&mut tree, depth, limit);
    Ok(json(&tree))
}

/// Leaves `depth` levels below a node, and `limit` children of each; what is left out is counted.
fn cut(node: &mut TreeNode, depth: usize, limit: usize) {
    let keep = if depth == 0 { 0 } else { limit };
    let left_out = node.children.len().saturating_sub(keep);
    node.more += u64::try_from(left_out).unwrap_or(u64::MAX);
    node.children.truncate(keep);
    for child in &mut node.children {
        cut(child, depth - 1, limit);
    }
}

#[cfg(test)]
mod tests {
    use soorma_core::ChildState;

    use super::*;

    fn node(id: &str, children: Vec<TreeNode>) -> TreeNode {
        TreeNode {
            id: id.into(),
            kind: "actor".into(),
            strategy: None,
            state: ChildState::Running,
            restarts: 0,
            depth: 0,
            credit: 0,
            age_seconds: 0.0,
            restart_in_ms: None,
            last_failure: None,
            children,
            more: 0,
        }
    }

    #[test]
    fn what_is_cut_off_is_counted() {
        let leaves = |n: usize| (0..n).map(|_| node("leaf", vec![])).collect::<Vec<_>>();
        for (depth, limit, more, below) in
            [(0, 9, 2, None), (1, 9, 0, Some((0, 3))), (2, 1, 1, Some((1, 2))), (9, 9, 0, Some((3, 0)))]
        {
            let mut tree = node("root", vec![node("a", leaves(3)), node("b", vec![])]);
            cut(&mut tree, depth, limit);
            let first = tree.children.first().map(|child| (child.children.len(), child.more));
            assert_eq!((tree.more, first), (more, below), "depth {depth}, limit {limit}");
        }
    }
}
