//! Events that a group gave up: to look at, to try again, to drop.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use soorma_api::{DeadLetterItem, DeadLetterPage, DeadLetterQuery, Handled, Problem, Selection, media};
use soorma_core::{Error, ErrorCode, Name, Scope, TenantId};
use soorma_ports::{DeadLetter, DeadLetterFilter};

use crate::app::{App, Shared};
use crate::body;
use crate::reply::{Named, Refusal, json, query};

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;
/// How many are dealt with at once: others get at the log in between.
const PAGE: usize = 100;

pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let wanted: DeadLetterQuery = query(&uri)?;
    let filter = filter(wanted.group, wanted.topic, wanted.kind)?;
    let limit = wanted.limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT);
    let letters = app.bus().dead_letters(&scope.tenant, &filter, wanted.after.unwrap_or(0), limit).await?;
    let next = (letters.len() == limit).then(|| letters.last().map(|letter| letter.id)).flatten();
    let dead_letters = letters.into_iter().map(|letter| item(letter, false)).collect();
    Ok(json(&DeadLetterPage { dead_letters, next }))
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Result<Response, Refusal> {
    let id = id.parse().map_err(|_| invalid(format!("the id of a dead letter is a number, not '{id}'")))?;
    Ok(json(&item(app.bus().dead_letter(&scope.tenant, id).await?, true)))
}

pub(crate) async fn redrive(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    handle(&app, &scope, request, Verb::Redrive).await
}

pub(crate) async fn discard(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    request: Request,
) -> Result<Response, Refusal> {
    handle(&app, &scope, request, Verb::Discard).await
}

#[derive(Clone, Copy)]
enum Verb {
    Redrive,
    Discard,
}

impl Verb {
    async fn on(self, app: &App, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, Error> {
        match self {
            Self::Redrive => app.bus().redrive(tenant, ids).await,
            Self::Discard => app.bus().discard(tenant, ids).await,
        }
    }
}

async fn handle(app: &App, scope: &Scope, request: Request, verb: Verb) -> Result<Response, Refusal> {
    body::media_type(request.headers(), &[media::JSON])?;
    let selection: Selection = body::parse(&body::read(request, app.config()).await?)?;
    let Selection { ids, all, group, topic, kind, after, limit } = selection;
    let narrowed = group.is_some() || topic.is_some() || kind.is_some() || after.is_some() || limit.is_some();
    let handled = match ids {
        Some(ids) if !all && !narrowed => these(app, &scope.tenant, verb, ids).await?,
        None if all => {
            let most = limit.unwrap_or(Selection::MAX_IDS).clamp(1, Selection::MAX_IDS);
            some(app, &scope.tenant, verb, &filter(group, topic, kind)?, after.unwrap_or(0), most).await?
        }
        _ => {
            let usage = r#"send either {"ids": [1, 2]}, or {"all": true} with "group", "topic", "type", "after" and "limit" if you like"#;
            return Err(invalid(usage.into()));
        }
    };
    Ok(json(&handled))
}

async fn these(app: &App, tenant: &TenantId, verb: Verb, ids: Vec<u64>) -> Result<Handled, Refusal> {
    if ids.len() > Selection::MAX_IDS {
        return Err(invalid(format!(
            "{} ids are too many; send at most {} at once",
            ids.len(),
            Selection::MAX_IDS
        )));
    }
    // In order and each once, so that a group gets its events back in order.
    let wanted: BTreeSet<u64> = ids.into_iter().collect();
    let ids: Vec<u64> = wanted.iter().copied().collect();
    let done = verb.on(app, tenant, &ids).await?;
    let there: BTreeSet<u64> = done.iter().copied().collect();
    let missing = wanted.difference(&there).copied().collect();
    Ok(Handled { count: done.len(), ids: done, missing, next: None })
}

/// Goes through dead letters by id: first looks at all that it will deal with, since one that fails again at once comes back with a
/// higher id, and must not be found again.
async fn some(
    app: &App,
    tenant: &TenantId,
    verb: Verb,
    filter: &DeadLetterFilter,
    mut after: u64,
    most: usize,
) -> Result<Handled, Refusal> {
    let mut wanted = Vec::new();
    let mut there_are_more = true;
    while there_are_more && wanted.len() < most {
        let limit = PAGE.min(most - wanted.len());
        let page = app.bus().dead_letters(tenant, filter, after, limit).await?;
        there_are_more = page.len() == limit;
        wanted.extend(page.iter().map(|letter| letter.id));
        after = wanted.last().copied().unwrap_or(after);
    }
    let mut handled = Handled::default();
    for ids in wanted.chunks(PAGE) {
        let done = verb.on(app, tenant, ids).await?;
        handled.missing.extend(ids.iter().filter(|id| !done.contains(id)));
        handled.ids.extend(done);
    }
    handled.count = handled.ids.len();
    handled.next = there_are_more.then_some(after);
    Ok(handled)
}

fn filter(
    group: Option<String>,
    topic: Option<String>,
    kind: Option<String>,
) -> Result<DeadLetterFilter, Refusal> {
    let group = group.map(Name::new).transpose().map_err(|error| invalid(format!("group {error}")))?;
    let topic = topic.map(|topic| topic.parse()).transpose();
    let topic = topic.map_err(|error: soorma_core::UnknownTopic| invalid(error.to_string()))?;
    Ok(DeadLetterFilter { group, topic, kind })
}

fn invalid(detail: String) -> Refusal {
    Problem::new(ErrorCode::Invalid, detail).into()
}

fn item(letter: DeadLetter, with_event: bool) -> DeadLetterItem {
    let event = &letter.event;
    DeadLetterItem {
        id: letter.id,
        group: letter.group.to_string(),
        topic: event.topic.to_string(),
        position: letter.position.0,
        event_id: event.id.to_string(),
        event_type: event.kind.clone(),
        source: event.source.clone(),
        cause: letter.cause,
        attempts: letter.attempts,
        first_at: letter.first_at,
        last_at: letter.last_at,
        event: with_event.then(|| (*letter.event).clone()),
    }
}
