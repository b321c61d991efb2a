//! Plans (CONTRACT 2.8): made once, listed, and said how they are.

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use soorma_ports::{NewPlan, PlanQuery};

use super::mine::Mine;
use super::{MAX_EVENT, MAX_ID, in_body, in_path, in_query, removed, shown, there_is, told};
use crate::app::Shared;
use crate::parameters::Parameters;
use crate::reply::{Named, Refusal, created};
use crate::rows;
use crate::shape::{Object, Shape, part_of_path};

const WHAT: &str = "Plan";
/// How many are listed, where nothing is said, and at most.
pub(super) const ROWS: (usize, usize) = (20, 100);

pub(super) async fn make(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, "PlanCreate", draft).await?;
    let id = new.plan_id.clone();
    let plan = app.memory().make_plan(&mine, new).await.map_err(|error| there_is(error, WHAT, &id))?;
    Ok(created(&plan))
}

pub(super) async fn list(State(app): State<Shared>, Mine(mine): Mine, uri: Uri) -> Result<Response, Refusal> {
    let mut parameters = Parameters::read(&uri)?;
    let mut query = PlanQuery {
        status: parameters.choice("status"),
        session_id: parameters.text("session_id").map(str::to_owned),
        after: parameters.after(),
        limit: parameters.number("limit", ROWS.0, ROWS.1),
    };
    parameters.end()?;
    loop {
        match rows::bare_page(&app.memory().plans(&mine, &query).await.map_err(in_query)?) {
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
    part_of_path("plan_id", &id, MAX_ID, true)?;
    shown(app.memory().plan(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

pub(super) async fn set_status(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
    request: Request,
) -> Result<Response, Refusal> {
    part_of_path("plan_id", &id, MAX_ID, true)?;
    let status = told(request, &app, "PlanUpdate", |shape, object| {
        shape.field(object, ("status", "status"), Shape::choice)
    });
    let status = status.await?;
    shown(app.memory().set_plan_status(&mine, &id, status).await.map_err(in_body)?, WHAT, &id)
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("plan_id", &id, MAX_ID, true)?;
    removed(app.memory().remove_plan(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewPlan> {
    let plan_id = shape.field(object, ("planId", "plan_id"), |shape, raw| shape.id(raw, MAX_ID));
    let session_id = shape.optional(object, ("sessionId", "session_id"), |shape, raw| shape.id(raw, MAX_ID));
    let goal_event =
        shape.field(object, ("goalEvent", "goal_event"), |shape, raw| shape.chars(raw, MAX_EVENT));
    let goal_data = shape.data_or_empty(object, ("goalData", "goal_data"), Shape::kept);
    let parent_plan_id =
        shape.optional(object, ("parentPlanId", "parent_plan_id"), |shape, raw| shape.id(raw, MAX_ID));
    Some(NewPlan {
        plan_id: plan_id?,
        session_id,
        goal_event: goal_event?,
        goal_data: goal_data?,
        parent_plan_id,
    })
}
