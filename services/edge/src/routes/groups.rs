//! Groups: how far they are, and pausing, moving and removing them.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use soorma_api::{GroupItem, GroupPage, GroupQuery, GroupTopic, Problem, Seek, media};
use soorma_core::{Error, ErrorCode, Name, Scope};
use soorma_ports::{GroupCommand, GroupStatus, Reach};

use crate::app::{App, Shared};
use crate::body;
use crate::reply::{Named, Refusal, json, query};
use crate::routes::stream::ask::read_start;

const LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let wanted: GroupQuery = query(&uri)?;
    let limit = wanted.limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT);
    let after = wanted.after.map(|after| read_name(&after)).transpose()?;
    let after = after.map(|after| (scope.tenant.clone(), after));
    let groups = app.bus().groups(&Reach::Tenant(scope.tenant), after.as_ref(), limit).await?;
    let next = (groups.len() == limit).then(|| groups.last().map(|group| group.group.to_string())).flatten();
    let groups = groups.into_iter().map(|group| item(&app, group)).collect();
    Ok(json(&GroupPage { groups, next }))
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    let group = app.bus().group(&scope.tenant, &read_name(&name)?).await?;
    Ok(json(&item(&app, group)))
}

pub(crate) async fn remove(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    let name = read_name(&name)?;
    if app.agents().hosts(&scope.tenant, &name) {
        let message =
            format!("{name} is an agent that this node hosts; stop the agent before its group is removed");
        return Err(Error::new(ErrorCode::Conflict, message).into());
    }
    app.bus().command(&scope.tenant, &name, GroupCommand::Remove).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A command: the group's name, a colon, and what it is to do. Answers how the group is then.
pub(crate) async fn command(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Named(path): Named,
    request: Request,
) -> Result<Response, Refusal> {
    let usage = || invalid("behind the name of a group stands :pause, :resume or :seek".into());
    let (name, verb) = path.rsplit_once(':').ok_or_else(usage)?;
    let name = read_name(name)?;
    let command = match verb {
        "pause" => GroupCommand::Pause,
        "resume" => GroupCommand::Resume,
        "seek" => {
            body::media_type(request.headers(), &[media::JSON])?;
            let seek: Seek = body::parse(&body::read(request, app.config()).await?)?;
            GroupCommand::Seek(read_start("body", "to", &seek.to)?)
        }
        _ => return Err(usage()),
    };
    app.bus().group(&scope.tenant, &name).await?;
    app.bus().command(&scope.tenant, &name, command).await.map_err(|error| {
        // The group is there: what is not found is the place.
        let gone = error.code == ErrorCode::NotFound;
        let problem = Problem::from(error);
        if gone { problem.with_status(410) } else { problem }
    })?;
    Ok(json(&item(&app, app.bus().group(&scope.tenant, &name).await?)))
}

fn item(app: &App, group: GroupStatus) -> GroupItem {
    let now = app.edge.clock.now();
    GroupItem {
        behind: group.behind(),
        oldest_seconds: group.oldest.map(|oldest| now.since(oldest).as_secs_f64()),
        in_hand: group.in_hand,
        waiting: group.waiting,
        dead_letters: group.dead_letters,
        paused: group.paused,
        streams: app.agents().connections(&group.tenant, &group.group),
        topics: group
            .topics
            .iter()
            .map(|(topic, place)| {
                (topic.to_string(), GroupTopic { position: place.position.0, lag: place.lag })
            })
            .collect(),
        partitionkey: group.key.as_ref().map(ToString::to_string),
        used_at: group.used_at,
        expire_after_seconds: group.expire_after.map(|after| after.as_secs()),
        name: group.group.to_string(),
    }
}

fn read_name(name: &str) -> Result<Name, Refusal> {
    Name::new(name).map_err(|error| invalid(format!("the name of the group {error}")))
}

fn invalid(detail: String) -> Refusal {
    Problem::new(ErrorCode::Invalid, detail).into()
}
