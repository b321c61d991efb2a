//! What events mean (CONTRACT 2.7).

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::value::RawValue;
use soorma_api::registry::{EventDefined, EventItem};
use soorma_api::{Problem, Violation, media};
use soorma_core::{AgentRecord, ErrorCode, EventDefinition, Name, Scope, Topic};

use crate::app::Shared;
use crate::body;
use crate::parameters::Parameters;
use crate::reply::{Named, Refusal, excerpt, json, json_within};
use crate::rows;
use crate::shape::Shape;

pub(crate) async fn define(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let bytes = body::read(request, app.config()).await?;
    let mut shape = Shape::of("body");
    let body = shape.object(body::raw(&bytes)?, "EventRegistrationRequest");
    let read = body.and_then(|body| shape.field(&body, ("event", "event"), definition));
    let event = shape.end(read)?;
    let event_name = event.name.to_string();
    let made = app.directory().define_event(&scope.tenant, event).await.map_err(|error| {
        // What can only the registry find: a schema that is none.
        refused(error, &["body", "event"])
    })?;
    let what = if made { "registered" } else { "updated" };
    let message = format!("Event '{event_name}' {what} successfully.");
    Ok(json(&EventDefined { event_name, success: true, message }))
}

pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let limit = parameters.limit();
    let after = parameters.cursor::<1>();
    let name = parameters.text("event_name").map(str::to_owned);
    let topic = parameters.text("topic").map(str::parse::<Topic>);
    parameters.end()?;
    let directory = app.directory();
    // The first that is given counts; what cannot be there is not there, and that is no fault.
    let mut found: Vec<_> = match (name, topic) {
        (Some(name), _) => match Name::new(name) {
            Ok(name) => directory.event(&scope.tenant, &name)?.into_iter().collect(),
            Err(_) => Vec::new(),
        },
        (None, Some(Err(_))) => Vec::new(),
        (None, topic) => {
            let topic = topic.and_then(Result::ok);
            directory.events(&scope.tenant, topic, after.as_ref().map(|[after]| after), limit + 1)?
        }
    };
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(rows::list(
        "events",
        (&found, more),
        |event| json_within(&EventItem::from(&**event)).into(),
        |event| [event.name.as_str()],
    ))
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    let missing =
        || Refusal::from(Problem::new(ErrorCode::NotFound, format!("Event '{}' not found", excerpt(&name))));
    let name = Name::new(name.as_str()).map_err(|_| missing())?;
    let event = app.directory().event(&scope.tenant, &name)?.ok_or_else(missing)?;
    Ok(json(&EventItem::from(&*event)))
}

/// Reads what an event means.
pub(crate) fn definition(shape: &mut Shape, raw: &RawValue) -> Option<EventDefinition> {
    let object = shape.object(raw, "EventDefinition")?;
    let name = shape.field(&object, ("eventName", "event_name"), Shape::name);
    let topic = shape.field(&object, ("topic", "topic"), Shape::topic);
    let description = shape.field(&object, ("description", "description"), |shape, raw| {
        shape.text_of(raw, AgentRecord::MAX_DESCRIPTION_BYTES)
    });
    let payload_schema_name =
        shape.optional(&object, ("payloadSchemaName", "payload_schema_name"), Shape::name);
    let response_schema_name =
        shape.optional(&object, ("responseSchemaName", "response_schema_name"), Shape::name);
    let payload_schema = shape.optional(&object, ("payloadSchema", "payload_schema"), Shape::data);
    let response_schema = shape.optional(&object, ("responseSchema", "response_schema"), Shape::data);
    Some(EventDefinition {
        name: name?,
        topic: topic?,
        description: description?,
        payload_schema_name,
        response_schema_name,
        payload_schema,
        response_schema,
    })
}

/// Says where in the request what the registry refuses stands.
pub(crate) fn refused(error: soorma_core::Error, loc: &[&str]) -> Refusal {
    if error.code != ErrorCode::Invalid {
        return error.into();
    }
    let violation = Violation {
        rule: "value_error".into(),
        loc: loc.iter().map(|part| (*part).into()).collect(),
        msg: error.message.clone(),
        input: None,
    };
    Problem::from(error).with_errors(vec![violation]).into()
}
