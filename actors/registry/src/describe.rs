//! What a planner needs to know of agents to ask them for something, in few tokens.

use soorma_core::{Capability, Topic};
use soorma_ports::{Described, DescribedCapability, Description, Registered};

use crate::view::Tenant;
use crate::view::definitions::Definitions;

/// What the sentence on those that were left out takes.
const LEFT_OUT: usize = 40;

/// Describes agents until their text would have more than so many characters.
pub(crate) fn describe(tenant: &Tenant, agents: &[Registered], max_chars: usize) -> Description {
    let mut description = Description::default();
    let mut room = max_chars.saturating_sub(LEFT_OUT);
    for (nth, agent) in agents.iter().enumerate() {
        let one = described(&tenant.definitions(), agent);
        // A line between it and the one before.
        let chars = one.to_string().chars().count() + 1;
        let Some(rest) = room.checked_sub(chars) else {
            description.left_out = agents.len() - nth;
            break;
        };
        room = rest;
        description.agents.push(one);
    }
    description
}

fn described(definitions: &Definitions, agent: &Registered) -> Described {
    let record = &agent.said.record;
    Described {
        name: record.bare_name().to_owned(),
        kind: record.kind,
        description: record.description.clone(),
        capabilities: record.capabilities.iter().map(|one| capability(definitions, one)).collect(),
    }
}

fn capability(definitions: &Definitions, one: &Capability) -> DescribedCapability {
    let event = one.consumes.name.as_str();
    let topic: Option<Topic> =
        one.consumes.topic.or_else(|| definitions.event(event).map(|definition| definition.topic));
    DescribedCapability {
        name: one.name.to_string(),
        description: one.description.clone(),
        event: event.to_owned(),
        topic,
        required: Vec::new(),
        example: None,
        answers: one.produces.iter().map(|event| event.name.to_string()).collect(),
    }
}
