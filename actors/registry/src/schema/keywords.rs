//! The keywords of one subschema, and which values they allow by kind and by list.

use serde_json::{Map, Value};

/// The keywords of a subschema; none of `true`.
#[derive(Clone, Copy)]
pub(super) struct Keywords<'a>(Option<&'a Map<String, Value>>);

impl<'a> Keywords<'a> {
    pub(super) fn of(schema: &'a Value) -> Self {
        Self(schema.as_object())
    }

    /// Whether both are the keywords of one subschema, and not of two that look alike; never so for `true`.
    pub(super) fn is(self, other: Self) -> bool {
        self.0.zip(other.0).is_some_and(|(one, other)| std::ptr::eq(one, other))
    }

    pub(super) fn get(self, keyword: &str) -> Option<&'a Value> {
        self.0.and_then(|keywords| keywords.get(keyword))
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.into_iter().flat_map(|keywords| keywords.keys().map(String::as_str))
    }

    pub(super) fn list(self, keyword: &str) -> &'a [Value] {
        self.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn map(self, keyword: &str) -> Option<&'a Map<String, Value>> {
        self.get(keyword).and_then(Value::as_object)
    }
}

/// Kinds of values that exclude each other, as bits of a set; a number is an integer or a fraction.
pub(super) const NULL: u8 = 1;
pub(super) const BOOLEAN: u8 = 2;
pub(super) const INTEGER: u8 = 4;
pub(super) const FRACTION: u8 = 8;
pub(super) const STRING: u8 = 16;
pub(super) const ARRAY: u8 = 32;
pub(super) const OBJECT: u8 = 64;
pub(super) const ALL_KINDS: u8 = 127;

const TYPES: &[(&str, u8)] = &[
    ("null", NULL),
    ("boolean", BOOLEAN),
    ("integer", INTEGER),
    ("number", INTEGER | FRACTION),
    ("string", STRING),
    ("array", ARRAY),
    ("object", OBJECT),
];

/// Returns the kinds of values that a subschema allows.
pub(super) fn kinds(keywords: Keywords<'_>) -> u8 {
    let of = |name: &Value| TYPES.iter().find(|(kind, _)| name == kind).map_or(ALL_KINDS, |(_, bits)| *bits);
    let by_type = match keywords.get("type") {
        Some(Value::Array(names)) => names.iter().map(of).fold(0, |bits, more| bits | more),
        Some(name) => of(name),
        None => ALL_KINDS,
    };
    let by_value =
        allowed(keywords).map(|values| values.into_iter().map(kind).fold(0, |bits, more| bits | more));
    by_type & by_value.unwrap_or(ALL_KINDS)
}

/// Returns the kind of a value.
pub(super) fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() != 0.0) => FRACTION,
        Value::Number(_) => INTEGER,
        Value::String(_) => STRING,
        Value::Array(_) => ARRAY,
        Value::Object(_) => OBJECT,
    }
}

/// Returns the types that make up a set of kinds, in the words of schemas.
pub(super) fn names(kinds: u8) -> Vec<&'static str> {
    let named = TYPES.iter().filter(|(name, bits)| match *name {
        "integer" => kinds & (INTEGER | FRACTION) == INTEGER,
        "number" => kinds & FRACTION != 0,
        _ => kinds & bits != 0,
    });
    named.map(|(name, _)| *name).collect()
}

/// Returns the values that a subschema allows, where it lists them.
pub(super) fn allowed<'a>(keywords: Keywords<'a>) -> Option<Vec<&'a Value>> {
    match (keywords.get("const"), keywords.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}
