//! What work hangs on: plans, sessions, and the contexts of tasks and plans.

use reqwest::Method;
use serde::Serialize;
use soorma_api::memory::{
    ChangePlanContext, ChangeTaskContext, MakePlan, MakeSession, SetPlanStatus, StorePlanContext,
    StoreTaskContext,
};
use soorma_api::{header, routes::memory as routes};
use soorma_core::{Error, Plan, PlanContext, PlanStatus, Session, TaskContext};

use super::{ClientMemory, there};

/// Which part of a list.
#[derive(Serialize)]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<PlanStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

impl ClientMemory<'_> {
    /// Makes a plan.
    ///
    /// # Errors
    /// `already_exists` or `conflict` where there is one; what the platform answered, or that it could not be reached.
    pub async fn make_plan(&self, plan: &MakePlan) -> Result<Plan, Error> {
        self.sent(Method::POST, routes::PLANS, &[], plan).await
    }

    /// Returns a plan, where there is one.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn plan(&self, plan: &str) -> Result<Option<Plan>, Error> {
        there(self.asked(Method::GET, routes::PLAN, &[plan]).await)
    }

    /// Lists plans, changed last first, those that are so and of a session where that is said; and says where it goes on, where there are more.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn plans(
        &self,
        status: Option<PlanStatus>,
        session: Option<&str>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<Plan>, Option<String>), Error> {
        let part = Part { status, session_id: session, limit, cursor };
        let (next, plans) = self.array(routes::PLANS, &part, header::NEXT_CURSOR).await?;
        Ok((plans, next))
    }

    /// Says how a plan is.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn set_plan_status(&self, plan: &str, status: PlanStatus) -> Result<Plan, Error> {
        self.sent(Method::PUT, routes::PLAN, &[plan], &SetPlanStatus { status }).await
    }

    /// Removes a plan, not what hangs on it; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_plan(&self, plan: &str) -> Result<bool, Error> {
        self.removed(routes::PLAN, &[plan]).await
    }

    /// Makes a session.
    ///
    /// # Errors
    /// `already_exists` or `conflict` where there is one; what the platform answered, or that it could not be reached.
    pub async fn make_session(&self, session: &MakeSession) -> Result<Session, Error> {
        self.sent(Method::POST, routes::SESSIONS, &[], session).await
    }

    /// Returns a session, where there is one.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn session(&self, session: &str) -> Result<Option<Session>, Error> {
        there(self.asked(Method::GET, routes::SESSION, &[session]).await)
    }

    /// Lists sessions, used last first; and says where it goes on, where there are more.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn sessions(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<Session>, Option<String>), Error> {
        let part = Part { status: None, session_id: None, limit, cursor };
        let (next, sessions) = self.array(routes::SESSIONS, &part, header::NEXT_CURSOR).await?;
        Ok((sessions, next))
    }

    /// Removes a session; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_session(&self, session: &str) -> Result<bool, Error> {
        self.removed(routes::SESSION, &[session]).await
    }

    /// Stores what a task goes on with.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn store_task_context(&self, context: &StoreTaskContext) -> Result<TaskContext, Error> {
        self.sent(Method::POST, routes::TASK_CONTEXTS, &[], context).await
    }

    /// Returns what a task goes on with, where there is something.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn task_context(&self, task: &str) -> Result<Option<TaskContext>, Error> {
        there(self.asked(Method::GET, routes::TASK_CONTEXT, &[task]).await)
    }

    /// Returns what the task goes on with that waits for this one, where there is such a task.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn task_context_of(&self, sub_task: &str) -> Result<Option<TaskContext>, Error> {
        there(self.asked(Method::GET, routes::TASK_CONTEXT_OF, &[sub_task]).await)
    }

    /// Changes what a task goes on with.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn change_task_context(
        &self,
        task: &str,
        change: &ChangeTaskContext,
    ) -> Result<TaskContext, Error> {
        self.sent(Method::PUT, routes::TASK_CONTEXT, &[task], change).await
    }

    /// Removes what a task goes on with; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_task_context(&self, task: &str) -> Result<bool, Error> {
        self.removed(routes::TASK_CONTEXT, &[task]).await
    }

    /// Stores what a plan goes on with.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn store_plan_context(&self, context: &StorePlanContext) -> Result<PlanContext, Error> {
        self.sent(Method::POST, routes::PLAN_CONTEXTS, &[], context).await
    }

    /// Returns what a plan goes on with, where there is something.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn plan_context(&self, plan: &str) -> Result<Option<PlanContext>, Error> {
        there(self.asked(Method::GET, routes::PLAN_CONTEXT, &[plan]).await)
    }

    /// Returns what the plan goes on with that waits for this correlation id, where there is such a plan.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn plan_context_of(&self, correlation: &str) -> Result<Option<PlanContext>, Error> {
        there(self.asked(Method::GET, routes::PLAN_CONTEXT_OF, &[correlation]).await)
    }

    /// Changes what a plan goes on with.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn change_plan_context(
        &self,
        plan: &str,
        change: &ChangePlanContext,
    ) -> Result<PlanContext, Error> {
        self.sent(Method::PUT, routes::PLAN_CONTEXT, &[plan], change).await
    }

    /// Removes what a plan goes on with; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_plan_context(&self, plan: &str) -> Result<bool, Error> {
        self.removed(routes::PLAN_CONTEXT, &[plan]).await
    }
}
