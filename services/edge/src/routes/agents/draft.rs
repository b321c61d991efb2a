//! From what an agent sends to what the registry keeps of it, or to all that is wrong with it.

use std::collections::HashSet;

use serde_json::value::RawValue;
use soorma_core::{AgentKind, AgentRecord, AgentStatus, Capability, EventRef, Name};
use soorma_ports::Standing;

use crate::body;
use crate::reply::Refusal;
use crate::routes::events::definition;
use crate::shape::{Field, Object, Shape};

/// The most bytes of why an agent is as it is.
const MAX_REASON_BYTES: usize = AgentRecord::MAX_DESCRIPTION_BYTES;
const STATUS: Field = ("status", "status");
const REASON: Field = ("reason", "reason");

/// Reads the body that registers an agent.
pub(super) fn registration(bytes: &[u8]) -> Result<(AgentRecord, Standing), Refusal> {
    let raw = body::raw(bytes)?;
    let mut shape = Shape::of("body");
    let body = shape.object(raw, "AgentRegistrationRequest");
    let read = body.and_then(|body| shape.field(&body, ("agent", "agent"), agent));
    shape.end(read)
}

/// Reads the body of a heartbeat: how the agent is, where it says so.
pub(super) fn heartbeat(bytes: &[u8]) -> Result<Option<Standing>, Refusal> {
    let raw = body::raw(bytes)?;
    let mut shape = Shape::of("body");
    let read = shape.object(raw, "Heartbeat").map(|body| {
        let reason = shape.optional(&body, REASON, reason);
        // A reason alone says why of nothing.
        let status = match reason {
            Some(_) => shape.field(&body, STATUS, status),
            None => shape.optional(&body, STATUS, status),
        };
        status.map(|status| Standing { status, reason })
    });
    shape.end(read)
}

fn agent(shape: &mut Shape, raw: &RawValue) -> Option<(AgentRecord, Standing)> {
    let object = shape.object(raw, "AgentDefinition")?;
    let id = shape.field(&object, ("agentId", "agent_id"), Shape::name);
    let name = shape.field(&object, ("name", "name"), Shape::name);
    let description = shape.field(&object, ("description", "description"), |shape, raw| {
        shape.text_of(raw, AgentRecord::MAX_DESCRIPTION_BYTES)
    });
    let capabilities = shape.field(&object, ("capabilities", "capabilities"), |shape, raw| {
        shape.list(raw, AgentRecord::MAX_CAPABILITIES, capability)
    });
    let of_capabilities = capabilities.as_deref().unwrap_or_default();
    let consumed = of_capabilities.iter().map(|capability| &capability.consumes);
    let consumes = events(shape, &object, ("consumedEvents", "consumed_events"), consumed);
    let produced = of_capabilities.iter().flat_map(|capability| &capability.produces);
    let produces = events(shape, &object, ("producedEvents", "produced_events"), produced);
    let kind = shape.optional(&object, ("kind", "kind"), Shape::word::<AgentKind>);
    let version = shape.optional(&object, ("version", "version"), Shape::version);
    let status = shape.optional(&object, STATUS, status);
    let reason = shape.optional(&object, REASON, reason);
    let record = AgentRecord {
        id: id?,
        name: name?,
        description: description?,
        kind,
        version: version.map(|version| version.to_string()),
        capabilities: capabilities?,
        consumes,
        produces,
    };
    let (bytes, most) = (record.bytes(), AgentRecord::MAX_BYTES);
    if bytes > most {
        let says = format!(
            "says {bytes} bytes of itself in names, descriptions and events; at most {most} are allowed"
        );
        shape.wrong("too_long", &says, raw);
        return None;
    }
    Some((record, Standing { status: status.unwrap_or(AgentStatus::Ready), reason }))
}

fn capability(shape: &mut Shape, raw: &RawValue) -> Option<Capability> {
    let object = shape.object(raw, "AgentCapability")?;
    let name = shape.field(&object, ("taskName", "task_name"), Shape::name);
    let description = shape.field(&object, ("description", "description"), |shape, raw| {
        shape.text_of(raw, AgentRecord::MAX_DESCRIPTION_BYTES)
    });
    let consumes = shape.field(&object, ("consumedEvent", "consumed_event"), event);
    let produces = shape.field(&object, ("producedEvents", "produced_events"), |shape, raw| {
        shape.list(raw, AgentRecord::MAX_EVENTS, event)
    });
    Some(Capability { name: name?, description: description?, consumes: consumes?, produces: produces? })
}

/// Of an event that a capability names, its name and topic are kept; what it means is registered on its own.
fn event(shape: &mut Shape, raw: &RawValue) -> Option<EventRef> {
    let event = definition(shape, raw)?;
    Some(EventRef { name: event.name, topic: Some(event.topic) })
}

/// Reads the names of events, each once; those of the capabilities where none is sent.
fn events<'a>(
    shape: &mut Shape,
    object: &Object<'_>,
    field: Field,
    of_capabilities: impl Iterator<Item = &'a EventRef>,
) -> Vec<Name> {
    let most = AgentRecord::MAX_EVENTS;
    let mut seen = HashSet::new();
    let sent = shape.optional(object, field, |shape, raw| shape.list(raw, most, Shape::name));
    let sent = sent.unwrap_or_default();
    if !sent.is_empty() {
        return sent.into_iter().filter(|name| seen.insert(name.clone())).collect();
    }
    let derived: Vec<Name> = of_capabilities
        .map(|event| &event.name)
        .filter(|name| seen.insert((*name).clone()))
        .cloned()
        .collect();
    if derived.len() > most {
        let count = derived.len();
        shape.within(field.0.into(), |shape| {
            let says = format!("would be the {count} events of the capabilities; at most {most} are allowed");
            shape.fault(
                "too_long",
                &format!("List should have at most {most} items, not {count}"),
                &says,
                None,
            );
        });
    }
    derived
}

fn status(shape: &mut Shape, raw: &RawValue) -> Option<AgentStatus> {
    let status = shape.word(raw)?;
    if status == AgentStatus::Expired {
        shape.wrong(
            "value_error",
            "is what an agent becomes that is not heard; it cannot say so itself",
            raw,
        );
        return None;
    }
    Some(status)
}

fn reason(shape: &mut Shape, raw: &RawValue) -> Option<String> {
    shape.text_of(raw, MAX_REASON_BYTES)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn whole() -> Value {
        let event = json!({
            "eventName": "e", "topic": "plan-events", "description": "d", "payloadSchemaName": "s",
            "responseSchemaName": "s", "payloadSchema": {"type": "object"}, "responseSchema": {},
        });
        json!({"agent": {
            "agentId": "a", "name": "a:1", "description": "d", "consumedEvents": ["e"], "producedEvents": ["e"],
            "kind": "tool", "version": "1", "status": "degraded", "reason": "slow", "capabilities": [{
                "taskName": "t", "description": "d", "consumedEvent": event, "producedEvents": [event],
            }],
        }})
    }

    /// The places of a value and of all in it, as JSON pointers.
    fn places(value: &Value, at: &str, into: &mut Vec<String>) {
        into.push(at.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(nth, item)| places(item, &format!("{at}/{nth}"), into));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{name}"), into));
            }
            _ => {}
        }
    }

    #[test]
    fn whatever_stands_wherever_is_read_or_refused_by_its_place() {
        let mut all = Vec::new();
        places(&whole(), "", &mut all);
        assert!(all.len() > 30, "{all:?}");
        let junk =
            ["null", "true", "7", "-1e400", "\"\"", "\"x\"", "\"\\ud800\"", "[]", "{}", "[[]]", "{\"a\":{}}"];
        for place in &all {
            for junk in junk {
                let mut body = whole();
                *body.pointer_mut(place).expect("a place") = json!("\u{0}junk");
                let text = body.to_string().replace("\"\\u0000junk\"", junk);
                let Err(refusal) = registration(text.as_bytes()) else { continue };
                let problem = refusal.into_problem();
                assert_eq!(problem.status, 422, "{text}");
                assert!(!problem.detail.is_empty() && !problem.errors.is_empty(), "{text}");
                for fault in problem.errors {
                    let parts = fault.loc.iter().skip(1).map(|part| match part {
                        soorma_api::Part::Name(name) => format!("/{name}"),
                        soorma_api::Part::Nth(nth) => format!("/{nth}"),
                    });
                    let loc: String = parts.collect();
                    assert!(loc.starts_with(place.as_str()), "{loc} for {junk} at {place}");
                }
            }
        }
        let (record, standing) = registration(whole().to_string().as_bytes()).expect("all is well");
        assert_eq!((record.capabilities.len(), standing.status), (1, AgentStatus::Degraded));
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_no_json_and_says_where() {
        let text = whole().to_string();
        for end in 0..text.len() {
            let problem = registration(&text.as_bytes()[..end]).expect_err("cut").into_problem();
            assert_eq!(problem.errors[0].rule, "json_invalid", "cut at {end}");
        }
    }
}
