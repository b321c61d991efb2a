//! What the keywords say that put schemas together: `allOf`, `anyOf`, `oneOf`.

use std::collections::HashSet;

use serde_json::Value;

use super::super::keywords::{Keywords, OBJECT, allowed, kinds};
use super::super::pointer::push;
use super::super::schema_change::Effect;
use super::{Diff, resolve};

/// Unions of more kinds are not looked through for two that overlap.
const MOST_KINDS: usize = 64;

impl<'a> Diff<'a> {
    pub(super) fn alternatives(&mut self, old: Keywords<'a>, new: Keywords<'a>, pointer: &str, depth: usize) {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let (was, is) = (old.list(keyword), new.list(keyword));
            if was.is_empty() && is.is_empty() {
                continue;
            }
            let pointer = push(pointer, keyword);
            match (keyword, was.is_empty(), is.is_empty()) {
                ("anyOf" | "oneOf", true, false) => {
                    self.note(&pointer, Effect::BreaksProducers, "must now fit one of several alternatives");
                }
                ("anyOf" | "oneOf", false, true) => {
                    self.note(
                        &pointer,
                        Effect::BreaksConsumers,
                        "need no longer fit one of several alternatives",
                    );
                }
                _ => self.pairs(keyword, was, is, &pointer, depth),
            }
        }
    }

    /// Pairs the parts of both versions: first those that are the same, then those that may be meant for the same.
    fn pairs(&mut self, keyword: &str, was: &'a [Value], is: &'a [Value], pointer: &str, depth: usize) {
        let mut left: Vec<_> = was.iter().collect();
        let mut others = Vec::new();
        for (place, is) in is.iter().enumerate() {
            match left.iter().position(|was| self.same(was, is, &mut HashSet::new(), 0)) {
                Some(same) => drop(left.remove(same)),
                None => others.push((place, is)),
            }
        }
        if left.is_empty() && others.is_empty() {
            return;
        }
        for was in left {
            let meant = others
                .iter()
                .position(|(_, is)| keyword == "allOf" || !self.exclude(self.old, was, self.new, is));
            if let Some(meant) = meant {
                let (place, is) = others.remove(meant);
                self.compare(was, is, &push(pointer, &place.to_string()), depth.saturating_add(1));
            } else if keyword == "allOf" {
                self.note(pointer, Effect::BreaksConsumers, "one condition less must be met");
            } else {
                self.note(pointer, Effect::BreaksProducers, "one alternative less is allowed");
            }
        }
        for (place, _) in others {
            let pointer = push(pointer, &place.to_string());
            if keyword == "allOf" {
                self.note(&pointer, Effect::BreaksProducers, "one condition more must be met");
            } else {
                self.note(&pointer, Effect::BreaksConsumers, "one alternative more is allowed");
            }
        }
        if keyword == "oneOf" && !(self.exclusive(self.old, was) && self.exclusive(self.new, is)) {
            self.note(pointer, Effect::Unknown, "alternatives changed of which more than one may fit");
        }
    }

    /// Whether no value can fit two of the alternatives.
    fn exclusive(&mut self, root: &'a Value, alternatives: &'a [Value]) -> bool {
        alternatives.len() <= MOST_KINDS
            && alternatives.iter().enumerate().all(|(place, one)| {
                alternatives
                    .iter()
                    .skip(place.saturating_add(1))
                    .all(|other| self.exclude(root, one, root, other))
            })
    }

    /// Whether no value can fit both: they are of other types, or require a member that cannot be both.
    fn exclude(&mut self, root: &'a Value, one: &'a Value, other_root: &'a Value, other: &'a Value) -> bool {
        if !self.step() {
            return false;
        }
        let (one, _) = resolve(root, one);
        let (other, _) = resolve(other_root, other);
        if one == &Value::Bool(false) || other == &Value::Bool(false) {
            return true;
        }
        let (one, other) = (Keywords::of(one), Keywords::of(other));
        if kinds(one) & kinds(other) == 0 {
            return true;
        }
        let objects = |keywords| kinds(keywords) == OBJECT;
        let (Some(members), Some(others)) = (one.map("properties"), other.map("properties")) else {
            return false;
        };
        let requires =
            |keywords: Keywords<'_>, name: &str| keywords.list("required").iter().any(|known| known == name);
        objects(one)
            && objects(other)
            && members.iter().any(|(name, member)| {
                let Some(other_member) = others.get(name) else { return false };
                let member = allowed(Keywords::of(resolve(root, member).0));
                let other_member = allowed(Keywords::of(resolve(other_root, other_member).0));
                let (Some(member), Some(other_member)) = (member, other_member) else { return false };
                requires(one, name)
                    && requires(other, name)
                    && !member.iter().any(|value| other_member.contains(value))
            })
    }
}
