//! Reads JSON of a known shape, and gathers all that is wrong with it, each with its place, in the words of the published services.
//!
//! It walks the text itself and makes no tree of it: what is kept as it was sent, such as a schema, keeps its order and its digits,
//! and what is not looked at costs nothing.

mod values;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::value::RawValue;
use soorma_api::{Part, Problem, Violation};
use soorma_core::{
    Data, DataError, ErrorCode, InvalidName, InvalidVersion, Name, SchemaVersion, Topic, UnknownTopic,
};

use crate::reply::Refusal;

pub(crate) use values::part_of_path;

/// The most faults that an answer lists; it says how many there are.
const MAX_FAULTS: usize = 50;
/// How many of them stand in its sentence.
const SAID: usize = 5;
/// The most bytes of a refused value that an answer repeats.
pub(crate) const MAX_INPUT: usize = 1_024;

/// What the published services say of a text that is no topic.
pub(crate) const TOPICS: &str = "Input should be 'business-facts', 'action-requests', 'action-results', 'billing-events', \
                                 'notification-events', 'system-events', 'plan-events' or 'task-events'";

/// The names of a field: the one of answers, and the other that requests may use.
pub(crate) type Field = (&'static str, &'static str);

/// What was found wrong so far, and where we are.
#[derive(Debug)]
pub(crate) struct Shape {
    loc: Vec<Part>,
    faults: Vec<Violation>,
    said: Vec<String>,
    count: usize,
}

/// The fields of a JSON object, as they were sent.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    raw: &'a RawValue,
    fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// Whether there is a field of this name, be it null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    fn get(&self, (name, other): Field) -> Option<&'a RawValue> {
        self.fields.get(name).or_else(|| self.fields.get(other)).copied()
    }
}

impl Shape {
    /// Begins at the body or query of a request.
    pub(crate) fn of(part: &'static str) -> Self {
        Self { loc: vec![part.into()], faults: Vec::new(), said: Vec::new(), count: 0 }
    }

    /// Goes into a part.
    pub(crate) fn within<T>(&mut self, part: Part, read: impl FnOnce(&mut Self) -> T) -> T {
        self.loc.push(part);
        let value = read(self);
        self.loc.pop();
        value
    }

    /// Reads a field that must be there.
    pub(crate) fn field<'a, T>(
        &mut self,
        object: &Object<'a>,
        field: Field,
        read: impl FnOnce(&mut Self, &'a RawValue) -> Option<T>,
    ) -> Option<T> {
        self.within(field.0.into(), |shape| match object.get(field) {
            Some(raw) => read(shape, raw),
            None => {
                // Of what is missing, the published services show what it is missing from.
                shape.fault("missing", "Field required", "is required", Some(object.raw.get()));
                None
            }
        })
    }

    /// Reads a field that may be absent or null.
    pub(crate) fn optional<'a, T>(
        &mut self,
        object: &Object<'a>,
        field: Field,
        read: impl FnOnce(&mut Self, &'a RawValue) -> Option<T>,
    ) -> Option<T> {
        let raw = object.get(field).filter(|raw| raw.get() != "null")?;
        self.within(field.0.into(), |shape| read(shape, raw))
    }

    /// Reads an object; `class` is what the published services call it.
    pub(crate) fn object<'a>(&mut self, raw: &'a RawValue, class: &str) -> Option<Object<'a>> {
        if let Ok(fields) = serde_json::from_str(raw.get()) {
            return Some(Object { raw, fields });
        }
        let msg = format!("Input should be a valid dictionary or instance of {class}");
        self.fault("model_type", &msg, "must be an object", Some(raw.get()));
        None
    }

    /// Reads a list of at most so many.
    pub(crate) fn list<'a, T>(
        &mut self,
        raw: &'a RawValue,
        most: usize,
        mut read: impl FnMut(&mut Self, &'a RawValue) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Ok(items) = serde_json::from_str::<Vec<&'a RawValue>>(raw.get()) else {
            self.fault("list_type", "Input should be a valid list", "must be a list", Some(raw.get()));
            return None;
        };
        // One fault for all that is too many: none of them is looked at.
        if items.len() > most {
            let count = items.len();
            let msg = format!("List should have at most {most} items after validation, not {count}");
            self.fault("too_long", &msg, &format!("has {count} entries; at most {most} are allowed"), None);
            return None;
        }
        let read = items.into_iter().enumerate().map(|(nth, item)| {
            let nth = Part::Nth(u64::try_from(nth).unwrap_or(u64::MAX));
            self.within(nth, |shape| read(shape, item))
        });
        // All are looked at, so that all faults are found.
        let read: Vec<Option<T>> = read.collect();
        read.into_iter().collect()
    }

    /// Reads a text.
    pub(crate) fn text(&mut self, raw: &RawValue) -> Option<String> {
        let text = serde_json::from_str(raw.get());
        if text.is_err() {
            self.fault("string_type", "Input should be a valid string", "must be text", Some(raw.get()));
        }
        text.ok()
    }

    /// Reads a text of at most so many bytes.
    pub(crate) fn text_of(&mut self, raw: &RawValue, most: usize) -> Option<String> {
        let text = self.text(raw)?;
        if text.len() <= most {
            return Some(text);
        }
        self.wrong("string_too_long", &format!("has {} bytes; at most {most} are allowed", text.len()), raw);
        None
    }

    /// Reads a name.
    pub(crate) fn name(&mut self, raw: &RawValue) -> Option<Name> {
        let text = self.text(raw)?;
        self.take(raw, Name::new(text).map_err(|error| (rule_of(&error), error.to_string())))
    }

    /// Reads a version.
    pub(crate) fn version(&mut self, raw: &RawValue) -> Option<SchemaVersion> {
        let text = self.text(raw)?;
        let read = SchemaVersion::new(text).map_err(|error| {
            let rule = match error {
                InvalidVersion::Empty => "string_too_short",
                InvalidVersion::TooLong(_) => "string_too_long",
                InvalidVersion::Control => "value_error",
            };
            (rule, error.to_string())
        });
        self.take(raw, read)
    }

    /// Reads one of several words; the error of the type says which there are.
    pub(crate) fn word<T: FromStr<Err: Display>>(&mut self, raw: &RawValue) -> Option<T> {
        let read = self.text(raw)?.parse();
        self.take(raw, read.map_err(|error: T::Err| ("enum", format!("is wrong: {error}"))))
    }

    /// Reads a topic.
    pub(crate) fn topic(&mut self, raw: &RawValue) -> Option<Topic> {
        match self.text(raw)?.parse() {
            Ok(topic) => Some(topic),
            Err(UnknownTopic(text)) => {
                let says = format!("is wrong: {}", UnknownTopic(text));
                self.fault("enum", TOPICS, &says, Some(raw.get()));
                None
            }
        }
    }

    /// Reads a JSON object that is kept as it is.
    pub(crate) fn data(&mut self, raw: &RawValue) -> Option<Data> {
        match Data::from_json(raw.get()) {
            Ok(data) => Some(data),
            Err(DataError::TooDeep) => {
                let says = format!("is nested more than {} deep", soorma_core::MAX_DEPTH);
                self.wrong("value_error", &says, raw);
                None
            }
            Err(DataError::NotAnObject | DataError::Json(_)) => {
                let msg = "Input should be a valid dictionary";
                self.fault("dict_type", msg, "must be a JSON object", Some(raw.get()));
                None
            }
        }
    }

    /// Takes what was read of a value, or notes the rule that it breaks and how.
    pub(crate) fn take<T>(&mut self, raw: &RawValue, read: Result<T, (&'static str, String)>) -> Option<T> {
        read.map_err(|(rule, says)| self.wrong(rule, &says, raw)).ok()
    }

    /// Notes a fault for which the published services have no words.
    pub(crate) fn wrong(&mut self, rule: &str, says: &str, raw: &RawValue) {
        let msg = format!("Value {says}");
        self.fault(rule, &msg, says, Some(raw.get()));
    }

    /// Notes a fault: its rule, what the published services say of it, what we say, and the JSON that was sent there.
    pub(crate) fn fault(&mut self, rule: &str, msg: &str, says: &str, input: Option<&str>) {
        self.count += 1;
        if self.said.len() < SAID {
            let place = self.place();
            self.said.push(format!("{place} {says}"));
        }
        if self.faults.len() < MAX_FAULTS {
            let input = input.filter(|json| json.len() <= MAX_INPUT);
            let input = input.and_then(|json| serde_json::from_str(json).ok());
            self.faults.push(Violation { rule: rule.into(), loc: self.loc.clone(), msg: msg.into(), input });
        }
    }

    /// Returns what was read, or all that is wrong with it.
    pub(crate) fn end<T>(self, read: Option<T>) -> Result<T, Refusal> {
        match read {
            Some(value) if self.count == 0 => Ok(value),
            _ => Err(self.into()),
        }
    }

    /// Where we are, for people: `agent.capabilities[0].consumedEvent`.
    fn place(&self) -> String {
        let mut place = String::new();
        // What all begin with says nothing, but where it is all.
        for part in self.loc.iter().skip(usize::from(self.loc.len() > 1)) {
            match part {
                Part::Nth(nth) => place.push_str(&format!("[{nth}]")),
                Part::Name(name) if place.is_empty() => place.push_str(name),
                Part::Name(name) => place.push_str(&format!(".{name}")),
            }
        }
        place
    }
}

impl From<Shape> for Refusal {
    fn from(shape: Shape) -> Self {
        let mut detail = shape.said.join("; ");
        match shape.count.saturating_sub(SAID) {
            0 => {}
            more if shape.count > MAX_FAULTS => {
                detail.push_str(&format!("; and {more} more, see errors, which has the first {MAX_FAULTS}"));
            }
            more => detail.push_str(&format!("; and {more} more, see errors")),
        }
        Problem::new(ErrorCode::Invalid, detail).with_errors(shape.faults).into()
    }
}

fn rule_of(error: &InvalidName) -> &'static str {
    match error {
        InvalidName::Empty => "string_too_short",
        InvalidName::TooLong(_) => "string_too_long",
        InvalidName::Control => "value_error",
    }
}
