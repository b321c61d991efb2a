//! The eight fixed topics (CONTRACT 2.6.4).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::excerpt::excerpt;

/// A channel that events flow through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Topic {
    /// Something happened in the domain.
    BusinessFacts = 0,
    /// Somebody is asked to do work.
    ActionRequests = 1,
    /// The answer to a request.
    ActionResults = 2,
    /// Usage and cost.
    BillingEvents = 3,
    /// Messages for people.
    NotificationEvents = 4,
    /// The platform's own life.
    SystemEvents = 5,
    /// The life of plans.
    PlanEvents = 6,
    /// The life of tasks.
    TaskEvents = 7,
}

/// A text that names none of the topics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown topic '{0}'; the topics are business-facts, action-requests, action-results, billing-events, \
     notification-events, system-events, plan-events, task-events"
)]
pub struct UnknownTopic(pub String);

impl Topic {
    /// All topics, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::BusinessFacts,
        Self::ActionRequests,
        Self::ActionResults,
        Self::BillingEvents,
        Self::NotificationEvents,
        Self::SystemEvents,
        Self::PlanEvents,
        Self::TaskEvents,
    ];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BusinessFacts => "business-facts",
            Self::ActionRequests => "action-requests",
            Self::ActionResults => "action-results",
            Self::BillingEvents => "billing-events",
            Self::NotificationEvents => "notification-events",
            Self::SystemEvents => "system-events",
            Self::PlanEvents => "plan-events",
            Self::TaskEvents => "task-events",
        }
    }

    /// Returns the number under which stores keep the topic; never reused.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the topic that a store keeps under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.number() == number)
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text).ok_or_else(|| UnknownTopic(excerpt(text)))
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
