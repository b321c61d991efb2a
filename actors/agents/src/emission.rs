//! An event that a handler publishes.

use serde::Serialize;
use soorma_core::{Data, Event, EventId, Timestamp, Topic};

use crate::handler::Fault;

/// An event to be published by a handler. What it does not say it takes from the event that is being handled.
#[derive(Debug, Clone)]
pub struct Emission {
    topic: Topic,
    kind: String,
    data: Option<Data>,
    correlation_id: Option<String>,
    subject: Option<String>,
    response_event: Option<String>,
    response_topic: Option<Topic>,
}

impl Emission {
    /// Makes an emission.
    ///
    /// # Errors
    /// When the data does not become a JSON object.
    pub fn new<T: Serialize + ?Sized>(
        topic: Topic,
        kind: impl Into<String>,
        data: &T,
    ) -> Result<Self, Fault> {
        let data = Data::from_value(data)?;
        Ok(Self {
            topic,
            kind: kind.into(),
            data: Some(data),
            correlation_id: None,
            subject: None,
            response_event: None,
            response_topic: None,
        })
    }

    /// A fact: on `business-facts`.
    ///
    /// # Errors
    /// When the data does not become a JSON object.
    pub fn fact<T: Serialize + ?Sized>(kind: impl Into<String>, data: &T) -> Result<Self, Fault> {
        Self::new(Topic::BusinessFacts, kind, data)
    }

    /// A request: on `action-requests`, to be answered by `response_event` on `action-results`.
    ///
    /// # Errors
    /// When the data does not become a JSON object.
    pub fn request<T: Serialize + ?Sized>(
        kind: impl Into<String>,
        data: &T,
        response_event: impl Into<String>,
    ) -> Result<Self, Fault> {
        let mut emission = Self::new(Topic::ActionRequests, kind, data)?;
        emission.response_event = Some(response_event.into());
        Ok(emission)
    }

    /// Sets the correlation id.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets the subject.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the topic of the answer.
    #[must_use]
    pub fn response_topic(mut self, topic: Topic) -> Self {
        self.response_topic = Some(topic);
        self
    }

    /// Makes the event, the `ordinal`th that `agent` emits while it handles `cause`: its id follows from these.
    pub(crate) fn into_event(
        self,
        agent: &str,
        tenant: &str,
        cause: &Event,
        ordinal: u32,
        now: Timestamp,
    ) -> Event {
        let id = EventId::emission(tenant, agent, cause.topic, &cause.id, ordinal);
        let mut event = Event::new(id, agent, self.kind, now, self.topic);
        event.data = self.data;
        event.subject = self.subject;
        event.correlation_id = self.correlation_id.or_else(|| cause.correlation_id.clone());
        event.response_event = self.response_event;
        event.response_topic = self.response_topic.map(|topic| topic.as_str().to_owned());
        event.parent_event_id = Some(cause.id.to_string());
        event.trace_id = cause.trace_id.clone().or_else(|| Some(cause.id.to_string()));
        event.tenant_id.clone_from(&cause.tenant_id);
        event.user_id.clone_from(&cause.user_id);
        event.session_id.clone_from(&cause.session_id);
        event.goal_id.clone_from(&cause.goal_id);
        event.plan_id.clone_from(&cause.plan_id);
        event
    }
}
