//! Whether two JSON texts say the same: fields in any order, numbers by their value and with all their digits.

use serde_json::value::RawValue;

use crate::members::Members;

/// Both are JSON, and of a bounded depth.
pub(super) fn same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (one.as_bytes().first(), other.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => same_objects(one, other),
        (Some(b'['), Some(b'[')) => same_lists(one, other),
        (Some(b'"'), Some(b'"')) => {
            let text = |json| serde_json::from_str::<String>(json).ok();
            text(one).is_some_and(|one| text(other) == Some(one))
        }
        _ => number(one).is_some_and(|one| number(other) == Some(one)),
    }
}

fn same_objects(one: &str, other: &str) -> bool {
    let members = |json| serde_json::from_str::<Members>(json).ok();
    let (Some(one), Some(other)) = (members(one), members(other)) else { return false };
    one.iter().count() == other.iter().count()
        && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value.get(), other.get())))
}

fn same_lists(one: &str, other: &str) -> bool {
    let items = |json| serde_json::from_str::<Vec<Box<RawValue>>>(json).ok();
    let (Some(one), Some(other)) = (items(one), items(other)) else { return false };
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same(one.get(), other.get()))
}

/// A number: whether it is negative, its digits without zeros around them, and the power of ten of the last.
fn number(json: &str) -> Option<(bool, String, i64)> {
    let (negative, rest) = match json.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, json),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
    let significant = significant.trim_start_matches('0');
    // There is one zero.
    let is_zero = significant.is_empty();
    Some((negative && !is_zero, significant.to_owned(), if is_zero { 0 } else { power }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_the_same_is_the_same() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.05", "5E-2"),
            ("-0.0", "0"),
            ("10.50", "1.05e+1"),
            (r#"{"a":1,"b":[1,{"c":2}]}"#, r#"{"b":[1.0,{"c":2}],"a":1}"#),
            (r#""\u0041""#, r#""A""#),
            ("{}", "{}"),
        ] {
            assert!(same(one, other) && same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn what_says_something_else_is_not() {
        for (one, other) in [
            ("12345678901234567890123", "12345678901234567890124"),
            ("1", "-1"),
            ("1", "\"1\""),
            ("1", "10"),
            ("null", "false"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            ("[]", "{}"),
            ("0", "null"),
        ] {
            assert!(!same(one, other) && !same(other, one), "{one} {other}");
        }
    }
}
