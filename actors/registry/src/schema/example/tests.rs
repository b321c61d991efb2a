//! Examples as a table, that they are valid, and that they end.

use proptest::prelude::*;
use serde_json::json;

use super::super::{CompiledSchema, random};
use super::*;

#[test]
fn examples_are_small_and_of_what_the_author_gives_first() {
    for (schema, says) in [
        (json!({ "type": "string" }), json!("text")),
        (json!({ "type": "integer", "minimum": 3 }), json!(3)),
        (json!({ "type": "number" }), json!(1)),
        (json!({ "type": "boolean" }), json!(true)),
        (json!({ "type": "null" }), json!(null)),
        (json!({ "type": ["null", "integer"] }), json!(1)),
        (json!(true), json!("text")),
        (json!({ "const": [1] }), json!([1])),
        (json!({ "enum": [null, "x"] }), json!("x")),
        (json!({ "type": "string", "examples": ["given"], "default": "other" }), json!("given")),
        (json!({ "type": "string", "examples": [7], "default": "other" }), json!("other")),
        (json!({ "type": ["string", "null"], "default": null }), json!("text")),
        (json!({ "enum": ["a", "b"], "examples": ["c", "b"] }), json!("b")),
        (json!({ "anyOf": [{ "type": "null" }, { "type": "integer" }] }), json!(1)),
        (json!({ "items": { "type": "integer" } }), json!([1])),
        (json!({ "type": "array" }), json!([])),
        (json!({ "type": "array", "items": false }), json!([])),
        (
            json!({ "type": "array", "minItems": 3, "uniqueItems": true, "items": { "type": "integer" } }),
            json!([1, 2, 3]),
        ),
        (
            json!({ "type": "array", "minItems": 2, "uniqueItems": true, "items": { "enum": ["a", "b"] } }),
            json!(["a", "b"]),
        ),
        (
            json!({ "prefixItems": [{ "type": "string" }, { "type": "null" }], "minItems": 2 }),
            json!(["text", null]),
        ),
        (json!({ "type": "array", "contains": { "const": 5 } }), json!([5])),
        (json!({ "type": "object" }), json!({})),
        (json!({ "type": "object", "minProperties": 2 }), json!({ "name1": "text", "name2": "text" })),
        (
            json!({ "properties": { "a": true, "b": true, "c": true, "d": true, "e": { "type": "null" } }, "required": ["e"] }),
            json!({ "a": "text", "b": "text", "c": "text", "e": null }),
        ),
        (
            json!({ "properties": { "in": { "properties": { "more": true, "must": true }, "required": ["must"] } } }),
            json!({ "in": { "must": "text" } }),
        ),
        (
            json!({ "properties": { "a": true, "b": true }, "required": ["a"], "dependentRequired": { "b": ["c"] } }),
            json!({ "a": "text" }),
        ),
        (
            json!({ "allOf": [{ "properties": { "a": { "type": "integer" } } }, { "properties": { "a": { "minimum": 9 } } }] }),
            json!({ "a": 9 }),
        ),
    ] {
        assert_eq!(example(&schema), says, "{schema}");
        assert_eq!(CompiledSchema::new(&schema).unwrap().check(&says), Ok(()), "{schema}");
    }
}

#[test]
fn what_refers_to_itself_is_shown_once() {
    let tree = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "children": { "type": "array", "items": { "$ref": "#" } }, "next": { "$ref": "#" } },
        "required": ["name", "children"],
    });
    assert_eq!(example(&tree), json!({ "name": "text", "children": [] }));
}

#[test]
fn what_no_payload_can_satisfy_still_ends() {
    let endless = json!({ "type": "object", "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } }, "required": ["a", "b"] });
    assert!(values(&example(&endless)) <= 2 * MOST_VALUES);
    let wide = json!({ "type": "object", "minProperties": 1e18, "additionalProperties": { "minItems": 1e300, "type": "array" } });
    assert!(values(&example(&wide)) <= 2 * MOST_VALUES);
    for circle in [json!({ "$ref": "#" }), json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }] })] {
        assert_eq!(example(&circle), json!("text"));
    }
}

fn values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    }
}

/// Schemas that can be satisfied and that the maker understands.
fn understood() -> impl Strategy<Value = Value> {
    let number = (prop::option::of(-9..9), 0..9, 1..4, any::<bool>(), any::<bool>()).prop_map(
        |(low, width, step, exclusive, whole)| {
            let mut schema = json!({ "type": if whole { "integer" } else { "number" }, "multipleOf": step });
            if let Some(low) = low {
                schema[if exclusive { "exclusiveMinimum" } else { "minimum" }] = json!(low);
                schema["maximum"] = json!(low + step + width);
            }
            schema
        },
    );
    let text = (0..9, 0..9, prop::option::of(prop::sample::select(vec!["date", "uuid", "email"]))).prop_map(
        |(min, more, format)| match format {
            Some(format) => json!({ "type": "string", "format": format }),
            None => json!({ "type": "string", "minLength": min, "maxLength": min + more }),
        },
    );
    let pattern =
        prop::sample::select(vec![r"^[a-z]{3}-\d+$", "^x?y*z+$", "[^0-9]{2}", r"^\w\.\w$", "^(text|a)$"])
            .prop_map(|pattern| json!({ "type": "string", "pattern": pattern }));
    let leaf = prop_oneof![
        3 => number,
        2 => text,
        1 => pattern,
        1 => prop::sample::subsequence(vec![json!("a"), json!(1), json!(null), json!({})], 1..4)
            .prop_map(|values| json!({ "enum": values })),
        1 => prop::sample::subsequence(vec!["string", "integer", "null", "boolean", "object", "array"], 1..4)
            .prop_map(|names| json!({ "type": names })),
        1 => Just(json!(true)),
        1 => Just(json!({ "$ref": "#/$defs/shared" })),
    ];
    let any = leaf.prop_recursive(3, 24, 3, |inner| {
        let members = prop::collection::vec((inner.clone(), any::<bool>()), 0..5);
        let object = (members, any::<bool>(), "[p-z]").prop_map(|(members, closed, prefix)| {
            let mut schema = json!({ "type": "object", "properties": {}, "required": [], "additionalProperties": !closed });
            for (place, (member, required)) in members.into_iter().enumerate() {
                let name = format!("{prefix}{place}");
                schema["properties"][&name] = member;
                if required {
                    schema["required"].as_array_mut().unwrap().push(json!(name));
                }
            }
            schema
        });
        let open = object.clone().prop_map(|mut schema| {
            schema["additionalProperties"] = json!(true);
            schema
        });
        prop_oneof![
            3 => object,
            1 => (open.clone(), open).prop_map(|(mut one, other)| {
                // Two that name other members, or the same ones alike.
                one["properties"] = json!({});
                one["required"] = json!(["q"]);
                json!({ "allOf": [one, other] })
            }),
            2 => (inner.clone(), 0..4, 0..4).prop_map(|(items, min, more)| {
                json!({ "type": "array", "items": items, "minItems": min, "maxItems": min + more })
            }),
            1 => (inner.clone(), inner.clone()).prop_map(|(first, rest)| json!({ "prefixItems": [first], "items": rest })),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({ "anyOf": any })),
            1 => inner.prop_map(|inner| json!({ "oneOf": [{ "type": "null" }, { "type": "array", "items": inner }] })),
        ]
    });
    (any.clone(), any).prop_map(|(schema, shared)| {
        let shared = match shared {
            // The one that is shared must not ask for itself.
            Value::Object(_) if !shared.to_string().contains("$ref") => shared,
            _ => json!({ "type": "string" }),
        };
        json!({ "$defs": { "shared": shared }, "allOf": [schema] })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_example_is_valid_under_its_schema(schema in understood()) {
        let compiled = CompiledSchema::new(&schema).unwrap();
        let example = example(&schema);
        prop_assert_eq!(compiled.check(&example), Ok(()), "{}", example);
    }

    #[test]
    fn an_example_ends_and_stays_small_for_anything(schema in random::schema_like(), entangled in random::entangled()) {
        for schema in [schema, entangled] {
            let most = MOST_VALUES + values(&schema);
            let made = values(&example(&schema));
            prop_assert!(made <= 2 * most, "{made} of {most}");
        }
    }
}
