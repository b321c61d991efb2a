//! The subschemas of a document, and what leads from one to another.
//!
//! A checker comes from one subschema to another in two ways: **in place**, at the same value (`$ref`, `allOf`,
//! `if` …), and **below**, at a member, an item or a name of it. What only holds subschemas (`$defs`) leads nowhere.

use std::collections::HashMap;

use serde_json::{Map, Value};
use soorma_core::json_bytes;

use super::excerpt::excerpt;
use super::pointer::{decode_fragment, push};
use super::schema_fault::SchemaFault;

/// How deep a schema may be nested, as JSON; the bound of payloads, too.
pub const MAX_DEPTH: usize = 64;

/// How many subschemas a schema may have.
pub const MAX_SUBSCHEMAS: usize = 10_000;

/// How long the pointer to a subschema may be: every place keeps its own, so that long names would multiply.
const MAX_POINTER: usize = 1_024;

/// The one draft.
pub(super) const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Which child of a value a subschema applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    /// The member of that name, and no other.
    Member,
    /// Any member.
    AnyMember,
    /// The name of any member.
    Name,
    /// The item at that place, and no other.
    Item,
    /// Any item.
    AnyItem,
}

#[derive(Debug, Clone, Copy)]
enum Leads {
    InPlace,
    Below(Child),
    Nowhere,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Schema,
    List,
    Map,
}

const KEYWORDS: &[(&str, Shape, Leads)] = &[
    ("allOf", Shape::List, Leads::InPlace),
    ("anyOf", Shape::List, Leads::InPlace),
    ("oneOf", Shape::List, Leads::InPlace),
    ("not", Shape::Schema, Leads::InPlace),
    ("if", Shape::Schema, Leads::InPlace),
    ("then", Shape::Schema, Leads::InPlace),
    ("else", Shape::Schema, Leads::InPlace),
    ("dependentSchemas", Shape::Map, Leads::InPlace),
    ("properties", Shape::Map, Leads::Below(Child::Member)),
    ("patternProperties", Shape::Map, Leads::Below(Child::AnyMember)),
    ("additionalProperties", Shape::Schema, Leads::Below(Child::AnyMember)),
    ("unevaluatedProperties", Shape::Schema, Leads::Below(Child::AnyMember)),
    ("propertyNames", Shape::Schema, Leads::Below(Child::Name)),
    ("prefixItems", Shape::List, Leads::Below(Child::Item)),
    ("items", Shape::Schema, Leads::Below(Child::AnyItem)),
    ("contains", Shape::Schema, Leads::Below(Child::AnyItem)),
    ("unevaluatedItems", Shape::Schema, Leads::Below(Child::AnyItem)),
    ("contentSchema", Shape::Schema, Leads::Nowhere),
    ("$defs", Shape::Map, Leads::Nowhere),
    // Deprecated, but still in the draft's own schema, and written by many generators.
    ("definitions", Shape::Map, Leads::Nowhere),
];

/// Keywords of older drafts that 2020-12 has no meaning for, and what took their place.
const OLDER: &[(&str, &str)] = &[
    ("dependencies", "write dependentRequired or dependentSchemas"),
    ("additionalItems", "write prefixItems for the first items and items for the rest"),
    ("$recursiveRef", "write $dynamicRef, or $ref"),
    ("$recursiveAnchor", "write $dynamicAnchor"),
];

#[derive(Debug)]
pub(super) struct Subschema {
    pub(super) pointer: String,
    pub(super) in_place: Vec<usize>,
    pub(super) below: Vec<(Child, usize)>,
    /// Whether it asks what others have evaluated, so that those are asked more than once.
    pub(super) unevaluated: bool,
    /// How many levels it has by itself, without those that it refers to.
    pub(super) height: usize,
    /// Whether it is referred to.
    pub(super) target: bool,
    /// How much work it is by itself: 1, and more with long lists to look through.
    pub(super) weight: u64,
}

/// All subschemas; the first is the whole.
#[derive(Debug)]
pub(super) struct Subschemas {
    pub(super) all: Vec<Subschema>,
    pub(super) patterns: Vec<Pattern>,
}

/// A regular expression, where it stands, and the subschema that matches by it.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) pointer: String,
    pub(super) of: usize,
}

/// Finds the subschemas and resolves their references. The document must not be deeper than [`MAX_DEPTH`].
pub(super) fn subschemas(root: &Value) -> Result<Subschemas, Vec<SchemaFault>> {
    let mut walk = Walk::default();
    walk.visit(root, "");
    if walk.full {
        let sentence = format!("has more than {MAX_SUBSCHEMAS} subschemas");
        return Err(vec![SchemaFault::new("", sentence)]);
    }
    let id = root.get("$id").and_then(Value::as_str);
    for (from, keyword, reference) in std::mem::take(&mut walk.references) {
        let target = walk.resolve(root, id, reference);
        if let Ok(Some(target)) = target.as_ref().map(|target| walk.all.get_mut(*target)) {
            target.target = true;
        }
        let Some(subschema) = walk.all.get_mut(from) else { continue };
        match target {
            Ok(target) => subschema.in_place.push(target),
            Err(sentence) => {
                let pointer = push(&subschema.pointer, keyword);
                walk.fault(&pointer, sentence);
            }
        }
    }
    if walk.faults.is_empty() {
        Ok(Subschemas { all: walk.all, patterns: walk.patterns })
    } else {
        Err(walk.faults)
    }
}

#[derive(Default)]
struct Walk<'a> {
    all: Vec<Subschema>,
    /// By address: two subschemas that look alike are still two.
    by_address: HashMap<*const Value, usize>,
    anchors: HashMap<&'a str, usize>,
    references: Vec<(usize, &'static str, &'a str)>,
    patterns: Vec<Pattern>,
    faults: Vec<SchemaFault>,
    full: bool,
}

impl<'a> Walk<'a> {
    /// Takes up a subschema and all below it. Shapes that are wrong are left to the draft's own schema.
    fn visit(&mut self, schema: &'a Value, pointer: &str) -> Option<usize> {
        if self.all.len() >= MAX_SUBSCHEMAS {
            self.full = true;
            return None;
        }
        if pointer.len() > MAX_POINTER {
            self.fault(
                pointer,
                format!("the names that lead here are longer than {MAX_POINTER} bytes together"),
            );
            return None;
        }
        let members = match schema {
            Value::Object(members) => Some(members),
            Value::Bool(_) => None,
            _ => return None,
        };
        let index = self.all.len();
        self.by_address.insert(std::ptr::from_ref(schema), index);
        self.all.push(Subschema {
            pointer: pointer.to_owned(),
            in_place: Vec::new(),
            below: Vec::new(),
            unevaluated: members.is_some_and(|m| {
                m.contains_key("unevaluatedProperties") || m.contains_key("unevaluatedItems")
            }),
            height: 1,
            target: false,
            weight: members.map_or(1, weight),
        });
        let Some(members) = members else { return Some(index) };
        self.identity(members, index, pointer);
        self.patterns(members, index, pointer);
        for (keyword, shape, leads) in KEYWORDS {
            let Some(value) = members.get(*keyword) else { continue };
            let pointer = push(pointer, keyword);
            match (shape, value) {
                (Shape::Schema, value) => self.lead(index, *leads, value, &pointer),
                (Shape::List, Value::Array(list)) => {
                    for (place, value) in list.iter().enumerate() {
                        self.lead(index, *leads, value, &push(&pointer, &place.to_string()));
                    }
                }
                (Shape::Map, Value::Object(map)) => {
                    for (name, value) in map {
                        self.lead(index, *leads, value, &push(&pointer, name));
                    }
                }
                _ => {}
            }
        }
        Some(index)
    }

    fn lead(&mut self, from: usize, leads: Leads, value: &'a Value, pointer: &str) {
        let Some(to) = self.visit(value, pointer) else { return };
        let height = self.all.get(to).map_or(0, |to| to.height).saturating_add(1);
        let Some(from) = self.all.get_mut(from) else { return };
        match leads {
            Leads::InPlace => from.in_place.push(to),
            Leads::Below(child) => from.below.push((child, to)),
            Leads::Nowhere => return,
        }
        from.height = from.height.max(height);
    }

    /// Takes up what names a subschema and what it refers to.
    fn identity(&mut self, members: &'a Map<String, Value>, index: usize, pointer: &str) {
        for (keyword, instead) in OLDER {
            if members.contains_key(*keyword) {
                self.fault(&push(pointer, keyword), format!("is a keyword of an older draft; {instead}"));
            }
        }
        if let Some(draft) = members.get("$schema").and_then(Value::as_str)
            && draft.trim_end_matches('#') != DRAFT
        {
            let sentence =
                format!("is {}; only {DRAFT} is understood: change it, or leave it out", excerpt(draft));
            self.fault(&push(pointer, "$schema"), sentence);
        }
        if let Some(id) = members.get("$id").and_then(Value::as_str) {
            if index != 0 {
                self.fault(&push(pointer, "$id"), "only the whole schema may have an $id; name this part by its place in $defs, or by an $anchor");
            } else if id.contains("://json-schema.org/") {
                self.fault("/$id", "belongs to the draft itself; choose an $id of your own, or leave it out");
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            let Some(anchor) = members.get(keyword).and_then(Value::as_str) else { continue };
            if self.anchors.insert(anchor, index).is_some_and(|earlier| earlier != index) {
                self.fault(
                    &push(pointer, keyword),
                    format!("\"{}\" names another place already", excerpt(anchor)),
                );
            }
        }
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(reference) = members.get(keyword).and_then(Value::as_str) {
                self.references.push((index, keyword, reference));
            }
        }
    }

    fn patterns(&mut self, members: &'a Map<String, Value>, of: usize, pointer: &str) {
        if let Some(text) = members.get("pattern").and_then(Value::as_str) {
            self.patterns.push(Pattern { text: text.to_owned(), pointer: push(pointer, "pattern"), of });
        }
        if let Some(Value::Object(by_pattern)) = members.get("patternProperties") {
            let pointer = push(pointer, "patternProperties");
            let pattern = |text: &String| Pattern { text: text.clone(), pointer: push(&pointer, text), of };
            self.patterns.extend(by_pattern.keys().map(pattern));
        }
    }

    /// Returns the subschema that a reference means, or why it means none.
    fn resolve(&self, root: &Value, id: Option<&str>, reference: &str) -> Result<usize, String> {
        if reference.is_empty() {
            return Err("is empty; write # for the whole schema".to_owned());
        }
        let own = id.map(|id| id.trim_end_matches('#')).filter(|id| !id.is_empty());
        let local = match own.and_then(|id| reference.strip_prefix(id)) {
            Some("") => "#",
            Some(rest) if rest.starts_with('#') => rest,
            _ => reference,
        };
        let Some(fragment) = local.strip_prefix('#') else {
            return Err(format!(
                "refers to {}; remote references are never fetched: put it into $defs and refer to it by #/$defs/…",
                excerpt(reference)
            ));
        };
        let nothing = || format!("refers to {}, where there is nothing", excerpt(reference));
        let fragment = decode_fragment(fragment).ok_or_else(nothing)?;
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return self.anchors.get(&*fragment).copied().ok_or_else(nothing);
        }
        let target = root.pointer(&fragment).ok_or_else(nothing)?;
        let target = self.by_address.get(&std::ptr::from_ref(target));
        target.copied().ok_or_else(|| format!("refers to {}, which is no subschema", excerpt(reference)))
    }

    fn fault(&mut self, pointer: &str, sentence: impl Into<String>) {
        if self.faults.len() < SchemaFault::MOST {
            self.faults.push(SchemaFault::new(pointer, sentence));
        }
    }
}

/// Lists that are looked through for one value count a little for each entry, and so do texts that a fault copies.
fn weight(members: &Map<String, Value>) -> u64 {
    let list = |keyword| members.get(keyword).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let entries = list("enum").len().saturating_add(list("required").len());
    let longest = list("required").iter().filter_map(Value::as_str).map(str::len).max().unwrap_or(0);
    let pattern = members.get("pattern").and_then(Value::as_str).map_or(0, str::len);
    let copied = longest.saturating_add(pattern).saturating_add(members.get("not").map_or(0, json_bytes));
    1 + u64::try_from(entries.saturating_add(copied) / 64).unwrap_or(u64::MAX / 2)
}
