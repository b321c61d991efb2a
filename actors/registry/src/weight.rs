//! How much room what is registered takes, while it waits for the store and in the view. An estimate, rather too high: what is long counts as
//! it is, what is short by what lies around it.

use soorma_core::{AgentRecord, Data, EventDefinition, PayloadSchema};
use soorma_ports::{RegistryAct, Standing};

/// What each row takes beside its texts: itself, its places in the indexes, and a short reason.
const BASE: usize = 768;
/// What each entry of a list takes beside its text, with the words around it on the wire.
const ENTRY: usize = 128;
/// How long a reason is that every agent has room for: who says how it is in few words is always heard.
const SHORT_REASON: usize = 256;

/// Returns about how many KiB a write takes, at least one.
pub(crate) fn weight(act: &RegistryAct) -> u32 {
    let bytes = match act {
        RegistryAct::PutAgent { agent, standing } => of_agent(agent) + of_standing(standing),
        RegistryAct::Hear { standing, .. } => standing.as_ref().map_or(0, of_standing),
        RegistryAct::RemoveAgent { .. } => 0,
        RegistryAct::PutEvent(event) => of_event(event),
        RegistryAct::PutSchema(schema) => of_schema(schema),
    };
    u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX).max(1)
}

/// Returns about how many bytes an agent takes: what it says is kept as it is and as it is written on the wire.
pub(crate) fn of_agent(agent: &AgentRecord) -> usize {
    let of_capabilities = agent.capabilities.iter().map(|one| 2 + one.produces.len()).sum::<usize>();
    let entries = agent.consumes.len() + agent.produces.len() + of_capabilities;
    BASE + 2 * agent.bytes() + ENTRY * entries
}

/// Returns how many bytes an agent takes for how it is, beyond what each has room for.
pub(crate) fn of_standing(standing: &Standing) -> usize {
    standing.reason.as_ref().map_or(0, |reason| reason.len().saturating_sub(SHORT_REASON))
}

/// Returns about how many bytes a definition takes.
pub(crate) fn of_event(event: &EventDefinition) -> usize {
    let schemas = [&event.payload_schema, &event.response_schema].into_iter().flatten();
    let names = [Some(&event.name), event.payload_schema_name.as_ref(), event.response_schema_name.as_ref()];
    let names = names.into_iter().flatten().map(|name| name.as_str().len());
    BASE + event.description.len() + names.sum::<usize>() + schemas.map(data_bytes).sum::<usize>()
}

/// Returns about how many bytes a schema takes.
pub(crate) fn of_schema(schema: &PayloadSchema) -> usize {
    let description = schema.description.as_ref().map_or(0, String::len);
    BASE + schema.name.as_str().len() + description + data_bytes(&schema.schema)
}

fn data_bytes(data: &Data) -> usize {
    data.as_str().len()
}

#[cfg(test)]
mod tests {
    use soorma_core::{AgentStatus, Capability, EventRef, Name, Topic};

    use super::*;

    fn name() -> Name {
        Name::new("x").expect("a name")
    }

    #[test]
    fn what_is_large_takes_more_room() {
        let event = |bytes: usize| {
            let inline = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
            RegistryAct::PutEvent(EventDefinition {
                name: name(),
                topic: Topic::BusinessFacts,
                description: String::new(),
                payload_schema_name: None,
                response_schema_name: None,
                payload_schema: Data::from_json(&inline).ok(),
                response_schema: None,
            })
        };
        assert_eq!(weight(&RegistryAct::Hear { agent: name(), standing: None }), 1);
        assert_eq!(weight(&event(0)), 1);
        assert_eq!(weight(&event(100 * 1_024)), 101);
    }

    #[test]
    fn an_agent_takes_its_texts_twice_and_something_for_each_entry() {
        let event = || EventRef { name: name(), topic: None };
        let mut agent = AgentRecord {
            id: name(),
            name: name(),
            description: String::new(),
            kind: None,
            version: None,
            capabilities: Vec::new(),
            consumes: Vec::new(),
            produces: Vec::new(),
        };
        assert_eq!(of_agent(&agent), BASE + 4);
        agent.description = "d".repeat(1_000);
        agent.version = Some("1".into());
        agent.consumes = vec![name(); 3];
        agent.produces = vec![name(); 2];
        let capability = Capability {
            name: name(),
            description: "d".into(),
            consumes: event(),
            produces: vec![event(), event()],
        };
        agent.capabilities = vec![capability; 10];
        assert_eq!(agent.bytes(), 2 + 1_000 + 1 + 5 + 50);
        assert_eq!(of_agent(&agent), BASE + 2 * agent.bytes() + (5 + 40) * ENTRY);
    }

    #[test]
    fn a_short_reason_takes_no_room_of_its_own() {
        let standing =
            |bytes: usize| Standing { status: AgentStatus::Ready, reason: Some("r".repeat(bytes)) };
        assert_eq!(of_standing(&standing(SHORT_REASON)), 0);
        assert_eq!(of_standing(&standing(SHORT_REASON + 1)), 1);
        assert_eq!(of_standing(&Standing::READY), 0);
    }
}
