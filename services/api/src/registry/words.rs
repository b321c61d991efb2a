//! Agents in few words, for a planner (`format=llm`). What there is nothing to say of is left out.

use serde::{Deserialize, Serialize};
use soorma_core::{AgentKind, Data, RankedBy, Topic};

/// Some agents in few words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentsInWords {
    /// The agents.
    pub agents: Vec<AgentInWords>,
    /// How many more there are for which there was no room.
    pub left_out: usize,
    /// Whether there are more behind those: the question had a limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// By what they are in order, where a `query` was given: then they come best first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<RankedBy>,
}

/// An agent in few words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentInWords {
    /// Its name, without a version.
    pub name: String,
    /// What sort of agent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// What it is for.
    pub description: String,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<CapabilityInWords>,
}

/// One thing that an agent can do, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityInWords {
    /// What it is called.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The event that asks for it.
    pub event: String,
    /// Where that event flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// What the event must carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<FieldInWords>,
    /// What it may carry, such as it would be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Data>,
    /// The events that answer it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
}

/// One field of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldInWords {
    /// What it is called.
    pub name: String,
    /// The type of its value, in the words of JSON Schema.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
