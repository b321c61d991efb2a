//! What a plan goes on with.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, Error, MemoryKind, MemoryScope, PlanContext};
use soorma_ports::{MemoryDraft, MemoryEntry, NewPlanContext, PlanContextChange};
use uuid::Uuid;

use super::labels::{each_once, label};
use super::{body, by_key, nothing, read};
use crate::bounds::{self, EVENT_CHARS, ID_CHARS, STATE_BYTES};
use crate::shared::Shared;

pub(crate) const KIND: MemoryKind = MemoryKind::PLAN_CONTEXT;

#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    session: Option<String>,
    goal_event: String,
    goal_data: Option<Data>,
    response_event: Option<String>,
    state: Option<Data>,
    current_state: Option<String>,
    correlation_ids: Vec<String>,
}

fn check(new: &NewPlanContext) -> Result<(), Error> {
    bounds::id("planId", &new.plan_id)?;
    if let Some(session) = &new.session_id {
        bounds::id("sessionId", session)?;
    }
    bounds::chars("goalEvent", &new.goal_event, EVENT_CHARS)?;
    bounds::data("goalData", &new.goal_data, STATE_BYTES)?;
    bounds::chars("responseEvent", new.response_event.as_deref().unwrap_or_default(), EVENT_CHARS)?;
    bounds::data("state", &new.state, STATE_BYTES)?;
    bounds::chars("currentState", new.current_state.as_deref().unwrap_or_default(), ID_CHARS)?;
    bounds::waited_for("correlationIds", &new.correlation_ids)
}

fn draft(plan: &str, body: &Body, id: Uuid) -> Result<MemoryDraft, Error> {
    Ok(MemoryDraft {
        id,
        kind: KIND,
        key: Some(plan.to_owned()),
        body: self::body(body)?,
        labels: each_once(body.correlation_ids.iter().map(|id| label("corr", id)).collect()),
        ..MemoryDraft::default()
    })
}

fn context(scope: &MemoryScope, entry: MemoryEntry) -> Result<PlanContext, Error> {
    let body: Body = read(&KIND, &entry.body)?;
    Ok(PlanContext {
        tenant_id: scope.tenant.clone(),
        plan_id: entry.key.unwrap_or_default(),
        session_id: body.session,
        goal_event: body.goal_event,
        goal_data: body.goal_data.map_or_else(nothing, Ok)?,
        response_event: body.response_event,
        state: body.state.map_or_else(nothing, Ok)?,
        current_state: body.current_state,
        correlation_ids: body.correlation_ids,
        created_at: entry.created_at,
        updated_at: entry.updated_at,
    })
}

pub(crate) async fn store(
    shared: &Shared,
    scope: &MemoryScope,
    new: NewPlanContext,
) -> Result<PlanContext, Error> {
    check(&new)?;
    let (plan, id) = (new.plan_id, shared.new_id());
    let new = Body {
        session: new.session_id,
        goal_event: new.goal_event,
        goal_data: Some(new.goal_data),
        response_event: new.response_event,
        state: Some(new.state),
        current_state: new.current_state,
        correlation_ids: new.correlation_ids,
    };
    let put = shared.change(scope, by_key(KIND, &plan), |there| {
        let mut body = new.clone();
        if let Some(there) = there {
            // What it came with, and how it is to be answered, stays as it was said first.
            let before: Body = read(&KIND, &there.body)?;
            body.session = before.session;
            body.goal_event = before.goal_event;
            body.goal_data = before.goal_data;
            body.response_event = before.response_event;
        }
        draft(&plan, &body, id).map(Some)
    });
    let (entry, _) = put.await?.ok_or_else(|| Error::internal("a plan context was not put"))?;
    context(scope, entry)
}

pub(crate) async fn get(
    shared: &Shared,
    scope: &MemoryScope,
    plan: &str,
) -> Result<Option<PlanContext>, Error> {
    let _held = shared.reading(&scope.tenant)?;
    let entry = shared.get(scope, by_key(KIND, plan)).await?;
    entry.map(|entry| context(scope, entry)).transpose()
}

pub(crate) async fn by_correlation(
    shared: &Shared,
    scope: &MemoryScope,
    correlation: &str,
) -> Result<Option<PlanContext>, Error> {
    let last = super::stored_last(shared, scope, KIND, label("corr", correlation)).await?;
    last.map(|entry| context(scope, entry)).transpose()
}

pub(crate) async fn change(
    shared: &Shared,
    scope: &MemoryScope,
    plan: &str,
    change: PlanContextChange,
) -> Result<Option<PlanContext>, Error> {
    bounds::chars("currentState", change.current_state.as_deref().unwrap_or_default(), ID_CHARS)?;
    bounds::waited_for("correlationIds", change.correlation_ids.as_deref().unwrap_or_default())?;
    if let Some(state) = &change.state {
        bounds::data("state", state, STATE_BYTES)?;
    }
    let put = shared.change(scope, by_key(KIND, plan), |there| {
        let Some(there) = there else { return Ok(None) };
        let mut body: Body = read(&KIND, &there.body)?;
        body.state = change.state.clone().or(body.state);
        body.current_state = change.current_state.clone().or(body.current_state);
        if let Some(ids) = &change.correlation_ids {
            body.correlation_ids.clone_from(ids);
        }
        draft(plan, &body, there.id).map(Some)
    });
    put.await?.map(|(entry, _)| context(scope, entry)).transpose()
}
