//! Publishing (CONTRACT 2.6.1).

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use soorma_api::{Problem, PublishRequest, Published, Violation, media};
use soorma_core::{ErrorCode, Event, EventDraft, FieldError, Scope};

use crate::access::MAX_OWNER_CHARS;
use crate::app::{App, Shared};
use crate::body;
use crate::reply::{Refusal, json};

/// The most bytes of a refused value that an answer repeats.
const MAX_INPUT: usize = 1_024;

const TOPICS: &str = "Input should be 'business-facts', 'action-requests', 'action-results', 'billing-events', \
                      'notification-events', 'system-events', 'plan-events' or 'task-events'";

pub(crate) async fn publish(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    let media = body::media_type(request.headers(), &[media::JSON, media::CLOUD_EVENT])?;
    let bytes = body::read(request, app.config()).await?;
    let wrapped = media == media::JSON;
    let draft = if wrapped { unwrap(&bytes)? } else { bare(&bytes)? };
    let event = complete(&app, &scope, draft).map_err(|errors| refuse(&errors, &bytes, wrapped))?;

    let answer = Published {
        success: true,
        event_id: event.id.to_string(),
        message: format!("Event published to {}", event.topic),
    };
    let reply = app.groups.reply(&scope.tenant, &event);
    app.bus().publish(&scope.tenant, vec![event]).await?;
    if let Some(reply) = reply {
        reply.settle();
    }
    Ok(json(&answer))
}

fn unwrap(bytes: &[u8]) -> Result<EventDraft, Refusal> {
    #[derive(Deserialize)]
    struct Probe {
        event: Option<IgnoredAny>,
    }
    match body::parse::<PublishRequest>(bytes) {
        Ok(request) => Ok(request.event),
        Err(refusal) => match serde_json::from_slice::<Probe>(bytes) {
            Ok(Probe { event: None }) => Err(missing_event().into()),
            _ => Err(refusal),
        },
    }
}

fn missing_event() -> Problem {
    let violation = Violation {
        rule: "missing".into(),
        loc: vec!["body".into(), "event".into()],
        msg: "Field required".into(),
        input: None,
    };
    let detail = format!(
        "event is required: send {{\"event\": {{…}}}}, or the event alone with content-type {}",
        media::CLOUD_EVENT
    );
    Problem::new(ErrorCode::Invalid, detail).with_errors(vec![violation])
}

fn bare(bytes: &[u8]) -> Result<EventDraft, Refusal> {
    #[derive(Deserialize)]
    struct Probe {
        data_base64: Option<IgnoredAny>,
    }
    let draft = body::parse(bytes)?;
    if let Ok(Probe { data_base64: Some(_) }) = serde_json::from_slice(bytes) {
        let detail =
            "data_base64 is not taken; send data as a JSON object, or where the bytes can be fetched";
        return Err(Problem::new(ErrorCode::Invalid, detail).into());
    }
    Ok(draft)
}

/// Makes the event, or says all that is wrong with it.
fn complete(app: &App, scope: &Scope, mut draft: EventDraft) -> Result<Event, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut owner =
        |field, sent: &mut Option<String>, known: &Option<String>| match own(field, sent.take(), known) {
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
fn own(field: &'static str, sent: Option<String>, known: &Option<String>) -> Result<String, FieldError> {
    let sent = sent.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match sent.or_else(|| known.clone()) {
        None => Err(FieldError { field, rule: "missing", message: format!("{field} is required") }),
        Some(text) if text.chars().count() > MAX_OWNER_CHARS => {
            let message = format!("{field} must be at most {MAX_OWNER_CHARS} characters");
            Err(FieldError { field, rule: "string_too_long", message })
        }
        Some(text) => Ok(text),
    }
}

fn refuse(errors: &[FieldError], bytes: &[u8], wrapped: bool) -> Refusal {
    let body = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let event = if wrapped { body.get("event").unwrap_or(&Value::Null) } else { &body };
    let detail = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
    let violations = errors.iter().map(|error| violation(error, event, wrapped)).collect();
    Problem::new(ErrorCode::Invalid, detail).with_errors(violations).into()
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
