//! What keeps events in order: of one key, one at a time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Event, Name};

/// Which part of an event says what it belongs to, such as `plan_id`, `session_id`, or `data.order_id`.
///
/// A group with a key gets the events of one value of it one at a time, in order. Events without a value are free.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartitionKey(Part);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Plan,
    Session,
    Goal,
    Correlation,
    Subject,
    User,
    /// A member of `data`.
    Data(Name),
}

/// A text that names no part of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no partition key; take plan_id, session_id, goal_id, correlation_id, subject, user_id, or data.<field>"
)]
pub struct InvalidPartitionKey(String);

impl PartitionKey {
    /// Returns a number that events of one value share; `None` where the event has no value.
    ///
    /// It is stored, so it is the same for ever (FNV-1a, 32 bits). That two values share a number by chance costs only
    /// that they wait for each other.
    pub fn of(&self, event: &Event) -> Option<u32> {
        let text = |part: &Option<String>| part.as_deref().filter(|text| !text.is_empty()).map(hash);
        match &self.0 {
            Part::Plan => text(&event.plan_id),
            Part::Session => text(&event.session_id),
            Part::Goal => text(&event.goal_id),
            Part::Correlation => text(&event.correlation_id),
            Part::Subject => text(&event.subject),
            Part::User => text(&event.user_id),
            Part::Data(field) => {
                let data: serde_json::Map<String, serde_json::Value> = event.data.as_ref()?.parse().ok()?;
                match data.get(field.as_str())? {
                    serde_json::Value::Null => None,
                    serde_json::Value::String(text) => Some(hash(text)),
                    other => Some(hash(&other.to_string())),
                }
            }
        }
    }
}

fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl std::str::FromStr for PartitionKey {
    type Err = InvalidPartitionKey;

    fn from_str(text: &str) -> Result<Self, InvalidPartitionKey> {
        let wrong = || InvalidPartitionKey(crate::excerpt::excerpt(text));
        Ok(Self(match text.trim() {
            "plan" | "plan_id" => Part::Plan,
            "session" | "session_id" => Part::Session,
            "goal" | "goal_id" => Part::Goal,
            "correlation_id" => Part::Correlation,
            "subject" => Part::Subject,
            "user_id" => Part::User,
            other => {
                let field = other.strip_prefix("data.").ok_or_else(wrong)?;
                Part::Data(Name::new(field).map_err(|_| wrong())?)
            }
        }))
    }
}

impl TryFrom<String> for PartitionKey {
    type Error = InvalidPartitionKey;

    fn try_from(text: String) -> Result<Self, InvalidPartitionKey> {
        text.parse()
    }
}

impl From<PartitionKey> for String {
    fn from(key: PartitionKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Part::Plan => "plan_id",
            Part::Session => "session_id",
            Part::Goal => "goal_id",
            Part::Correlation => "correlation_id",
            Part::Subject => "subject",
            Part::User => "user_id",
            Part::Data(field) => return write!(f, "data.{field}"),
        })
    }
}
