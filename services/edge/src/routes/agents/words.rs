//! Agents in few words, for a planner.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use soorma_api::registry::{AgentInWords, AgentsInWords, CapabilityInWords, FieldInWords};
use soorma_core::RankedBy;
use soorma_ports::{Described, DescribedCapability, DescribedField, Description};

use crate::reply::json;

pub(super) fn answer(description: Description, as_json: bool, ranking: Option<RankedBy>) -> Response {
    if as_json {
        let Description { left_out, more, .. } = description;
        return json(&AgentsInWords {
            agents: description.agents.into_iter().map(agent).collect(),
            left_out,
            more,
            ranking,
        });
    }
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], description.to_string()).into_response()
}

fn agent(agent: Described) -> AgentInWords {
    let Described { name, kind, description, capabilities } = agent;
    AgentInWords { name, kind, description, capabilities: capabilities.into_iter().map(capability).collect() }
}

fn capability(capability: DescribedCapability) -> CapabilityInWords {
    let DescribedCapability { name, description, event, topic, required, example, answers } = capability;
    let field = |field: DescribedField| FieldInWords {
        name: field.name,
        kind: field.kind,
        description: field.description,
    };
    let required = required.into_iter().map(field).collect();
    CapabilityInWords { name, description, event, topic, required, example, answers }
}
