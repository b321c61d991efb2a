//! What a tenant is shown of the tree: the node's own branches, and of the agents those of that tenant, as if there were no others.

use std::sync::Arc;

use soorma_agents::agent_of;
use soorma_core::{TenantId, TreeNode};
use soorma_supervise::Root;

/// How many shards of agents are looked into, however few are to be shown: theirs may be in the last.
const SHARDS: usize = 1_000;

/// Shows the tree to a tenant, or whole.
pub(crate) fn tree(root: &Root, of: Option<&TenantId>, depth: usize, limit: usize) -> TreeNode {
    let Some(tenant) = of else { return root.tree_to(depth, limit) };
    let seen = |path: &[Arc<str>]| {
        let path: Vec<&str> = path.iter().map(|id| &**id).collect();
        is_seen(tenant, &path)
    };
    let mut tree = root.tree_of(depth, limit.max(SHARDS), &seen);
    tidy(&mut tree, limit, &mut Vec::new());
    tree
}

/// What is not known to be the node's own or the tenant's is not shown.
fn is_seen(tenant: &TenantId, path: &[&str]) -> bool {
    match path {
        [_] | [_, _] | ["bus", "tails", _] | ["agents", "hosted" | "external", _] => true,
        ["agents", "hosted", _, agent, ..] => is_of(tenant, agent),
        ["agents", "external", _, proxy, ..] => {
            // The name of the group, then that of the instance; a `#` within the first is written differently.
            let group = proxy.split('#').next().unwrap_or_default();
            is_of(tenant, &group.replace("%23", "#"))
        }
        _ => false,
    }
}

fn is_of(tenant: &TenantId, child_id: &str) -> bool {
    match child_id.contains('@') {
        false => *tenant == TenantId::default(),
        true => agent_of(child_id).is_some_and(|(of, _)| of == *tenant),
    }
}

/// Drops shards that hold nothing to be shown, what the node's own branches say of failures, which may name anybody's agents, and what is
/// beyond the limit.
fn tidy(node: &mut TreeNode, limit: usize, path: &mut Vec<String>) {
    let is_agent = path.len() > 3;
    if !is_agent {
        node.last_failure = None;
    }
    if matches!(path.as_slice(), [agents, _] if agents == "agents") {
        node.children.retain(|shard| !shard.children.is_empty() || shard.more > 0);
        // Their own numbers say how many there are.
        for (nth, shard) in node.children.iter_mut().enumerate() {
            shard.id = nth.to_string();
        }
    }
    let left_out = node.children.len().saturating_sub(limit);
    node.children.truncate(limit);
    node.more = node.more.saturating_add(u64::try_from(left_out).unwrap_or(u64::MAX));
    for child in &mut node.children {
        path.push(child.id.clone());
        tidy(child, limit, path);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_seen_by_their_own_tenant_alone_and_what_is_unknown_by_nobody() {
        let tenant = |id: &str| TenantId::new(id).unwrap();
        for (path, of, expect) in [
            ("bus", "pt_a", true),
            ("edge/listener", "pt_a", true),
            ("bus/tails/plan-events", "pt_a", true),
            ("agents/hosted/0", "pt_a", true),
            ("agents/hosted/0/greeter@pt_a", "pt_a", true),
            ("agents/hosted/0/greeter@pt_a/instances/0", "pt_a", true),
            ("agents/hosted/0/greeter@pt_b", "pt_a", false),
            ("agents/hosted/0/greeter@pt_b/instances", "pt_a", false),
            ("agents/hosted/0/greeter", "pt_a", false),
            ("agents/hosted/0/greeter", soorma_core::DEFAULT_PLATFORM_TENANT, true),
            ("agents/hosted/0/greeter@a%40b", "a@b", true),
            ("agents/hosted/0/a#b@x", "x", true),
            ("agents/external/0/w@pt_a#w-1", "pt_a", true),
            ("agents/external/0/w@pt_a#w@pt_b", "pt_a", true),
            ("agents/external/0/w@pt_b#w@pt_a", "pt_a", false),
            ("agents/external/0/w#w@pt_a", "pt_a", false),
            ("agents/external/0/w@a%23b#w-1", "a#b", true),
            ("agents/external/0/w@a%2523b#w-1", "a%23b", true),
            ("agents/external/0/w@a%2523b#w-1", "a#b", false),
            ("agents/unheard/0/x@pt_a", "pt_a", false),
            ("registry/tenants/pt_b", "pt_a", false),
        ] {
            let path: Vec<_> = path.split('/').collect();
            assert_eq!(is_seen(&tenant(of), &path), expect, "{path:?} by {of}");
        }
    }
}
