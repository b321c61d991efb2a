//! What the events of one tenant mean, and its schemas.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use soorma_core::{Data, EventDefinition, PayloadSchema, Topic};

use crate::made::Made;
use crate::ready::Slot;

#[derive(Debug, Default)]
pub(crate) struct Definitions {
    events: BTreeMap<Box<str>, Arc<EventRow>>,
    /// The versions of each name in the order in which they were registered.
    schemas: BTreeMap<Box<str>, Vec<Arc<SchemaRow>>>,
    schema_count: usize,
}

#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) definition: Arc<EventDefinition>,
    /// Of its inline schema.
    slot: Slot,
}

#[derive(Debug)]
pub(crate) struct SchemaRow {
    pub(crate) schema: Arc<PayloadSchema>,
    revision: u64,
    slot: Slot,
}

/// What the payload of an event is to follow. Clones share where what is made of it is kept.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// A schema that has a name.
    Named(Arc<SchemaRow>),
    /// The schema in the definition itself.
    Inline(Arc<EventRow>, Data),
}

impl Rule {
    /// Returns where what is made of the schema is kept.
    pub(crate) fn slot(&self) -> &Slot {
        match self {
            Self::Named(row) => &row.slot,
            Self::Inline(row, _) => &row.slot,
        }
    }

    /// Makes what is made of the schema. Takes up to seconds: for a thread that nobody else waits for.
    pub(crate) fn make(&self) -> Made {
        match self {
            Self::Named(row) => Made::of(&row.schema.schema, row.schema.name.as_str()),
            Self::Inline(row, schema) => Made::of(schema, row.definition.name.as_str()),
        }
    }

    /// Says which schema it is.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Named(row) => format!("schema {}@{}", row.schema.name, row.schema.version),
            Self::Inline(..) => "the schema in its definition".to_owned(),
        }
    }
}

impl Definitions {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.schemas.is_empty()
    }

    pub(crate) fn event_count(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn schema_count(&self) -> usize {
        self.schema_count
    }

    pub(crate) fn event(&self, name: &str) -> Option<&Arc<EventDefinition>> {
        self.events.get(name).map(|row| &row.definition)
    }

    pub(crate) fn events(
        &self,
        topic: Option<Topic>,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Arc<EventDefinition>> {
        let rows = self.events.range::<str, _>((from(after), Bound::Unbounded));
        let of_topic = rows.filter(|(_, row)| topic.is_none_or(|topic| row.definition.topic == topic));
        of_topic.take(limit).map(|(_, row)| Arc::clone(&row.definition)).collect()
    }

    pub(crate) fn flows_on(&self, event: &str, topic: Topic) -> bool {
        self.event(event).is_some_and(|definition| definition.topic == topic)
    }

    pub(crate) fn schema(&self, name: &str, version: Option<&str>) -> Option<&Arc<SchemaRow>> {
        let versions = self.schemas.get(name)?;
        match version {
            None => versions.last(),
            Some(version) => versions.iter().find(|row| row.schema.version.as_str() == version),
        }
    }

    pub(crate) fn schemas(
        &self,
        owner: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Vec<Arc<PayloadSchema>> {
        // Of the name that the page before ended in, those that came after its last version.
        let rest = after.map(|(name, version)| self.versions_after(name, Some(version))).unwrap_or_default();
        let others = self.schemas.range::<str, _>((from(after.map(|(name, _)| name)), Bound::Unbounded));
        let rows = rest.iter().chain(others.flat_map(|(_, versions)| versions));
        let is_of = |row: &&Arc<SchemaRow>| {
            owner.is_none_or(|owner| row.schema.owner.as_ref().is_some_and(|name| name.as_str() == owner))
        };
        rows.filter(is_of).take(limit).map(|row| Arc::clone(&row.schema)).collect()
    }

    /// Returns the versions of a schema after one of them.
    pub(crate) fn versions(&self, name: &str, after: Option<&str>, limit: usize) -> Vec<Arc<PayloadSchema>> {
        self.versions_after(name, after).iter().take(limit).map(|row| Arc::clone(&row.schema)).collect()
    }

    fn versions_after(&self, name: &str, after: Option<&str>) -> &[Arc<SchemaRow>] {
        let Some(versions) = self.schemas.get(name) else { return &[] };
        let Some(after) = after else { return versions };
        let last = versions.iter().position(|row| row.schema.version.as_str() == after);
        last.and_then(|last| versions.get(last + 1..)).unwrap_or_default()
    }

    /// Returns what the payload of an event must follow, where the tenant has said so.
    pub(crate) fn rule(&self, event: &str) -> Option<Rule> {
        let row = self.events.get(event)?;
        // What stands in the definition was said with it. A name may stand for a version from before: the published clients bring the
        // schema of a definition under one version for ever, and go on when that is taken.
        if let Some(schema) = &row.definition.payload_schema {
            return Some(Rule::Inline(Arc::clone(row), schema.clone()));
        }
        let named = self.schema(row.definition.payload_schema_name.as_ref()?.as_str(), None)?;
        Some(Rule::Named(Arc::clone(named)))
    }

    /// Says what an event means; returns what was said before.
    pub(crate) fn put_event(&mut self, definition: EventDefinition) -> Option<Arc<EventDefinition>> {
        // Agents say the same whenever they start; what was made of its schema stays.
        if let Some(known) = self.event(definition.name.as_str()).filter(|known| ***known == definition) {
            return Some(Arc::clone(known));
        }
        let name = definition.name.as_str().into();
        let row = EventRow { definition: Arc::new(definition), slot: Slot::default() };
        self.events.insert(name, Arc::new(row)).map(|before| Arc::clone(&before.definition))
    }

    /// Puts a schema in; returns whether it is new.
    pub(crate) fn put_schema(&mut self, schema: PayloadSchema, revision: u64) -> bool {
        let versions = self.schemas.entry(schema.name.as_str().into()).or_default();
        if versions.iter().any(|row| row.schema.version == schema.version) {
            // It never changes: the same change was read again.
            return false;
        }
        let at = versions
            .partition_point(|row| (row.schema.created_at, row.revision) < (schema.created_at, revision));
        let row = SchemaRow { schema: Arc::new(schema), revision, slot: Slot::default() };
        versions.insert(at, Arc::new(row));
        self.schema_count += 1;
        true
    }
}

fn from(after: Option<&str>) -> Bound<&str> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}
