//! Changes and whom they break, as a table; and that what is promised holds for payloads.

use proptest::prelude::*;
use serde_json::json;

use super::super::{CompiledSchema, Verdict};
use super::*;

fn told(old: &Value, new: &Value) -> Vec<String> {
    diff(old, new).iter().map(ToString::to_string).collect()
}

/// An object whose member `a` has that schema.
fn a(schema: Value) -> Value {
    json!({ "properties": { "a": schema } })
}

#[test]
fn changes_are_told_with_whom_they_break() {
    const CONSUMERS: &str = "breaks consumers";
    const PRODUCERS: &str = "breaks producers";
    for (old, new, says) in [
        (json!({}), a(json!({})), vec!["#/properties/a: is new (compatible)".to_owned()]),
        (
            json!({ "additionalProperties": false }),
            json!({ "additionalProperties": false, "properties": { "a": true } }),
            vec![format!("#/properties/a: is new where others were not allowed ({CONSUMERS})")],
        ),
        (
            json!({}),
            json!({ "properties": { "a": true }, "required": ["a"] }),
            vec![
                "#/properties/a: is new (compatible)".to_owned(),
                format!("#/required: \"a\" is required now ({PRODUCERS})"),
            ],
        ),
        (
            json!({ "required": ["a"] }),
            json!({}),
            vec![format!("#/required: \"a\" is no longer required ({CONSUMERS})")],
        ),
        (a(json!({})), json!({}), vec![format!("#/properties/a: was removed ({CONSUMERS})")]),
        (
            json!({ "properties": { "a": true }, "additionalProperties": false }),
            json!({ "additionalProperties": false }),
            vec![
                format!("#/properties/a: was removed ({CONSUMERS})"),
                format!("#/properties/a: was removed and is not allowed any more ({PRODUCERS})"),
            ],
        ),
        (
            json!({}),
            json!({ "additionalProperties": false }),
            vec![format!("#/additionalProperties: is no longer allowed ({PRODUCERS})")],
        ),
        (
            json!({ "additionalProperties": false }),
            json!({}),
            vec![format!("#/additionalProperties: was not allowed and is now ({CONSUMERS})")],
        ),
        (
            json!({ "additionalProperties": { "type": "string" } }),
            json!({ "additionalProperties": { "type": "string" }, "properties": { "a": { "type": "integer" } } }),
            vec![
                "#/properties/a: is new (compatible)".to_owned(),
                format!("#/properties/a: may no longer be of type string ({PRODUCERS})"),
                format!("#/properties/a: may now be of type integer ({CONSUMERS})"),
            ],
        ),
        (
            a(json!({ "type": "integer" })),
            a(json!({ "type": "number" })),
            vec![format!("#/properties/a: may now be of type number ({CONSUMERS})")],
        ),
        (
            a(json!({ "type": ["string", "null"] })),
            a(json!({ "type": "string" })),
            vec![format!("#/properties/a: may no longer be of type null ({PRODUCERS})")],
        ),
        (a(json!({ "enum": ["x"] })), a(json!({ "type": "string", "enum": ["x"] })), vec![]),
        (
            a(json!({ "enum": ["x", "y"] })),
            a(json!({ "enum": ["y", "z"] })),
            vec![
                format!("#/properties/a: may no longer be \"x\" ({PRODUCERS})"),
                format!("#/properties/a: may now be \"z\" ({CONSUMERS})"),
            ],
        ),
        (
            a(json!({ "const": 1 })),
            a(json!({ "const": 2 })),
            vec![
                format!("#/properties/a: may no longer be 1 ({PRODUCERS})"),
                format!("#/properties/a: may now be 2 ({CONSUMERS})"),
            ],
        ),
        (
            a(json!({ "minimum": 1 })),
            a(json!({ "exclusiveMinimum": 1 })),
            vec![format!("#/properties/a: the lower bound is tighter: 1 → 1 (exclusive) ({PRODUCERS})")],
        ),
        (
            a(json!({ "maximum": 1.5 })),
            a(json!({})),
            vec![format!("#/properties/a: the upper bound is looser: 1.5 → none ({CONSUMERS})")],
        ),
        (
            a(json!({ "maximum": 9_007_199_254_740_992_u64 })),
            a(json!({ "maximum": 9_007_199_254_740_993_u64 })),
            vec!["#/properties/a: the upper bound changed by less than can be compared (unknown)".to_owned()],
        ),
        (a(json!({})), a(json!({ "minLength": 0 })), vec![]),
        (
            a(json!({ "maxLength": 5 })),
            a(json!({ "maxLength": 4 })),
            vec![format!("#/properties/a: the longest length is tighter: 5 → 4 ({PRODUCERS})")],
        ),
        (
            a(json!({ "multipleOf": 4 })),
            a(json!({ "multipleOf": 2 })),
            vec![format!("#/properties/a: must be a multiple of 2, was 4 ({CONSUMERS})")],
        ),
        (
            a(json!({ "pattern": "a" })),
            a(json!({ "pattern": "b" })),
            vec!["#/properties/a: must match b, was a; patterns cannot be compared (unknown)".to_owned()],
        ),
        (
            a(json!({})),
            a(json!({ "format": "date" })),
            vec!["#/properties/a: is now said to be a date, which is not checked (compatible)".to_owned()],
        ),
        (
            a(json!({ "format": "date" })),
            a(json!({})),
            vec![format!("#/properties/a: is no longer said to be a date ({CONSUMERS})")],
        ),
        (
            json!({ "items": { "type": "string" } }),
            json!({ "items": { "type": "string", "uniqueItems": true } }),
            vec![format!("#/items: items must now be unique ({PRODUCERS})")],
        ),
        (
            json!({ "prefixItems": [{ "type": "string" }] }),
            json!({}),
            vec![format!(
                "#/prefixItems/0: may now be of type null, boolean, number, array, object ({CONSUMERS})"
            )],
        ),
        (
            json!({ "not": { "type": "string" } }),
            json!({ "not": { "type": "null" } }),
            vec!["#/not: not cannot be compared (unknown)".to_owned()],
        ),
        (
            json!({}),
            json!({ "mystery": 1 }),
            vec!["#/mystery: mystery cannot be compared (unknown)".to_owned()],
        ),
        (json!({ "title": "a", "x-y": 1 }), json!({ "title": "b", "examples": [1] }), vec![]),
        (
            json!({ "allOf": [{ "required": ["a"] }] }),
            json!({ "allOf": [{ "required": ["a"] }, { "required": ["b"] }] }),
            vec![format!("#/allOf/1: one condition more must be met ({PRODUCERS})")],
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
            json!({ "anyOf": [{ "type": "null" }] }),
            vec![format!("#/anyOf: one alternative less is allowed ({PRODUCERS})")],
        ),
        (
            json!({ "anyOf": [{ "type": "string" }] }),
            json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
            vec![format!("#/anyOf/1: one alternative more is allowed ({CONSUMERS})")],
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }),
            json!({ "anyOf": [{ "type": "null" }, { "type": "string", "minLength": 2 }, { "type": "number" }] }),
            vec![
                format!("#/anyOf/1: the shortest length is tighter: none → 2 ({PRODUCERS})"),
                format!("#/anyOf/0: one alternative more is allowed ({CONSUMERS})"),
            ],
        ),
        (
            json!({ "oneOf": [{ "minimum": 1 }] }),
            json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 5 }] }),
            vec![
                format!("#/oneOf/1: one alternative more is allowed ({CONSUMERS})"),
                "#/oneOf: alternatives changed of which more than one may fit (unknown)".to_owned(),
            ],
        ),
        (json!(true), json!(false), vec![format!("#: is no longer allowed ({PRODUCERS})")]),
        (json!({}), json!(true), vec![]),
    ] {
        assert_eq!(told(&old, &new), says, "{old} {new}");
    }
}

#[test]
fn kinds_that_are_told_apart_by_a_constant_may_be_added_to_a_union() {
    let kind = |name: &str, members: Value| json!({ "type": "object", "properties": { "kind": { "const": name }, "more": members }, "required": ["kind"] });
    let old = json!({ "oneOf": [kind("a", json!({})), kind("b", json!({ "type": "string" }))] });
    let new = json!({ "oneOf": [kind("c", json!({})), kind("b", json!({ "type": "integer" })), kind("a", json!({}))] });
    assert_eq!(
        told(&old, &new),
        [
            "#/oneOf/1/properties/more: may no longer be of type string (breaks producers)",
            "#/oneOf/1/properties/more: may now be of type integer (breaks consumers)",
            "#/oneOf/0: one alternative more is allowed (breaks consumers)",
        ]
    );
}

#[test]
fn references_are_followed_and_recursion_ends() {
    let tree = |name: &str| {
        json!({
            "$defs": { "node": { "properties": { "name": { "type": name }, "next": { "$ref": "#/$defs/node" } } } },
            "$ref": "#/$defs/node",
        })
    };
    assert_eq!(told(&tree("string"), &tree("string")), Vec::<String>::new());
    assert_eq!(
        told(&tree("integer"), &tree("number")),
        ["#/$defs/node/properties/name: may now be of type number (breaks consumers)"]
    );
    // The same once written in place, and once referred to.
    let inline = json!({ "properties": { "name": { "type": "string" } } });
    let referred = json!({ "$defs": { "text": { "type": "string" } }, "properties": { "name": { "$ref": "#/$defs/text" } } });
    assert_eq!(told(&inline, &referred), Vec::<String>::new());
    // What is equal to the letter may refer to what is not.
    let not = |name: &str| json!({ "$defs": { "t": { "type": name } }, "not": { "$ref": "#/$defs/t" } });
    assert_eq!(told(&not("string"), &not("null")), ["#/not: not cannot be compared (unknown)"]);
    let beside =
        |name: &str| json!({ "$defs": { "t": { "type": name } }, "minimum": 1, "$ref": "#/$defs/t" });
    assert_eq!(
        told(&beside("number"), &beside("integer")),
        ["#/$ref: may no longer be of type number (breaks producers)"]
    );
    // Endless references, which are never admitted, end here, too.
    let endless = json!({ "$ref": "#" });
    assert_eq!(told(&endless, &json!({ "$ref": "#", "minimum": 1 })).len(), 1);
}

#[test]
fn members_that_another_part_takes_for_unevaluated_matter() {
    let part =
        |members: Value| json!({ "allOf": [{ "properties": members }], "unevaluatedProperties": false });
    let (with, without) = (part(json!({ "a": true, "b": true })), part(json!({ "a": true })));
    assert_eq!(Verdict::of(&diff(&without, &with)), Verdict::Backward);
    assert_eq!(Verdict::of(&diff(&with, &without)), Verdict::Breaking);
}

#[test]
fn changes_sum_up_to_a_verdict() {
    let of = |effects: &[Effect]| {
        let change = |effect: &Effect| SchemaChange {
            pointer: String::new(),
            sentence: String::new(),
            effect: *effect,
        };
        Verdict::of(&effects.iter().map(change).collect::<Vec<_>>())
    };
    for (effects, verdict) in [
        (&[][..], Verdict::Full),
        (&[Effect::Compatible], Verdict::Full),
        (&[Effect::BreaksConsumers, Effect::Compatible], Verdict::Backward),
        (&[Effect::BreaksProducers], Verdict::Forward),
        (&[Effect::BreaksProducers, Effect::BreaksConsumers], Verdict::Breaking),
        (&[Effect::Unknown], Verdict::Breaking),
    ] {
        assert_eq!(of(effects), verdict, "{effects:?}");
    }
}

#[test]
fn what_is_too_large_to_be_compared_says_so() {
    let wide = |kind: &str| {
        let members = (0..1_200).map(|n| (format!("m{n}"), json!({ "type": kind })));
        json!({ "properties": Value::from_iter(members) })
    };
    let changes = diff(&wide("string"), &wide("null"));
    assert_eq!(changes.len(), MOST_CHANGES);
    assert_eq!(changes[MOST_CHANGES - 1].effect, Effect::Unknown);
}

/// The schema of a value that the comparison understands.
fn value() -> impl Strategy<Value = Value> {
    let number =
        (prop::option::of(0..4), prop::option::of(3..6), prop_oneof![Just("integer"), Just("number")])
            .prop_map(|(minimum, maximum, kind)| {
                let mut schema = json!({ "type": kind });
                if let Some(minimum) = minimum {
                    schema[if minimum % 2 == 0 { "minimum" } else { "exclusiveMinimum" }] = json!(minimum);
                }
                if let Some(maximum) = maximum {
                    schema[if maximum % 2 == 0 { "maximum" } else { "exclusiveMaximum" }] = json!(maximum);
                }
                schema
            });
    let text =
        (0..3, 1..4).prop_map(|(min, max)| json!({ "type": "string", "minLength": min, "maxLength": max }));
    let leaf = prop_oneof![
        3 => number,
        2 => text,
        2 => prop::sample::subsequence(vec![json!("a"), json!("bb"), json!(1), json!(null)], 1..4)
            .prop_map(|values| json!({ "enum": values })),
        1 => prop::sample::subsequence(vec!["string", "integer", "null", "boolean"], 1..4)
            .prop_map(|names| json!({ "type": names })),
        1 => Just(json!({})),
        1 => Just(json!({ "const": "a" })),
        1 => Just(json!({ "multipleOf": 2 })),
        1 => Just(json!({ "multipleOf": 4 })),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        let two = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            2 => (inner.clone(), 0..3, 1..4, any::<bool>()).prop_map(|(items, min, max, unique)| {
                json!({ "type": "array", "items": items, "minItems": min, "maxItems": max, "uniqueItems": unique })
            }),
            1 => (inner.clone(), inner.clone()).prop_map(|(first, items)| json!({ "prefixItems": [first], "items": items })),
            1 => two().prop_map(|any| json!({ "anyOf": any })),
            1 => two().prop_map(|one| json!({ "oneOf": one })),
            1 => two().prop_map(|all| json!({ "allOf": all })),
        ]
    })
}

/// Two versions of an object's schema, of which most of the members are the same.
fn versions() -> impl Strategy<Value = (Value, Value)> {
    let member = || (value(), prop_oneof![3 => Just(true), 1 => Just(false)], any::<bool>());
    let members = || prop::collection::vec(member(), 3);
    let others = || prop_oneof![2 => Just(None), 2 => Just(Some(json!(false))), 1 => value().prop_map(Some)];
    let keep = prop::collection::vec(prop_oneof![3 => Just(true), 1 => Just(false)], 4);
    (members(), members(), others(), others(), keep).prop_map(
        |(old, mut new, old_others, mut new_others, keep)| {
            for (place, old) in old.iter().enumerate().filter(|(place, _)| keep[*place]) {
                new[place] = old.clone();
            }
            if keep[3] {
                new_others = old_others.clone();
            }
            (object(old, old_others), object(new, new_others))
        },
    )
}

fn object(members: Vec<(Value, bool, bool)>, others: Option<Value>) -> Value {
    let mut schema = json!({ "type": "object", "properties": {}, "required": [] });
    for ((member, present, required), name) in members.into_iter().zip(["a", "b", "c"]) {
        if present {
            schema["properties"][name] = member;
            if required {
                schema["required"].as_array_mut().unwrap().push(json!(name));
            }
        }
    }
    if let Some(others) = others {
        schema["additionalProperties"] = others;
    }
    schema
}

/// Objects with values that the schemas above are about.
fn payloads() -> impl Strategy<Value = Vec<Value>> {
    let leaf = prop::sample::select(vec![
        json!("a"),
        json!("bb"),
        json!("ccc"),
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(4),
        json!(5),
        json!(2.5),
        json!(null),
        json!(true),
    ]);
    let value = prop_oneof![3 => leaf.clone(), 1 => prop::collection::vec(leaf, 0..4).prop_map(Value::from)];
    let object = prop::collection::btree_map("[abc]", value, 0..4).prop_map(Value::from_iter);
    prop::collection::vec(object, 60)
}

/// Whether a payload is one of that version: valid, and without members that it says nothing of.
fn is_of(schema: &Value, compiled: &CompiledSchema, payload: &Value) -> bool {
    let named = |name: &String| {
        schema["properties"].get(name).is_some()
            || schema.get("additionalProperties").is_some_and(members::says)
    };
    compiled.check(payload).is_ok() && payload.as_object().unwrap().keys().all(named)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_promised_to_stay_valid_stays_valid((old, new) in versions(), payloads in payloads()) {
        let changes = diff(&old, &new);
        let verdict = Verdict::of(&changes);
        let (was, is) = (CompiledSchema::new(&old).unwrap(), CompiledSchema::new(&new).unwrap());
        for payload in payloads {
            if verdict.is_backward() && is_of(&old, &was, &payload) {
                prop_assert!(is.check(&payload).is_ok(), "old {payload} under new: {changes:?}");
            }
            if verdict.is_forward() && is_of(&new, &is, &payload) {
                prop_assert!(was.check(&payload).is_ok(), "new {payload} under old: {changes:?}");
            }
        }
    }

    #[test]
    fn any_two_values_can_be_compared(
        old in super::super::random::schema_like(),
        new in super::super::random::schema_like(),
        entangled in super::super::random::entangled(),
    ) {
        for (old, new) in [(&old, &new), (&old, &entangled), (&entangled, &new)] {
            prop_assert!(diff(old, new).len() <= MOST_CHANGES);
        }
        prop_assert_eq!(diff(&old, &old), Vec::new());
    }
}
