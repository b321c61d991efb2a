//! From what a client sends to an event, or to all that is wrong with it.

use serde_json::Value;
use soorma_api::{Part, Problem, Violation};
use soorma_core::{ErrorCode, Event, EventDraft, FieldError, Scope};

use crate::access::{MAX_OWNER_CHARS, Pass};
use crate::app::App;
use crate::reply::Refusal;
use crate::shape::{MAX_INPUT, TOPICS};

/// How many of a batch's faults stand in its sentence; the list has them all.
const SAID: usize = 5;

/// Makes the event, or says all that is wrong with it. Whose an event is, decides into whose memory its handlers look: a person publishes what is
/// of this person alone.
pub(crate) fn complete(
    app: &App,
    (scope, pass): (&Scope, Pass),
    mut draft: EventDraft,
) -> Result<Event, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut owner = |field, sent: &mut Option<String>, known: &Option<String>| match own(
        field,
        sent.take(),
        known,
        pass.person,
    ) {
        Ok(owner) => *sent = Some(owner),
        Err(error) => errors.push(error),
    };
    owner("tenant_id", &mut draft.tenant_id, &scope.service_tenant);
    owner("user_id", &mut draft.user_id, &scope.user);
    match draft.complete(app.edge.clock.now(), || app.new_id()) {
        Ok(event) if errors.is_empty() => Ok(event),
        Ok(_) => Err(errors),
        Err(mut all) => {
            all.append(&mut errors);
            Err(all)
        }
    }
}

/// Takes a tenant or user from the event, or from the caller.
fn own(
    field: &'static str,
    sent: Option<String>,
    known: &Option<String>,
    person: bool,
) -> Result<String, FieldError> {
    let sent = sent.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match sent.or_else(|| known.clone()) {
        None => Err(FieldError { field, rule: "missing", message: format!("{field} is required") }),
        Some(text) if text.chars().count() > MAX_OWNER_CHARS => {
            let message = format!("{field} must be at most {MAX_OWNER_CHARS} characters");
            Err(FieldError { field, rule: "string_too_long", message })
        }
        Some(text) if person && known.as_ref() != Some(&text) => {
            let message = format!("{field} must be that of the token, or left out: the token is a user's");
            Err(FieldError { field, rule: "value_error", message })
        }
        Some(text) => Ok(text),
    }
}

pub(crate) fn refuse(errors: &[FieldError], bytes: &[u8], wrapped: bool) -> Refusal {
    let body = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let event = if wrapped { body.get("event").unwrap_or(&Value::Null) } else { &body };
    let detail = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
    let violations = errors.iter().map(|error| violation(error, event, wrapped)).collect();
    Problem::new(ErrorCode::Invalid, detail).with_errors(violations).into()
}

/// Says what is wrong with the events of a batch, each by its place.
pub(crate) fn refuse_batch(errors: &[(usize, FieldError)]) -> Refusal {
    let said = errors.iter().take(SAID).map(|(nth, error)| format!("event {nth}: {}", error.message));
    let mut detail = said.collect::<Vec<_>>().join("; ");
    if errors.len() > SAID {
        detail.push_str(&format!("; and {} more, see errors", errors.len() - SAID));
    }
    let violations = errors.iter().map(|(nth, error)| {
        let nth = Part::Nth(u64::try_from(*nth).unwrap_or(u64::MAX));
        let loc = vec!["body".into(), "events".into(), nth, error.field.into()];
        Violation { rule: error.rule.into(), loc, msg: error.message.clone(), input: None }
    });
    Problem::new(ErrorCode::Invalid, detail).with_errors(violations.collect()).into()
}

fn violation(error: &FieldError, event: &Value, wrapped: bool) -> Violation {
    let mut loc = vec!["body".into()];
    if wrapped {
        loc.push("event".into());
    }
    loc.push(error.field.into());
    let sent = event.get(error.field);
    let msg = match error.rule {
        "missing" => "Field required",
        "enum" => TOPICS,
        "dict_type" if !sent.is_some_and(Value::is_object) => "Input should be a valid dictionary",
        _ => &error.message,
    };
    // Of what is missing, the published services show what it is missing from.
    let input = if error.rule == "missing" { Some(event) } else { sent };
    let input = input.filter(|input| input.to_string().len() <= MAX_INPUT).cloned();
    Violation { rule: error.rule.into(), loc, msg: msg.into(), input }
}
