//! Ids and names.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::Topic;

/// The UUIDv5 namespace under which ids of emitted events are derived.
const EMISSIONS: Uuid = Uuid::from_u128(0x6f1d_8a0e_4c1b_5b52_9a53_50f0_0d3a_6e01);

/// A text of 1 to 255 bytes without control characters: an id, or the name of an agent or group.
///
/// Other programs choose these, so the only rules are those that keep logs, headers and tables whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(Box<str>);

/// The id of an event: any [`Name`]; those that we make are UUIDs.
pub type EventId = Name;

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It has no characters but white space.
    #[error("is empty")]
    Empty,
    /// It has more than 255 bytes.
    #[error("has {0} bytes; at most 255 are allowed")]
    TooLong(usize),
    /// It has a line break or another control character.
    #[error("contains a control character")]
    Control,
}

impl Name {
    /// The most bytes that a name has.
    pub const MAX_BYTES: usize = 255;

    /// Takes a text as a name.
    ///
    /// # Errors
    /// When it is blank, too long, or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        if text.trim().is_empty() {
            Err(InvalidName::Empty)
        } else if text.len() > Self::MAX_BYTES {
            Err(InvalidName::TooLong(text.len()))
        } else if text.chars().any(char::is_control) {
            Err(InvalidName::Control)
        } else {
            Ok(Self(text.into_boxed_str()))
        }
    }

    /// Makes a UUIDv7 from a time in milliseconds since 1970 and ten random bytes (RFC 9562 §5.7).
    pub fn uuid_v7(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self::from(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
    }

    /// Derives the id of the `ordinal`th event that `group` emits while it handles the event `cause` of a topic.
    ///
    /// The same arguments give the same id, so a repeated emission after a crash is refused by the log.
    #[must_use]
    pub fn emission(tenant: &str, group: &str, topic: Topic, cause: &Self, ordinal: u32) -> Self {
        // Lengths stand before the parts, so that no two lists of parts give one text.
        let (tenants, groups, causes) = (tenant.len(), group.len(), cause.0.len());
        let text = format!("{tenants}:{tenant}{groups}:{group}{}:{causes}:{cause}{ordinal}", topic.number());
        Self::from(Uuid::new_v5(&EMISSIONS, text.as_bytes()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for Name {
    fn from(id: Uuid) -> Self {
        Self(id.to_string().into_boxed_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
