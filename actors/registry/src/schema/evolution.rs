//! What becomes of producers and consumers when a schema gets a new version.
//!
//! In the words of schema registries: a change is *backward* compatible when payloads of the old version are valid
//! under the new one, *forward* compatible when payloads of the new version are valid under the old one, *full* when
//! it is both. As registries do for open schemas in practice, it is taken that payloads hold no members that their
//! version does not name: so a new optional member is compatible, although somebody may have used its name.
//!
//! What is compared is the text of the schemas, not all that they mean: what says the same in another way, such as a
//! type moved into `allOf`, is reported; nothing that breaks is left out.

mod alternatives;
mod members;
mod values;

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::excerpt::{excerpt, pointer_excerpt};
use super::keywords::Keywords;
use super::pointer::{decode_fragment, local, push};
use super::schema_change::{Effect, SchemaChange};

/// How many changes are named at most.
const MOST_CHANGES: usize = 1_000;

/// How many pairs of subschemas are looked at before it is said that the rest was not.
const MOST_STEPS: usize = 100_000;

/// How deep subschemas are followed, through references, too.
const MOST_DEPTH: usize = 128;

/// What is allowed where a schema says nothing.
const ANYTHING: &Value = &Value::Bool(true);

/// Keywords that tell readers and check nothing, and those that only hold other schemas.
const TELLING: &[&str] = &[
    "title",
    "description",
    "$comment",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$schema",
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "$vocabulary",
    "$defs",
    "definitions",
    "format",
];

/// Keywords that are compared one by one.
const COMPARED: &[&str] = &[
    "type",
    "enum",
    "const",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
    "properties",
    "additionalProperties",
    "prefixItems",
    "items",
    "allOf",
    "anyOf",
    "oneOf",
];

const REFERENCES: &[&str] = &["$ref", "$dynamicRef"];

/// Compares two versions of a schema. Both should be admitted; anything else is compared as far as it goes.
pub fn diff(old: &Value, new: &Value) -> Vec<SchemaChange> {
    if old == new {
        return Vec::new();
    }
    let unevaluated = [old, new].into_iter().any(|schema| mentions_unevaluated(schema, MOST_DEPTH));
    let mut diff = Diff { old, new, unevaluated, seen: HashSet::new(), steps: 0, changes: Vec::new() };
    diff.compare(old, new, "", 0);
    if diff.steps > MOST_STEPS {
        diff.changes.truncate(MOST_CHANGES - 1);
        diff.note("", Effect::Unknown, "is too large to be compared to its end");
    }
    diff.changes
}

struct Diff<'a> {
    old: &'a Value,
    new: &'a Value,
    /// Whether either version asks what others have evaluated: then members that are named somewhere matter elsewhere.
    unevaluated: bool,
    /// Pairs that were compared, so that recursion ends and nothing is told twice.
    seen: Seen,
    steps: usize,
    changes: Vec<SchemaChange>,
}

impl<'a> Diff<'a> {
    fn note(&mut self, pointer: &str, effect: Effect, sentence: impl Into<String>) {
        if self.changes.len() < MOST_CHANGES {
            let change =
                SchemaChange { pointer: pointer_excerpt(pointer), sentence: sentence.into(), effect };
            if !self.changes.contains(&change) {
                self.changes.push(change);
            }
        } else {
            // What is left out must not look compatible.
            self.steps = MOST_STEPS + 1;
        }
    }

    /// Counts a step, and says whether there is one more.
    fn step(&mut self) -> bool {
        self.steps = self.steps.saturating_add(1);
        self.steps <= MOST_STEPS
    }

    fn compare(&mut self, old: &'a Value, new: &'a Value, pointer: &str, depth: usize) {
        if !self.step() {
            return;
        }
        if depth > MOST_DEPTH {
            return self.note(pointer, Effect::Unknown, "is nested too deep to be compared");
        }
        let (old, _) = resolve(self.old, old);
        let (new, at) = resolve(self.new, new);
        let pointer = at.as_deref().unwrap_or(pointer);
        if !self.seen.insert((std::ptr::from_ref(old), std::ptr::from_ref(new))) {
            return;
        }
        match (old, new) {
            (Value::Bool(false), Value::Bool(false)) => return,
            (Value::Bool(false), _) => {
                return self.note(pointer, Effect::BreaksConsumers, "was not allowed and is now");
            }
            (_, Value::Bool(false)) => {
                return self.note(pointer, Effect::BreaksProducers, "is no longer allowed");
            }
            _ => {}
        }
        let (old, new) = (Keywords::of(old), Keywords::of(new));
        for (effect, sentence) in values::changes(old, new) {
            self.note(pointer, effect, sentence);
        }
        self.references(old, new, pointer, depth);
        self.opaque(old, new, pointer);
        self.members(old, new, pointer, depth);
        self.items(old, new, pointer, depth);
        self.alternatives(old, new, pointer, depth);
    }

    /// Compares what references mean that stand beside other keywords.
    fn references(&mut self, old: Keywords<'a>, new: Keywords<'a>, pointer: &str, depth: usize) {
        for keyword in REFERENCES {
            let target =
                |keywords: Keywords<'a>, root| keywords.get(keyword).map(|reference| (reference, root));
            let found = |(reference, root): (&'a Value, &'a Value)| local(root, reference.as_str()?);
            match (target(old, self.old), target(new, self.new)) {
                (None, None) => {}
                (was, is) => {
                    let pointer = push(pointer, keyword);
                    match (was.and_then(found), is.and_then(found)) {
                        (Some(was), Some(is)) => self.compare(was, is, &pointer, depth.saturating_add(1)),
                        _ => self.note(&pointer, Effect::Unknown, format!("{keyword} cannot be compared")),
                    }
                }
            }
        }
    }

    /// Compares by equality what is not understood any better.
    fn opaque(&mut self, old: Keywords<'a>, new: Keywords<'a>, pointer: &str) {
        let known = |keyword: &&str| {
            TELLING.contains(keyword) || COMPARED.contains(keyword) || keyword.starts_with("x-")
        };
        let keywords: BTreeSet<_> =
            old.names().chain(new.names()).filter(|keyword| !known(keyword)).collect();
        for keyword in keywords {
            let same = match (old.get(keyword), new.get(keyword)) {
                (Some(old), Some(new)) => self.same(old, new, &mut HashSet::new(), 0),
                _ => false,
            };
            if !same {
                let pointer = push(pointer, keyword);
                self.note(&pointer, Effect::Unknown, format!("{} cannot be compared", excerpt(keyword)));
            }
        }
    }

    fn items(&mut self, old: Keywords<'a>, new: Keywords<'a>, pointer: &str, depth: usize) {
        let rest = |keywords: Keywords<'a>| keywords.get("items").unwrap_or(ANYTHING);
        let (old_first, new_first) = (old.list("prefixItems"), new.list("prefixItems"));
        for place in 0..old_first.len().max(new_first.len()) {
            let at = push(&push(pointer, "prefixItems"), &place.to_string());
            let (was, is) =
                (old_first.get(place).unwrap_or(rest(old)), new_first.get(place).unwrap_or(rest(new)));
            self.compare(was, is, &at, depth.saturating_add(1));
        }
        self.compare(rest(old), rest(new), &push(pointer, "items"), depth.saturating_add(1));
    }

    /// Whether two values are the same, and so is all that they refer to.
    fn same(&mut self, old: &'a Value, new: &'a Value, seen: &mut Seen, depth: usize) -> bool {
        if !self.step() || depth > MOST_DEPTH {
            return false;
        }
        let depth = depth.saturating_add(1);
        match (old, new) {
            (Value::Array(old), Value::Array(new)) => {
                old.len() == new.len()
                    && old.iter().zip(new).all(|(old, new)| self.same(old, new, seen, depth))
            }
            (Value::Object(was), Value::Object(is)) => {
                let alike = was.len() == is.len()
                    && was
                        .iter()
                        .all(|(name, was)| is.get(name).is_some_and(|is| self.same(was, is, seen, depth)));
                alike && self.same_target(old, seen, depth)
            }
            _ => old == new,
        }
    }

    /// Whether what the references of a value mean is the same in both versions.
    fn same_target(&mut self, equal: &'a Value, seen: &mut Seen, depth: usize) -> bool {
        for keyword in REFERENCES {
            let Some(reference) = equal.get(*keyword).and_then(Value::as_str) else { continue };
            // By anchor or by the whole name: the targets may differ, and it is not told that they do not.
            let (Some(was), Some(is)) = (local(self.old, reference), local(self.new, reference)) else {
                return false;
            };
            let pair = (std::ptr::from_ref(was), std::ptr::from_ref(is));
            if seen.insert(pair) && !self.same(was, is, seen, depth) {
                return false;
            }
        }
        true
    }
}

type Seen = HashSet<(*const Value, *const Value)>;

/// Follows references that stand alone, and says where they lead to.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> (&'a Value, Option<String>) {
    let (mut schema, mut at) = (schema, None);
    for _ in 0..MOST_DEPTH {
        let keywords = Keywords::of(schema);
        let Some(reference) = keywords.get("$ref").and_then(Value::as_str) else { break };
        if keywords.names().any(|keyword| keyword != "$ref" && !TELLING.contains(&keyword)) {
            break;
        }
        let Some(target) = local(root, reference) else { break };
        schema = target;
        at = reference.strip_prefix('#').and_then(decode_fragment).map(String::from);
    }
    (schema, at)
}

fn mentions_unevaluated(schema: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    match schema {
        Value::Array(items) => items.iter().any(|item| mentions_unevaluated(item, depth)),
        Value::Object(members) => members.iter().any(|(name, member)| {
            name == "unevaluatedProperties"
                || name == "unevaluatedItems"
                || mentions_unevaluated(member, depth)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
