//! What a batch of writes does to the rows that it is about: no SQL, no waiting.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use soorma_ports::{Refused, RegistryAct, RegistryStoreError, RegistryWrite, Standing, Written};

/// A write, with all that it says as text: what cannot be said is refused before anything is held.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) tenant: String,
    at: i64,
    act: Act,
}

#[derive(Debug)]
enum Act {
    Put { id: String, record: String, stood: Stood },
    Hear { id: String, stood: Option<Stood> },
    Remove { id: String, unless_heard_after: Option<i64> },
    Define { name: String, topic: &'static str, definition: String },
    Schema { key: (String, String), schema: String },
}

/// A standing, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stood {
    pub(super) status: String,
    /// A JSON text: there are texts that Postgres' own cannot hold.
    pub(super) reason: Option<String>,
}

/// Which rows a batch is about, of one tenant.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) agents: BTreeSet<&'a str>,
    pub(super) events: BTreeSet<&'a str>,
    pub(super) schemas: BTreeSet<(&'a str, &'a str)>,
}

/// The rows of one tenant that a batch is about, with what was done to them.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) agents: BTreeMap<String, Agent>,
    pub(super) events: BTreeMap<String, Event>,
    /// With the text of those that are new.
    pub(super) schemas: BTreeMap<(String, String), Option<Schema>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) revision: i64,
    pub(super) said: i64,
    pub(super) stood: Stood,
    pub(super) registered_at: i64,
    pub(super) heard_at: i64,
    pub(super) removed_at: Option<i64>,
    pub(super) change: Change,
}

/// What is to be written of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// How it is, and when it was heard.
    Heard,
    /// All, with this record.
    Whole(String),
}

#[derive(Debug)]
pub(super) enum Event {
    There,
    /// To be written; the topic only where there is none.
    Put {
        revision: i64,
        topic: &'static str,
        definition: String,
    },
}

#[derive(Debug)]
pub(super) struct Schema {
    pub(super) revision: i64,
    pub(super) text: String,
}

impl Stood {
    fn new(standing: &Standing) -> Result<Self, RegistryStoreError> {
        let reason = standing.reason.as_ref().map(text).transpose()?;
        Ok(Self { status: standing.status.as_str().to_owned(), reason })
    }
}

impl Prepared {
    pub(super) fn new(write: RegistryWrite) -> Result<Self, RegistryStoreError> {
        let RegistryWrite { tenant, at, what } = write;
        let act = match what {
            RegistryAct::PutAgent { agent, standing } => {
                Act::Put { record: text(&agent)?, stood: Stood::new(&standing)?, id: agent.id.to_string() }
            }
            RegistryAct::Hear { agent, standing } => {
                Act::Hear { id: agent.to_string(), stood: standing.as_ref().map(Stood::new).transpose()? }
            }
            RegistryAct::RemoveAgent { agent, unless_heard_after } => Act::Remove {
                id: agent.to_string(),
                unless_heard_after: unless_heard_after.map(|time| time.micros()),
            },
            RegistryAct::PutEvent(event) => Act::Define {
                definition: text(&event)?,
                topic: event.topic.as_str(),
                name: event.name.to_string(),
            },
            RegistryAct::PutSchema(mut schema) => {
                schema.created_at = at;
                let key = (schema.name.to_string(), schema.version.to_string());
                Act::Schema { key, schema: text(&schema)? }
            }
        };
        Ok(Self { tenant: tenant.to_string(), at: at.micros(), act })
    }
}

fn text(value: &impl Serialize) -> Result<String, RegistryStoreError> {
    let said = |error| RegistryStoreError::Invalid(format!("it cannot be written as JSON: {error}"));
    serde_json::to_string(value).map_err(said)
}

/// Which rows a batch is about, by tenant.
pub(super) fn wanted(writes: &[Prepared]) -> BTreeMap<String, Wanted<'_>> {
    let mut of: BTreeMap<String, Wanted<'_>> = BTreeMap::new();
    for write in writes {
        let wanted = of.entry(write.tenant.clone()).or_default();
        match &write.act {
            Act::Put { id, .. } | Act::Hear { id, .. } | Act::Remove { id, .. } => {
                wanted.agents.insert(id);
            }
            Act::Define { name, .. } => {
                wanted.events.insert(name);
            }
            Act::Schema { key: (name, version), .. } => {
                wanted.schemas.insert((name, version));
            }
        }
    }
    of
}

impl Held {
    /// Whether anything is to be written.
    pub(super) fn is_changed(&self) -> bool {
        self.agents.values().any(|agent| agent.change != Change::Nothing)
            || self.events.values().any(|event| matches!(event, Event::Put { .. }))
            || self.schemas.values().any(Option::is_some)
    }

    /// Carries out one write; what changes has this revision.
    pub(super) fn write(&mut self, write: Prepared, revision: i64) -> Result<Written, Refused> {
        let Prepared { at, act, .. } = write;
        match act {
            Act::Put { id, record, stood } => {
                let before = self.standing(&id).map(|before| before.registered_at);
                let agent = Agent {
                    revision,
                    said: revision,
                    stood,
                    registered_at: before.unwrap_or(at),
                    heard_at: at,
                    removed_at: None,
                    change: Change::Whole(record),
                };
                self.agents.insert(id, agent);
                Ok(written(revision, before.is_none()))
            }
            Act::Hear { id, stood } => {
                let agent = self.standing(&id).ok_or(Refused::NotFound)?;
                let is_other = stood.as_ref().is_some_and(|stood| *stood != agent.stood);
                if at <= agent.heard_at && !is_other {
                    return Ok(written(agent.revision, false));
                }
                agent.revision = revision;
                agent.heard_at = agent.heard_at.max(at);
                if let Some(stood) = stood {
                    agent.stood = stood;
                }
                if agent.change == Change::Nothing {
                    agent.change = Change::Heard;
                }
                Ok(written(revision, false))
            }
            Act::Remove { id, unless_heard_after } => {
                let agent = self.standing(&id).ok_or(Refused::NotFound)?;
                if unless_heard_after.is_some_and(|limit| agent.heard_at > limit) {
                    return Err(Refused::Conflict);
                }
                agent.revision = revision;
                agent.removed_at = Some(at);
                // Its record takes no room any more.
                agent.change = Change::Whole(String::new());
                Ok(written(revision, false))
            }
            Act::Define { name, topic, definition } => {
                // The first topic stays, also of one that was put in this batch.
                let (topic, made) = match self.events.get(&name) {
                    Some(Event::Put { topic, .. }) => (*topic, false),
                    Some(Event::There) => (topic, false),
                    None => (topic, true),
                };
                self.events.insert(name, Event::Put { revision, topic, definition });
                Ok(written(revision, made))
            }
            Act::Schema { key, schema } => {
                if self.schemas.contains_key(&key) {
                    return Err(Refused::AlreadyExists);
                }
                self.schemas.insert(key, Some(Schema { revision, text: schema }));
                Ok(written(revision, true))
            }
        }
    }

    /// The agent, where it was not removed.
    fn standing(&mut self, id: &str) -> Option<&mut Agent> {
        self.agents.get_mut(id).filter(|agent| agent.removed_at.is_none())
    }
}

fn written(revision: i64, made: bool) -> Written {
    Written { revision: super::unsigned(revision), made }
}
