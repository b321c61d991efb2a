//! How much room a write takes while it waits.

use soorma_core::{AgentRecord, Data};
use soorma_ports::RegistryAct;

/// What each write takes beside its texts.
const BASE: usize = 512;
/// What each entry of a list takes beside its texts.
const ENTRY: usize = 64;

/// Returns about how many KiB a write takes, at least one.
pub(crate) fn weight(act: &RegistryAct) -> u32 {
    let bytes = BASE
        + match act {
            RegistryAct::PutAgent { agent, .. } => agent_bytes(agent),
            RegistryAct::Hear { .. } | RegistryAct::RemoveAgent { .. } => 0,
            RegistryAct::PutEvent(event) => {
                let inline = [&event.payload_schema, &event.response_schema];
                event.description.len() + inline.into_iter().flatten().map(data_bytes).sum::<usize>()
            }
            RegistryAct::PutSchema(schema) => {
                schema.description.as_ref().map_or(0, String::len) + data_bytes(&schema.schema)
            }
        };
    u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX)
}

fn agent_bytes(agent: &AgentRecord) -> usize {
    let events = agent.consumes.iter().chain(&agent.produces).map(|event| ENTRY + event.as_str().len());
    let capabilities = agent.capabilities.iter().map(|one| {
        let produces = one.produces.iter().map(|event| ENTRY + event.name.as_str().len()).sum::<usize>();
        2 * ENTRY + one.name.as_str().len() + one.description.len() + produces
    });
    agent.description.len() + events.sum::<usize>() + capabilities.sum::<usize>()
}

fn data_bytes(data: &Data) -> usize {
    data.as_str().len()
}

#[cfg(test)]
mod tests {
    use soorma_core::{EventDefinition, Name, Topic};

    use super::*;

    #[test]
    fn what_is_large_takes_more_room() {
        let name = || Name::new("x").expect("a name");
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
}
