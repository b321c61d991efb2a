//! Plans, sessions and contexts, by the kind that each is of.

use async_trait::async_trait;
use soorma_core::{Error, MemoryScope, Plan, PlanContext, PlanStatus, Session, TaskContext};
use soorma_ports::{
    After, Listed, NewPlan, NewPlanContext, NewSession, NewTaskContext, PlanContextChange, PlanQuery,
    TaskContextChange, Work,
};

use crate::kinds::{plan, plan_context, remove_by_key, session, task_context};
use crate::memories::Memories;

#[async_trait]
impl Work for Memories {
    async fn make_plan(&self, scope: &MemoryScope, new: NewPlan) -> Result<Plan, Error> {
        plan::make(&self.shared, scope, new).await
    }

    async fn plan(&self, scope: &MemoryScope, plan: &str) -> Result<Option<Plan>, Error> {
        plan::get(&self.shared, scope, plan).await
    }

    async fn plans(&self, scope: &MemoryScope, query: &PlanQuery) -> Result<Listed<Plan>, Error> {
        plan::list(&self.shared, scope, query).await
    }

    async fn set_plan_status(
        &self,
        scope: &MemoryScope,
        plan: &str,
        status: PlanStatus,
    ) -> Result<Option<Plan>, Error> {
        plan::set_status(&self.shared, scope, plan, status).await
    }

    async fn remove_plan(&self, scope: &MemoryScope, plan: &str) -> Result<bool, Error> {
        remove_by_key(&self.shared, scope, plan::KIND, plan).await
    }

    async fn make_session(&self, scope: &MemoryScope, new: NewSession) -> Result<Session, Error> {
        session::make(&self.shared, scope, new).await
    }

    async fn session(&self, scope: &MemoryScope, session: &str) -> Result<Option<Session>, Error> {
        session::get(&self.shared, scope, session).await
    }

    async fn sessions(
        &self,
        scope: &MemoryScope,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Listed<Session>, Error> {
        session::list(&self.shared, scope, after, limit).await
    }

    async fn remove_session(&self, scope: &MemoryScope, session: &str) -> Result<bool, Error> {
        remove_by_key(&self.shared, scope, session::KIND, session).await
    }

    async fn store_task_context(
        &self,
        scope: &MemoryScope,
        new: NewTaskContext,
    ) -> Result<TaskContext, Error> {
        task_context::store(&self.shared, scope, new).await
    }

    async fn task_context(&self, scope: &MemoryScope, task: &str) -> Result<Option<TaskContext>, Error> {
        task_context::get(&self.shared, scope, task).await
    }

    async fn task_context_by_sub_task(
        &self,
        scope: &MemoryScope,
        sub_task: &str,
    ) -> Result<Option<TaskContext>, Error> {
        task_context::by_sub_task(&self.shared, scope, sub_task).await
    }

    async fn change_task_context(
        &self,
        scope: &MemoryScope,
        task: &str,
        change: TaskContextChange,
    ) -> Result<Option<TaskContext>, Error> {
        task_context::change(&self.shared, scope, task, change).await
    }

    async fn remove_task_context(&self, scope: &MemoryScope, task: &str) -> Result<bool, Error> {
        remove_by_key(&self.shared, scope, task_context::KIND, task).await
    }

    async fn store_plan_context(
        &self,
        scope: &MemoryScope,
        new: NewPlanContext,
    ) -> Result<PlanContext, Error> {
        plan_context::store(&self.shared, scope, new).await
    }

    async fn plan_context(&self, scope: &MemoryScope, plan: &str) -> Result<Option<PlanContext>, Error> {
        plan_context::get(&self.shared, scope, plan).await
    }

    async fn plan_context_by_correlation(
        &self,
        scope: &MemoryScope,
        correlation: &str,
    ) -> Result<Option<PlanContext>, Error> {
        plan_context::by_correlation(&self.shared, scope, correlation).await
    }

    async fn change_plan_context(
        &self,
        scope: &MemoryScope,
        plan: &str,
        change: PlanContextChange,
    ) -> Result<Option<PlanContext>, Error> {
        plan_context::change(&self.shared, scope, plan, change).await
    }

    async fn remove_plan_context(&self, scope: &MemoryScope, plan: &str) -> Result<bool, Error> {
        remove_by_key(&self.shared, scope, plan_context::KIND, plan).await
    }
}
