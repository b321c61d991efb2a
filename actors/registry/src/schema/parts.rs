//! The parts of a schema that apply to one value together, read for people: by references, `allOf`, and the first
//! alternative that could be meant.

use serde_json::Value;

use super::keywords::{ALL_KINDS, Keywords, NULL, kinds};
use super::pointer::local;

/// How many parts are read; what has more is told by its first.
const MOST_PARTS: usize = 64;

/// What applies to one value.
pub(super) struct Parts<'a>(pub(super) Vec<Keywords<'a>>);

impl<'a> Parts<'a> {
    /// Reads schemas that apply to one value together; of alternatives the first that is not null.
    pub(super) fn of(root: &'a Value, schemas: &[&'a Value]) -> Self {
        Self::read(root, schemas, true)
    }

    /// Reads them without their alternatives.
    pub(super) fn without_alternatives(root: &'a Value, schemas: &[&'a Value]) -> Self {
        Self::read(root, schemas, false)
    }

    fn read(root: &'a Value, schemas: &[&'a Value], alternatives: bool) -> Self {
        let mut parts = Vec::new();
        let mut waiting: Vec<_> = schemas.iter().rev().copied().collect();
        while let Some(schema) = waiting.pop() {
            if parts.len() >= MOST_PARTS {
                break;
            }
            let keywords = Keywords::of(schema);
            parts.push(keywords);
            if alternatives {
                let meant = |keyword| {
                    let list = keywords.list(keyword);
                    let is_null = |schema: &&Value| {
                        kinds(Keywords::of(schema)) == NULL || **schema == Value::Bool(false)
                    };
                    list.iter().find(|schema| !is_null(schema)).or(list.first())
                };
                waiting.extend(["oneOf", "anyOf"].into_iter().filter_map(meant));
            }
            waiting.extend(keywords.list("allOf").iter().rev());
            let reference = keywords.get("$ref").and_then(Value::as_str);
            waiting.extend(reference.and_then(|reference| local(root, reference)));
        }
        Self(parts)
    }

    pub(super) fn first(&self, keyword: &str) -> Option<&'a Value> {
        self.all(keyword).next()
    }

    pub(super) fn all(&self, keyword: &str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter_map(move |part| part.get(keyword))
    }

    /// The kinds of values that all parts allow.
    pub(super) fn kinds(&self) -> u8 {
        self.0.iter().map(|part| kinds(*part)).fold(ALL_KINDS, |all, one| all & one)
    }

    /// The names that any part requires, each once, in order.
    pub(super) fn required(&self) -> Vec<&'a str> {
        let mut names: Vec<_> =
            self.all("required").filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The names that any part describes, each once, in order.
    pub(super) fn described(&self) -> Vec<&'a str> {
        let maps = self.all("properties").filter_map(Value::as_object);
        let mut names: Vec<_> = maps.flat_map(|map| map.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What applies to the member of a name.
    pub(super) fn member(&self, name: &str) -> Vec<&'a Value> {
        let mut schemas = Vec::new();
        for part in &self.0 {
            let described = part.map("properties").and_then(|map| map.get(name));
            schemas.extend(described.or_else(|| part.get("additionalProperties")));
        }
        schemas
    }

    /// What applies to the item at a place.
    pub(super) fn item(&self, place: usize) -> Vec<&'a Value> {
        let item = |part: &Keywords<'a>| part.list("prefixItems").get(place).or_else(|| part.get("items"));
        self.0.iter().filter_map(item).collect()
    }

    /// The largest of the lower bounds, or the smallest of the upper ones.
    pub(super) fn bound(&self, keyword: &str, tighter: fn(f64, f64) -> f64) -> Option<f64> {
        self.all(keyword).filter_map(Value::as_f64).reduce(tighter)
    }
}
