//! Schemas and payloads by chance, for tests.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, with keywords and references among its names and texts.
pub(crate) fn schema_like() -> impl Strategy<Value = Value> {
    let reference = prop_oneof![
        Just("#"),
        Just(""),
        Just("#/$defs/a"),
        Just("#/$defs/b"),
        Just("#/$defs/c"),
        Just("#/properties/a"),
        Just("#/allOf/0"),
        Just("#/items"),
        Just("#/$defs/a/properties/b"),
        Just("#anchor"),
        Just("#/nothing"),
        Just("http://example.com/x"),
        Just("file:///etc/passwd"),
        Just("#/%zz"),
    ];
    let keyword = prop_oneof![
        2 => Just("allOf"), 2 => Just("anyOf"), 1 => Just("oneOf"), 1 => Just("not"), 1 => Just("if"),
        1 => Just("then"), 1 => Just("dependentSchemas"), 3 => Just("properties"), 1 => Just("patternProperties"),
        1 => Just("additionalProperties"), 1 => Just("unevaluatedProperties"), 1 => Just("propertyNames"),
        1 => Just("prefixItems"), 2 => Just("items"), 1 => Just("contains"), 1 => Just("unevaluatedItems"),
        3 => Just("$defs"), 1 => Just("$anchor"), 1 => Just("$id"), 1 => Just("type"), 1 => Just("enum"),
        1 => Just("required"), 1 => Just("a"), 1 => Just("b"), 1 => Just("pattern"), 1 => Just("minimum"),
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        reference.prop_map(|reference| json!({ "$ref": reference })),
        prop_oneof![Just("string"), Just("object"), Just("("), Just("(?=a)"), Just("anchor")]
            .prop_map(Value::from),
        (-3..9).prop_map(Value::from),
        Just(json!({})),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 60, 4, move |inner| {
        prop_oneof![
            3 => prop::collection::btree_map(keyword.clone(), inner.clone(), 0..4)
                .prop_map(|map| Value::from_iter(map.into_iter().map(|(name, value)| (name.to_owned(), value)))),
            1 => prop::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    })
}

/// A schema of the right shape throughout, of three definitions that refer to each other at random: most are admitted
/// that do not call themselves in place.
pub(crate) fn entangled() -> impl Strategy<Value = Value> {
    let reference = prop_oneof![Just("#/$defs/a"), Just("#/$defs/b"), Just("#/$defs/c"), Just("#")];
    let leaf = prop_oneof![
        3 => reference.prop_map(|reference| json!({ "$ref": reference })),
        1 => Just(json!({ "type": "object" })),
        1 => Just(json!({ "type": "array", "minItems": 1 })),
        1 => Just(json!(true)),
    ];
    let schema = leaf.prop_recursive(3, 16, 3, |inner| {
        let two = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            1 => two().prop_map(|all| json!({ "allOf": all })),
            1 => two().prop_map(|any| json!({ "anyOf": any })),
            1 => two().prop_map(|one| json!({ "oneOf": one, "unevaluatedProperties": false })),
            1 => inner.clone().prop_map(|not| json!({ "not": not })),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({ "if": a, "then": b, "else": b })),
            2 => (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "properties": { "a": a, "b": b }, "additionalProperties": a })),
            1 => (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "patternProperties": { "a": a, "b": b }, "unevaluatedProperties": a })),
            1 => (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "prefixItems": [a], "items": b, "contains": a })),
            1 => (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "anyOf": [{ "prefixItems": [b] }, true], "unevaluatedItems": a })),
            1 => inner.clone().prop_map(|a| json!({ "propertyNames": a })),
        ]
    });
    (schema.clone(), schema.clone(), schema.clone(), schema).prop_map(|(root, a, b, c)| {
        let mut root = match root {
            Value::Object(root) => root,
            other => Map::from_iter([("not".to_owned(), json!({ "not": other }))]),
        };
        root.insert("$defs".to_owned(), json!({ "a": a, "b": b, "c": c }));
        Value::Object(root)
    })
}

/// Any payload, with members that the schemas above know.
pub(crate) fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::btree_map("[a-c]", inner.clone(), 0..4).prop_map(Value::from_iter),
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}
