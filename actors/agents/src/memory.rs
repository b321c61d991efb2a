//! Memory, as a handler has it: of whoever the event is of.

mod knowledge;
mod search;

pub use knowledge::StoreKnowledge;
pub use search::{Search, Searched};

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_core::{
    AnyJson, Data, Episode, Error, ErrorCode, Event, Fact, MemoryScope, Owner, Role, Skill, TenantId,
    WorkingKey,
};
use soorma_ports::{EpisodeQuery, Memory, NewEpisode, SetWhen, WorkingOp};

use crate::handler::Fault;

/// Where values are where an event is of no plan, as in the published SDK.
const DEFAULT_PLAN: &str = "00000000-0000-0000-0000-000000000000";

/// What an agent knows, what happened, how something is done, and what a plan has at hand: of the tenant, service tenant and user that the event in hand
/// is of. Cheap to clone.
///
/// **The event says whose memory it is**, and who published it said that: a person, by a token with `principal_type: user`, for this person alone;
/// agents, services and tokens that do not say what they are for whoever they name in their tenant. So give people tokens that say so.
///
/// **What is written is written at once**, not when the handler has returned, as events are: a handler reads what it wrote, and what others share cannot wait for
/// it. So a handler that fails, and whose event is tried again, has written already. Write so that it may happen twice: a text is stored once however often,
/// by its `external_id` or by what it says; [`store`](Self::store) sets what it set before; [`compare_and_set`](Self::compare_and_set) changes what is as
/// it was read. [`increment`](Self::increment), [`append`](Self::append) and [`log_interaction`](Self::log_interaction) add each time.
///
/// A memory that is away, or has too much to do, becomes [`Fault::Retry`] by `?`; what is wrong with a request, [`Fault::Failed`].
#[derive(Debug, Clone)]
pub struct AgentMemory {
    memory: Option<Arc<dyn Memory>>,
    tenant: TenantId,
    agent: Arc<str>,
    event: Arc<Event>,
    /// Another than the event's.
    plan: Option<String>,
}

impl AgentMemory {
    pub(crate) const fn new(
        memory: Option<Arc<dyn Memory>>,
        tenant: TenantId,
        agent: Arc<str>,
        event: Arc<Event>,
    ) -> Self {
        Self { memory, tenant, agent, event, plan: None }
    }

    /// Has another plan's values at hand than those of the event's plan. An event of no plan has those of `00000000-0000-0000-0000-000000000000`.
    #[must_use]
    pub fn of_plan(mut self, plan: impl Into<String>) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// Returns all of memory, and whose it is: for what has no shorter way here, such as plans, sessions and contexts.
    ///
    /// # Errors
    /// When the node has no memory, or the event is of nobody that could have one.
    pub fn all(&self) -> Result<(Arc<dyn Memory>, MemoryScope), Fault> {
        let memory = self.memory.clone().ok_or_else(|| Fault::failed("this node has no memory"))?;
        let service_tenant = given(&self.event.tenant_id).unwrap_or(Owner::DEFAULT_SERVICE_TENANT);
        let owner = Owner::new(service_tenant, given(&self.event.user_id).unwrap_or(Owner::DEFAULT_USER))?;
        Ok((memory, MemoryScope { tenant: self.tenant.clone(), owner }))
    }

    fn plan(&self) -> &str {
        self.plan.as_deref().or_else(|| given(&self.event.plan_id)).unwrap_or(DEFAULT_PLAN)
    }

    /// Stores what is known; awaited, it is stored. Of a text that is known already there is still one.
    pub fn store_knowledge(&self, content: impl Into<String>) -> StoreKnowledge {
        StoreKnowledge::new(self.clone(), content.into())
    }

    /// Searches what is known, also what is public in the tenant; awaited, it is searched.
    pub fn search_knowledge(&self, query: impl Into<String>, limit: usize) -> Search<Fact> {
        Search::new(self.clone(), query.into(), limit)
    }

    /// Adds to what happened with this agent, in the event's session.
    ///
    /// # Errors
    /// What memory answered.
    pub async fn log_interaction(&self, role: Role, content: impl Into<String>) -> Result<Episode, Fault> {
        self.log_interaction_with(role, content, &serde_json::Map::new()).await
    }

    /// The same with what belongs to it, a JSON object.
    ///
    /// # Errors
    /// When the metadata does not become a JSON object, and what memory answered.
    pub async fn log_interaction_with<T: Serialize + ?Sized>(
        &self,
        role: Role,
        content: impl Into<String>,
        metadata: &T,
    ) -> Result<Episode, Fault> {
        let new = NewEpisode {
            agent: self.agent.to_string(),
            role,
            content: content.into(),
            metadata: Data::from_value(metadata)?,
            session: given(&self.event.session_id).map(str::to_owned),
        };
        let (memory, scope) = self.all()?;
        memory.log_episode(&scope, new).await.map_err(fault)
    }

    /// Returns what happened with this agent last, newest first, in whichever session. Of very long texts there may be fewer than asked: some MiB come at
    /// once.
    ///
    /// # Errors
    /// What memory answered.
    pub async fn recent_history(&self, limit: usize) -> Result<Vec<Episode>, Fault> {
        let query = EpisodeQuery { agent: Some(self.agent.to_string()), limit, ..EpisodeQuery::default() };
        let (memory, scope) = self.all()?;
        Ok(memory.episodes(&scope, &query).await.map_err(fault)?.items)
    }

    /// Searches what happened with this agent; awaited, it is searched.
    pub fn search_interactions(&self, query: impl Into<String>, limit: usize) -> Search<Episode> {
        Search::new(self.clone(), query.into(), limit)
    }

    /// Searches this agent's skills by when they are to be used; awaited, it is searched.
    pub fn relevant_skills(&self, query: impl Into<String>, limit: usize) -> Search<Skill> {
        Search::new(self.clone(), query.into(), limit)
    }

    /// Sets a value of the plan, whatever was there.
    ///
    /// # Errors
    /// When it does not become JSON, and what memory answered.
    pub async fn store<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), Fault> {
        let value = AnyJson::from_value(value)?;
        let (memory, scope) = self.all()?;
        memory.set_value(&scope, self.plan(), key, value, SetWhen::Any, None).await.map_err(fault)?;
        Ok(())
    }

    /// Returns a value of the plan, where there is one.
    ///
    /// # Errors
    /// When it is not of that type, and what memory answered.
    pub async fn retrieve<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Fault> {
        let (memory, scope) = self.all()?;
        let found = memory.value(&scope, self.plan(), key).await.map_err(fault)?;
        found.map(|found| read(key, &found.value)).transpose()
    }

    /// Changes a value of the plan in one step that no other comes between; returns it as it is then.
    ///
    /// # Errors
    /// When the value is not of the sort that is changed so, or not of that type then, and what memory answered.
    pub async fn update<T: DeserializeOwned>(&self, key: &str, op: WorkingOp) -> Result<T, Fault> {
        let (memory, scope) = self.all()?;
        let now = memory.update_value(&scope, self.plan(), key, op).await.map_err(fault)?;
        read(key, &now.value)
    }

    /// Adds to a whole number, to 0 where there is none; returns the sum.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn increment(&self, key: &str, by: i64) -> Result<i64, Fault> {
        self.update(key, WorkingOp::Increment(AnyJson::from_value(&by)?)).await
    }

    /// Adds an element at the end of a list, of an empty one where there is none.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn append<T: Serialize + ?Sized>(&self, key: &str, element: &T) -> Result<(), Fault> {
        self.update::<serde::de::IgnoredAny>(key, WorkingOp::Append(AnyJson::from_value(element)?))
            .await
            .map(drop)
    }

    /// Sets fields of an object, and removes those that are `null`; of an empty one where there is none.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn merge<T: Serialize + ?Sized>(&self, key: &str, fields: &T) -> Result<(), Fault> {
        self.update::<serde::de::IgnoredAny>(key, WorkingOp::Merge(AnyJson::from_value(fields)?))
            .await
            .map(drop)
    }

    /// Sets a value where this one is, or nothing is expected and nothing is there; says whether it was so.
    ///
    /// # Errors
    /// When a value does not become JSON, and what memory answered.
    pub async fn compare_and_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        expected: Option<&T>,
        value: &T,
    ) -> Result<bool, Fault> {
        let expected = expected.map(AnyJson::from_value).transpose()?;
        let op = WorkingOp::CompareAndSet { expected, value: AnyJson::from_value(value)? };
        let (memory, scope) = self.all()?;
        match memory.update_value(&scope, self.plan(), key, op).await {
            Ok(_) => Ok(true),
            // Nothing is there where something was expected is the same to who asks.
            Err(error) if matches!(error.code, ErrorCode::Conflict | ErrorCode::NotFound) => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// Removes a value of the plan; says whether it was there.
    ///
    /// # Errors
    /// What memory answered.
    pub async fn delete(&self, key: &str) -> Result<bool, Fault> {
        let (memory, scope) = self.all()?;
        memory.remove_value(&scope, self.plan(), key).await.map_err(fault)
    }

    /// Returns keys of the plan that begin so, in their order, at most `limit`.
    ///
    /// # Errors
    /// What memory answered.
    pub async fn keys(&self, prefix: &str, limit: usize) -> Result<Vec<WorkingKey>, Fault> {
        let (memory, scope) = self.all()?;
        memory.keys(&scope, self.plan(), prefix, None, limit).await.map_err(fault)
    }
}

/// A text with nothing in it is none.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.trim().is_empty())
}

/// What may go well later is tried again.
fn fault(error: Error) -> Fault {
    if error.code.may_retry() {
        return Fault::Retry { cause: error.message, after: error.retry_after };
    }
    Fault::Failed(error.message)
}

fn read<T: DeserializeOwned>(key: &str, value: &AnyJson) -> Result<T, Fault> {
    value
        .parse()
        .map_err(|error| Fault::Failed(format!("the value of {key} is not what was asked for: {error}")))
}
