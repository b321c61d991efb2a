//! The values that memory is told: ids, moments, whole numbers, any JSON.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::value::RawValue;
use soorma_core::{AnyJson, Data, DataError, Timestamp};
use uuid::Uuid;

use super::{Field, Object, Shape};
use crate::reply::Refusal;

impl Shape {
    /// Reads a text of at most so many characters.
    pub(crate) fn chars(&mut self, raw: &RawValue, most: usize) -> Option<String> {
        let text = self.text(raw)?;
        self.short(&text, most, Some(raw.get()))?;
        Some(text)
    }

    /// Reads an id: 1 to so many characters, none of them a control character.
    pub(crate) fn id(&mut self, raw: &RawValue, most: usize) -> Option<String> {
        let text = self.text(raw)?;
        self.is_id(&text, most, Some(raw.get()))?;
        Some(text)
    }

    /// Reads an object that is empty where it is absent or null.
    pub(crate) fn data_or_empty<'a>(
        &mut self,
        object: &Object<'a>,
        field: Field,
        read: impl FnOnce(&mut Self, &'a RawValue) -> Option<Data>,
    ) -> Option<Data> {
        match object.get(field).filter(|raw| raw.get() != "null") {
            Some(raw) => self.within(field.0.into(), |shape| read(shape, raw)),
            None => Data::from_json("{}").ok(),
        }
    }

    /// Reads yes or no.
    pub(crate) fn flag(&mut self, raw: &RawValue) -> Option<bool> {
        let flag = serde_json::from_str(raw.get()).ok();
        if flag.is_none() {
            self.fault(
                "bool_type",
                "Input should be a valid boolean",
                "must be true or false",
                Some(raw.get()),
            );
        }
        flag
    }

    /// Reads a whole number from one to another.
    pub(crate) fn whole(&mut self, raw: &RawValue, least: u64, most: u64) -> Option<u64> {
        let number = serde_json::from_str(raw.get()).ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong("value_error", &format!("must be a whole number from {least} to {most}"), raw);
        }
        number
    }

    /// Reads a moment.
    pub(crate) fn moment(&mut self, raw: &RawValue) -> Option<Timestamp> {
        let read = self.text(raw)?.parse::<Timestamp>();
        self.take(raw, read.map_err(|error| ("datetime_parsing", format!("is wrong: {error}"))))
    }

    /// Reads an id that we gave out.
    pub(crate) fn uuid(&mut self, raw: &RawValue) -> Option<Uuid> {
        let read = self.text(raw)?.parse::<Uuid>();
        self.take(raw, read.map_err(|_| ("uuid_parsing", "is none of our ids, which are UUIDs".to_owned())))
    }

    /// Reads one of several words; the error of the type says which there are: `should be …`.
    pub(crate) fn choice<T: FromStr<Err: Display>>(&mut self, raw: &RawValue) -> Option<T> {
        match self.text(raw)?.parse::<T>() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault("enum", &format!("Input {error}"), &error.to_string(), Some(raw.get()));
                None
            }
        }
    }

    /// Reads a JSON object that memory keeps as it is, and others read.
    pub(crate) fn kept(&mut self, raw: &RawValue) -> Option<Data> {
        self.all_text(raw)?;
        self.data(raw)
    }

    /// Looks whether all texts in some JSON are texts: JSON can say half of a character (`\ud83d`), which most who read it refuse, and then all
    /// that it comes with.
    fn all_text(&mut self, raw: &RawValue) -> Option<()> {
        if !has_half(raw.get()) {
            return Some(());
        }
        let says = "has half of a character (a surrogate without its other half), which is no text";
        self.wrong("string_unicode", says, raw);
        None
    }

    /// Reads any JSON that is kept as it is.
    pub(crate) fn any(&mut self, raw: &RawValue) -> Option<AnyJson> {
        self.all_text(raw)?;
        match AnyJson::from_json(raw.get()) {
            Ok(value) => Some(value),
            Err(DataError::TooDeep) => {
                let says = format!("is nested more than {} deep", soorma_core::MAX_DEPTH);
                self.wrong("value_error", &says, raw);
                None
            }
            Err(error) => {
                self.wrong("value_error", &format!("is wrong: {error}"), raw);
                None
            }
        }
    }

    fn short(&mut self, text: &str, most: usize, sent: Option<&str>) -> Option<()> {
        let count = text.chars().count();
        if count <= most {
            return Some(());
        }
        let msg = format!("String should have at most {most} characters");
        let says = format!("has {count} characters; at most {most} are allowed");
        self.fault("string_too_long", &msg, &says, sent);
        None
    }

    fn is_id(&mut self, text: &str, most: usize, sent: Option<&str>) -> Option<()> {
        if text.is_empty() {
            let msg = "String should have at least 1 character";
            self.fault("string_too_short", msg, "must not be empty", sent);
            return None;
        }
        self.short(text, most, sent)?;
        if text.chars().any(char::is_control) {
            let says = "contains a control character";
            self.fault("value_error", &format!("Value {says}"), says, sent);
            return None;
        }
        Some(())
    }
}

/// Whether JSON has a `\u` escape of a surrogate without its other half.
fn has_half(json: &str) -> bool {
    // Only texts have a backslash, and whatever stands behind it is read with it.
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        rest = rest.get(at..).unwrap_or_default();
        let long = match unit(rest) {
            Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(unit) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => return true,
            },
            Some(0xDC00..=0xDFFF) => return true,
            Some(_) => 6,
            None => 2,
        };
        rest = rest.get(long..).unwrap_or_default();
    }
    false
}

/// Looks whether a part of the path can be an id at all, and without `/` where that is asked.
pub(crate) fn part_of_path(
    name: &'static str,
    text: &str,
    most: usize,
    slashes: bool,
) -> Result<(), Refusal> {
    let mut shape = Shape::of("path");
    let sent = serde_json::to_string(text).ok();
    let fits = shape.within(name.into(), |shape| {
        shape.is_id(text, most, sent.as_deref())?;
        if !slashes && text.contains('/') {
            let says = "may not contain '/'";
            shape.fault("value_error", &format!("Value {says}"), says, sent.as_deref());
            return None;
        }
        Some(())
    });
    shape.end(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("JSON")
    }

    #[track_caller]
    fn fault<T>(text: &str, read: impl FnOnce(&mut Shape, &RawValue) -> Option<T>) -> String {
        let mut shape = Shape::of("body");
        assert!(read(&mut shape, raw(text)).is_none(), "{text}");
        Refusal::from(shape).into_problem().errors[0].rule.clone()
    }

    #[test]
    fn what_is_no_such_value_is_named_by_its_rule() {
        for text in ["7", "null", "[]"] {
            assert_eq!(fault(text, |shape, raw| shape.id(raw, 100)), "string_type");
        }
        assert_eq!(fault("\"\"", |shape, raw| shape.id(raw, 100)), "string_too_short");
        assert_eq!(fault("\"\\u0000\"", |shape, raw| shape.id(raw, 100)), "value_error");
        assert_eq!(fault("\"\u{fc}\u{fc}\u{fc}\"", |shape, raw| shape.id(raw, 2)), "string_too_long");
        assert_eq!(fault("\"abc\"", |shape, raw| shape.chars(raw, 2)), "string_too_long");
        assert_eq!(fault("1", Shape::flag), "bool_type");
        for text in ["0", "1.5", "-1", "11", "\"5\"", "1e400"] {
            assert_eq!(fault(text, |shape, raw| shape.whole(raw, 1, 10)), "value_error", "{text}");
        }
        assert_eq!(fault("\"yesterday\"", Shape::moment), "datetime_parsing");
        assert_eq!(fault("\"1\"", Shape::uuid), "uuid_parsing");
        assert_eq!(fault("\"robot\"", Shape::choice::<soorma_core::Role>), "enum");
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(fault(&deep, Shape::any), "value_error");
        for half in [r#"{"a":"\ud83d"}"#, r#"{"\uDE00":1}"#, r#"{"a":["x\ud83d\u0041"]}"#] {
            assert_eq!(fault(half, Shape::any), "string_unicode", "{half}");
            assert_eq!(fault(half, Shape::kept), "string_unicode", "{half}");
        }
        for whole in [r#"["\uD83D\ude00", 1e999]"#, r#"{"a\\ud83d":"\\\\ud83d"}"#, r#"["\u00e4\"\n\ue000"]"#]
        {
            let mut shape = Shape::of("body");
            assert!(shape.any(raw(whole)).is_some(), "{whole}");
        }
    }

    #[test]
    fn an_id_has_so_many_characters_not_bytes() {
        let mut shape = Shape::of("body");
        assert_eq!(shape.id(raw("\"\u{fc}\u{fc}\""), 2).as_deref(), Some("\u{fc}\u{fc}"));
        assert!(part_of_path("key", "a/b", 100, true).is_ok());
        let problem = part_of_path("key", "a/b", 100, false).expect_err("a slash").into_problem();
        assert_eq!((problem.status, problem.detail.as_str()), (422, "key may not contain '/'"));
        assert_eq!(problem.errors[0].loc, ["path".into(), "key".into()]);
    }
}
