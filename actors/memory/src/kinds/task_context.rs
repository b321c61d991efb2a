//! What a task goes on with.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, Error, MemoryKind, MemoryScope, TaskContext};
use soorma_ports::{MemoryDraft, MemoryEntry, NewTaskContext, TaskContextChange};
use uuid::Uuid;

use super::labels::{each_once, label};
use super::{body, by_key, nothing, read};
use crate::bounds::{self, EVENT_CHARS, ID_CHARS, STATE_BYTES};
use crate::shared::Shared;

pub(crate) const KIND: MemoryKind = MemoryKind::TASK_CONTEXT;

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    plan: Option<String>,
    event_type: String,
    response_event: Option<String>,
    response_topic: String,
    data: Option<Data>,
    sub_tasks: Vec<String>,
    state: Option<Data>,
}

fn check(new: &NewTaskContext) -> Result<(), Error> {
    bounds::id("taskId", &new.task_id)?;
    if let Some(plan) = &new.plan_id {
        bounds::id("planId", plan)?;
    }
    bounds::chars("eventType", &new.event_type, EVENT_CHARS)?;
    bounds::chars("responseEvent", new.response_event.as_deref().unwrap_or_default(), EVENT_CHARS)?;
    bounds::chars("responseTopic", &new.response_topic, ID_CHARS)?;
    bounds::data("data", &new.data, STATE_BYTES)?;
    bounds::waited_for("subTasks", &new.sub_tasks)?;
    bounds::data("state", &new.state, STATE_BYTES)
}

fn draft(task: &str, body: &Body, id: Uuid) -> Result<MemoryDraft, Error> {
    Ok(MemoryDraft {
        id,
        kind: KIND,
        key: Some(task.to_owned()),
        body: self::body(body)?,
        labels: each_once(body.sub_tasks.iter().map(|task| label("sub", task)).collect()),
        ..MemoryDraft::default()
    })
}

fn context(scope: &MemoryScope, entry: MemoryEntry) -> Result<TaskContext, Error> {
    let body: Body = read(&KIND, &entry.body)?;
    Ok(TaskContext {
        tenant_id: scope.tenant.clone(),
        user_id: Some(entry.owner.user().to_owned()),
        task_id: entry.key.unwrap_or_default(),
        plan_id: body.plan,
        event_type: body.event_type,
        response_event: body.response_event,
        response_topic: body.response_topic,
        data: body.data.map_or_else(nothing, Ok)?,
        sub_tasks: body.sub_tasks,
        state: body.state.map_or_else(nothing, Ok)?,
        created_at: entry.created_at,
        updated_at: entry.updated_at,
    })
}

pub(crate) async fn store(
    shared: &Shared,
    scope: &MemoryScope,
    new: NewTaskContext,
) -> Result<TaskContext, Error> {
    check(&new)?;
    let (task, id) = (new.task_id, shared.new_id());
    let new = Body {
        plan: new.plan_id,
        event_type: new.event_type,
        response_event: new.response_event,
        response_topic: new.response_topic,
        data: Some(new.data),
        sub_tasks: new.sub_tasks,
        state: Some(new.state),
    };
    let put = shared.change(scope, by_key(KIND, &task), |there| {
        let mut body = new.clone();
        if let Some(there) = there {
            // What it came with, and where it is to be answered, stays as it was said first.
            let before: Body = read(&KIND, &there.body)?;
            body.event_type = before.event_type;
            body.response_event = before.response_event;
            body.response_topic = before.response_topic;
        }
        draft(&task, &body, id).map(Some)
    });
    let (entry, _) = put.await?.ok_or_else(|| Error::internal("a task context was not put"))?;
    context(scope, entry)
}

pub(crate) async fn get(
    shared: &Shared,
    scope: &MemoryScope,
    task: &str,
) -> Result<Option<TaskContext>, Error> {
    let _held = shared.reading(&scope.tenant)?;
    let entry = shared.get(scope, by_key(KIND, task)).await?;
    entry.map(|entry| context(scope, entry)).transpose()
}

pub(crate) async fn by_sub_task(
    shared: &Shared,
    scope: &MemoryScope,
    sub_task: &str,
) -> Result<Option<TaskContext>, Error> {
    let last = super::stored_last(shared, scope, KIND, label("sub", sub_task)).await?;
    last.map(|entry| context(scope, entry)).transpose()
}

pub(crate) async fn change(
    shared: &Shared,
    scope: &MemoryScope,
    task: &str,
    change: TaskContextChange,
) -> Result<Option<TaskContext>, Error> {
    bounds::waited_for("subTasks", change.sub_tasks.as_deref().unwrap_or_default())?;
    if let Some(state) = &change.state {
        bounds::data("state", state, STATE_BYTES)?;
    }
    let put = shared.change(scope, by_key(KIND, task), |there| {
        let Some(there) = there else { return Ok(None) };
        let mut body: Body = read(&KIND, &there.body)?;
        if let Some(sub_tasks) = &change.sub_tasks {
            body.sub_tasks.clone_from(sub_tasks);
        }
        body.state = change.state.clone().or(body.state);
        draft(task, &body, there.id).map(Some)
    });
    put.await?.map(|(entry, _)| context(scope, entry)).transpose()
}
