//! The members of a payload, in few words.

use serde_json::Value;

use super::excerpt::{excerpt, value_excerpt};
use super::keywords::{ALL_KINDS, ARRAY, allowed, names};
use super::parts::Parts;

/// How many members are told.
const MOST_FIELDS: usize = 64;

/// How many values of a list are told.
const MOST_VALUES: usize = 8;

/// How deep the items of items are told.
const MOST_DEPTH: usize = 3;

/// One member of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it is, in words: `string`, `array of integer`, `"a" | "b"`, `string (date-time)`.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What the author says of it, as far as it is short.
    pub description: Option<String>,
}

/// Returns the members that a schema describes or requires, required ones first, at most 64. Of a union it is all that
/// any alternative describes, and required is what each requires.
pub fn fields(schema: &Value) -> Vec<Field> {
    let (mut fields, mut described): (Vec<Field>, Vec<String>) = (Vec::new(), Vec::new());
    for (parts, required) in described_by(schema) {
        for name in parts.described().into_iter().chain(parts.required()) {
            if fields.len() < MOST_FIELDS && !described.iter().any(|known| known == name) {
                described.push(name.to_owned());
                let member = Parts::of(schema, &parts.member(name));
                fields.push(Field {
                    name: excerpt(name),
                    kind: kind(schema, &member, 0),
                    required: required.iter().any(|known| known == name),
                    description: member.first("description").and_then(Value::as_str).map(first_line),
                });
            }
        }
    }
    fields.sort_by(|one, other| other.required.cmp(&one.required).then_with(|| one.name.cmp(&other.name)));
    fields
}

/// Returns the names of the members that must be there.
pub fn required_fields(schema: &Value) -> Vec<String> {
    fields(schema).into_iter().filter(|field| field.required).map(|field| field.name).collect()
}

/// Returns what applies always and then each alternative by itself, with the names that must be there in any case.
fn described_by(schema: &Value) -> Vec<(Parts<'_>, Vec<String>)> {
    let always = Parts::without_alternatives(schema, &[schema]);
    let mut required: Vec<String> = always.required().into_iter().map(str::to_owned).collect();
    let mut alternatives = Vec::new();
    for union in always.all("oneOf").chain(always.all("anyOf")).filter_map(Value::as_array) {
        let union: Vec<_> = union.iter().map(|alternative| Parts::of(schema, &[alternative])).collect();
        if let Some(first) = union.first() {
            let each = |name: &&str| union.iter().all(|parts| parts.required().contains(name));
            required.extend(first.required().into_iter().filter(each).map(str::to_owned));
        }
        alternatives.extend(union);
    }
    std::iter::once(always).chain(alternatives).map(|parts| (parts, required.clone())).collect()
}

fn kind<'a>(root: &'a Value, parts: &Parts<'a>, depth: usize) -> String {
    if let Some(values) = parts.0.iter().find_map(|part| allowed(*part)) {
        let mut told: Vec<_> = values.iter().take(MOST_VALUES).map(|value| value_excerpt(value)).collect();
        if values.len() > MOST_VALUES {
            told.push("…".to_owned());
        }
        return told.join(" | ");
    }
    let kinds = parts.kinds();
    if kinds == ALL_KINDS {
        return "any".to_owned();
    }
    let mut told = names(kinds).join(" or ");
    if kinds & ARRAY != 0 && depth < MOST_DEPTH {
        let items = parts.all("items").collect::<Vec<_>>();
        if !items.is_empty() {
            let items = kind(root, &Parts::of(root, &items), depth.saturating_add(1));
            told = told.replace("array", &format!("array of {items}"));
        }
    }
    if let Some(format) = parts.first("format").and_then(Value::as_str) {
        told.push_str(&format!(" ({})", excerpt(format)));
    }
    told
}

fn first_line(text: &str) -> String {
    const SHOWN: usize = 160;
    let line = text.lines().next().unwrap_or_default().trim();
    let mut shown: String = line.chars().take(SHOWN).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: &Value) -> Vec<String> {
        let tell = |field: Field| {
            let must = if field.required { "!" } else { "" };
            let description = field.description.map(|said| format!(" - {said}")).unwrap_or_default();
            format!("{}{must}: {}{description}", field.name, field.kind)
        };
        fields(schema).into_iter().map(tell).collect()
    }

    #[test]
    fn members_are_told_with_what_they_are_required_ones_first() {
        let schema = json!({
            "properties": {
                "at": { "type": "string", "format": "date-time", "description": "When it was.\nMore of it." },
                "items": { "type": "array", "items": { "$ref": "#/$defs/item" } },
                "kind": { "enum": ["a", "b"] },
                "anything": true,
                "maybe": { "anyOf": [{ "type": "null" }, { "type": "integer" }], "description": "x".repeat(200) },
                "either": { "type": ["string", "null"] },
            },
            "$defs": { "item": { "type": "object", "description": "One of them." } },
            "required": ["kind", "unnamed"],
        });
        assert_eq!(
            told(&schema),
            [
                "kind!: \"a\" | \"b\"".to_owned(),
                "unnamed!: any".to_owned(),
                "anything: any".to_owned(),
                "at: string (date-time) - When it was.".to_owned(),
                "either: null or string".to_owned(),
                "items: array of object".to_owned(),
                format!("maybe: integer - {}…", "x".repeat(160)),
            ]
        );
        assert_eq!(required_fields(&schema), ["kind", "unnamed"]);
    }

    #[test]
    fn of_a_union_all_is_told_and_required_is_what_each_alternative_requires() {
        let schema = json!({
            "properties": { "id": { "type": "string" } },
            "required": ["id"],
            "oneOf": [
                { "properties": { "kind": { "const": "a" }, "x": { "type": "integer" } }, "required": ["kind", "x"] },
                { "allOf": [{ "properties": { "kind": { "const": "b" } } }, { "required": ["kind"] }] },
            ],
        });
        assert_eq!(told(&schema), ["id!: string", "kind!: \"a\"", "x: integer"]);
    }

    #[test]
    fn what_describes_no_members_has_none_and_what_describes_many_is_cut() {
        for schema in [json!(true), json!({ "type": "string" }), json!({ "$ref": "#" }), json!(3)] {
            assert_eq!(fields(&schema), [], "{schema}");
        }
        let many = Value::from_iter((0..100).map(|n| (format!("m{n}"), json!(true))));
        assert_eq!(fields(&json!({ "properties": many })).len(), MOST_FIELDS);
    }
}
