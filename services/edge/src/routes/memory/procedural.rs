//! How something is done (CONTRACT 3.3). To write it is ours: the published services have it filled by hand.

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use soorma_api::memory::{MAX_PAGE_ROWS, PAGE_ROWS};
use soorma_ports::{NewFact, NewSkill, SkillQuery};

use super::mine::Mine;
use super::{ask, in_body, in_path, in_query, removed, shown, told, uuid};
use crate::app::Shared;
use crate::parameters::Parameters;
use crate::reply::{Named, Refusal, created, json};
use crate::rows;
use crate::shape::{Object, Shape};

const WHAT: &str = "Procedural memory";
const CLASS: &str = "ProceduralMemoryCreate";
/// How many a search finds, where nothing is said, and at most.
const ROWS: (usize, usize) = (3, 20);
const MAX_NAME_BYTES: usize = 255;
const MAX_TRIGGER_BYTES: usize = 8 * 1_024;
const MAX_TYPE_BYTES: usize = 64;

pub(super) async fn store(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, CLASS, draft).await?;
    let (skill, made) = app.memory().store_skill(&mine, new).await.map_err(in_body)?;
    Ok(if made { created(&skill) } else { json(&skill) })
}

pub(super) async fn replace(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, CLASS, draft).await?;
    shown(app.memory().replace_skill(&mine, uuid(WHAT, &id)?, new).await.map_err(in_body)?, WHAT, &id)
}

pub(super) async fn relevant(
    State(app): State<Shared>,
    Mine(mine): Mine,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let agent = parameters.required("agent_id");
    let recall = ask::recall(&mut parameters, "q", ROWS);
    ask::without(&mut parameters, ask::NOT_OF_SKILLS);
    parameters.end()?;
    Ok(rows::found(&app.memory().relevant_skills(&mine, &agent, &recall).await.map_err(in_query)?))
}

pub(super) async fn list(State(app): State<Shared>, Mine(mine): Mine, uri: Uri) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let mut query = SkillQuery {
        agent: parameters.text("agent_id").map(str::to_owned),
        procedure_type: parameters.text("procedure_type").map(str::to_owned),
        after: parameters.after(),
        limit: parameters.number("limit", PAGE_ROWS, MAX_PAGE_ROWS),
    };
    ask::without(&mut parameters, ask::NOT_OF_SKILLS);
    parameters.end()?;
    loop {
        match rows::page(&app.memory().skills(&mine, &query).await.map_err(in_query)?) {
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
    shown(app.memory().skill(&mine, uuid(WHAT, &id)?).await.map_err(in_path)?, WHAT, &id)
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    removed(app.memory().remove_skill(&mine, uuid(WHAT, &id)?).await.map_err(in_path)?, WHAT, &id)
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewSkill> {
    let agent = shape.field(object, ("agentId", "agent_id"), |shape, raw| shape.text_of(raw, MAX_NAME_BYTES));
    let name = shape.optional(object, ("name", "name"), |shape, raw| shape.text_of(raw, MAX_NAME_BYTES));
    let trigger = shape.optional(object, ("triggerCondition", "trigger_condition"), |shape, raw| {
        shape.text_of(raw, MAX_TRIGGER_BYTES)
    });
    let procedure_type = shape
        .field(object, ("procedureType", "procedure_type"), |shape, raw| shape.text_of(raw, MAX_TYPE_BYTES));
    let content = shape
        .field(object, ("content", "content"), |shape, raw| shape.text_of(raw, NewFact::MAX_CONTENT_BYTES));
    Some(NewSkill { agent: agent?, name, trigger, procedure_type: procedure_type?, content: content? })
}
