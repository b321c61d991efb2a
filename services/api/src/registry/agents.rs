//! Who is here, and what they can do.

use serde::{Deserialize, Serialize};
use soorma_core::{AgentKind, AgentRecord, AgentStatus, Capability, EventRef, RankedBy, Timestamp, Topic};

use super::EventItem;

/// What an agent says of itself, as the published clients know it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentItem {
    /// Its id.
    #[serde(alias = "agent_id")]
    pub agent_id: String,
    /// Its name, into which the published clients fold the version: `researcher:1.0.0`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it can do.
    pub capabilities: Vec<CapabilityItem>,
    /// The events that it handles; those of its capabilities where none is sent.
    #[serde(default, alias = "consumed_events")]
    pub consumed_events: Vec<String>,
    /// The events that it publishes; those of its capabilities where none is sent.
    #[serde(default, alias = "produced_events")]
    pub produced_events: Vec<String>,
}

/// One thing that an agent can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityItem {
    /// What it is called.
    #[serde(alias = "task_name")]
    pub task_name: String,
    /// What it does.
    pub description: String,
    /// The event that asks for it.
    #[serde(alias = "consumed_event")]
    pub consumed_event: EventItem,
    /// The events that answer it.
    #[serde(alias = "produced_events")]
    pub produced_events: Vec<EventItem>,
}

impl From<&AgentRecord> for AgentItem {
    /// Of the events of a capability, name and topic are known; what they mean is asked for by their name (CONTRACT 2.7).
    fn from(agent: &AgentRecord) -> Self {
        let texts = |names: &[soorma_core::Name]| names.iter().map(ToString::to_string).collect();
        Self {
            agent_id: agent.id.to_string(),
            name: agent.name.to_string(),
            description: agent.description.clone(),
            capabilities: agent.capabilities.iter().map(CapabilityItem::from).collect(),
            consumed_events: texts(&agent.consumes),
            produced_events: texts(&agent.produces),
        }
    }
}

impl From<&Capability> for CapabilityItem {
    fn from(capability: &Capability) -> Self {
        // An event without a topic is shown with the one that the published services show for all.
        let event = |event: &EventRef, topic| {
            EventItem::new(event.name.as_str(), event.topic.unwrap_or(topic), String::new())
        };
        let produced = capability.produces.iter().map(|produced| event(produced, Topic::ActionResults));
        Self {
            task_name: capability.name.to_string(),
            description: capability.description.clone(),
            consumed_event: event(&capability.consumes, Topic::ActionRequests),
            produced_events: produced.collect(),
        }
    }
}

/// The body that registers an agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentRegistration {
    /// The agent.
    pub agent: NewAgent,
}

/// An agent that registers, and how it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NewAgent {
    /// What the published services know of it.
    #[serde(flatten)]
    pub agent: AgentItem,
    /// What sort of agent it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// Its version, where it is not folded into its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it is: `ready` where nothing is said, and never `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AgentStatus>,
    /// Why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentRegistered {
    /// The agent's id.
    pub agent_id: String,
    /// Always true; what failed is a problem.
    pub success: bool,
    /// A sentence.
    pub message: String,
}

/// What a heartbeat may say: how the agent is. Without it all stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// How it is; never `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AgentStatus>,
    /// Why it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to it.
pub type AgentHeard = AgentRegistered;

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentState {
    /// What sort of agent it is, where it said so.
    pub kind: Option<AgentKind>,
    /// Its version, said or folded into its name.
    pub version: Option<String>,
    /// How it is.
    pub status: AgentStatus,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// When it was last heard.
    pub last_heartbeat: Timestamp,
    /// When its lease runs out, or ran out.
    pub expires_at: Timestamp,
}

/// An agent and how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// What it says of itself.
    #[serde(flatten)]
    pub agent: AgentItem,
    /// How it is.
    #[serde(flatten)]
    pub state: AgentState,
    /// How well it fits, where a `query` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// Which agents are wanted. Of the first four the first that is given counts; the others are further conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentQuery {
    /// The agent of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Those of this name, with or without the version that is folded into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Those that handle this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumed_event: Option<String>,
    /// Those that publish this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub produced_event: Option<String>,
    /// Also those whose lease has run out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_expired: bool,
    /// Those with a capability of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// Those that handle or publish something on this topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Those of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// Those that are so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AgentStatus>,
    /// Those in whose name, description or capabilities all of these words stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In `discover`, a sentence that says what the agent is to do: those that fit it best come first, [`RANKED_ROWS`](super::RANKED_ROWS) of
    /// them where no limit is given, and [`MAX_RANKED_ROWS`](super::MAX_RANKED_ROWS) at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// At most so many, and [`MAX_ROWS`](super::MAX_ROWS) at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where to go on: the `nextCursor` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Agents, by name and id; of each name the one that was heard last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentList {
    /// The agents.
    pub agents: Vec<AgentItem>,
    /// How many there are in this answer.
    pub count: usize,
    /// What to send as `cursor` for more; absent where there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// By what they are in order, where a `query` was given: then they come best first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<RankedBy>,
}

/// Agents and how they are (`view=full`), by name and id: every instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentViews {
    /// The agents.
    pub agents: Vec<AgentView>,
    /// How many there are in this answer.
    pub count: usize,
    /// What to send as `cursor` for more; absent where there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// By what they are in order, where a `query` was given: then they come best first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<RankedBy>,
}
