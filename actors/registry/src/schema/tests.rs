//! Admission and checking, together: what is refused and why, what is found, and that nothing goes on without end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jsonschema::{Keyword, ValidationError};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::random::{entangled, payload, schema_like};
use super::*;

/// The faults of a schema, each as `#/pointer: sentence`.
fn refused(schema: &Value) -> Vec<String> {
    CompiledSchema::new(schema).expect_err("refused").iter().map(ToString::to_string).collect()
}

fn admitted(schema: &Value) -> CompiledSchema {
    CompiledSchema::new(schema).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The faults of a payload, each as `#/pointer: sentence (rule #/pointer)`.
fn faults(schema: &Value, payload: &Value) -> Vec<String> {
    let checked = admitted(schema).check(payload);
    checked.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// A subschema within so many others.
fn nested(levels: usize, inner: Value, around: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(inner, |inner, _| around(inner))
}

/// Definitions `d0` to `dN`, each made of the next one's reference; the root refers to the first.
fn chain(links: usize, link: impl Fn(Value) -> Value) -> Value {
    let mut defs = Map::new();
    for index in 0..links {
        defs.insert(format!("d{index}"), link(json!({ "$ref": format!("#/$defs/d{}", index + 1) })));
    }
    defs.insert(format!("d{links}"), json!({ "type": "string" }));
    json!({ "$defs": defs, "$ref": "#/$defs/d0" })
}

#[test]
fn what_is_no_schema_of_this_draft_is_refused_with_the_place_and_what_to_do() {
    for (schema, says) in [
        (json!(1), "#: a schema is an object, or true or false"),
        (json!([]), "#: a schema is an object, or true or false"),
        (nested(65, json!(true), |inner| json!({ "not": inner })), "#: is nested more than 64 deep"),
        (json!({ "description": "x".repeat(MAX_BYTES) }), "#: is longer than 262144 bytes"),
        (json!({ "type": "text" }), "#/type: \"text\" fits none of 2 alternatives"),
        (
            json!({ "properties": { "a": 1 } }),
            "#/properties/a: is an integer, must be true or false or an object",
        ),
        (json!({ "minLength": -1 }), "#/minLength: is -1, must be at least 0"),
        (
            json!({ "$schema": "http://json-schema.org/draft-07/schema#" }),
            "#/$schema: is http://json-schema.org/draft-07/schema#; only https://json-schema.org/draft/2020-12/schema is understood: change it, or leave it out",
        ),
        (
            json!({ "properties": { "a": { "$schema": "https://json-schema.org/draft/2019-09/schema" } } }),
            "#/properties/a/$schema: is https://json-schema.org/draft/2019-09/schema; only",
        ),
        (
            json!({ "dependencies": {} }),
            "#/dependencies: is a keyword of an older draft; write dependentRequired",
        ),
        (
            json!({ "$recursiveRef": "#" }),
            "#/$recursiveRef: is a keyword of an older draft; write $dynamicRef",
        ),
        (
            json!({ "additionalItems": true }),
            "#/additionalItems: is a keyword of an older draft; write prefixItems",
        ),
        (
            json!({ "$id": "https://json-schema.org/draft/2020-12/schema" }),
            "#/$id: belongs to the draft itself",
        ),
        (json!({ "$defs": { "a": { "$id": "b" } } }), "#/$defs/a/$id: only the whole schema may have an $id"),
        (
            json!({ "$defs": { "a": { "$anchor": "x" }, "b": { "$anchor": "x" } } }),
            "#/$defs/b/$anchor: \"x\" names another place already",
        ),
        (
            json!({ "properties": { "n".repeat(1_100): true } }),
            "the names that lead here are longer than 1024 bytes together",
        ),
    ] {
        let found = refused(&schema);
        assert!(found.iter().any(|fault| fault.contains(says)), "{says}: {found:?}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_not_without_end() {
    let found = refused(&json!({ "$ref": "http://a/", "properties": { "b": { "$ref": "#/nothing" } } }));
    assert_eq!(found.len(), 2, "{found:?}");
    let many = json!({ "allOf": vec![json!({ "$ref": "http://a/" }); 100] });
    assert_eq!(refused(&many).len(), 16);
    let many = json!({ "allOf": vec![json!(1); 100] });
    assert_eq!(refused(&many).len(), 16);
}

#[test]
fn references_that_leave_the_document_are_refused_and_never_followed() {
    for reference in [
        "http://127.0.0.1:1/x",
        "https://example.com/order.json#/$defs/a",
        "file:///etc/passwd",
        "other.json",
        "/etc/passwd",
        "//host/x",
        "urn:uuid:0f2b0b5e-0000-4000-8000-000000000000",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        for keyword in ["$ref", "$dynamicRef"] {
            let found = refused(&json!({ "properties": { "a": { keyword: reference } } }));
            let says = format!(
                "#/properties/a/{keyword}: refers to {reference}; remote references are never fetched"
            );
            assert!(found.len() == 1 && found[0].starts_with(&says), "{found:?}");
        }
    }
}

#[test]
fn a_remote_reference_where_no_schema_stands_is_data_and_not_fetched_either() {
    for keyword in ["default", "const", "examples", "x-unknown"] {
        let value = json!([{ "$ref": "http://127.0.0.1:1/x" }]);
        let outcome = CompiledSchema::new(&json!({ keyword: value }));
        assert!(outcome.is_ok(), "{keyword}: {outcome:?}");
    }
}

#[test]
fn references_to_nothing_are_refused() {
    for (reference, says) in [
        ("", "is empty; write # for the whole schema"),
        ("#/$defs/b", "refers to #/$defs/b, where there is nothing"),
        ("#b", "refers to #b, where there is nothing"),
        ("#/%zz", "refers to #/%zz, where there is nothing"),
        ("#/$defs", "refers to #/$defs, which is no subschema"),
        ("#/$defs/a/const", "refers to #/$defs/a/const, which is no subschema"),
    ] {
        let schema =
            json!({ "$defs": { "a": { "const": {} } }, "properties": { "p": { "$ref": reference } } });
        assert_eq!(refused(&schema), [format!("#/properties/p/$ref: {says}")]);
    }
}

#[test]
fn references_within_the_document_are_followed_however_they_are_written() {
    let of = |reference: &str| {
        json!({
            "$id": "https://example.com/order.json",
            "$defs": { "a b/c": { "type": "string", "$anchor": "text" }, "d": { "$dynamicAnchor": "node", "type": "string" } },
            "properties": { "p": { "$ref": reference } },
        })
    };
    for reference in
        ["#/$defs/a%20b~1c", "#text", "#/$defs/d", "#node", "https://example.com/order.json#/$defs/d"]
    {
        assert_eq!(faults(&of(reference), &json!({ "p": "x" })), Vec::<String>::new(), "{reference}");
        assert_eq!(faults(&of(reference), &json!({ "p": 1 })).len(), 1, "{reference}");
    }
    let dynamic =
        json!({ "$dynamicAnchor": "n", "type": "object", "additionalProperties": { "$dynamicRef": "#n" } });
    assert_eq!(faults(&dynamic, &json!({ "a": { "b": {} } })), Vec::<String>::new());
    assert_eq!(faults(&dynamic, &json!({ "a": { "b": 1 } })).len(), 1);
}

#[test]
fn patterns_that_are_none_or_not_linear_are_refused() {
    for (pattern, says) in [
        ("(", "is no regular expression"),
        ("a{3,1}", "is no regular expression"),
        ("(?=a)b", "looks around or back"),
        ("(?<!a)b", "looks around or back"),
        (r"(a)\1", "looks around or back"),
        ("((a{1000}){1000}){1000}", "is no regular expression, or one that becomes too large"),
    ] {
        let found = refused(&json!({ "properties": { "p": { "pattern": pattern } } }));
        assert!(found.len() == 1 && found[0].starts_with("#/properties/p/pattern: "), "{found:?}");
        assert!(found[0].contains(says), "{found:?}");
        let found = refused(&json!({ "patternProperties": { pattern: true } }));
        assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    }
    let many = Value::from_iter((0..=MAX_PATTERNS).map(|n| (format!("p{n}"), json!({ "pattern": "^a$" }))));
    assert_eq!(
        refused(&json!({ "properties": many })),
        ["#: has 257 regular expressions, at most 256 are possible"]
    );
}

#[test]
fn the_pattern_that_takes_others_for_ever_is_matched_at_once() {
    let schema = json!({ "pattern": "^(a+)+$" });
    let text = "a".repeat(100_000) + "b";
    assert_eq!(faults(&schema, &json!(text)).len(), 1);
}

#[test]
fn large_patterns_count_as_more_work_the_longer_the_text_is() {
    let schema = json!({ "pattern": "^([ab]?){1000}c$" });
    assert_eq!(faults(&schema, &json!("ab".repeat(100) + "c")), Vec::<String>::new());
    assert_eq!(
        faults(&schema, &json!("ab".repeat(100_000))),
        ["#: is too large to be checked by this schema"]
    );
    let items = json!({ "items": schema });
    assert_eq!(faults(&items, &json!(vec!["x"; 1_000])).len(), 16);
    let small = json!({ "properties": { "id": { "pattern": "^[a-z]+-[0-9]{4}$" } } });
    assert_eq!(
        faults(&small, &json!({ "id": "ord-0001", "text": "x".repeat(200_000) })),
        Vec::<String>::new()
    );
}

#[test]
fn a_schema_that_calls_itself_for_the_same_value_is_refused_with_the_way() {
    for (schema, way) in [
        (json!({ "$ref": "#" }), "#: leads back to itself for the same value, without end: # → #"),
        (json!({ "$dynamicRef": "#a", "$dynamicAnchor": "a" }), "# → #"),
        (json!({ "allOf": [{ "$ref": "#" }] }), "# → #/allOf/0 → #"),
        (json!({ "anyOf": [true, { "not": { "$ref": "#" } }] }), "# → #/anyOf/1 → #/anyOf/1/not → #"),
        (json!({ "oneOf": [{ "if": { "$ref": "#" } }] }), "# → #/oneOf/0 → #/oneOf/0/if → #"),
        (json!({ "then": { "$ref": "#" } }), "# → #/then → #"),
        (json!({ "else": { "$ref": "#" } }), "# → #/else → #"),
        (json!({ "dependentSchemas": { "a": { "$ref": "#" } } }), "# → #/dependentSchemas/a → #"),
        (
            json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
            "#/$defs/a → #/$defs/b → #/$defs/a",
        ),
        (
            json!({ "properties": { "a": { "allOf": [{ "$ref": "#/properties/a" }] } } }),
            "#/properties/a → #/properties/a/allOf/0 → #/properties/a",
        ),
    ] {
        let found = refused(&schema);
        assert!(found.len() == 1 && found[0].ends_with(way), "{way}: {found:?}");
    }
}

#[test]
fn a_circle_that_is_long_is_told_by_its_beginning() {
    let mut schema = chain(60, |next| next);
    schema["$defs"]["d60"] = json!({ "$ref": "#" });
    assert!(refused(&schema)[0].ends_with(" → #/$defs/d6 → …"), "{:?}", refused(&schema));
}

#[test]
fn ordinary_recursion_is_admitted_to_full_depth() {
    let tree = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "children": { "type": "array", "items": { "$ref": "#" } } },
        "required": ["name"],
        "additionalProperties": false,
    });
    let linked = json!({ "$defs": { "node": { "type": ["object", "null"], "properties": { "next": { "$ref": "#/$defs/node" } } } }, "$ref": "#/$defs/node" });
    let expression = json!({
        "anyOf": [{ "type": "number" }, { "type": "array", "items": { "$ref": "#" } }],
    });
    let any = json!({ "additionalProperties": { "$ref": "#" }, "items": { "$ref": "#" } });
    let strict = json!({ "type": "object", "properties": { "next": { "$ref": "#" } }, "unevaluatedProperties": false });
    for schema in [&tree, &linked, &expression, &any, &strict] {
        assert_eq!(admitted(schema).bounds().max_depth(), MAX_DEPTH, "{schema}");
    }
    let leaf = json!({ "name": 1 });
    let deep = nested(31, leaf, |child| json!({ "name": "n", "children": [child] }));
    let found = faults(&tree, &deep);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].ends_with("/name: is an integer, must be a string (rule #/properties/name/type)"),
        "{found:?}"
    );
}

#[test]
fn a_union_of_some_hundred_kinds_is_admitted() {
    let kind = |n: u32| json!({ "properties": { "kind": { "const": n }, "a": { "$ref": "#/$defs/a" } }, "required": ["kind"] });
    let schema =
        json!({ "$defs": { "a": { "type": "string" } }, "oneOf": (0..300).map(kind).collect::<Vec<_>>() });
    assert_eq!(faults(&schema, &json!({ "kind": 7, "a": "x" })), Vec::<String>::new());
    assert_eq!(faults(&schema, &json!({ "kind": 300 })).len(), 1);
}

#[test]
fn what_multiplies_at_one_place_is_refused() {
    let found = refused(&chain(12, |next| json!({ "allOf": [next, next] })));
    assert!(
        found.iter().any(|fault| fault.starts_with("#/$defs/d0: one value would have to be checked")),
        "{found:?}"
    );
    // One level down it is the same, and so it is where nothing leads there.
    let mut below = chain(12, |next| json!({ "anyOf": [next, next] }));
    below.as_object_mut().unwrap().remove("$ref");
    assert!(!refused(&below).is_empty());
    // What is asked for as unevaluated is gone through again at each level.
    let asked = nested(12, json!({}), |inner| json!({ "anyOf": [inner], "unevaluatedProperties": false }));
    assert!(!refused(&asked).is_empty());
}

#[test]
fn what_multiplies_at_each_level_is_checked_as_deep_as_it_can_be() {
    let twice = json!({ "$ref": "#/$defs/n" });
    let node =
        json!({ "anyOf": [{ "properties": { "a": twice } }, { "properties": { "a": twice, "b": false } }] });
    let schema = json!({ "$defs": { "n": node }, "$ref": "#/$defs/n" });
    let compiled = admitted(&schema);
    let max_depth = compiled.bounds().max_depth();
    assert!((10..25).contains(&max_depth), "{max_depth}");
    let deep = |levels| nested(levels, json!(1), |inner| json!({ "a": inner }));
    assert_eq!(compiled.check(&deep(max_depth)), Ok(()));
    let found = compiled.check(&deep(max_depth + 1)).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        format!("#: is nested deeper than this schema can be checked to, which is {max_depth}")
    );
}

#[test]
fn a_language_of_some_kinds_of_expressions_is_checked_as_deep_as_people_write() {
    let of = |kind: u32, more: Value| json!({ "type": "object", "properties": { "kind": { "const": kind }, "left": more, "right": more }, "required": ["kind"] });
    let kinds: Vec<_> = (0..5)
        .map(|kind| of(kind, if kind < 3 { json!({ "$ref": "#/$defs/e" }) } else { json!({}) }))
        .collect();
    let schema = json!({ "$defs": { "e": { "oneOf": kinds } }, "$ref": "#/$defs/e" });
    let compiled = admitted(&schema);
    let deep =
        nested(8, json!({ "kind": 4 }), |inner| json!({ "kind": 0, "left": inner, "right": { "kind": 3 } }));
    assert_eq!(compiled.check(&deep), Ok(()));
    let wrong = nested(8, json!({ "kind": 5 }), |inner| json!({ "kind": 0, "left": inner }));
    assert!(!compiled.check(&wrong).unwrap_err()[0].keyword.is_empty());
}

#[test]
fn what_multiplies_by_thousands_at_the_first_level_is_refused() {
    let eight = vec![json!({ "$ref": "#" }); 5_000];
    let found = refused(&json!({ "properties": { "a": { "allOf": eight } } }));
    assert!(!found.is_empty());
}

/// Runs a test on half the stack of a worker thread, so that there is room for who calls.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1_024 * 1_024).spawn(test).unwrap();
    thread.join().unwrap();
}

#[test]
fn ways_through_references_for_one_value_are_short() {
    let found = refused(&chain(64, |next| next));
    assert!(
        found[0].contains("more than 64 subschemas lead from one to the next for the same value"),
        "{found:?}"
    );
    let asked = |next| json!({ "allOf": [next], "$defs": { "u": { "unevaluatedItems": false } } });
    assert!(refused(&chain(16, asked))[0].contains("more than 32 subschemas"));
    on_a_small_stack(|| {
        let in_place = chain(31, |next| json!({ "allOf": [next] }));
        assert_eq!(faults(&in_place, &json!(1)).len(), 1);
        let nots = nested(62, json!({}), |inner| json!({ "not": inner }));
        assert_eq!(faults(&nots, &json!(1)), Vec::<String>::new());
    });
}

#[test]
fn long_ways_through_references_downwards_fit_the_stack() {
    on_a_small_stack(|| {
        let down = chain(4_000, |next| json!({ "properties": { "a": next } }));
        let deep = nested(64, json!(1), |inner| json!({ "a": inner }));
        assert_eq!(faults(&down, &deep), Vec::<String>::new());
    });
}

#[test]
fn references_between_what_is_nested_deep_fit_the_stack_when_the_checker_is_built() {
    let members = |levels| {
        let around = |inner| json!({ "properties": { "b": inner } });
        chain(120, move |next| nested(levels, next, around))
    };
    let mixed = |levels| {
        let around = |inner| json!({ "anyOf": [{ "properties": { "b": inner } }], "items": false });
        chain(120, move |next| nested(levels, next, around))
    };
    for (schema, higher) in [(members(16), members(18)), (mixed(8), mixed(9))] {
        on_a_small_stack(move || assert_eq!(faults(&schema, &json!({ "b": 1 })), Vec::<String>::new()));
        let found = refused(&higher);
        assert!(found[0].contains("levels where it is referred to; with as many references"), "{found:?}");
    }
    // Few references may stand between what is higher.
    on_a_small_stack(|| {
        let around = |inner| json!({ "properties": { "b": inner } });
        let schema = chain(4, |next| nested(28, next, around));
        assert_eq!(faults(&schema, &json!({ "b": 1 })), Vec::<String>::new());
    });
}

#[test]
fn the_deepest_payload_under_the_longest_way_fits_the_stack() {
    for (keyword, levels) in [("allOf", 14), ("anyOf", 14), ("oneOf", 14), ("unevaluatedProperties", 1)] {
        on_a_small_stack(move || {
            let around = |inner| match keyword {
                "unevaluatedProperties" => {
                    json!({ "allOf": [inner], "unevaluatedProperties": { "type": "object" } })
                }
                keyword => json!({ keyword: [inner] }),
            };
            let member = json!({ "type": "object", "properties": { "a": { "$ref": "#" } } });
            let schema = json!({ "$defs": { "n": nested(levels, member, around) }, "$ref": "#/$defs/n" });
            let compiled = admitted(&schema);
            let max_depth = compiled.bounds().max_depth();
            assert!((1..MAX_DEPTH).contains(&max_depth), "{keyword}: {max_depth}");
            let deep = |leaf| nested(max_depth, leaf, |inner| json!({ "a": inner }));
            assert_eq!(compiled.check(&deep(json!({}))), Ok(()), "{keyword}");
            assert!(!compiled.check(&deep(json!(1))).unwrap_err()[0].keyword.is_empty(), "{keyword}");
        });
    }
}

#[test]
fn the_checker_is_built_within_the_stack_where_it_follows_references_by_recursion() {
    let link = |next: Value| {
        let below = json!({ "unevaluatedProperties": false, "allOf": [next] });
        json!({ "unevaluatedProperties": false, "$ref": "#/$defs/open", "additionalProperties": below })
    };
    let of = move |links| {
        let mut schema = chain(links, link);
        schema["$defs"]["open"] = json!({});
        schema
    };
    on_a_small_stack(move || {
        // As long as it may be; the last one says what the members are.
        let compiled = admitted(&of(36));
        assert_eq!(compiled.check(&json!({ "a": {} })), Ok(()));
    });
    let found = refused(&of(38));
    assert!(
        found[0].contains("subschemas; with unevaluatedProperties or unevaluatedItems it can be 112"),
        "{found:?}"
    );
    let mut circle = of(30);
    circle["$defs"]["d30"] = json!({ "properties": { "a": { "$ref": "#" } } });
    on_a_small_stack(move || assert!(admitted(&circle).check(&json!({ "a": {} })).is_ok()));
}

#[test]
fn what_is_unevaluated_may_be_asked_for_in_a_wide_schema_but_not_everywhere_of_everything() {
    let members =
        |many: usize| Value::from_iter((0..many).map(|n| (format!("m{n}"), json!({ "type": "string" }))));
    let closed = json!({ "allOf": [{ "properties": members(2_000) }], "unevaluatedProperties": false });
    assert_eq!(faults(&closed, &json!({ "m1": "x" })), Vec::<String>::new());
    assert_eq!(faults(&closed, &json!({ "n1": "x" })).len(), 1);
    let of = json!({ "$ref": "#/$defs/all", "unevaluatedProperties": false });
    let everywhere =
        json!({ "$defs": { "all": { "properties": members(1_000) } }, "prefixItems": vec![of; 500] });
    assert_eq!(refused(&everywhere), ["#: asks too often for what is unevaluated, of too much"]);
}

#[test]
fn too_many_subschemas_are_refused() {
    let members = Value::from_iter((0..MAX_SUBSCHEMAS).map(|n| (format!("{n}"), json!(true))));
    assert_eq!(refused(&json!({ "properties": members })), ["#: has more than 10000 subschemas"]);
}

#[test]
fn faults_name_the_place_the_rule_and_little_of_the_value() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10, "multipleOf": 2 },
            "s": { "type": ["string", "null"], "minLength": 2, "maxLength": 70, "pattern": "^[a-z]*$" },
            "e": { "enum": ["x", "y"] },
            "c": { "const": "fixed" },
            "l": { "type": "array", "items": { "$ref": "#/$defs/item" }, "maxItems": 3, "uniqueItems": true },
            "u": { "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 5 }] },
            "o": { "oneOf": [{ "type": "number" }, { "type": "integer" }] },
            "never": false,
        },
        "$defs": { "item": { "type": "boolean" } },
        "required": ["n"],
        "additionalProperties": false,
    });
    for (payload, says) in [
        (json!(1), "#: is an integer, must be an object (rule #/type)"),
        (json!({}), "#: \"n\" is missing (rule #/required)"),
        (json!({ "n": 0 }), "#/n: is 0, must be at least 1 (rule #/properties/n/minimum)"),
        (json!({ "n": 12 }), "#/n: is 12, must be less than 10 (rule #/properties/n/exclusiveMaximum)"),
        (json!({ "n": 3 }), "#/n: is 3, must be a multiple of 2 (rule #/properties/n/multipleOf)"),
        (
            json!({ "n": 2, "s": 1 }),
            "#/s: is an integer, must be null or a string (rule #/properties/s/type)",
        ),
        (json!({ "n": 2, "s": "a" }), "#/s: is shorter than 2 characters (rule #/properties/s/minLength)"),
        (
            json!({ "n": 2, "e": "z" }),
            "#/e: is \"z\", must be one of \"x\", \"y\" (rule #/properties/e/enum)",
        ),
        (json!({ "n": 2, "c": 1 }), "#/c: is 1, must be \"fixed\" (rule #/properties/c/const)"),
        (
            json!({ "n": 2, "l": [true, 1] }),
            "#/l/1: is an integer, must be true or false (rule #/$defs/item/type)",
        ),
        (json!({ "n": 2, "l": [true, true] }), "#/l: has an item twice (rule #/properties/l/uniqueItems)"),
        (
            json!({ "n": 2, "u": 1 }),
            "#/u: 1 fits none of 2 alternatives; nearest: #/u is an integer, must be a string (rule #/properties/u/anyOf)",
        ),
        (json!({ "n": 2, "o": 1 }), "#/o: 1 fits more than one alternative (rule #/properties/o/oneOf)"),
        (json!({ "n": 2, "never": 1 }), "#/never: is not allowed here (rule #/properties/never)"),
        (
            json!({ "n": 2, "a/b": 1, "y": 1 }),
            "#: has members that are not allowed: \"a/b\", \"y\" (rule #/additionalProperties)",
        ),
    ] {
        assert_eq!(faults(&schema, &payload), [says], "{payload}");
    }
    let secret = "S".repeat(80);
    for fault in faults(&schema, &json!({ "n": 2, "s": secret })) {
        assert!(!fault.contains(&"S".repeat(61)), "{fault}");
    }
}

#[test]
fn at_most_sixteen_faults_are_named() {
    let schema = json!({ "items": { "type": "string" } });
    assert_eq!(faults(&schema, &json!(vec![1; 100])).len(), 16);
}

#[test]
fn formats_tell_and_refuse_nothing() {
    let schema = json!({ "type": "string", "format": "date-time" });
    assert_eq!(faults(&schema, &json!("tomorrow")), Vec::<String>::new());
    assert_eq!(faults(&json!({ "contentMediaType": "application/json" }), &json!("{")), Vec::<String>::new());
}

#[test]
fn a_payload_that_is_too_large_for_its_schema_is_reported_as_that() {
    let union = json!({ "items": { "anyOf": (0..100).map(|n| json!({ "const": n })).collect::<Vec<_>>() } });
    let found = faults(&union, &json!(vec![99; 50_000]));
    assert_eq!(found, ["#: is too large to be checked by this schema"]);
    let found = faults(&union, &json!(vec![100; 10_000]));
    assert_eq!(found, ["#: does not fit the schema, and is too large for what is wrong to be named"]);
    assert_eq!(faults(&union, &json!(vec![99; 10_000])), Vec::<String>::new());
    let mut deep = json!(1);
    for _ in 0..=MAX_DEPTH {
        deep = json!([deep]);
    }
    assert_eq!(
        faults(&json!(true), &deep),
        ["#: is nested deeper than this schema can be checked to, which is 64"]
    );
}

#[test]
fn a_compiled_schema_is_shared_and_may_go_to_other_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let compiled = admitted(&json!({ "type": "string" }));
    shared(&compiled);
    assert_eq!(compiled.clone().check(&json!("x")), Ok(()));
}

/// Counts the evaluations at each place of a payload as the checker makes them when it skips nothing: also those that
/// find out what others have evaluated, which the bound takes twice.
struct Tally<'a> {
    root: &'a Value,
}

impl Tally<'_> {
    /// Adds the evaluations of one value, and returns how many were made at that very place.
    fn check(&self, schema: &Value, payload: &Value) -> Vec<u64> {
        let mut made = vec![1];
        let Value::Object(members) = schema else { return made };
        for called in self.called(members) {
            add(&mut made, &self.check(&called, payload));
        }
        add(&mut made, &self.below(members, payload));
        if members.contains_key("unevaluatedProperties") || members.contains_key("unevaluatedItems") {
            let asked = self.ask(schema, payload);
            add(&mut made, &asked);
            add(&mut made, &asked);
        }
        made
    }

    fn ask(&self, schema: &Value, payload: &Value) -> Vec<u64> {
        let mut made = vec![0];
        let Value::Object(members) = schema else { return made };
        for called in self.called(members) {
            add(&mut made, &self.check(&called, payload));
            add(&mut made, &self.ask(&called, payload));
        }
        made
    }

    fn called(&self, members: &Map<String, Value>) -> Vec<Value> {
        let mut called = Vec::new();
        for keyword in ["allOf", "anyOf", "oneOf"] {
            called.extend(members.get(keyword).and_then(Value::as_array).cloned().unwrap_or_default());
        }
        called.extend(
            ["not", "if", "then", "else"].iter().filter_map(|keyword| members.get(*keyword)).cloned(),
        );
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            called.push(pointer::local(self.root, reference).unwrap().clone());
        }
        called
    }

    /// The evaluations below, by the depth under this value; each place of a depth is one, so the most count.
    fn below(&self, members: &Map<String, Value>, payload: &Value) -> Vec<u64> {
        let mut most = Vec::new();
        let mut child = |schemas: Vec<&Value>, payload: &Value, name: Option<&str>| {
            let mut made = vec![0];
            for schema in schemas {
                let below = self.check(schema, payload);
                add(&mut made, &below);
            }
            if let (Some(name), Some(schema)) = (name, members.get("propertyNames")) {
                let below = self.check(schema, &json!(name));
                add(&mut made, &below);
            }
            for (depth, made) in made.into_iter().enumerate() {
                if most.len() <= depth {
                    most.push(0);
                }
                most[depth] = made.max(most[depth]);
            }
        };
        match payload {
            Value::Object(of) => {
                for (name, value) in of {
                    let mut schemas: Vec<_> =
                        members.get("properties").and_then(|map| map.get(name)).into_iter().collect();
                    schemas.extend(
                        members
                            .get("patternProperties")
                            .and_then(Value::as_object)
                            .into_iter()
                            .flat_map(Map::values),
                    );
                    schemas.extend(
                        ["additionalProperties", "unevaluatedProperties"]
                            .iter()
                            .filter_map(|k| members.get(*k)),
                    );
                    child(schemas, value, Some(name));
                }
            }
            Value::Array(of) => {
                for (place, value) in of.iter().enumerate() {
                    let mut schemas: Vec<_> =
                        members.get("prefixItems").and_then(|list| list.get(place)).into_iter().collect();
                    schemas.extend(
                        ["items", "contains", "unevaluatedItems"].iter().filter_map(|k| members.get(*k)),
                    );
                    child(schemas, value, None);
                }
            }
            _ => {}
        }
        let mut made = vec![0];
        made.extend(most);
        made
    }
}

/// Adds what was made, by depth.
fn add(made: &mut Vec<u64>, more: &[u64]) {
    for (depth, more) in more.iter().enumerate() {
        if made.len() <= depth {
            made.push(0);
        }
        made[depth] += more;
    }
}

/// A keyword that is always satisfied and counts, by the address of the value, how often it was asked.
struct Counts(Arc<Mutex<HashMap<usize, u64>>>);

impl Counts {
    fn count(&self, value: &Value) {
        *self.0.lock().unwrap().entry(std::ptr::from_ref(value).addr()).or_default() += 1;
    }
}

impl<'i> Keyword<'i> for Counts {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        self.count(value);
        Ok(())
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        self.count(value);
        true
    }
}

/// Puts the counting keyword into every subschema.
fn counting(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut counted = Map::from_iter([("x-count".to_owned(), json!(true))]);
    for (keyword, value) in members {
        let value = match (keyword.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Value::Object(map)) => {
                Value::from_iter(map.iter().map(|(name, value)| (name.clone(), counting(value))))
            }
            (_, Value::Array(list)) => list.iter().map(counting).collect(),
            (_, Value::Object(_)) => counting(value),
            (_, other) => other.clone(),
        };
        counted.insert(keyword.clone(), value);
    }
    Value::Object(counted)
}

/// The most often that any value of a depth was counted.
fn counted(payload: &Value, depth: usize, counts: &HashMap<usize, u64>, most: &mut Vec<u64>) {
    if most.len() <= depth {
        most.push(0);
    }
    let here = counts.get(&std::ptr::from_ref(payload).addr()).copied().unwrap_or_default();
    most[depth] = here.max(most[depth]);
    match payload {
        Value::Array(items) => items.iter().for_each(|item| counted(item, depth + 1, counts, most)),
        Value::Object(members) => {
            members.values().for_each(|member| counted(member, depth + 1, counts, most))
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_json_is_judged_and_any_payload_checked(schema in schema_like(), payload in payload()) {
        if let Ok(compiled) = CompiledSchema::new(&schema) {
            let faults = compiled.check(&payload).err().unwrap_or_default();
            prop_assert!(faults.len() <= 16);
        }
    }

    #[test]
    fn what_is_admitted_is_evaluated_no_more_often_than_was_counted(schema in entangled(), payload in payload()) {
        let Ok(compiled) = CompiledSchema::new(&schema) else { return Ok(()) };
        let faults = compiled.check(&payload).err().unwrap_or_default();
        if faults.iter().any(|fault| fault.keyword.is_empty()) {
            return Ok(());
        }
        let made = Tally { root: &schema }.check(&schema, &payload);
        for (depth, made) in made.into_iter().enumerate() {
            let bound = compiled.bounds().times(depth);
            prop_assert!(bound.is_some_and(|bound| made <= bound), "{} at {}: {:?}", made, depth, bound);
        }
    }

    #[test]
    fn the_checker_itself_comes_to_no_value_more_often_than_was_counted(schema in entangled(), payload in payload()) {
        let Ok(compiled) = CompiledSchema::new(&schema) else { return Ok(()) };
        let counts = Arc::new(Mutex::new(HashMap::new()));
        let keyword = counts.clone();
        let options = jsonschema::options().offline().with_keyword("x-count", move |_, _, _| Ok(Box::new(Counts(keyword.clone()))));
        let valid = options.build(&counting(&schema)).unwrap().is_valid(&payload);
        prop_assert!(valid || compiled.check(&payload).is_err());
        let mut most = Vec::new();
        counted(&payload, 0, &counts.lock().unwrap(), &mut most);
        for (depth, made) in most.into_iter().enumerate() {
            let Some(bound) = compiled.bounds().times(depth) else { continue };
            prop_assert!(made <= bound, "{} at {}: {}", made, depth, bound);
        }
    }
}
