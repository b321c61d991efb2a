//! What a planner needs to know of agents to ask them for something, in few tokens.

use soorma_core::Capability;
use soorma_ports::{Described, DescribedCapability, Description, Registered};

use crate::view::Tenant;

/// What the sentence on those that were left out takes.
const LEFT_OUT: usize = 40;

/// Describes agents until their text would have more than so many characters.
pub(crate) fn describe(tenant: &Tenant, agents: &[Registered], max_chars: usize) -> Description {
    let mut description = Description::default();
    let mut room = max_chars.saturating_sub(LEFT_OUT);
    for (nth, agent) in agents.iter().enumerate() {
        let Some((one, chars)) = described(tenant, agent, room) else {
            description.left_out = agents.len() - nth;
            break;
        };
        room -= chars;
        description.agents.push(one);
    }
    description
}

/// Describes an agent, and says how many characters that has; `None` when there is no room for it.
fn described(tenant: &Tenant, agent: &Registered, room: usize) -> Option<(Described, usize)> {
    let record = &agent.said.record;
    let mut one = Described {
        name: record.bare_name().to_owned(),
        kind: record.kind,
        description: record.description.clone(),
        capabilities: Vec::new(),
    };
    // A line between it and the one before.
    let mut chars = chars(&one) + 1;
    for each in &record.capabilities {
        if chars > room {
            return None;
        }
        let each = capability(tenant, each);
        chars += self::chars(&each);
        one.capabilities.push(each);
    }
    (chars <= room).then_some((one, chars))
}

fn capability(tenant: &Tenant, one: &Capability) -> DescribedCapability {
    let event = one.consumes.name.as_str();
    let (defined, rule) = {
        let definitions = tenant.definitions();
        (definitions.event(event).map(|definition| definition.topic), definitions.rule(event))
    };
    let told = rule.as_ref().and_then(|rule| rule.told());
    DescribedCapability {
        name: one.name.to_string(),
        description: one.description.clone(),
        event: event.to_owned(),
        topic: one.consumes.topic.or(defined),
        required: told.map(|told| told.required.clone()).unwrap_or_default(),
        example: told.and_then(|told| told.example.clone()),
        answers: one.produces.iter().map(|event| event.name.to_string()).collect(),
    }
}

fn chars(what: &impl ToString) -> usize {
    what.to_string().chars().count()
}
