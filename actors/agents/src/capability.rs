//! What an author says of what an agent can do, and what the registry is told of it.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use soorma_core::{
    Capability, Data, Error, EventDefinition, EventRef, Name, PayloadSchema, SchemaVersion, Timestamp, Topic,
};
use uuid::Uuid;

/// The UUIDv5 namespace under which the contents of schemas are told apart.
const SCHEMAS: Uuid = Uuid::from_u128(0x0d4c_3f6e_8f0b_5b1e_a7c2_50f0_0d3a_6e02);

/// One thing that an agent can do, said with the Rust types of its events: the registry gets their JSON Schemas.
///
/// ```
/// # use schemars::JsonSchema;
/// # use soorma_agents::CapabilitySpec;
/// #[derive(JsonSchema)]
/// struct Ask { topic: String }
/// #[derive(JsonSchema)]
/// struct Found { pages: Vec<String> }
///
/// let research = CapabilitySpec::new("web_research", "Researches the web")
///     .asked_by::<Ask>("research.requested")
///     .answered_by::<Found>("research.completed");
/// ```
#[derive(Debug, Clone)]
pub struct CapabilitySpec {
    name: String,
    description: String,
    asked: Option<Told>,
    said: Vec<Told>,
}

/// An event type with its schema.
#[derive(Debug, Clone)]
struct Told {
    topic: Topic,
    kind: String,
    schema: Value,
}

impl CapabilitySpec {
    /// Says what it is called and what it does, for people and for models.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into(), asked: None, said: Vec::new() }
    }

    /// Says which request asks for it, on `action-requests`, and what that carries.
    #[must_use]
    pub fn asked_by<T: JsonSchema>(self, kind: impl Into<String>) -> Self {
        self.moved_by::<T>(Topic::ActionRequests, kind)
    }

    /// Says which event on another topic sets it off, and what that carries.
    #[must_use]
    pub fn moved_by<T: JsonSchema>(mut self, topic: Topic, kind: impl Into<String>) -> Self {
        self.asked = Some(Told { topic, kind: kind.into(), schema: schema_of::<T>() });
        self
    }

    /// Says which event answers it, on `action-results`, and what the handler returns: it stands in the answer's `result`.
    #[must_use]
    pub fn answered_by<T: JsonSchema>(mut self, kind: impl Into<String>) -> Self {
        let schema = in_result(schema_of::<T>());
        self.said.push(Told { topic: Topic::ActionResults, kind: kind.into(), schema });
        self
    }

    /// Says which event it publishes besides, on which topic, and what that carries.
    #[must_use]
    pub fn announces<T: JsonSchema>(mut self, topic: Topic, kind: impl Into<String>) -> Self {
        self.said.push(Told { topic, kind: kind.into(), schema: schema_of::<T>() });
        self
    }

    /// Returns it as the registry keeps it, with the definitions and schemas of its events.
    pub(crate) fn told(&self, version: &str, owner: &Name) -> Result<ToldCapability, Error> {
        let whose = |what: &str, error: &dyn std::fmt::Display| {
            Error::invalid(format!("{what} of the capability '{}' {error}", self.name))
        };
        let name = Name::new(self.name.as_str()).map_err(|error| whose("the name", &error))?;
        let Some(asked) = &self.asked else {
            return Err(whose("the event", &"is missing; say which asks for it with asked_by or moved_by"));
        };
        let mut answer = None;
        let (mut refs, mut events, mut schemas) = (Vec::new(), Vec::new(), Vec::new());
        for told in self.said.iter().chain([asked]) {
            let kind = Name::new(told.kind.as_str()).map_err(|error| whose("an event type", &error))?;
            let schema = Data::from_value(&told.schema)
                .map_err(|error| whose("a schema", &format!("cannot be written: {error}")))?;
            let id = Uuid::new_v5(&SCHEMAS, schema.as_str().as_bytes()).simple().to_string();
            // Content is part of the version: a type that changes is another version, whatever its author says.
            let version = format!("{version}+{}", id.get(..8).unwrap_or_default());
            let version =
                SchemaVersion::new(version).map_err(|error| whose("the schema's version", &error))?;
            if told.topic == Topic::ActionResults && answer.is_none() {
                answer = Some(kind.clone());
            }
            let is_asked = std::ptr::eq(told, asked);
            refs.push(EventRef { name: kind.clone(), topic: Some(told.topic) });
            events.push(EventDefinition {
                name: kind.clone(),
                topic: told.topic,
                description: description(&told.schema).unwrap_or(&self.description).to_owned(),
                payload_schema_name: Some(kind.clone()),
                response_schema_name: answer.clone().filter(|_| is_asked),
                payload_schema: Some(schema.clone()),
                response_schema: None,
            });
            schemas.push(PayloadSchema {
                name: kind,
                version,
                schema,
                description: description(&told.schema).map(str::to_owned),
                owner: Some(owner.clone()),
                // The store writes the time.
                created_at: Timestamp::default(),
            });
        }
        // The last is the one that asks.
        let Some(consumes) = refs.pop() else {
            return Err(whose("the event", &"is missing"));
        };
        let capability = Capability { name, description: self.description.clone(), consumes, produces: refs };
        Ok(ToldCapability { capability, events, schemas })
    }
}

/// A capability with the definitions and schemas of its events.
pub(crate) struct ToldCapability {
    pub(crate) capability: Capability,
    pub(crate) events: Vec<EventDefinition>,
    pub(crate) schemas: Vec<PayloadSchema>,
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The schema of an answer whose `result` follows a schema: what that refers to moves with it.
fn in_result(schema: Value) -> Value {
    let Value::Object(mut result) = schema else {
        return json!({ "type": "object", "properties": { "result": schema } });
    };
    let mut root = Map::new();
    for key in ["$schema", "$defs", "description"] {
        if let Some(value) = result.remove(key) {
            root.insert(key.to_owned(), value);
        }
    }
    root.insert("type".to_owned(), "object".into());
    root.insert("properties".to_owned(), json!({ "result": result }));
    let mut root = Value::Object(root);
    repoint(&mut root);
    root
}

/// Has references to the root point to where the root went; `$defs` stay at the root.
fn repoint(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get_mut("$ref") {
                if to == "#" {
                    "#/properties/result".clone_into(to);
                } else if let Some(rest) = to.strip_prefix("#/").filter(|rest| !rest.starts_with("$defs/")) {
                    *to = format!("#/properties/result/{rest}");
                }
            }
            members.values_mut().for_each(repoint);
        }
        Value::Array(items) => items.iter_mut().for_each(repoint),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Leaf {
        n: u32,
    }

    /// A tree of leaves.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Tree {
        leaf: Leaf,
        below: Vec<Tree>,
    }

    fn told(spec: &CapabilitySpec) -> Result<ToldCapability, Error> {
        spec.told("1.2.0", &Name::new("gardener").expect("a name"))
    }

    fn gardening() -> CapabilitySpec {
        CapabilitySpec::new("prune", "Prunes trees")
            .asked_by::<Tree>("tree.grown")
            .answered_by::<Tree>("tree.pruned")
            .announces::<Leaf>(Topic::BusinessFacts, "leaf.fell")
    }

    #[test]
    fn a_capability_names_its_events_where_they_flow_and_how_their_answers_look() {
        let told = told(&gardening()).expect("told");
        assert_eq!(told.capability.consumes.name.as_str(), "tree.grown");
        assert_eq!(told.capability.consumes.topic, Some(Topic::ActionRequests));
        let said: Vec<_> =
            told.capability.produces.iter().map(|event| (event.name.as_str(), event.topic)).collect();
        assert_eq!(
            said,
            [("tree.pruned", Some(Topic::ActionResults)), ("leaf.fell", Some(Topic::BusinessFacts))]
        );
        let asked = told.events.iter().find(|event| event.name.as_str() == "tree.grown").expect("defined");
        assert_eq!(asked.response_schema_name.as_ref().map(Name::as_str), Some("tree.pruned"));
        assert_eq!(asked.description, "A tree of leaves.");
        assert_eq!(told.schemas.len(), 3);
    }

    #[test]
    fn what_a_result_refers_to_moves_with_it() {
        let told = told(&gardening()).expect("told");
        let answer = told.schemas.iter().find(|schema| schema.name.as_str() == "tree.pruned").expect("there");
        let schema: Value = answer.schema.parse().expect("JSON");
        assert_eq!(
            schema["properties"]["result"]["properties"]["below"]["items"]["$ref"],
            "#/properties/result"
        );
        assert_eq!(schema["properties"]["result"]["properties"]["leaf"]["$ref"], "#/$defs/Leaf");
        assert!(schema["$defs"]["Leaf"].is_object(), "{schema}");
    }

    #[test]
    fn another_content_is_another_version_and_the_same_content_the_same() {
        let version = |told: &ToldCapability, name: &str| {
            let schema = told.schemas.iter().find(|schema| schema.name.as_str() == name).expect("there");
            schema.version.to_string()
        };
        let (one, again) = (told(&gardening()).expect("told"), told(&gardening()).expect("told"));
        assert_eq!(version(&one, "tree.grown"), version(&again, "tree.grown"));
        assert!(version(&one, "tree.grown").starts_with("1.2.0+"), "{}", version(&one, "tree.grown"));
        let other = CapabilitySpec::new("prune", "Prunes trees").asked_by::<Leaf>("tree.grown");
        assert_ne!(version(&told(&other).expect("told"), "tree.grown"), version(&one, "tree.grown"));
    }

    #[test]
    fn a_capability_that_cannot_be_told_says_why() {
        let message = |spec: CapabilitySpec| told(&spec).err().expect("refused").message;
        assert!(message(CapabilitySpec::new("", "x").asked_by::<Leaf>("a")).contains("is empty"));
        assert!(message(CapabilitySpec::new("a", "x")).contains("asked_by"));
        let long = "x".repeat(256);
        assert!(message(CapabilitySpec::new("a", "x").asked_by::<Leaf>(long)).contains("256 bytes"));
    }
}
