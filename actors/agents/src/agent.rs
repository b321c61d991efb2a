//! Agents, described.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_core::{AgentKind, Event, InvalidName, Name, TenantId, Topic};
use soorma_ports::{ConsumerSpec, Start};

use crate::capability::CapabilitySpec;
use crate::ctx::Ctx;
use crate::handler::{Fault, Handler, Style};
use crate::limits::{Instances, Limits};

/// An agent, ready to be hosted: its name, which is also its group in the log, what it handles, and its bounds.
#[derive(Clone)]
pub struct Agent {
    pub(crate) name: Name,
    pub(crate) tenant: TenantId,
    pub(crate) start: Start,
    pub(crate) instances: Instances,
    pub(crate) limits: Limits,
    pub(crate) handlers: Arc<BTreeMap<(Topic, String), Handler>>,
    pub(crate) about: About,
}

/// What the registry is told of it beyond what it handles.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) kind: AgentKind,
    pub(crate) description: String,
    pub(crate) version: Option<String>,
    pub(crate) capabilities: Vec<CapabilitySpec>,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("name", &self.name)
            .field("handles", &self.handlers.keys().collect::<Vec<_>>())
            .field("instances", &self.instances)
            .finish_non_exhaustive()
    }
}

impl Agent {
    fn new(name: &str, kind: AgentKind) -> Result<Self, InvalidName> {
        Ok(Self {
            name: Name::new(name)?,
            tenant: TenantId::default(),
            start: Start::Now,
            instances: Instances::Pool(8),
            limits: Limits::default(),
            handlers: Arc::default(),
            about: About { kind, description: String::new(), version: None, capabilities: Vec::new() },
        })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its group in the log.
    pub(crate) fn group(&self) -> ConsumerSpec {
        ConsumerSpec {
            tenant: self.tenant.clone(),
            group: self.name.clone(),
            topics: self.handlers.keys().map(|(topic, _)| *topic).collect(),
            start: self.start.clone(),
            ack_within: self.limits.ack_within,
            max_attempts: self.limits.max_attempts.max(1),
            // Members of other nodes have as much again.
            max_unsettled: u32::try_from(self.instances.capacity().saturating_mul(16)).unwrap_or(u32::MAX),
            key: None,
            expire_after: None,
        }
    }

    pub(crate) fn handler(&self, event: &Event) -> Option<&Handler> {
        // A handler for any type is kept under "*".
        let own = self.handlers.get(&(event.topic, event.kind.clone()));
        own.or_else(|| self.handlers.get(&(event.topic, "*".to_owned())))
    }

    fn handle(&mut self, topic: Topic, kind: &str, handler: Handler) {
        Arc::make_mut(&mut self.handlers).insert((topic, kind.to_owned()), handler);
    }
}

/// The settings that every kind of agent has.
macro_rules! settings {
    ($kind:ident) => {
        impl $kind {
            /// Makes one; what it handles is added next.
            ///
            /// # Errors
            /// When the name is blank, longer than 255 bytes, or has control characters.
            pub fn new(name: &str) -> Result<Self, InvalidName> {
                Ok(Self(Agent::new(name, AgentKind::$kind)?))
            }

            /// Says whose agent it is; the default tenant's where nothing is said.
            #[must_use]
            pub fn tenant(mut self, tenant: TenantId) -> Self {
                self.0.tenant = tenant;
                self
            }

            /// Says what it is for, in a sentence or two: people and models choose by it.
            #[must_use]
            pub fn description(mut self, text: impl Into<String>) -> Self {
                self.0.about.description = text.into();
                self
            }

            /// Says which version it is, at most 40 bytes.
            #[must_use]
            pub fn version(mut self, version: impl Into<String>) -> Self {
                self.0.about.version = Some(version.into());
                self
            }

            /// Says what it can do, with the types of the events. What it handles and does not say so is listed by the event's type alone.
            #[must_use]
            pub fn can(mut self, capability: CapabilitySpec) -> Self {
                self.0.about.capabilities.push(capability);
                self
            }

            /// Says how many events are handled at once; 8 where nothing is said.
            #[must_use]
            pub fn pool(mut self, instances: u32) -> Self {
                self.0.instances = Instances::Pool(instances);
                self
            }

            /// Says that each key has an instance of its own, at most `max` at once: the events of one key are handled one at a
            /// time, in order. An instance is let go after a minute without work.
            #[must_use]
            pub fn keyed<F>(mut self, max: u32, key: F) -> Self
            where
                F: Fn(&Event) -> Option<String> + Send + Sync + 'static,
            {
                self.0.instances =
                    Instances::PerKey { key: Arc::new(key), max, idle: Duration::from_secs(60) };
                self
            }

            /// Sets its bounds.
            #[must_use]
            pub fn limits(mut self, limits: Limits) -> Self {
                self.0.limits = limits;
                self
            }

            /// Says where its group starts when it is made: with what comes from now on where nothing is said.
            #[must_use]
            pub fn start(mut self, start: Start) -> Self {
                self.0.start = start;
                self
            }
        }

        impl From<$kind> for Agent {
            fn from(kind: $kind) -> Self {
                kind.0
            }
        }
    };
}

/// An agent that answers requests: each call is on its own. Its answer is `{"request_id", "success", "result" | "error"}`.
#[derive(Debug, Clone)]
pub struct Tool(Agent);

settings!(Tool);

impl Tool {
    /// Handles requests of a type on `action-requests`. The answer has the type that the request asks for, else
    /// `<type>.completed`.
    #[must_use]
    pub fn on_invoke<T, R, F, Fut>(mut self, kind: &str, handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(T, Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        let handler = Handler::new(Style::Tool, Some(format!("{kind}.completed")), handler);
        self.0.handle(Topic::ActionRequests, kind, handler);
        self
    }
}

/// An agent that does tasks and takes part in what happens. The answer to a task is `{"task_id", "action_id", "status",
/// "result" | "error"}`.
#[derive(Debug, Clone)]
pub struct Worker(Agent);

settings!(Worker);

impl Worker {
    /// Handles tasks of a type on `action-requests`. What the handler returns is the answer, if the task asks for one.
    #[must_use]
    pub fn on_task<T, R, F, Fut>(mut self, kind: &str, handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(T, Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        self.0.handle(Topic::ActionRequests, kind, Handler::new(Style::Task, None, handler));
        self
    }

    /// Handles events of a type (`*`: of any type that has no handler of its own) on any topic; nothing is answered.
    #[must_use]
    pub fn on_event<T, F, Fut>(mut self, topic: Topic, kind: &str, handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        F: Fn(T, Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        self.0.handle(topic, kind, Handler::new(Style::Event, None, handler));
        self
    }
}
