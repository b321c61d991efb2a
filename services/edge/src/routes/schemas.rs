//! JSON Schemas by name and version (CONTRACT 2.7).

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::value::RawValue;
use soorma_api::registry::{SchemaItem, SchemaRegistered};
use soorma_api::{Problem, media};
use soorma_core::{AgentRecord, Error, ErrorCode, Name, PayloadSchema, Scope, Timestamp};

use crate::app::{App, Shared};
use crate::body;
use crate::parameters::Parameters;
use crate::reply::{Named, NamedTwice, Refusal, excerpt, json, json_within};
use crate::routes::events::refused;
use crate::rows;
use crate::shape::Shape;

pub(crate) async fn register(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let bytes = body::read(request, app.config()).await?;
    let now = app.edge.clock.now();
    let mut shape = Shape::of("body");
    let body = shape.object(body::raw(&bytes)?, "PayloadSchemaRegistrationRequest");
    let read = body.and_then(|body| {
        shape.field(&body, ("schema", "payload_schema"), |shape, raw| schema(shape, raw, now))
    });
    let schema = shape.end(read)?;
    let (schema_name, version) = (schema.name.to_string(), schema.version.to_string());
    app.directory().put_schema(&scope.tenant, schema).await.map_err(|error| match error.code {
        ErrorCode::AlreadyExists => {
            let detail = format!("Schema '{schema_name}@{version}' already exists for this tenant");
            Problem::new(ErrorCode::AlreadyExists, detail).into()
        }
        _ => refused(error, &["body", "schema", "jsonSchema"]),
    })?;
    let message = format!("Schema '{schema_name}@{version}' registered successfully.");
    Ok(json(&SchemaRegistered { schema_name, version, success: true, message }))
}

pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let limit = parameters.limit();
    let after = parameters.cursor::<2>();
    let owner = parameters.text("owner_agent_id").map(str::to_owned);
    parameters.end()?;
    let after = after.as_ref().map(|[name, version]| (name.as_str(), version.as_str()));
    let mut found = app.directory().schemas(&scope.tenant, owner.as_deref(), after, limit + 1)?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(answer(&found, more))
}

pub(crate) async fn newest(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    one(find(&app, &scope, &name, None)?, &name)
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    NamedTwice(name, version): NamedTwice,
) -> Result<Response, Refusal> {
    one(find(&app, &scope, &name, Some(&version))?, &format!("{name}@{version}"))
}

pub(crate) async fn versions(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(name): Named,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let limit = parameters.limit();
    let after = parameters.cursor::<2>();
    if after.as_ref().is_some_and(|[of, _]| of.as_str() != name) {
        let says = "is of another schema; send back the nextCursor of an answer unchanged";
        parameters.fault("cursor", "value_error", says, says);
    }
    parameters.end()?;
    let named = Name::new(name.as_str()).map_err(|_| not_found(&name))?;
    let after = after.as_ref().map(|[_, version]| version.as_str());
    let mut found = app.directory().schema_versions(&scope.tenant, &named, after, limit + 1)?;
    if found.is_empty() && after.is_none() {
        return Err(not_found(&name));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    Ok(answer(&found, more))
}

fn answer(found: &[Arc<PayloadSchema>], more: bool) -> Response {
    rows::list(
        "schemas",
        (found, more),
        |schema| json_within(&SchemaItem::from(&**schema)).into(),
        |schema| [schema.name.as_str(), schema.version.as_str()],
    )
}

fn find(
    app: &App,
    scope: &Scope,
    name: &str,
    version: Option<&str>,
) -> Result<Option<Arc<PayloadSchema>>, Error> {
    // What cannot be a name is nobody's.
    Name::new(name).map_or(Ok(None), |name| app.directory().schema(&scope.tenant, &name, version))
}

fn one(schema: Option<Arc<PayloadSchema>>, what: &str) -> Result<Response, Refusal> {
    schema.map(|schema| json(&SchemaItem::from(&*schema))).ok_or_else(|| not_found(what))
}

fn not_found(what: &str) -> Refusal {
    Problem::new(ErrorCode::NotFound, format!("Schema '{}' not found", excerpt(what))).into()
}

fn schema(shape: &mut Shape, raw: &RawValue, created_at: Timestamp) -> Option<PayloadSchema> {
    let object = shape.object(raw, "PayloadSchema")?;
    let name = shape.field(&object, ("schemaName", "schema_name"), Shape::name);
    let version = shape.field(&object, ("version", "version"), Shape::version);
    let schema = shape.field(&object, ("jsonSchema", "json_schema"), Shape::data);
    let description = shape.optional(&object, ("description", "description"), |shape, raw| {
        shape.text_of(raw, AgentRecord::MAX_DESCRIPTION_BYTES)
    });
    let owner = shape.optional(&object, ("ownerAgentId", "owner_agent_id"), Shape::name);
    Some(PayloadSchema { name: name?, version: version?, schema: schema?, description, owner, created_at })
}
