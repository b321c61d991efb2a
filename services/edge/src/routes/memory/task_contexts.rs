//! What tasks go on with when an answer comes (CONTRACT 2.8).

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::value::RawValue;
use soorma_ports::{NewTaskContext, TaskContextChange};

use super::mine::Mine;
use super::{MAX_EVENT, MAX_ID, MAX_IDS, in_body, in_path, nobody, removed, shown, told};
use crate::app::Shared;
use crate::reply::{Named, Refusal, json};
use crate::shape::{Object, Shape, part_of_path};

const WHAT: &str = "Task context";
/// The most characters of a topic.
const MAX_TOPIC: usize = 100;
/// On which topic a task is answered, where nothing is said.
const RESPONSE_TOPIC: &str = "action-results";

pub(super) async fn store(
    State(app): State<Shared>,
    Mine(mine): Mine,
    request: Request,
) -> Result<Response, Refusal> {
    let new = told(request, &app, "TaskContextCreate", draft).await?;
    Ok(json(&app.memory().store_task_context(&mine, new).await.map_err(in_body)?))
}

pub(super) async fn show(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("task_id", &id, MAX_ID, true)?;
    shown(app.memory().task_context(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

pub(super) async fn of_sub_task(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("sub_task_id", &id, MAX_ID, true)?;
    let found = app.memory().task_context_by_sub_task(&mine, &id).await.map_err(in_path)?;
    found.map(|context| json(&context)).ok_or_else(|| nobody("Parent task not found for sub-task", &id))
}

pub(super) async fn change(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
    request: Request,
) -> Result<Response, Refusal> {
    part_of_path("task_id", &id, MAX_ID, true)?;
    let change = told(request, &app, "TaskContextUpdate", |shape, object| {
        Some(TaskContextChange {
            sub_tasks: shape.optional(object, ("subTasks", "sub_tasks"), ids),
            state: shape.optional(object, ("state", "state"), Shape::kept),
        })
    });
    let change = change.await?;
    shown(app.memory().change_task_context(&mine, &id, change).await.map_err(in_body)?, WHAT, &id)
}

pub(super) async fn remove(
    State(app): State<Shared>,
    Mine(mine): Mine,
    Named(id): Named,
) -> Result<Response, Refusal> {
    part_of_path("task_id", &id, MAX_ID, true)?;
    removed(app.memory().remove_task_context(&mine, &id).await.map_err(in_path)?, WHAT, &id)
}

fn draft(shape: &mut Shape, object: &Object<'_>) -> Option<NewTaskContext> {
    let task_id = shape.field(object, ("taskId", "task_id"), |shape, raw| shape.id(raw, MAX_ID));
    let plan_id = shape.optional(object, ("planId", "plan_id"), |shape, raw| shape.id(raw, MAX_ID));
    let event_type =
        shape.field(object, ("eventType", "event_type"), |shape, raw| shape.chars(raw, MAX_EVENT));
    let response_event =
        shape.optional(object, ("responseEvent", "response_event"), |shape, raw| shape.chars(raw, MAX_EVENT));
    let response_topic =
        shape.optional(object, ("responseTopic", "response_topic"), |shape, raw| shape.chars(raw, MAX_TOPIC));
    let data = shape.data_or_empty(object, ("data", "data"), Shape::kept);
    let sub_tasks = shape.optional(object, ("subTasks", "sub_tasks"), ids);
    let state = shape.data_or_empty(object, ("state", "state"), Shape::kept);
    Some(NewTaskContext {
        task_id: task_id?,
        plan_id,
        event_type: event_type?,
        response_event,
        response_topic: response_topic.unwrap_or_else(|| RESPONSE_TOPIC.to_owned()),
        data: data?,
        sub_tasks: sub_tasks.unwrap_or_default(),
        state: state?,
    })
}

/// Reads a list of ids.
pub(super) fn ids(shape: &mut Shape, raw: &RawValue) -> Option<Vec<String>> {
    shape.list(raw, MAX_IDS, |shape, raw| shape.id(raw, MAX_ID))
}
