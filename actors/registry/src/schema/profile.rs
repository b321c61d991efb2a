//! How much of a payload stands at each depth: what a check costs is known before it begins.

use serde_json::Value;

use super::subschemas::MAX_DEPTH;

/// The weight of a payload, depth by depth; a scalar has depth 0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// How many values stand there, and how much text, which is matched as a whole.
    pub(super) values: Vec<u64>,
    /// How much hangs on them, with all below and the way to them: what is copied when each is named once.
    pub(super) bulk: Vec<u64>,
}

/// Weighs a payload; nothing where it is deeper than any payload may be.
pub(super) fn profile(payload: &Value) -> Option<Profile> {
    let mut profile = Profile::default();
    weigh(payload, 0, 0, &mut profile)?;
    Some(profile)
}

fn weigh(value: &Value, depth: usize, way: u64, profile: &mut Profile) -> Option<u64> {
    if depth > MAX_DEPTH {
        return None;
    }
    let below = |below: &Value, name: usize, profile: &mut Profile| {
        let way = way.saturating_add(units(name));
        weigh(below, depth.saturating_add(1), way, profile)
    };
    let (mut bulk, mut text) = (1_u64, 0_u64);
    match value {
        Value::Array(items) => {
            for item in items {
                bulk = bulk.saturating_add(below(item, 0, profile)?);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                text = text.saturating_add(units(name.len()));
                bulk = bulk.saturating_add(below(member, name.len(), profile)?);
            }
        }
        Value::String(string) => text = units(string.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    bulk = bulk.saturating_add(text);
    add(&mut profile.values, depth, text.saturating_add(1));
    add(&mut profile.bulk, depth, bulk.saturating_add(way));
    Some(bulk)
}

/// A value takes some 32 bytes; texts are counted in that.
fn units(bytes: usize) -> u64 {
    u64::try_from(bytes / 32).unwrap_or(u64::MAX)
}

fn add(row: &mut Vec<u64>, depth: usize, what: u64) {
    if row.len() <= depth {
        row.resize(depth.saturating_add(1), 0);
    }
    if let Some(place) = row.get_mut(depth) {
        *place = place.saturating_add(what);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_and_what_hangs_on_them_are_counted_by_depth() {
        let weighed = profile(&json!({"a": [1, 2], "b": "x"})).unwrap();
        assert_eq!(weighed, Profile { values: vec![1, 2, 2], bulk: vec![5, 4, 2] });
        let text = profile(&json!({ "n".repeat(32): "y".repeat(64) })).unwrap();
        assert_eq!(text, Profile { values: vec![2, 3], bulk: vec![5, 4] });
    }

    #[test]
    fn a_payload_that_is_too_deep_is_not_weighed_to_its_end() {
        let mut deep = json!(1);
        for _ in 0..MAX_DEPTH {
            deep = json!([deep]);
        }
        assert_eq!(profile(&deep).unwrap().values.len(), MAX_DEPTH + 1);
        assert_eq!(profile(&json!([deep])), None);
    }
}
