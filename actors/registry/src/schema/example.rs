//! A payload as a schema asks for it: small, for people and for models that plan by it.

use serde_json::{Map, Value};

use super::keywords::{
    ALL_KINDS, ARRAY, BOOLEAN, FRACTION, INTEGER, Keywords, NULL, OBJECT, STRING, allowed, kind,
};
use super::parts::Parts;
use super::sample::{number, text};

/// How many values an example has at most, but for those that its author wrote.
const MOST_VALUES: usize = 200;

/// How many members are shown at the top that need not be there.
const MOST_OPTIONAL: usize = 3;

/// Where nothing is made any more: a schema may require itself, which no payload can satisfy.
const NOTHING_BELOW: usize = 32;

/// How many items are made to reach a number.
const MOST_ITEMS: usize = 16;

/// Keywords by which a member that is there may forbid or ask for another.
const ENTANGLING: &[&str] = &[
    "dependentRequired",
    "dependentSchemas",
    "not",
    "if",
    "patternProperties",
    "propertyNames",
    "maxProperties",
];

/// Returns a small payload that is valid under a schema, as far as one can be found: what the author gives as an
/// example or default is taken before anything is made up. It ends, and stays small, for any schema; one that needs
/// more than it understands (`not`, `if`, patterns with groups) may get an example that is not valid.
pub fn example(schema: &Value) -> Value {
    Maker { root: schema, left: MOST_VALUES, under_way: Vec::new() }.value(&[schema], 0)
}

struct Maker<'a> {
    root: &'a Value,
    left: usize,
    /// The parts of the values that the one being made stands in.
    under_way: Vec<Keywords<'a>>,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schemas: &[&'a Value], depth: usize) -> Value {
        let Some(left) = self.left.checked_sub(1).filter(|_| depth <= NOTHING_BELOW) else {
            return Value::Null;
        };
        self.left = left;
        let parts = Parts::of(self.root, schemas);
        if let Some(given) = given(&parts) {
            return given.clone();
        }
        let outside = self.under_way.len();
        self.under_way.extend(&parts.0);
        let made = self.make(&parts, depth);
        self.under_way.truncate(outside);
        made
    }

    fn make(&mut self, parts: &Parts<'a>, depth: usize) -> Value {
        match wanted(parts) {
            OBJECT => self.object(parts, depth),
            ARRAY => self.array(parts, depth),
            STRING => text(parts).into(),
            INTEGER => number(parts, true),
            FRACTION => number(parts, false),
            BOOLEAN => true.into(),
            _ => Value::Null,
        }
    }

    fn object(&mut self, parts: &Parts<'a>, depth: usize) -> Value {
        let mut names: Vec<String> = parts.required().into_iter().map(str::to_owned).collect();
        let entangled = ENTANGLING.iter().any(|keyword| parts.first(keyword).is_some());
        let mut optional: Vec<_> =
            parts.described().into_iter().filter(|name| self.possible(&parts.member(name))).collect();
        optional.retain(|name| !names.iter().any(|known| known == name));
        let least = count(parts.bound("minProperties", f64::max));
        let shown = if depth == 0 && !entangled { MOST_OPTIONAL } else { 0 };
        let shown = shown.max(least.saturating_sub(names.len())).min(MOST_ITEMS);
        names.extend(optional.into_iter().take(shown).map(str::to_owned));
        for made_up in 1..=least.saturating_sub(names.len()).min(MOST_ITEMS) {
            names.push(format!("name{made_up}"));
        }
        let mut members = Map::new();
        for name in names.into_iter().take(self.left) {
            let value = self.value(&parts.member(&name), depth.saturating_add(1));
            members.insert(name, value);
        }
        Value::Object(members)
    }

    /// Whether there is a value for schemas, and it is not one more of what it would stand in.
    fn possible(&self, schemas: &[&'a Value]) -> bool {
        let parts = Parts::of(self.root, schemas);
        let again = parts.0.iter().any(|part| self.under_way.iter().any(|outside| outside.is(*part)));
        !again && parts.kinds() != 0 && schemas.iter().all(|schema| **schema != Value::Bool(false))
    }

    fn array(&mut self, parts: &Parts<'a>, depth: usize) -> Value {
        let least = count(parts.bound("minItems", f64::max));
        let most = parts.bound("maxItems", f64::min).map_or(usize::MAX, |most| count(Some(most)));
        let contained: Vec<_> = parts.all("contains").collect();
        let mut first = parts.item(0);
        first.extend(&contained);
        let shown = usize::from(!contained.is_empty() || !first.is_empty() && self.possible(&first));
        let number = least.max(shown).min(most).min(MOST_ITEMS);
        let unique = parts.all("uniqueItems").any(|unique| unique == &Value::Bool(true));
        let mut items: Vec<Value> = Vec::new();
        for place in 0..number {
            let mut schemas = parts.item(place);
            if place == 0 {
                schemas.extend(&contained);
            }
            let mut item = self.value(&schemas, depth.saturating_add(1));
            if unique && items.contains(&item) {
                item = self.another(&schemas, item, &items);
            }
            items.push(item);
        }
        Value::Array(items)
    }

    /// Returns a value that is none of those: another of the list, the next number, a longer text.
    fn another(&self, schemas: &[&'a Value], like: Value, than: &[Value]) -> Value {
        let parts = Parts::of(self.root, schemas);
        let listed =
            parts.0.iter().filter_map(|part| allowed(*part)).flatten().find(|value| !than.contains(value));
        if let Some(listed) = listed {
            return listed.clone();
        }
        let steps = 1..=than.len();
        let next = |step: usize| match &like {
            Value::Number(number) => {
                let grid = parts.first("multipleOf").and_then(Value::as_i64).unwrap_or(1);
                let step = i64::try_from(step).ok()?.checked_mul(grid)?;
                Some(number.as_i64()?.checked_add(step)?.into())
            }
            Value::String(text) => Some(format!("{text}{step}").into()),
            Value::Bool(is) => Some((!is).into()),
            _ => None,
        };
        steps.filter_map(next).find(|value| !than.contains(value)).unwrap_or(like)
    }
}

/// Returns what the author gives, where it is of the right kind.
fn given<'a>(parts: &Parts<'a>) -> Option<&'a Value> {
    let lists: Vec<_> = parts.0.iter().filter_map(|part| allowed(*part)).collect();
    let fits = |value: &&Value| {
        kind(value) & parts.kinds() != 0 && lists.iter().all(|list| list.iter().any(|listed| listed == value))
    };
    let examples = parts.all("examples").filter_map(Value::as_array).flatten();
    // That nothing is there when nothing is said is no example.
    let defaults = parts.all("default").filter(|value| !value.is_null());
    let written = examples.chain(defaults).find(fits);
    let mut listed: Vec<_> = lists.iter().take(1).flatten().copied().filter(fits).collect();
    listed.sort_by_key(|value| value.is_null());
    written.or_else(|| listed.first().copied())
}

/// Chooses the kind of value that says most, or that the keywords are about.
fn wanted(parts: &Parts<'_>) -> u8 {
    let kinds = parts.kinds();
    let about = |keywords: &[&str]| keywords.iter().any(|keyword| parts.first(keyword).is_some());
    let hints = [
        (OBJECT, about(&["properties", "required", "minProperties", "additionalProperties"])),
        (ARRAY, about(&["items", "prefixItems", "minItems", "contains"])),
        (STRING, about(&["minLength", "maxLength", "pattern", "format"])),
        (FRACTION, about(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])),
    ];
    if let Some((kind, _)) = hints.iter().find(|(kind, about)| *about && kinds & kind != 0) {
        return *kind;
    }
    // A text is what is understood where anything may stand.
    let order = if kinds == ALL_KINDS {
        [STRING, OBJECT, ARRAY, INTEGER, FRACTION, BOOLEAN, NULL]
    } else {
        [OBJECT, ARRAY, STRING, INTEGER, FRACTION, BOOLEAN, NULL]
    };
    order.into_iter().find(|kind| kinds & kind != 0).unwrap_or(NULL)
}

fn count(bound: Option<f64>) -> usize {
    bound.and_then(|bound| format!("{bound:.0}").parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
