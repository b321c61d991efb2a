//! Agents: they register, are heard, are found, and leave (CONTRACT 2.7).

mod ask;
mod draft;
mod words;

use std::borrow::Cow;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use soorma_api::registry::{AgentItem, AgentRegistered, AgentState};
use soorma_api::{Problem, media};
use soorma_core::{AgentRecord, ErrorCode, Name, RankedBy, Scope, TenantId};
use soorma_ports::{AgentPage, Description, Ranking, Registered};

use crate::app::{App, Shared};
use crate::body;
use crate::reply::{Named, Refusal, excerpt, json, json_text, json_within, no_content};
use crate::rows;
use ask::{Ask, Form};

pub(crate) async fn register(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let most = AgentRecord::MAX_CAPABILITIES;
    let bytes = body::read(request, app.config())
        .await
        .map_err(|refusal| refusal.hint_at(413, &format!("an agent has at most {most} capabilities")))?;
    let (agent, standing) = draft::registration(&bytes)?;
    let id = agent.id.to_string();
    let made = app.directory().register(&scope.tenant, agent, standing).await?;
    let what = if made { "registered" } else { "updated" };
    Ok(said(id, |id| format!("Agent '{id}' {what} successfully.")))
}

pub(crate) async fn heartbeat(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
    request: Request,
) -> Result<Response, Refusal> {
    let missing = |id: &str| not_found(&format!("Agent '{}' not found.", excerpt(id)));
    let standing = match body::read_if_any(request, app.config()).await? {
        Some(bytes) => draft::heartbeat(&bytes)?,
        None => None,
    };
    let Ok(name) = Name::new(id.as_str()) else { return Err(missing(&id)) };
    if !app.directory().heartbeat(&scope.tenant, &name, standing).await? {
        return Err(missing(&id));
    }
    Ok(said(id, |id| format!("Agent '{id}' heartbeat refreshed successfully.")))
}

pub(crate) async fn remove(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    removed(&app, &scope, &id).await
}

/// Removes the agent whose id is a path of ours.
pub(crate) async fn remove_discover(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
) -> Result<Response, Refusal> {
    removed(&app, &scope, "discover").await
}

async fn removed(app: &App, scope: &Scope, id: &str) -> Result<Response, Refusal> {
    // Without the full stop that the heartbeat has: so do the published services.
    let missing = || not_found(&format!("Agent '{}' not found", excerpt(id)));
    let name = Name::new(id).map_err(|_| missing())?;
    if !app.directory().deregister(&scope.tenant, &name).await? {
        return Err(missing());
    }
    Ok(no_content())
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    let missing = || not_found(&format!("Agent '{}' not found", excerpt(&id)));
    let name = Name::new(id.as_str()).map_err(|_| missing())?;
    let agent = app.directory().agent(&scope.tenant, &name)?.ok_or_else(missing)?;
    Ok(json_text(in_full(&agent)))
}

pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    answer(&app, &scope.tenant, Ask::read(request.uri(), request.headers(), true)?).await
}

pub(crate) async fn discover(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    let mut ask = Ask::read(request.uri(), request.headers(), false)?;
    match ask.meaning.take() {
        Some(meaning) => best(&app, &scope.tenant, ask, &meaning).await,
        None => answer(&app, &scope.tenant, ask).await,
    }
}

/// Answers with the agents that fit best what is asked for in a sentence.
async fn best(app: &App, tenant: &TenantId, ask: Ask, meaning: &str) -> Result<Response, Refusal> {
    let Ranking { by, agents } = match &ask.query {
        Some(query) => app.directory().rank(tenant, query, meaning).await?,
        None => Ranking { by: RankedBy::Meaning, agents: Vec::new() },
    };
    Ok(match ask.form {
        Form::Short => rows::ranked("agents", &agents, by, |one| one.agent.said.wire(written).into()),
        Form::Full => rows::ranked("agents", &agents, by, |one| {
            joined(&in_full(&one.agent), &format!("{{\"score\":{}}}", one.score)).into()
        }),
        Form::Words { json, max_chars } => {
            let agents: Vec<_> = agents.into_iter().map(|one| one.agent).collect();
            words::answer(app.directory().describe(tenant, &agents, max_chars).await?, json, Some(by))
        }
    })
}

async fn answer(app: &App, tenant: &TenantId, ask: Ask) -> Result<Response, Refusal> {
    let page = match &ask.query {
        Some(query) => app.directory().agents(tenant, query).await?,
        // What is asked for is no name that an agent could have.
        None => AgentPage::default(),
    };
    Ok(match ask.form {
        Form::Short => rows(&page, |agent| agent.said.wire(written).into()),
        Form::Full => rows(&page, |agent| in_full(agent).into()),
        Form::Words { json, max_chars } => {
            let described = app.directory().describe(tenant, &page.agents, max_chars).await?;
            words::answer(Description { more: page.more, ..described }, json, None)
        }
    })
}

fn rows<'r>(page: &'r AgentPage, row: impl Fn(&'r Registered) -> Cow<'r, str>) -> Response {
    rows::list("agents", (&page.agents, page.more), row, |agent| {
        let record = &agent.said.record;
        [record.name.as_str(), record.id.as_str()]
    })
}

/// Writes what an agent said of itself.
fn written(agent: &AgentRecord) -> String {
    json_within(&AgentItem::from(agent))
}

/// Writes what an agent said of itself, and how it is.
fn in_full(agent: &Registered) -> String {
    let said = agent.said.wire(written);
    let state = json_within(&AgentState {
        kind: agent.said.record.kind,
        version: agent.said.record.version().map(str::to_owned),
        status: agent.standing.status,
        reason: agent.standing.reason.clone(),
        registered_at: agent.registered_at,
        last_heartbeat: agent.heard_at,
        expires_at: agent.expires_at,
    });
    joined(said, &state)
}

/// Makes one object of two.
fn joined(one: &str, other: &str) -> String {
    match (one.strip_suffix('}'), other.strip_prefix('{')) {
        (Some(one), Some(other)) => format!("{one},{other}"),
        _ => one.to_owned(),
    }
}

fn said(agent_id: String, sentence: impl FnOnce(&str) -> String) -> Response {
    let message = sentence(&agent_id);
    json(&AgentRegistered { agent_id, success: true, message })
}

fn not_found(detail: &str) -> Refusal {
    Problem::new(ErrorCode::NotFound, detail).into()
}
