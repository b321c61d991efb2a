//! Memory (CONTRACT 2.8): what is known, what happened, how things are done, what is at hand, and what work hangs on. One file a kind.
//!
//! What is refused here is refused by its place in the request; all else is memory's to refuse.

mod ask;
mod episodic;
mod erase;
mod mine;
mod plan_contexts;
mod plans;
mod procedural;
mod semantic;
mod sessions;
mod task_contexts;
mod upkeep;
mod watch;
mod working;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde::Serialize;
use soorma_api::routes::memory as path;
use soorma_api::{Problem, media};
use soorma_core::{Error, ErrorCode};
use soorma_ports::NewFact;
use uuid::Uuid;

use crate::app::{App, Shared};
use crate::body;
use crate::reply::{Refusal, excerpt, json, no_content};
use crate::routes::events;
use crate::shape::{Object, Shape};

/// The most characters of the id of a plan, task or session.
const MAX_ID: usize = 100;
/// The most characters of the type of an event.
const MAX_EVENT: usize = 255;
/// The most ids in one list of sub-tasks or correlations.
const MAX_IDS: usize = 1_000;

pub(super) fn all() -> Router<Shared> {
    Router::new()
        .route(path::SEMANTIC, post(semantic::store).get(semantic::list))
        .route(path::SEMANTIC_QUERY, post(semantic::query))
        .route(path::SEMANTIC_SEARCH, get(semantic::search))
        .route(path::FACT, get(semantic::show).delete(semantic::remove))
        .route(path::EPISODIC, post(episodic::log).get(episodic::list))
        .route(path::EPISODIC_RECENT, get(episodic::recent))
        .route(path::EPISODIC_SEARCH, get(episodic::search))
        .route(path::EPISODIC_WINDOW, get(episodic::window))
        .route(path::PROCEDURAL, post(procedural::store).get(procedural::list))
        .route(path::PROCEDURAL_CONTEXT, get(procedural::relevant))
        .route(path::SKILL, get(procedural::show).put(procedural::replace).delete(procedural::remove))
        .route(path::WORKING, get(working::keys).delete(working::clear))
        .route(
            path::VALUE,
            get(working::show).put(working::set).post(working::change).delete(working::remove),
        )
        .route(path::TASK_CONTEXTS, post(task_contexts::store))
        .route(path::TASK_CONTEXT_OF, get(task_contexts::of_sub_task))
        .route(
            path::TASK_CONTEXT,
            get(task_contexts::show).put(task_contexts::change).delete(task_contexts::remove),
        )
        .route(path::PLAN_CONTEXTS, post(plan_contexts::store))
        .route(path::PLAN_CONTEXT_OF, get(plan_contexts::of_correlation))
        .route(
            path::PLAN_CONTEXT,
            get(plan_contexts::show).put(plan_contexts::change).delete(plan_contexts::remove),
        )
        .route(path::PLANS, post(plans::make).get(plans::list))
        .route(path::PLAN, get(plans::show).put(plans::set_status).delete(plans::remove))
        .route(path::SESSIONS, post(sessions::make).get(sessions::list))
        .route(path::SESSION, get(sessions::show).delete(sessions::remove))
        .route(path::STATS, get(upkeep::stats))
        .route(path::REEMBED, post(upkeep::reembed))
        .route(path::ERASE_TENANT, delete(erase::tenant))
        .route(path::ERASE_SERVICE_TENANT, delete(erase::service_tenant))
        .route(path::ERASE_USER, delete(erase::user))
        .layer(body::limit(body::MAX_MEMORY_BYTES))
}

/// Reads the body of a request as JSON in bytes.
async fn sent(request: Request, app: &App) -> Result<Bytes, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let most = NewFact::MAX_CONTENT_BYTES;
    body::read_memory(request, app.config())
        .await
        .map_err(|refusal| refusal.hint_at(413, &format!("a content or value has at most {most} bytes")))
}

/// Reads the body of a request as an object; `class` is what the published services call it.
async fn told<T>(
    request: Request,
    app: &App,
    class: &str,
    read: impl FnOnce(&mut Shape, &Object<'_>) -> Option<T>,
) -> Result<T, Refusal> {
    let bytes = sent(request, app).await?;
    let mut shape = Shape::of("body");
    let object = shape.object(body::raw(&bytes)?, class);
    let read = object.and_then(|object| read(&mut shape, &object));
    shape.end(read)
}

/// Shows what was found, or says that it is not there.
fn shown<T: Serialize>(found: Option<T>, what: &str, id: &str) -> Result<Response, Refusal> {
    found.map(|found| json(&found)).ok_or_else(|| missing(what, id))
}

/// Says that something was removed, or that it was not there.
fn removed(was_there: bool, what: &str, id: &str) -> Result<Response, Refusal> {
    if was_there { Ok(no_content()) } else { Err(missing(what, id)) }
}

/// Says that what memory refuses stands in the body.
fn in_body(error: Error) -> Refusal {
    refused(error, "body")
}

/// Says that what memory refuses stands in the query.
fn in_query(error: Error) -> Refusal {
    refused(error, "query")
}

/// Says that what memory refuses stands in the path.
fn in_path(error: Error) -> Refusal {
    refused(error, "path")
}

/// Says where in the request what memory refuses stands: it names the field first, as in `content: …`.
fn refused(error: Error, part: &'static str) -> Refusal {
    let field = error.message.split_once(": ").map(|(field, _)| field.to_owned());
    match field.filter(|field| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')) {
        Some(field) => events::refused(error, &[part, &field]),
        None => events::refused(error, &[part]),
    }
}

/// Says that something is not there, in the words of the published services.
fn missing(what: &str, id: &str) -> Refusal {
    nobody(&format!("{what} not found"), id)
}

/// The same in other words.
fn nobody(says: &str, id: &str) -> Refusal {
    Problem::new(ErrorCode::NotFound, format!("{says}: {}", excerpt(id))).into()
}

/// Says that something is there already.
fn there_is(error: Error, what: &str, id: &str) -> Refusal {
    if error.code != ErrorCode::AlreadyExists {
        return in_body(error);
    }
    Problem::new(ErrorCode::AlreadyExists, format!("{what} already exists: {}", excerpt(id))).into()
}

/// Reads an id that we gave out. What is none is nobody's.
fn uuid(what: &str, text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| missing(what, text))
}
