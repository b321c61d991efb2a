//! What a planner needs to know of agents to ask them for something, in few tokens.

use std::collections::HashMap;
use std::sync::Arc;

use soorma_core::{Capability, Error, TenantId};
use soorma_ports::{Described, DescribedCapability, Description, Registered};
use tokio::time::Instant;

use crate::compiler::{Compiler, WITHIN};
use crate::made::Made;
use crate::ready::Ready;
use crate::view::Tenant;
use crate::view::definitions::Rule;

/// What the sentence on those that were left out takes.
const LEFT_OUT: usize = 40;
/// After how many agents others have their turn.
const PIECE: usize = 100;

/// Describes agents until their text would have more than so many characters. What is not known yet of a schema is found out on a thread that
/// nobody else waits for.
pub(crate) async fn describe(
    (compiler, ready): (&Compiler, &Arc<Ready>),
    (id, tenant): (&TenantId, &Tenant),
    agents: &[Registered],
    max_chars: usize,
) -> Result<Description, Error> {
    let deadline = Instant::now() + WITHIN;
    let mut description = Description::default();
    let mut room = max_chars.saturating_sub(LEFT_OUT);
    for (nth, agent) in agents.iter().enumerate() {
        if nth % PIECE == PIECE - 1 {
            tokio::task::yield_now().await;
        }
        // What there is no room to keep is still there until this agent is described.
        let mut made = AtHand { ready, made: HashMap::new() };
        let outcome = loop {
            match described(tenant, &made, agent, room) {
                Ok(outcome) => break outcome,
                Err((event, rule)) => {
                    let (ready, of) = (Arc::clone(ready), id.clone());
                    let make = move || ready.get_or_make(&of, rule.slot(), || rule.make());
                    made.made.insert(event, compiler.within(id, deadline, make).await?);
                }
            }
        };
        let Some((one, chars)) = outcome else {
            description.left_out = agents.len() - nth;
            break;
        };
        room -= chars;
        description.agents.push(one);
    }
    Ok(description)
}

/// What was made of schemas, by event.
struct AtHand<'a> {
    ready: &'a Ready,
    made: HashMap<String, Arc<Made>>,
}

/// Describes an agent, and says how many characters that has; `None` when there is no room for it.
///
/// # Errors
/// The first event and its rule of which it is not known yet what is to be told.
fn described(
    tenant: &Tenant,
    made: &AtHand<'_>,
    agent: &Registered,
    room: usize,
) -> Result<Option<(Described, usize)>, (String, Rule)> {
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
            return Ok(None);
        }
        let each = capability(tenant, made, each)?;
        chars += self::chars(&each);
        one.capabilities.push(each);
    }
    Ok((chars <= room).then_some((one, chars)))
}

fn capability(
    tenant: &Tenant,
    made: &AtHand<'_>,
    one: &Capability,
) -> Result<DescribedCapability, (String, Rule)> {
    let event = one.consumes.name.as_str();
    let (defined, rule) = {
        let definitions = tenant.definitions();
        (definitions.event(event).map(|definition| definition.topic), definitions.rule(event))
    };
    let made = match rule {
        None => None,
        Some(rule) => match made.made.get(event).cloned().or_else(|| made.ready.get(rule.slot())) {
            None => return Err((event.to_owned(), rule)),
            made => made,
        },
    };
    let told = made.as_ref().and_then(|made| made.told());
    Ok(DescribedCapability {
        name: one.name.to_string(),
        description: one.description.clone(),
        event: event.to_owned(),
        topic: one.consumes.topic.or(defined),
        required: told.map(|told| told.required.clone()).unwrap_or_default(),
        example: told.and_then(|told| told.example.clone()),
        answers: one.produces.iter().map(|event| event.name.to_string()).collect(),
    })
}

fn chars(what: &impl ToString) -> usize {
    what.to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use soorma_core::{AgentRecord, Data, ErrorCode, EventDefinition, EventRef, Topic};
    use soorma_ports::{RegistryChange, RegistryRow, Said, Standing};
    use soorma_testkit::{name, tenant};

    use super::*;
    use crate::view::View;

    fn asked_by(event: &str) -> Registered {
        let asks = Capability {
            name: name("work"),
            description: String::new(),
            consumes: EventRef { name: name(event), topic: None },
            produces: Vec::new(),
        };
        let record = AgentRecord {
            id: name(event),
            name: name(event),
            description: String::new(),
            kind: None,
            version: None,
            capabilities: vec![asks],
            consumes: Vec::new(),
            produces: Vec::new(),
        };
        let [registered_at, heard_at, expires_at] = Default::default();
        let said = Arc::new(Said::new(record));
        Registered { said, standing: Standing::READY, registered_at, heard_at, expires_at }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_of_schemas_is_found_out_in_the_tenants_turn_once() {
        let (view, one) = (View::default(), tenant("one"));
        for (revision, event) in [(1, "first"), (2, "second")] {
            let schema = json!({ "required": ["id"], "properties": { "id": { "type": "string" } } });
            let row = RegistryRow::Event(Box::new(EventDefinition {
                name: name(event),
                topic: Topic::ActionRequests,
                description: String::new(),
                payload_schema_name: None,
                response_schema_name: None,
                payload_schema: Data::from_value(&schema).ok(),
                response_schema: None,
            }));
            let _lease = view.apply(RegistryChange { revision, tenant: one.clone(), row });
        }
        let known = view.tenant(&one).expect("it has events");
        let (compiler, ready) = (Compiler::default(), Arc::default());
        let agents = ["first", "second", "undefined"].map(asked_by);
        let describe =
            async |agents: &[Registered]| describe((&compiler, &ready), (&one, &known), agents, 10_000).await;
        let first = describe(&agents[..1]).await.expect("it is found out");
        let turn = compiler.turn(&one, Instant::now() + WITHIN).await.expect("nobody is before it");
        let began = Instant::now();
        let late = describe(&agents).await.expect_err("the second is not known");
        assert_eq!((late.code, began.elapsed()), (ErrorCode::Unavailable, WITHIN));
        assert_eq!(describe(&agents[..1]).await, Ok(first), "what is known needs no turn");
        drop(turn);
        let all = describe(&agents).await.expect("it is found out");
        let required: Vec<_> = all.agents.iter().map(|one| one.capabilities[0].required.len()).collect();
        assert_eq!(required, [1, 1, 0]);
    }
}
