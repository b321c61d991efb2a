//! What the keywords say that look at the members of an object.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::excerpt::excerpt;
use super::super::keywords::Keywords;
use super::super::pointer::push;
use super::super::schema_change::Effect;
use super::{ANYTHING, Diff};

impl<'a> Diff<'a> {
    pub(super) fn members(&mut self, old: Keywords<'a>, new: Keywords<'a>, pointer: &str, depth: usize) {
        let (was, is) = (old.map("properties"), new.map("properties"));
        let names: BTreeSet<&str> =
            [was, is].into_iter().flatten().flat_map(|map| map.keys().map(String::as_str)).collect();
        let others = |keywords: Keywords<'a>| keywords.get("additionalProperties").unwrap_or(ANYTHING);
        let by_pattern = [old, new]
            .iter()
            .any(|keywords| keywords.map("patternProperties").is_some_and(|map| !map.is_empty()));
        let depth = depth.saturating_add(1);
        for name in names {
            let at = push(&push(pointer, "properties"), name);
            let (was, is) = (was.and_then(|map| map.get(name)), is.and_then(|map| map.get(name)));
            match (was, is) {
                (Some(was), Some(is)) => self.compare(was, is, &at, depth),
                (None, Some(is)) => {
                    self.added(others(old), is, &at, by_pattern);
                    if says(others(old)) {
                        self.compare(others(old), is, &at, depth);
                    }
                }
                (Some(was), None) => {
                    self.removed(others(new), &at, by_pattern);
                    if says(others(new)) {
                        self.compare(was, others(new), &at, depth);
                    }
                }
                (None, None) => {}
            }
        }
        self.required(old, new, pointer);
        self.compare(others(old), others(new), &push(pointer, "additionalProperties"), depth);
    }

    fn added(&mut self, others: &Value, is: &Value, at: &str, by_pattern: bool) {
        let closed = others == &Value::Bool(false);
        let (effect, sentence) = match is {
            Value::Bool(false) => (Effect::BreaksProducers, "is forbidden now"),
            _ if by_pattern => (Effect::Unknown, "is new; beside patternProperties that cannot be compared"),
            _ if closed || self.unevaluated => {
                (Effect::BreaksConsumers, "is new where others were not allowed")
            }
            _ => (Effect::Compatible, "is new"),
        };
        self.note(at, effect, sentence);
    }

    fn removed(&mut self, others: &Value, at: &str, by_pattern: bool) {
        self.note(at, Effect::BreaksConsumers, "was removed");
        if by_pattern {
            self.note(at, Effect::Unknown, "was removed; beside patternProperties that cannot be compared");
        } else if others == &Value::Bool(false) || self.unevaluated {
            self.note(at, Effect::BreaksProducers, "was removed and is not allowed any more");
        }
    }

    fn required(&mut self, old: Keywords<'a>, new: Keywords<'a>, pointer: &str) {
        let names = |keywords: Keywords<'a>| -> BTreeSet<&'a str> {
            keywords.list("required").iter().filter_map(Value::as_str).collect()
        };
        let pointer = push(pointer, "required");
        let (was, is) = (names(old), names(new));
        for name in is.difference(&was) {
            self.note(&pointer, Effect::BreaksProducers, format!("\"{}\" is required now", excerpt(name)));
        }
        for name in was.difference(&is) {
            self.note(
                &pointer,
                Effect::BreaksConsumers,
                format!("\"{}\" is no longer required", excerpt(name)),
            );
        }
    }
}

/// Whether a version says anything of the members that it does not name. Where it does not, they are taken not to be
/// there.
pub(super) fn says(others: &Value) -> bool {
    others.as_object().is_some_and(|keywords| !keywords.is_empty())
}
