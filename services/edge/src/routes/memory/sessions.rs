//! Sessions (CONTRACT 2.8): made once, and listed by when they were used.

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use soorma_ports::NewSession;

use super::mine::Mine;
use super::plans::ROWS;
use super::semantic::metadata;
use super::{MAX_ID, in_path, in_query, removed, shown, there_is, told};
use crate::app::Shared;
use crate::parameters::Parameters;
use crate::reply::{Named, Refusal, created};
use crate::rows;
use crate::shape::{Object, Shape, part_of_path};

const WHAT: &str = "Session";
const MAX_NAME: usize = 255;

pub(super) async fn make(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, "SessionCreate", draft).await?;
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
    shown(app.memory().session(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("session_id", &id, MAX_ID, true)?;
    removed(app.memory().remove_session(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewSession> {
    let session_id = shape.field(object, ("sessionId", "session_id"), |shape, raw| shape.id(raw, MAX_ID));
    let name = shape.optional(object, ("name", "name"), |shape, raw| shape.chars(raw, MAX_NAME));
    let metadata = shape.data_or_empty(object, ("metadata", "metadata"), metadata);
    Some(NewSession { session_id: session_id?, name, metadata: metadata? })
}
