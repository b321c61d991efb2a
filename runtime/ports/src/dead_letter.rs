//! Events that a group gave up.

use std::sync::Arc;

use serde_json::json;
use soorma_core::{Data, Event, EventId, Name, Position, TenantId, Timestamp, Topic};

/// An event that a group could not deal with.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Its id in the tenant; grows.
    pub id: u64,
    /// The group that gave up.
    pub group: Name,
    /// Where the event stands.
    pub position: Position,
    /// Why the last attempt failed.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first handed out.
    pub first_at: Timestamp,
    /// When it was given up.
    pub last_at: Timestamp,
    /// The event.
    pub event: Arc<Event>,
}

/// Which dead letters are wanted; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Of one group.
    pub group: Option<Name>,
    /// Of one topic.
    pub topic: Option<Topic>,
    /// Of one event type.
    pub kind: Option<String>,
}

impl DeadLetter {
    /// The type of the event that tells of a dead letter.
    pub const ANNOUNCEMENT: &'static str = "event.dead_lettered";
    /// Who sends it.
    pub const ANNOUNCER: &'static str = "soorma";

    /// Returns the event on `system-events` that tells of it. Its id follows from the letter, so it is appended once. A letter that is
    /// itself about such an event is not told of: that would have no end.
    pub fn announcement(&self, tenant: &TenantId) -> Option<Event> {
        let about = &self.event;
        if about.topic == Topic::SystemEvents
            && about.kind == Self::ANNOUNCEMENT
            && about.source == Self::ANNOUNCER
        {
            return None;
        }
        // A letter that was redriven and is given up again has another time.
        let group = format!("{}\n{}", self.group, self.last_at.micros());
        let id = EventId::emission(tenant.as_str(), &group, about.topic, &about.id, 0);
        let mut event =
            Event::new(id, Self::ANNOUNCER, Self::ANNOUNCEMENT, self.last_at, Topic::SystemEvents);
        event.subject = Some(self.group.to_string());
        event.parent_event_id = Some(about.id.to_string());
        event.platform_tenant_id = Some(tenant.to_string());
        event.correlation_id.clone_from(&about.correlation_id);
        event.tenant_id.clone_from(&about.tenant_id);
        event.user_id.clone_from(&about.user_id);
        event.plan_id.clone_from(&about.plan_id);
        event.session_id.clone_from(&about.session_id);
        event.trace_id.clone_from(&about.trace_id);
        let cause: String = self.cause.chars().take(LONGEST_CAUSE).collect();
        event.data = Data::from_value(&json!({
            "dead_letter": self.id,
            "group": self.group,
            "topic": about.topic,
            "position": self.position,
            "event_id": about.id,
            "event_type": about.kind,
            "source": about.source,
            "cause": cause,
            "attempts": self.attempts,
            "first_at": self.first_at,
        }))
        .ok();
        Some(event)
    }
}

/// How many characters of a cause an announcement repeats; the letter has it whole.
const LONGEST_CAUSE: usize = 500;
