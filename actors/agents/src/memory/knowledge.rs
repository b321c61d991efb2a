//! What is to be known.

use std::future::IntoFuture;

use futures_util::future::BoxFuture;
use serde::Serialize;
use soorma_core::{Data, Fact, Timestamp};
use soorma_ports::NewFact;
use uuid::Uuid;

use super::{AgentMemory, fault};
use crate::handler::Fault;

/// A text that is to be known; it is stored when this is awaited. What memory answers is what comes of it, or a [`Fault`].
#[derive(Debug)]
#[must_use = "it is stored when it is awaited"]
pub struct StoreKnowledge {
    memory: AgentMemory,
    /// What is wrong with the metadata is told when it is awaited.
    new: Result<NewFact, Fault>,
}

impl StoreKnowledge {
    pub(super) fn new(memory: AgentMemory, content: String) -> Self {
        let new = Data::from_json("{}").map_err(Fault::from).map(|metadata| NewFact {
            content,
            external_id: None,
            public: false,
            metadata,
            tags: None,
            source: None,
            valid_from: None,
            valid_to: None,
            episode: None,
        });
        Self { memory, new }
    }

    fn with(mut self, set: impl FnOnce(&mut NewFact)) -> Self {
        if let Ok(new) = &mut self.new {
            set(new);
        }
        self
    }

    /// Names it: another text under the same name takes its place.
    pub fn external_id(self, id: impl Into<String>) -> Self {
        self.with(|new| new.external_id = Some(id.into()))
    }

    /// Has all of the tenant see it.
    pub fn public(self) -> Self {
        self.with(|new| new.public = true)
    }

    /// Gives it words by which it is found.
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.with(|new| new.tags = Some(tags.into_iter().map(Into::into).collect()))
    }

    /// Says where it comes from.
    pub fn source(self, source: impl Into<String>) -> Self {
        self.with(|new| new.source = Some(source.into()))
    }

    /// Says what belongs to it: what becomes a JSON object.
    pub fn metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Self {
        self.new = self.new.and_then(|new| Ok(NewFact { metadata: Data::from_value(metadata)?, ..new }));
        self
    }

    /// Says from when it holds.
    pub fn valid_from(self, at: Timestamp) -> Self {
        self.with(|new| new.valid_from = Some(at))
    }

    /// Says until when it holds, not with that moment.
    pub fn valid_to(self, at: Timestamp) -> Self {
        self.with(|new| new.valid_to = Some(at))
    }

    /// Says which interaction it was learnt in.
    pub fn learnt_in(self, episode: Uuid) -> Self {
        self.with(|new| new.episode = Some(episode))
    }
}

impl IntoFuture for StoreKnowledge {
    type Output = Result<Fact, Fault>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (memory, scope) = self.memory.all()?;
            let (fact, _) = memory.store_fact(&scope, self.new?).await.map_err(fault)?;
            Ok(fact)
        })
    }
}
