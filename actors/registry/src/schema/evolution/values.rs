//! What the keywords say that look at a value by itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::excerpt::{excerpt, value_excerpt};
use super::super::keywords::{Keywords, allowed, kinds, names};
use super::super::schema_change::Effect;

type Changes = Vec<(Effect, String)>;

pub(super) fn changes(old: Keywords<'_>, new: Keywords<'_>) -> Changes {
    let mut changes = Vec::new();
    types(old, new, &mut changes);
    allowed_values(old, new, &mut changes);
    bound(old, new, Bound::LOWER, &mut changes);
    bound(old, new, Bound::UPPER, &mut changes);
    for (keyword, what, lower) in [
        ("minLength", "the shortest length", true),
        ("maxLength", "the longest length", false),
        ("minItems", "the fewest items", true),
        ("maxItems", "the most items", false),
        ("minProperties", "the fewest members", true),
        ("maxProperties", "the most members", false),
    ] {
        bound(old, new, Bound { inclusive: keyword, exclusive: "", what, lower }, &mut changes);
    }
    multiple_of(old, new, &mut changes);
    unique(old, new, &mut changes);
    pattern(old, new, &mut changes);
    format(old, new, &mut changes);
    changes
}

fn types(old: Keywords<'_>, new: Keywords<'_>, changes: &mut Changes) {
    let (old, new) = (kinds(old), kinds(new));
    if old & !new != 0 {
        changes.push((
            Effect::BreaksProducers,
            format!("may no longer be of type {}", names(old & !new).join(", ")),
        ));
    }
    if new & !old != 0 {
        changes
            .push((Effect::BreaksConsumers, format!("may now be of type {}", names(new & !old).join(", "))));
    }
}

fn allowed_values(old: Keywords<'_>, new: Keywords<'_>, changes: &mut Changes) {
    let texts = |values: &[&Value]| values.iter().map(|value| value.to_string()).collect::<BTreeSet<_>>();
    match (allowed(old), allowed(new)) {
        (None, None) => {}
        (None, Some(new)) => {
            changes.push((Effect::BreaksProducers, format!("may now only be {}", listed(&new))));
        }
        (Some(old), None) => {
            changes.push((Effect::BreaksConsumers, format!("may now be other than {}", listed(&old))));
        }
        (Some(old), Some(new)) => {
            let (was, is) = (texts(&old), texts(&new));
            let removed: Vec<_> = old.into_iter().filter(|value| !is.contains(&value.to_string())).collect();
            let added: Vec<_> = new.into_iter().filter(|value| !was.contains(&value.to_string())).collect();
            if !removed.is_empty() {
                changes.push((Effect::BreaksProducers, format!("may no longer be {}", listed(&removed))));
            }
            if !added.is_empty() {
                changes.push((Effect::BreaksConsumers, format!("may now be {}", listed(&added))));
            }
        }
    }
}

fn listed(values: &[&Value]) -> String {
    const NAMED: usize = 4;
    let mut named: Vec<_> = values.iter().take(NAMED).map(|value| value_excerpt(value)).collect();
    if values.len() > NAMED {
        named.push(format!("{} more", values.len() - NAMED));
    }
    named.join(", ")
}

/// A pair of keywords that bound a number from one side; lengths have no exclusive one.
struct Bound {
    inclusive: &'static str,
    exclusive: &'static str,
    what: &'static str,
    lower: bool,
}

impl Bound {
    const LOWER: Self =
        Self { inclusive: "minimum", exclusive: "exclusiveMinimum", what: "the lower bound", lower: true };
    const UPPER: Self =
        Self { inclusive: "maximum", exclusive: "exclusiveMaximum", what: "the upper bound", lower: false };

    /// How tight the bound is, as a number that grows with it, and whether the bound itself is out.
    fn of(&self, keywords: Keywords<'_>) -> (f64, bool) {
        let sign = if self.lower { 1.0 } else { -1.0 };
        let tight =
            |keyword| keywords.get(keyword).and_then(Value::as_f64).map_or(f64::NEG_INFINITY, |at| at * sign);
        let (inclusive, exclusive) = (tight(self.inclusive), tight(self.exclusive));
        if self.exclusive.is_empty() && self.lower && inclusive <= 0.0 {
            // No length is below nothing.
            return (f64::NEG_INFINITY, false);
        }
        if exclusive >= inclusive && exclusive > f64::NEG_INFINITY {
            (exclusive, true)
        } else {
            (inclusive, false)
        }
    }
}

fn bound(old: Keywords<'_>, new: Keywords<'_>, bound: Bound, changes: &mut Changes) {
    let what = bound.what;
    let (was, is) = (bound.of(old), bound.of(new));
    let said = |keywords: Keywords<'_>| {
        (keywords.get(bound.inclusive).cloned(), keywords.get(bound.exclusive).cloned())
    };
    if was == is {
        // Numbers beyond what a double can tell apart.
        let exact = |number: f64| number.abs() < 9_007_199_254_740_992.0 || number.is_infinite();
        if !exact(was.0) && said(old) != said(new) {
            changes.push((Effect::Unknown, format!("{what} changed by less than can be compared")));
        }
    } else if is > was {
        changes.push((Effect::BreaksProducers, format!("{what} is tighter: {}", told(&bound, was, is))));
    } else {
        changes.push((Effect::BreaksConsumers, format!("{what} is looser: {}", told(&bound, was, is))));
    }
}

fn told(bound: &Bound, was: (f64, bool), is: (f64, bool)) -> String {
    let sign = if bound.lower { 1.0 } else { -1.0 };
    let tell = |(at, exclusive): (f64, bool)| match (at.is_infinite(), exclusive) {
        (true, _) => "none".to_owned(),
        (false, false) => (at * sign).to_string(),
        (false, true) => format!("{} (exclusive)", at * sign),
    };
    format!("{} → {}", tell(was), tell(is))
}

fn multiple_of(old: Keywords<'_>, new: Keywords<'_>, changes: &mut Changes) {
    let (was, is) = (old.get("multipleOf"), new.get("multipleOf"));
    let whole = |value: &Value| value.as_u64().filter(|step| *step > 0);
    match (was, is) {
        (None, None) => {}
        (was, is) if was == is => {}
        (None, Some(is)) => {
            changes.push((Effect::BreaksProducers, format!("must now be a multiple of {is}")))
        }
        (Some(was), None) => {
            changes.push((Effect::BreaksConsumers, format!("need no longer be a multiple of {was}")));
        }
        (Some(was), Some(is)) => {
            let sentence = format!("must be a multiple of {is}, was {was}");
            let effects: &[_] = match (whole(was), whole(is)) {
                (Some(was), Some(is)) if was.is_multiple_of(is) => &[Effect::BreaksConsumers],
                (Some(was), Some(is)) if is.is_multiple_of(was) => &[Effect::BreaksProducers],
                (Some(_), Some(_)) => &[Effect::BreaksProducers, Effect::BreaksConsumers],
                _ => &[Effect::Unknown],
            };
            changes.extend(effects.iter().map(|effect| (*effect, sentence.clone())));
        }
    }
}

fn unique(old: Keywords<'_>, new: Keywords<'_>, changes: &mut Changes) {
    let unique = |keywords: Keywords<'_>| keywords.get("uniqueItems") == Some(&Value::Bool(true));
    match (unique(old), unique(new)) {
        (false, true) => changes.push((Effect::BreaksProducers, "items must now be unique".to_owned())),
        (true, false) => changes.push((Effect::BreaksConsumers, "items need no longer be unique".to_owned())),
        _ => {}
    }
}

fn pattern(old: Keywords<'_>, new: Keywords<'_>, changes: &mut Changes) {
    let text = |keywords: Keywords<'_>| {
        keywords.get("pattern").map(|pattern| excerpt(pattern.as_str().unwrap_or_default()))
    };
    if old.get("pattern") == new.get("pattern") {
        return;
    }
    changes.push(match (text(old), text(new)) {
        (None, Some(is)) => (Effect::BreaksProducers, format!("must now match {is}")),
        (Some(was), None) => (Effect::BreaksConsumers, format!("need no longer match {was}")),
        (was, is) => {
            let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
            (Effect::Unknown, format!("must match {is}, was {was}; patterns cannot be compared"))
        }
    });
}

/// Formats refuse nothing, but consumers rely on them.
fn format(old: Keywords<'_>, new: Keywords<'_>, changes: &mut Changes) {
    let text = |keywords: Keywords<'_>| {
        keywords.get("format").map(|format| excerpt(format.as_str().unwrap_or_default()))
    };
    match (text(old), text(new)) {
        (was, is) if was == is => {}
        (None, Some(is)) => {
            changes.push((Effect::Compatible, format!("is now said to be a {is}, which is not checked")));
        }
        (Some(was), None) => {
            changes.push((Effect::BreaksConsumers, format!("is no longer said to be a {was}")))
        }
        (was, is) => {
            let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
            changes.push((
                Effect::Unknown,
                format!("is said to be a {is}, was {was}; formats cannot be compared"),
            ));
        }
    }
}
