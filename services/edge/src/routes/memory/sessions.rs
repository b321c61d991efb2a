//! Sessions (CONTRACT 2.8): made once, and listed by when they were used.

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use soorma_ports::NewSession;

use super::mine::Mine;
use super::plans::ROWS;
use super::semantic::metadata;
use super::{MAX_ID, in_path, in_query, missing, sent, there_is};
use crate::app::Shared;
use crate::body;
use crate::parameters::Parameters;
use crate::reply::{Named, Refusal, created, json, no_content};
use crate::rows;
use crate::shape::{Object, Shape, part_of_path};

const WHAT: &str = "Session";
const MAX_NAME: usize = 255;

pub(super) async fn make(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let bytes = sent(request, &app).await?;
    let mut shape = Shape::of("body");
    let object = shape.object(body::raw(&bytes)?, "SessionCreate");
    let read = object.and_then(|object| draft(&mut shape, &object));
    let new = shape.end(read)?;
    let id = new.session_id.clone();
    let session = app.memory().make_session(&mine, new).await.map_err(|error| there_is(error, WHAT, &id))?;
    Ok(created(&session))
}

pub(super) async fn list(State(app): State<Shared>, Mine(mine): Mine, uri: Uri) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let after = parameters.after();
    let mut limit = parameters.number("limit", ROWS.0, ROWS.1);
    parameters.end()?;
    loop {
        let listed = app.memory().sessions(&mine, after.as_ref(), limit).await.map_err(in_query)?;
        match rows::bare_page(&listed) {
            Ok(page) => return Ok(page),
            Err(fewer) => limit = fewer,
        }
    }
}

pub(super) async fn show(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("session_id", &id, MAX_ID, true)?;
    let found = app.memory().session(&mine, &id).await.map_err(in_path)?;
    found.map(|session| json(&session)).ok_or_else(|| missing(WHAT, &id))
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("session_id", &id, MAX_ID, true)?;
    match app.memory().remove_session(&mine, &id).await.map_err(in_path)? {
        true => Ok(no_content()),
        false => Err(missing(WHAT, &id)),
    }
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewSession> {
    let session_id = shape.field(object, ("sessionId", "session_id"), |shape, raw| shape.id(raw, MAX_ID));
    let name = shape.optional(object, ("name", "name"), |shape, raw| shape.chars(raw, MAX_NAME));
    let metadata = shape.data_or_empty(object, ("metadata", "metadata"), metadata);
    Some(NewSession { session_id: session_id?, name, metadata: metadata? })
}
