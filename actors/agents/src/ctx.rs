//! What a handler knows of the event it handles, and how it publishes.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use soorma_core::{Event, TenantId, Topic};
use soorma_ports::Memory;

use crate::emission::Emission;
use crate::handler::Fault;
use crate::instance::Common;
use crate::memory::AgentMemory;

/// The context of one handling of one event. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ctx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    event: Arc<Event>,
    agent: Arc<str>,
    attempt: u32,
    max_emissions: usize,
    tenant: TenantId,
    memory: Option<Arc<dyn Memory>>,
    outbox: Mutex<Vec<Emission>>,
}

impl Ctx {
    pub(crate) fn new(of: &Common, event: Arc<Event>, attempt: u32) -> Self {
        Self(Arc::new(Inner {
            event,
            agent: Arc::clone(&of.name),
            attempt,
            max_emissions: of.agent.limits.max_emissions,
            tenant: of.agent.tenant.clone(),
            memory: of.runtime.memory.clone(),
            outbox: Mutex::default(),
        }))
    }

    /// Returns the event.
    pub fn event(&self) -> &Event {
        &self.0.event
    }

    /// Returns the agent's name.
    pub fn agent(&self) -> &str {
        &self.0.agent
    }

    /// Returns which attempt at this event it is, from 1. More than 1 means that an earlier one failed, or was cut
    /// off at any point: what it did outside may have happened.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Returns the memory of whoever the event is of: the tenant of the agent, and the service tenant and user that the event names. What is
    /// written there is written at once, whatever becomes of the handler: see [`AgentMemory`].
    pub fn memory(&self) -> AgentMemory {
        let Inner { event, agent, tenant, memory, .. } = &*self.0;
        AgentMemory::new(memory.clone(), tenant.clone(), Arc::clone(agent), Arc::clone(event))
    }

    /// Publishes an event on a topic: see [`emit`](Self::emit).
    ///
    /// # Errors
    /// When the data does not become a JSON object, or the handler has published as many events as it may.
    pub fn publish<T: Serialize + ?Sized>(
        &self,
        topic: Topic,
        kind: impl Into<String>,
        data: &T,
    ) -> Result<(), Fault> {
        self.emit(Emission::new(topic, kind, data)?)
    }

    /// Publishes an event. It is held until the handler returns and leaves before the event handled is acknowledged, under
    /// an id that follows from that event's and the number of this emission: however often the event is tried, it is
    /// published once. Nothing leaves when the handler fails.
    ///
    /// # Errors
    /// When the handler has published as many events as it may.
    pub fn emit(&self, emission: Emission) -> Result<(), Fault> {
        let mut outbox = self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if outbox.len() >= self.0.max_emissions {
            let max = self.0.max_emissions;
            return Err(Fault::Failed(format!(
                "the handler has published {max} events, which is as many as it may"
            )));
        }
        outbox.push(emission);
        Ok(())
    }

    /// Takes what the handler has published.
    pub(crate) fn take_outbox(&self) -> Vec<Emission> {
        std::mem::take(&mut self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
