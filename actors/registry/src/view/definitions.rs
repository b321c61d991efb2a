//! What the events of one tenant mean, and its schemas.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use soorma_core::{Data, EventDefinition, PayloadSchema, Topic};
use soorma_ports::DescribedField;

use crate::schema::{CompiledSchema, example, fields};

/// The most bytes of an example: what is larger says little in few tokens.
const MOST_EXAMPLE: usize = 1_000;

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
    compiled: Compiled,
}

#[derive(Debug)]
pub(crate) struct SchemaRow {
    pub(crate) schema: Arc<PayloadSchema>,
    revision: u64,
    compiled: Compiled,
}

/// A schema as it is checked by and as it is told. Both are made when they are first needed, and only set here: to make them takes up to
/// seconds, and nobody is to wait for it in a lock.
#[derive(Debug, Default)]
struct Compiled {
    check: OnceLock<Option<CompiledSchema>>,
    told: OnceLock<Option<Told>>,
}

/// What a planner is told of a payload.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The members that must be there.
    pub(crate) required: Vec<DescribedField>,
    /// A payload that fits, where a small one was found.
    pub(crate) example: Option<Data>,
}

impl Compiled {
    /// Compiles the schema, where that is not done. Takes long.
    fn compile(&self, schema: &Data, name: &str) {
        if self.check.get().is_some() {
            return;
        }
        let value: Result<Value, _> = schema.parse().map_err(|error| error.to_string());
        let compiled =
            value.and_then(|value| CompiledSchema::new(&value).map_err(|faults| format!("{faults:?}")));
        // It was admitted when it was registered, perhaps by another version of this program.
        let compiled = compiled.map_err(|error| {
            tracing::error!(name, error, "a schema cannot be checked by; payloads pass it");
        });
        // Another may have been first, with the same.
        let _set = self.check.set(compiled.ok());
    }

    /// Finds out what is to be told, where that is not done. Takes long.
    fn tell(&self, schema: &Data, name: &str) {
        if self.told.get().is_some() {
            return;
        }
        self.compile(schema, name);
        let check = self.check.get().and_then(Option::as_ref);
        let _set = self.told.set(check.map(|check| told(check, schema)));
    }
}

fn told(check: &CompiledSchema, schema: &Data) -> Told {
    let Ok(value) = schema.parse::<Value>() else { return Told::default() };
    let required = fields(&value).into_iter().filter(|field| field.required);
    let example = example(&value);
    let fits = check.check(&example).is_ok();
    Told {
        required: required
            .map(|field| DescribedField {
                name: field.name,
                kind: field.kind,
                description: field.description,
            })
            .collect(),
        example: Data::from_value(&example).ok().filter(|data| fits && data.as_str().len() <= MOST_EXAMPLE),
    }
}

/// What the payload of an event is to follow. Clones share what is made of it.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// A schema that has a name.
    Named(Arc<SchemaRow>),
    /// The schema in the definition itself.
    Inline(Arc<EventRow>, Data),
}

impl Rule {
    /// Whether the schema is [compiled](Self::compile).
    pub(crate) fn is_compiled(&self) -> bool {
        self.parts().0.check.get().is_some()
    }

    /// Compiles the schema. Takes up to seconds: for a thread that nobody else waits for.
    pub(crate) fn compile(&self) {
        let (compiled, schema, name) = self.parts();
        compiled.compile(schema, name);
    }

    /// Returns the schema as it is checked by, once it is compiled; `None` for one that cannot be.
    pub(crate) fn check(&self) -> Option<&CompiledSchema> {
        self.parts().0.check.get()?.as_ref()
    }

    /// Whether it is [found out](Self::tell) what a planner is told of the schema.
    pub(crate) fn is_told(&self) -> bool {
        self.parts().0.told.get().is_some()
    }

    /// Finds out what a planner is told of the schema. Takes up to seconds, as to compile it.
    pub(crate) fn tell(&self) {
        let (compiled, schema, name) = self.parts();
        compiled.tell(schema, name);
    }

    /// Returns what a planner is told of the schema, once it is found out; `None` for one that cannot be checked by.
    pub(crate) fn told(&self) -> Option<&Told> {
        self.parts().0.told.get()?.as_ref()
    }

    fn parts(&self) -> (&Compiled, &Data, &str) {
        match self {
            Self::Named(row) => (&row.compiled, &row.schema.schema, row.schema.name.as_str()),
            Self::Inline(row, schema) => (&row.compiled, schema, row.definition.name.as_str()),
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
        let row = EventRow { definition: Arc::new(definition), compiled: Compiled::default() };
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
        let row = SchemaRow { schema: Arc::new(schema), revision, compiled: Compiled::default() };
        versions.insert(at, Arc::new(row));
        self.schema_count += 1;
        true
    }
}

fn from(after: Option<&str>) -> Bound<&str> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}
