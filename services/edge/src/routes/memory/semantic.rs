//! What is known (CONTRACT 3.3).

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde_json::value::RawValue;
use soorma_api::memory::{MAX_PAGE_ROWS, PAGE_ROWS};
use soorma_core::{Data, MemoryScope};
use soorma_ports::{ListQuery, NewFact};

use super::mine::Mine;
use super::{ask, in_body, in_path, in_query, removed, shown, told, uuid};
use crate::app::{App, Shared};
use crate::parameters::Parameters;
use crate::reply::{Named, Refusal, created};
use crate::rows;
use crate::shape::{Object, Shape};

const WHAT: &str = "Semantic memory";
/// How many a search finds, where nothing is said, and at most.
const ROWS: (usize, usize) = (5, 50);
const MAX_EXTERNAL_ID: usize = 255;
const MAX_TAG_BYTES: usize = 128;
const MAX_SOURCE_BYTES: usize = 255;

pub(super) async fn store(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, "SemanticMemoryCreate", draft).await?;
    let (fact, _) = app.memory().store_fact(&mine, new).await.map_err(in_body)?;
    // Also where one took the place of another: so do the published services.
    Ok(created(&fact))
}

pub(super) async fn query(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
) -> Result<Response, Refusal> {
    searched(&app, &mine, &uri, "query").await
}

pub(super) async fn search(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
) -> Result<Response, Refusal> {
    searched(&app, &mine, &uri, "q").await
}

async fn searched(app: &App, mine: &MemoryScope, uri: &Uri, name: &'static str) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(uri)?;
    let recall = ask::recall(&mut parameters, name, ROWS);
    ask::without(&mut parameters, ask::OF_EPISODES);
    parameters.end()?;
    Ok(rows::found(&app.memory().search_facts(mine, &recall).await.map_err(in_query)?))
}

pub(super) async fn list(State(app): State<Shared>, Mine(mine): Mine, uri: Uri) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let mut query = ListQuery {
        filter: ask::filter(&mut parameters),
        after: parameters.after(),
        limit: parameters.number("limit", PAGE_ROWS, MAX_PAGE_ROWS),
    };
    ask::without(&mut parameters, ask::OF_EPISODES);
    parameters.end()?;
    loop {
        match rows::page(&app.memory().facts(&mine, &query).await.map_err(in_query)?) {
            Ok(page) => return Ok(page),
            Err(fewer) => query.limit = fewer,
        }
    }
}

pub(super) async fn show(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    shown(app.memory().fact(&mine, uuid(WHAT, &id)?).await.map_err(in_path)?, WHAT, &id)
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    removed(app.memory().remove_fact(&mine, uuid(WHAT, &id)?).await.map_err(in_path)?, WHAT, &id)
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewFact> {
    let content = shape
        .field(object, ("content", "content"), |shape, raw| shape.text_of(raw, NewFact::MAX_CONTENT_BYTES));
    let external_id =
        shape.optional(object, ("externalId", "external_id"), |shape, raw| shape.chars(raw, MAX_EXTERNAL_ID));
    let public = shape.optional(object, ("isPublic", "is_public"), Shape::flag);
    let metadata = shape.data_or_empty(object, ("metadata", "metadata"), metadata);
    let tags = shape.optional(object, ("tags", "tags"), |shape, raw| {
        shape.list(raw, NewFact::MAX_TAGS, |shape, raw| shape.text_of(raw, MAX_TAG_BYTES))
    });
    let source =
        shape.optional(object, ("source", "source"), |shape, raw| shape.text_of(raw, MAX_SOURCE_BYTES));
    let valid_from = shape.optional(object, ("validFrom", "valid_from"), Shape::moment);
    let valid_to = shape.optional(object, ("validTo", "valid_to"), Shape::moment);
    let episode = shape.optional(object, ("episodeId", "episode_id"), Shape::uuid);
    Some(NewFact {
        content: content?,
        external_id,
        public: public.unwrap_or(false),
        metadata: metadata?,
        tags,
        source,
        valid_from,
        valid_to,
        episode,
    })
}

/// Reads what belongs to something.
pub(super) fn metadata(shape: &mut Shape, raw: &RawValue) -> Option<Data> {
    let data = shape.kept(raw)?;
    let (bytes, most) = (data.as_str().len(), NewFact::MAX_METADATA_BYTES);
    if bytes > most {
        shape.wrong("too_long", &format!("has {bytes} bytes; at most {most} are allowed"), raw);
        return None;
    }
    Some(data)
}
