//! A search in memory.

use std::future::IntoFuture;
use std::marker::PhantomData;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use soorma_core::{Episode, Error, Fact, MemoryScope, Skill, Timestamp};
use soorma_ports::{Found, Memory, Recall, RecallFilter, Weights};

use super::{AgentMemory, fault};
use crate::handler::Fault;

/// A search; it is made when this is awaited. What is found says by what it is in its order: by meaning, or by words where the meaning could not be had in time.
#[derive(Debug)]
#[must_use = "it is searched when it is awaited"]
pub struct Search<T> {
    memory: AgentMemory,
    recall: Recall,
    found: PhantomData<fn() -> T>,
}

impl<T> Search<T> {
    pub(super) fn new(memory: AgentMemory, query: String, limit: usize) -> Self {
        Self { memory, recall: Recall::new(query, limit), found: PhantomData }
    }

    /// Says how much meaning, words and newness count; where nothing is said, only meaning does.
    pub const fn weights(mut self, weights: Weights) -> Self {
        self.recall.weights = weights;
        self
    }

    /// Has each explain why it was found.
    pub const fn explain(mut self) -> Self {
        self.recall.explain = true;
        self
    }

    /// Has each have this tag; called again, this one, too. For knowledge.
    pub fn tagged(mut self, tag: impl Into<String>) -> Self {
        self.recall.filter.tags.push(tag.into());
        self
    }

    /// Searches among what was created at or after this.
    pub const fn since(mut self, at: Timestamp) -> Self {
        self.recall.filter.since = Some(at);
        self
    }

    /// Says among which is searched, whatever was said of it before.
    pub fn among(mut self, filter: RecallFilter) -> Self {
        self.recall.filter = filter;
        self
    }
}

impl<T: Searched> IntoFuture for Search<T> {
    type Output = Result<Found<T>, Fault>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (memory, scope) = self.memory.all()?;
            T::search(&*memory, &scope, &self.memory.agent, &self.recall).await.map_err(fault)
        })
    }
}

/// What is searched in memory: [`Fact`], [`Episode`] or [`Skill`].
#[async_trait]
pub trait Searched: Sized + Send + 'static {
    /// Searches for an agent.
    #[doc(hidden)]
    async fn search(
        memory: &dyn Memory,
        scope: &MemoryScope,
        agent: &str,
        recall: &Recall,
    ) -> Result<Found<Self>, Error>;
}

#[async_trait]
impl Searched for Fact {
    async fn search(
        memory: &dyn Memory,
        scope: &MemoryScope,
        _: &str,
        recall: &Recall,
    ) -> Result<Found<Self>, Error> {
        memory.search_facts(scope, recall).await
    }
}

#[async_trait]
impl Searched for Episode {
    async fn search(
        memory: &dyn Memory,
        scope: &MemoryScope,
        agent: &str,
        recall: &Recall,
    ) -> Result<Found<Self>, Error> {
        memory.search_episodes(scope, Some(agent), recall).await
    }
}

#[async_trait]
impl Searched for Skill {
    async fn search(
        memory: &dyn Memory,
        scope: &MemoryScope,
        agent: &str,
        recall: &Recall,
    ) -> Result<Found<Self>, Error> {
        memory.relevant_skills(scope, agent, recall).await
    }
}
