//! What plans go on with when an answer comes (CONTRACT 2.8).

use axum::extract::{Request, State};
use axum::response::Response;
use soorma_ports::{NewPlanContext, PlanContextChange};

use super::mine::Mine;
use super::task_contexts::ids;
use super::{MAX_EVENT, MAX_ID, in_body, in_path, nobody, removed, shown, told};
use crate::app::Shared;
use crate::reply::{Named, Refusal, json};
use crate::shape::{Object, Shape, part_of_path};

const WHAT: &str = "Plan context";
/// The most characters of the name of a state.
const MAX_STATE: usize = 100;

pub(super) async fn store(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, "PlanContextCreate", draft).await?;
    Ok(json(&app.memory().store_plan_context(&mine, new).await.map_err(in_body)?))
}

pub(super) async fn show(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("plan_id", &id, MAX_ID, true)?;
    shown(app.memory().plan_context(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

pub(super) async fn of_correlation(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("correlation_id", &id, MAX_ID, true)?;
    let found = app.memory().plan_context_by_correlation(&mine, &id).await.map_err(in_path)?;
    found.map(|context| json(&context)).ok_or_else(|| nobody("Plan not found for correlation ID", &id))
}

pub(super) async fn change(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
    request: Request,
) -> Result<Response, Refusal> {
    part_of_path("plan_id", &id, MAX_ID, true)?;
    let change = told(request, &app, "PlanContextUpdate", |shape, object| {
        Some(PlanContextChange {
            state: shape.optional(object, ("state", "state"), Shape::kept),
            current_state: shape.optional(object, ("currentState", "current_state"), |shape, raw| {
                shape.chars(raw, MAX_STATE)
            }),
            correlation_ids: shape.optional(object, ("correlationIds", "correlation_ids"), ids),
        })
    });
    let change = change.await?;
    shown(app.memory().change_plan_context(&mine, &id, change).await.map_err(in_body)?, WHAT, &id)
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("plan_id", &id, MAX_ID, true)?;
    removed(app.memory().remove_plan_context(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewPlanContext> {
    let plan_id = shape.field(object, ("planId", "plan_id"), |shape, raw| shape.id(raw, MAX_ID));
    let session_id = shape.optional(object, ("sessionId", "session_id"), |shape, raw| shape.id(raw, MAX_ID));
    let goal_event =
        shape.field(object, ("goalEvent", "goal_event"), |shape, raw| shape.chars(raw, MAX_EVENT));
    let goal_data = shape.data_or_empty(object, ("goalData", "goal_data"), Shape::kept);
    let response_event =
        shape.optional(object, ("responseEvent", "response_event"), |shape, raw| shape.chars(raw, MAX_EVENT));
    let state = shape.data_or_empty(object, ("state", "state"), Shape::kept);
    let current_state =
        shape.optional(object, ("currentState", "current_state"), |shape, raw| shape.chars(raw, MAX_STATE));
    let correlation_ids = shape.optional(object, ("correlationIds", "correlation_ids"), ids);
    Some(NewPlanContext {
        plan_id: plan_id?,
        session_id,
        goal_event: goal_event?,
        goal_data: goal_data?,
        response_event,
        state: state?,
        current_state,
        correlation_ids: correlation_ids.unwrap_or_default(),
    })
}
