//! What is different between two looks at the agents. Pure.

use std::collections::BTreeMap;

use soorma::AgentStatus;
use soorma::api::registry::AgentView;

/// How agents were at one look, by id.
pub(super) type Seen = BTreeMap<String, How>;

/// How an agent was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct How {
    pub(super) name: String,
    pub(super) status: AgentStatus,
    pub(super) reason: Option<String>,
}

/// That an agent is there now, is otherwise, or is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) name: String,
    /// How it is; `None` when it is gone.
    pub(super) status: Option<AgentStatus>,
    pub(super) reason: Option<String>,
}

pub(super) fn seen(agents: Vec<AgentView>) -> Seen {
    let how = |AgentView { agent, state, .. }| {
        (agent.agent_id, How { name: agent.name, status: state.status, reason: state.reason })
    };
    agents.into_iter().map(how).collect()
}

pub(super) fn changes(before: &Seen, now: &Seen) -> Vec<Change> {
    let gone = before.iter().filter(|(id, _)| !now.contains_key(*id));
    let gone =
        gone.map(|(id, how)| Change { id: id.clone(), name: how.name.clone(), status: None, reason: None });
    let new = now.iter().filter(|(id, how)| before.get(*id) != Some(how));
    let new = new.map(|(id, how)| Change {
        id: id.clone(),
        name: how.name.clone(),
        status: Some(how.status),
        reason: how.reason.clone(),
    });
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(agents: &[(&str, AgentStatus, Option<&str>)]) -> Seen {
        let how = |(id, status, reason): &(&str, AgentStatus, Option<&str>)| {
            let how = How { name: format!("name of {id}"), status: *status, reason: reason.map(Into::into) };
            ((*id).to_owned(), how)
        };
        agents.iter().map(how).collect()
    }

    #[test]
    fn who_came_left_or_is_otherwise_is_told_and_nobody_else() {
        let before = look(&[
            ("a", AgentStatus::Ready, None),
            ("b", AgentStatus::Ready, None),
            ("c", AgentStatus::Degraded, Some("slow")),
            ("d", AgentStatus::Ready, None),
        ]);
        let now = look(&[
            ("b", AgentStatus::Quarantined, Some("it panicked")),
            ("c", AgentStatus::Degraded, Some("slower")),
            ("d", AgentStatus::Ready, None),
            ("e", AgentStatus::Starting, None),
        ]);
        let told = changes(&before, &now);
        let told: Vec<_> =
            told.iter().map(|change| (change.id.as_str(), change.status, change.reason.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("a", None, None),
                ("b", Some(AgentStatus::Quarantined), Some("it panicked")),
                ("c", Some(AgentStatus::Degraded), Some("slower")),
                ("e", Some(AgentStatus::Starting), None),
            ]
        );
        assert!(changes(&now, &now).is_empty());
    }
}
