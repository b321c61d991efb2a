//! What happened (CONTRACT 3.3).

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use soorma_api::memory::{EpisodeWindow, MAX_PAGE_ROWS, MAX_WINDOW_TOKENS, PAGE_ROWS, WINDOW_TOKENS};
use soorma_ports::{EpisodeQuery, NewEpisode, NewFact, Window};

use super::mine::Mine;
use super::semantic::metadata;
use super::{MAX_ID, ask, in_body, in_query, told};
use crate::app::Shared;
use crate::parameters::Parameters;
use crate::reply::{Refusal, created, json};
use crate::rows;
use crate::shape::{Object, Shape};

/// How many a search finds, where nothing is said, and at most.
const ROWS: (usize, usize) = (5, 50);
/// How many of the last ones are shown, where nothing is said, and at most.
const RECENT: (usize, usize) = (10, 100);
/// How far back a window looks at most.
const WINDOW_ROWS: usize = 1_000;
const MAX_AGENT_BYTES: usize = 255;

pub(super) async fn log(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, "EpisodicMemoryCreate", draft).await?;
    Ok(created(&app.memory().log_episode(&mine, new).await.map_err(in_body)?))
}

pub(super) async fn recent(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let mut query = EpisodeQuery {
        agent: Some(parameters.required("agent_id")),
        filter: ask::filter(&mut parameters),
        after: parameters.after(),
        limit: parameters.number("limit", RECENT.0, RECENT.1),
    };
    ask::without(&mut parameters, ask::OF_FACTS);
    parameters.end()?;
    loop {
        match rows::bare_page(&app.memory().episodes(&mine, &query).await.map_err(in_query)?) {
            Ok(page) => return Ok(page),
            Err(fewer) => query.limit = fewer,
        }
    }
}

pub(super) async fn search(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let agent = parameters.required("agent_id");
    let recall = ask::recall(&mut parameters, "q", ROWS);
    ask::without(&mut parameters, ask::OF_FACTS);
    parameters.end()?;
    let found = app.memory().search_episodes(&mine, Some(&agent), &recall).await.map_err(in_query)?;
    Ok(rows::found(&found))
}

pub(super) async fn list(State(app): State<Shared>, Mine(mine): Mine, uri: Uri) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let mut query = EpisodeQuery {
        agent: parameters.text("agent_id").map(str::to_owned),
        filter: ask::filter(&mut parameters),
        after: parameters.after(),
        limit: parameters.number("limit", PAGE_ROWS, MAX_PAGE_ROWS),
    };
    ask::without(&mut parameters, ask::OF_FACTS);
    parameters.end()?;
    loop {
        match rows::page(&app.memory().episodes(&mine, &query).await.map_err(in_query)?) {
            Ok(page) => return Ok(page),
            Err(fewer) => query.limit = fewer,
        }
    }
}

pub(super) async fn window(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let max_tokens = parameters.number("max_tokens", WINDOW_TOKENS, MAX_WINDOW_TOKENS);
    let query = EpisodeQuery {
        agent: parameters.text("agent_id").map(str::to_owned),
        filter: ask::filter(&mut parameters),
        after: None,
        limit: WINDOW_ROWS,
    };
    ask::without(&mut parameters, ask::OF_FACTS);
    parameters.end()?;
    let Window { episodes, tokens, cut } =
        app.memory().window(&mine, &query, max_tokens).await.map_err(in_query)?;
    Ok(json(&EpisodeWindow { episodes, tokens, cut }))
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewEpisode> {
    let agent =
        shape.field(object, ("agentId", "agent_id"), |shape, raw| shape.text_of(raw, MAX_AGENT_BYTES));
    let role = shape.field(object, ("role", "role"), Shape::choice);
    let content = shape
        .field(object, ("content", "content"), |shape, raw| shape.text_of(raw, NewFact::MAX_CONTENT_BYTES));
    let metadata = shape.data_or_empty(object, ("metadata", "metadata"), metadata);
    let session = shape.optional(object, ("sessionId", "session_id"), |shape, raw| shape.id(raw, MAX_ID));
    Some(NewEpisode { agent: agent?, role: role?, content: content?, metadata: metadata?, session })
}
