//! What a change makes of a value of working memory. Pure.

mod same;

use serde_json::value::RawValue;
use soorma_core::{AnyJson, Error, ErrorCode, WorkingValue};
use soorma_ports::WorkingOp;

use crate::bounds::at_most;
use crate::members::Members;

/// Refuses a change that no value could take.
pub(crate) fn check(op: &WorkingOp) -> Result<(), Error> {
    let (field, value, begins, must) = match op {
        WorkingOp::Increment(by) => ("by", by, None, "a number"),
        WorkingOp::Append(value) => ("value", value, None, ""),
        WorkingOp::Extend(values) => ("values", values, Some('['), "a list"),
        WorkingOp::Merge(fields) => ("fields", fields, Some('{'), "an object"),
        WorkingOp::CompareAndSet { value, .. } => ("value", value, None, ""),
    };
    fits(field, value)?;
    let is_so = match begins {
        Some(begins) => value.as_str().starts_with(begins),
        None => must.is_empty() || is_number(value.as_str()),
    };
    if is_so { Ok(()) } else { Err(Error::invalid(format!("{field}: it must be {must}"))) }
}

/// Refuses a value that is too long.
pub(crate) fn fits(field: &str, value: &AnyJson) -> Result<(), Error> {
    at_most(field, value.as_str().len(), WorkingValue::MAX_BYTES, "bytes as JSON")
}

/// Returns what a change makes of a value, or of none.
///
/// # Errors
/// `conflict`, `not_found` and `invalid` as [`update_value`](soorma_ports::Working::update_value) says.
pub(crate) fn apply(there: Option<&AnyJson>, op: &WorkingOp) -> Result<AnyJson, Error> {
    let made = match op {
        WorkingOp::Increment(by) => sum(there.map_or("0", AnyJson::as_str), by.as_str())?,
        WorkingOp::Append(value) => joined(there, value.as_str())?,
        WorkingOp::Extend(values) => joined(there, inside(values.as_str()))?,
        WorkingOp::Merge(fields) => merged(there, fields)?,
        WorkingOp::CompareAndSet { expected, value } => {
            match (there, expected) {
                (None, None) => {}
                (Some(there), Some(expected)) if same::same(there.as_str(), expected.as_str()) => {}
                (None, Some(_)) => return Err(Error::not_found("there is no such value")),
                _ => return Err(conflict("the value is another one")),
            }
            return Ok(value.clone());
        }
    };
    let value = AnyJson::from_json(&made).map_err(|error| Error::invalid(format!("value: {error}")))?;
    fits("value", &value)?;
    Ok(value)
}

pub(crate) fn conflict(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::Conflict, message)
}

fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn sum(there: &str, by: &str) -> Result<String, Error> {
    if !is_number(there) {
        return Err(conflict("the value is no number"));
    }
    let is_whole = |json: &str| json.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    let too_far = || conflict("the number would have more than 64 bits");
    if is_whole(there) && is_whole(by) {
        let number = |json: &str| json.parse::<i128>().ok().filter(fits_64_bits).ok_or_else(too_far);
        // Two numbers of 64 bits have a sum of 65.
        let sum = number(there)? + number(by)?;
        return Some(sum).filter(fits_64_bits).map(|sum| sum.to_string()).ok_or_else(too_far);
    }
    let number = |json: &str| json.parse::<f64>().unwrap_or(f64::NAN);
    let sum = number(there) + number(by);
    // JSON knows no others.
    if !sum.is_finite() {
        return Err(conflict("the number would be too large"));
    }
    serde_json::to_string(&sum).map_err(|error| Error::internal(error.to_string()))
}

fn fits_64_bits(number: &i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number)
}

/// Returns what stands between the brackets of a list.
fn inside(list: &str) -> &str {
    list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or_default()
}

fn joined(there: Option<&AnyJson>, more: &str) -> Result<String, Error> {
    let there = there.map_or("[]", AnyJson::as_str);
    if !there.starts_with('[') {
        return Err(conflict("the value is no list"));
    }
    let comma = if inside(there).is_empty() || more.is_empty() { "" } else { "," };
    Ok(format!("[{}{comma}{more}]", inside(there)))
}

fn merged(there: Option<&AnyJson>, fields: &AnyJson) -> Result<String, Error> {
    let unreadable = |error: soorma_core::DataError| Error::invalid(format!("fields: {error}"));
    let mut members = match there {
        Some(there) if !there.as_str().starts_with('{') => {
            return Err(conflict("the value is no object"));
        }
        Some(there) => there.parse::<Members>().map_err(unreadable)?,
        None => Members::default(),
    };
    for (name, value) in fields.parse::<Members>().map_err(unreadable)?.into_members() {
        match is_null(&value) {
            true => members.remove(&name),
            false => members.set(name, value),
        }
    }
    serde_json::to_string(&members).map_err(|error| Error::internal(error.to_string()))
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> AnyJson {
        AnyJson::from_json(text).expect("JSON")
    }

    fn made(there: &str, op: &WorkingOp) -> Result<String, ErrorCode> {
        let there = (!there.is_empty()).then(|| json(there));
        apply(there.as_ref(), op).map(|made| made.as_str().to_owned()).map_err(|error| error.code)
    }

    #[test]
    fn whole_numbers_stay_exact_up_to_64_bits() {
        let conflict = Err(ErrorCode::Conflict);
        for (there, by, sum) in [
            ("", "5", Ok("5")),
            ("", "-2.5", Ok("-2.5")),
            ("9007199254740993", "1", Ok("9007199254740994")),
            ("18446744073709551614", "1", Ok("18446744073709551615")),
            ("18446744073709551615", "1", conflict),
            ("-9223372036854775808", "-1", conflict),
            ("36893488147419103232", "-36893488147419103232", conflict),
            ("-1", "1", Ok("0")),
            ("1", "0.5", Ok("1.5")),
            ("1.5", "1", Ok("2.5")),
            ("1e308", "1e308", conflict),
            ("\"1\"", "1", conflict),
            ("null", "1", conflict),
        ] {
            let expected = sum.map(str::to_owned);
            assert_eq!(made(there, &WorkingOp::Increment(json(by))), expected, "{there} + {by}");
        }
    }

    #[test]
    fn lists_grow_at_their_end_and_objects_by_their_fields() {
        let append = |value: &str| WorkingOp::Append(json(value));
        let extend = |values: &str| WorkingOp::Extend(json(values));
        let merge = |fields: &str| WorkingOp::Merge(json(fields));
        for (there, op, expected) in [
            ("", append("[1]"), Ok("[[1]]")),
            ("[]", append("1"), Ok("[1]")),
            ("[1.0]", append("null"), Ok("[1.0,null]")),
            ("{}", append("1"), Err(ErrorCode::Conflict)),
            ("", extend("[]"), Ok("[]")),
            ("[1]", extend("[2,[3]]"), Ok("[1,2,[3]]")),
            ("[1]", extend("[]"), Ok("[1]")),
            ("\"[]\"", extend("[]"), Err(ErrorCode::Conflict)),
            ("", merge(r#"{"a":1,"b":null}"#), Ok(r#"{"a":1}"#)),
            (
                r#"{"z":1.0,"a":{"x":1},"b":2}"#,
                merge(r#"{"a":{"y":null},"b":null,"c":[1]}"#),
                Ok(r#"{"z":1.0,"a":{"y":null},"c":[1]}"#),
            ),
            ("[]", merge("{}"), Err(ErrorCode::Conflict)),
        ] {
            assert_eq!(made(there, &op), expected.map(str::to_owned), "{there} {op:?}");
        }
    }

    #[test]
    fn a_value_is_set_where_the_expected_one_is() {
        let set = |expected: Option<&str>| WorkingOp::CompareAndSet {
            expected: expected.map(json),
            value: json("1"),
        };
        assert_eq!(made("", &set(None)), Ok("1".into()));
        assert_eq!(made("", &set(Some("1"))), Err(ErrorCode::NotFound));
        assert_eq!(made("null", &set(None)), Err(ErrorCode::Conflict), "null is a value");
        assert_eq!(made("null", &set(Some("null"))), Ok("1".into()));
        assert_eq!(made(r#"{"a":1,"b":[2]}"#, &set(Some(r#"{"b":[2.0],"a":1}"#))), Ok("1".into()));
        assert_eq!(made(r#"{"a":1}"#, &set(Some(r#"{"a":2}"#))), Err(ErrorCode::Conflict));
    }

    #[test]
    fn what_no_value_could_take_or_what_would_be_too_long_is_refused() {
        for op in [
            WorkingOp::Increment(json("\"1\"")),
            WorkingOp::Extend(json("1")),
            WorkingOp::Merge(json("[]")),
            WorkingOp::Append(json(&format!("\"{}\"", "x".repeat(WorkingValue::MAX_BYTES)))),
        ] {
            assert_eq!(check(&op).expect_err("refused").code, ErrorCode::Invalid, "{op:?}");
        }
        let half = json(&format!("[\"{}\"]", "x".repeat(WorkingValue::MAX_BYTES / 2)));
        assert!(check(&WorkingOp::Extend(half.clone())).is_ok());
        let refused = apply(Some(&half), &WorkingOp::Extend(half.clone())).expect_err("too long");
        assert!(refused.message.starts_with("value: at most"), "{refused}");
        let deep = json(&format!("{}{}", "[".repeat(64), "]".repeat(64)));
        assert_eq!(apply(None, &WorkingOp::Append(deep)).expect_err("too deep").code, ErrorCode::Invalid);
    }
}
