//! What work hangs on.

use async_trait::async_trait;
use soorma_core::{Data, Error, MemoryScope, Plan, PlanContext, PlanStatus, Session, TaskContext};

use super::{After, Listed};

/// Plans, sessions, and the contexts of tasks and plans (CONTRACT 2.8, 3.3). Ids have 1 to 100 characters and no control characters.
#[async_trait]
pub trait Work {
    /// Makes a plan; `already_exists` where there is one.
    async fn make_plan(&self, scope: &MemoryScope, new: NewPlan) -> Result<Plan, Error>;
    /// Returns a plan.
    async fn plan(&self, scope: &MemoryScope, plan: &str) -> Result<Option<Plan>, Error>;
    /// Lists plans, changed last first.
    async fn plans(&self, scope: &MemoryScope, query: &PlanQuery) -> Result<Listed<Plan>, Error>;
    /// Says how a plan is; nothing where there is none.
    async fn set_plan_status(
        &self,
        scope: &MemoryScope,
        plan: &str,
        status: PlanStatus,
    ) -> Result<Option<Plan>, Error>;
    /// Removes a plan, not what hangs on it; says whether it was there.
    async fn remove_plan(&self, scope: &MemoryScope, plan: &str) -> Result<bool, Error>;

    /// Makes a session; `already_exists` where there is one.
    async fn make_session(&self, scope: &MemoryScope, new: NewSession) -> Result<Session, Error>;
    /// Returns a session.
    async fn session(&self, scope: &MemoryScope, session: &str) -> Result<Option<Session>, Error>;
    /// Lists sessions, used last first.
    async fn sessions(
        &self,
        scope: &MemoryScope,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Listed<Session>, Error>;
    /// Removes a session; says whether it was there.
    async fn remove_session(&self, scope: &MemoryScope, session: &str) -> Result<bool, Error>;

    /// Stores what a task goes on with; where there is something, its plan, data, sub-tasks and state are replaced.
    async fn store_task_context(
        &self,
        scope: &MemoryScope,
        new: NewTaskContext,
    ) -> Result<TaskContext, Error>;
    /// Returns what a task goes on with.
    async fn task_context(&self, scope: &MemoryScope, task: &str) -> Result<Option<TaskContext>, Error>;
    /// Returns what the task goes on with that waits for this one; of several, the one that was stored last.
    async fn task_context_by_sub_task(
        &self,
        scope: &MemoryScope,
        sub_task: &str,
    ) -> Result<Option<TaskContext>, Error>;
    /// Changes what a task goes on with; nothing where there is none.
    async fn change_task_context(
        &self,
        scope: &MemoryScope,
        task: &str,
        change: TaskContextChange,
    ) -> Result<Option<TaskContext>, Error>;
    /// Removes it; says whether it was there.
    async fn remove_task_context(&self, scope: &MemoryScope, task: &str) -> Result<bool, Error>;

    /// Stores what a plan goes on with; where there is something, its state, current state and correlation ids are replaced.
    async fn store_plan_context(
        &self,
        scope: &MemoryScope,
        new: NewPlanContext,
    ) -> Result<PlanContext, Error>;
    /// Returns what a plan goes on with.
    async fn plan_context(&self, scope: &MemoryScope, plan: &str) -> Result<Option<PlanContext>, Error>;
    /// Returns what the plan goes on with that waits for this correlation id; of several, the one that was stored last.
    async fn plan_context_by_correlation(
        &self,
        scope: &MemoryScope,
        correlation: &str,
    ) -> Result<Option<PlanContext>, Error>;
    /// Changes what a plan goes on with; nothing where there is none.
    async fn change_plan_context(
        &self,
        scope: &MemoryScope,
        plan: &str,
        change: PlanContextChange,
    ) -> Result<Option<PlanContext>, Error>;
    /// Removes it; says whether it was there.
    async fn remove_plan_context(&self, scope: &MemoryScope, plan: &str) -> Result<bool, Error>;
}

/// A plan to be.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// Its id.
    pub plan_id: String,
    /// The session that it is of.
    pub session_id: Option<String>,
    /// The type of the event that it comes with, at most 255 characters.
    pub goal_event: String,
    /// What comes with it.
    pub goal_data: Data,
    /// The plan that it is a part of.
    pub parent_plan_id: Option<String>,
}

/// Which plans are listed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlanQuery {
    /// That are so.
    pub status: Option<PlanStatus>,
    /// Of this session.
    pub session_id: Option<String>,
    /// After this one.
    pub after: Option<After>,
    /// At most so many.
    pub limit: usize,
}

/// A session to be.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub session_id: String,
    /// What it is called.
    pub name: Option<String>,
    /// What belongs to it.
    pub metadata: Data,
}

/// What a task is to go on with.
#[derive(Debug, Clone)]
pub struct NewTaskContext {
    /// The task.
    pub task_id: String,
    /// The plan that it is of.
    pub plan_id: Option<String>,
    /// The type of the event that it came with, at most 255 characters.
    pub event_type: String,
    /// With which event it is to be answered, at most 255 characters.
    pub response_event: Option<String>,
    /// On which topic it is to be answered, at most 100 characters.
    pub response_topic: String,
    /// What came with it.
    pub data: Data,
    /// The tasks that it waits for.
    pub sub_tasks: Vec<String>,
    /// How far it is.
    pub state: Data,
}

/// What changes of what a task goes on with; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct TaskContextChange {
    /// The tasks that it waits for.
    pub sub_tasks: Option<Vec<String>>,
    /// How far it is.
    pub state: Option<Data>,
}

/// What a plan is to go on with.
#[derive(Debug, Clone)]
pub struct NewPlanContext {
    /// The plan.
    pub plan_id: String,
    /// The session that it is of.
    pub session_id: Option<String>,
    /// The type of the event that it came with, at most 255 characters.
    pub goal_event: String,
    /// What came with it.
    pub goal_data: Data,
    /// With which event it is to be answered, at most 255 characters.
    pub response_event: Option<String>,
    /// How far it is.
    pub state: Data,
    /// The name of the state that it is in, at most 100 characters.
    pub current_state: Option<String>,
    /// The correlation ids of the answers that it waits for.
    pub correlation_ids: Vec<String>,
}

/// What changes of what a plan goes on with; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct PlanContextChange {
    /// How far it is.
    pub state: Option<Data>,
    /// The name of the state that it is in.
    pub current_state: Option<String>,
    /// The correlation ids of the answers that it waits for.
    pub correlation_ids: Option<Vec<String>>,
}
