//! What work hangs on: plans, sessions, and the contexts of tasks and plans.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Data, TenantId, Timestamp};

/// How a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanStatus {
    /// It goes on.
    Running,
    /// It is done.
    Completed,
    /// It is given up.
    Failed,
    /// It waits.
    Paused,
}

impl PlanStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Failed, Self::Paused];

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }
}

/// A text that is no [`PlanStatus`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("should be 'running', 'completed', 'failed' or 'paused'")]
pub struct UnknownPlanStatus;

impl FromStr for PlanStatus {
    type Err = UnknownPlanStatus;

    fn from_str(text: &str) -> Result<Self, UnknownPlanStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownPlanStatus)
    }
}

/// A plan (`PlanSummary`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The user whose it is.
    pub user_id: String,
    /// Its id.
    pub plan_id: String,
    /// The session that it is of.
    pub session_id: Option<String>,
    /// The type of the event that it came with.
    pub goal_event: String,
    /// What came with it.
    pub goal_data: Data,
    /// How it is.
    pub status: PlanStatus,
    /// The plan that it is a part of.
    pub parent_plan_id: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When something of it changed last.
    pub updated_at: Timestamp,
}

/// A session (`SessionSummary`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The user whose it is.
    pub user_id: String,
    /// Its id.
    pub session_id: String,
    /// What it is called.
    pub name: Option<String>,
    /// What belongs to it.
    pub metadata: Data,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was said in it last.
    pub last_interaction: Timestamp,
}

/// What a task goes on with when an answer comes (`TaskContextResponse`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskContext {
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The user whose it is.
    pub user_id: Option<String>,
    /// The task.
    pub task_id: String,
    /// The plan that it is of.
    pub plan_id: Option<String>,
    /// The type of the event that it came with.
    pub event_type: String,
    /// With which event it is to be answered.
    pub response_event: Option<String>,
    /// On which topic it is to be answered.
    pub response_topic: String,
    /// What came with it.
    pub data: Data,
    /// The tasks that it waits for.
    pub sub_tasks: Vec<String>,
    /// How far it is.
    pub state: Data,
    /// When it was stored first.
    pub created_at: Timestamp,
    /// When it was stored last.
    pub updated_at: Timestamp,
}

/// What a plan goes on with when an answer comes (`PlanContextResponse`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanContext {
    /// The platform tenant.
    pub tenant_id: TenantId,
    /// The plan.
    pub plan_id: String,
    /// The session that it is of.
    pub session_id: Option<String>,
    /// The type of the event that it came with.
    pub goal_event: String,
    /// What came with it.
    pub goal_data: Data,
    /// With which event it is to be answered.
    pub response_event: Option<String>,
    /// How far it is.
    pub state: Data,
    /// The name of the state that it is in.
    pub current_state: Option<String>,
    /// The correlation ids of the answers that it waits for.
    pub correlation_ids: Vec<String>,
    /// When it was stored first.
    pub created_at: Timestamp,
    /// When it was stored last.
    pub updated_at: Timestamp,
}
