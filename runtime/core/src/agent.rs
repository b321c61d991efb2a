//! What the registry knows of an agent.

use serde::{Deserialize, Serialize};

use crate::excerpt::excerpt;
use crate::{Name, Topic};

/// What an agent says of itself. Registering it again replaces all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Its id: unique in its tenant.
    pub id: Name,
    /// Its name, as it is shown. Several instances of one agent have one name and an id each. The published client folds the
    /// version into it: `researcher:1.0.0`.
    pub name: Name,
    /// What it is for, in a sentence or two; for people and for models.
    pub description: String,
    /// What sort of agent it is, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AgentKind>,
    /// Its version, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// The types of the events that it handles, each once, in the order in which it names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<Name>,
    /// The types of the events that it publishes, each once, in the order in which it names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub produces: Vec<Name>,
}

impl AgentRecord {
    /// The most capabilities that one agent has.
    pub const MAX_CAPABILITIES: usize = 1_000;
    /// The most event types that one agent consumes, and that it or one of its capabilities produces.
    pub const MAX_EVENTS: usize = 1_000;
    /// The most bytes of a description.
    pub const MAX_DESCRIPTION_BYTES: usize = 8 * 1_024;
    /// The most bytes of a version.
    pub const MAX_VERSION_BYTES: usize = 50;
    /// The most [`bytes`](Self::bytes) of all that one agent says of itself.
    pub const MAX_BYTES: usize = 64 * 1_024;

    /// Returns how many bytes all that it says of itself has: its names, descriptions and events.
    pub fn bytes(&self) -> usize {
        let names = |names: &[Name]| names.iter().map(|name| name.as_str().len()).sum::<usize>();
        let capabilities = self.capabilities.iter().map(|one| {
            let events = one.produces.iter().chain([&one.consumes]);
            let events = events.map(|event| event.name.as_str().len()).sum::<usize>();
            one.name.as_str().len() + one.description.len() + events
        });
        self.id.as_str().len()
            + self.name.as_str().len()
            + self.description.len()
            + self.version.as_ref().map_or(0, String::len)
            + capabilities.sum::<usize>()
            + names(&self.consumes)
            + names(&self.produces)
    }

    /// Returns the version that it states, or the part of its name after the last colon.
    pub fn version(&self) -> Option<&str> {
        let folded = || self.name.as_str().rsplit_once(':').map(|(_, version)| version);
        self.version.as_deref().or_else(folded)
    }

    /// Returns its name without a version that was folded into it.
    pub fn bare_name(&self) -> &str {
        self.name.as_str().rsplit_once(':').map_or(self.name.as_str(), |(name, _)| name)
    }
}

/// One thing that an agent can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// What it is called, such as `web_research`.
    pub name: Name,
    /// What it does, for people and for models.
    pub description: String,
    /// The event that asks for it.
    pub consumes: EventRef,
    /// The events that answer it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub produces: Vec<EventRef>,
}

/// An event type that a capability names, and where it flows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// The type, such as `research.requested`.
    pub name: Name,
    /// The topic, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
}

/// Writes an enumeration of words once: the variants, their names on the wire, reading and writing.
macro_rules! words {
    ($(#[$doc:meta])* $Type:ident, $Unknown:ident, $what:literal, { $( $(#[$vdoc:meta])* $Variant:ident = $word:literal, )+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $Type {
            $( $(#[$vdoc])* $Variant, )+
        }

        #[doc = concat!("A text that is no ", $what, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("'{0}' is no {what}; say one of {words}", what = $what, words = [$($word),+].join(", "))]
        pub struct $Unknown(pub String);

        impl $Type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Variant),+];

            /// Returns the name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$Variant => $word, )+
                }
            }
        }

        impl std::fmt::Display for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $Type {
            type Err = $Unknown;

            fn from_str(text: &str) -> Result<Self, $Unknown> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| $Unknown(excerpt(text)))
            }
        }
    };
}

words! {
    /// What sort of agent it is.
    AgentKind, UnknownAgentKind, "kind of agent", {
        /// It answers requests, each on its own.
        Tool = "tool",
        /// It does tasks and takes part in what happens.
        Worker = "worker",
        /// It breaks goals into tasks.
        Planner = "planner",
    }
}

words! {
    /// How an agent is.
    AgentStatus, UnknownAgentStatus, "status of an agent", {
        /// It is there and does not take events yet.
        Starting = "starting",
        /// It takes events.
        Ready = "ready",
        /// It takes events, less well than it should.
        Degraded = "degraded",
        /// It failed too often; its events wait until somebody releases it.
        Quarantined = "quarantined",
        /// It finishes what it has in hand and takes no more.
        Draining = "draining",
        /// It has not been heard of for as long as its lease runs.
        Expired = "expired",
    }
}

words! {
    /// By what agents are put in order that were asked for in a sentence.
    RankedBy, UnknownRankedBy, "way to rank agents", {
        /// By how near what they say of themselves is to it in the vectors of an embedder.
        Meaning = "meaning",
        /// By how many of its words they have.
        Words = "words",
    }
}
