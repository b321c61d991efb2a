//! Plans.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, Error, ErrorCode, MemoryKind, MemoryScope, Plan, PlanStatus};
use soorma_ports::{
    Listed, MemoryDraft, MemoryEntry, MemoryOrder, MemoryQuery, NewPlan, PlanQuery, RecallFilter, When,
};
use uuid::Uuid;

use super::labels::{each_once, label};
use super::{body, by_key, nothing, read, unreadable};
use crate::bounds::{self, EVENT_CHARS, STATE_BYTES};
use crate::recall;
use crate::shared::{Shared, after, weight};

pub(crate) const KIND: MemoryKind = MemoryKind::PLAN;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Body {
    session: Option<String>,
    goal_event: String,
    goal_data: Option<Data>,
    status: String,
    parent: Option<String>,
}

fn check(new: &NewPlan) -> Result<(), Error> {
    bounds::id("planId", &new.plan_id)?;
    if let Some(session) = &new.session_id {
        bounds::id("sessionId", session)?;
    }
    bounds::chars("goalEvent", &new.goal_event, EVENT_CHARS)?;
    bounds::data("goalData", &new.goal_data, STATE_BYTES)?;
    new.parent_plan_id.as_ref().map_or(Ok(()), |parent| bounds::id("parentPlanId", parent))
}

fn draft(plan: &str, body: &Body, id: Uuid) -> Result<MemoryDraft, Error> {
    let mut labels = vec![label("status", &body.status)];
    labels.extend(body.session.iter().map(|session| label("session", session)));
    Ok(MemoryDraft {
        id,
        kind: KIND,
        key: Some(plan.to_owned()),
        body: self::body(body)?,
        labels: each_once(labels),
        ..MemoryDraft::default()
    })
}

fn plan(scope: &MemoryScope, entry: MemoryEntry) -> Result<Plan, Error> {
    let Body { session, goal_event, goal_data, status, parent } = read(&KIND, &entry.body)?;
    Ok(Plan {
        tenant_id: scope.tenant.clone(),
        user_id: entry.owner.user().to_owned(),
        plan_id: entry.key.unwrap_or_default(),
        session_id: session,
        goal_event,
        goal_data: goal_data.map_or_else(nothing, Ok)?,
        status: status.parse().map_err(|error| unreadable(&KIND, &error))?,
        parent_plan_id: parent,
        created_at: entry.created_at,
        updated_at: entry.updated_at,
    })
}

pub(crate) async fn make(shared: &Shared, scope: &MemoryScope, new: NewPlan) -> Result<Plan, Error> {
    check(&new)?;
    let status = PlanStatus::Running.as_str().to_owned();
    let body = Body {
        session: new.session_id,
        goal_event: new.goal_event,
        goal_data: Some(new.goal_data),
        status,
        parent: new.parent_plan_id,
    };
    let draft = draft(&new.plan_id, &body, shared.new_id())?;
    let place = shared.tenants.enter_to_add(&scope.tenant, weight(&draft))?;
    let put = shared.put(&place, scope, draft, When::Absent).await?;
    let (entry, _) = put
        .map_err(|_| Error::new(ErrorCode::AlreadyExists, format!("Plan already exists: {}", new.plan_id)))?;
    plan(scope, entry)
}

pub(crate) async fn get(shared: &Shared, scope: &MemoryScope, id: &str) -> Result<Option<Plan>, Error> {
    let _held = shared.reading(&scope.tenant)?;
    let entry = shared.get(scope, by_key(KIND, id)).await?;
    entry.map(|entry| plan(scope, entry)).transpose()
}

pub(crate) async fn list(
    shared: &Shared,
    scope: &MemoryScope,
    query: &PlanQuery,
) -> Result<Listed<Plan>, Error> {
    bounds::limit(query.limit)?;
    let mut labels: Vec<_> = query.status.iter().map(|status| label("status", status.as_str())).collect();
    labels.extend(query.session_id.iter().map(|session| label("session", session)));
    let query = MemoryQuery {
        filter: recall::filter(KIND, None, labels, &RecallFilter::default()),
        order: MemoryOrder::Updated,
        after: after(query.after.as_ref()),
        limit: query.limit,
    };
    let _held = shared.reading(&scope.tenant)?;
    super::listed(shared.list(scope, query).await?, |entry| plan(scope, entry))
}

pub(crate) async fn set_status(
    shared: &Shared,
    scope: &MemoryScope,
    id: &str,
    status: PlanStatus,
) -> Result<Option<Plan>, Error> {
    let put = shared.change(scope, by_key(KIND, id), |there| {
        let Some(there) = there else { return Ok(None) };
        let before: Body = read(&KIND, &there.body)?;
        draft(id, &Body { status: status.as_str().to_owned(), ..before }, there.id).map(Some)
    });
    put.await?.map(|(entry, _)| plan(scope, entry)).transpose()
}
