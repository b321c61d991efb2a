//! The parameters of a query, read one by one: what is not known is ignored, and an empty one counts as absent.

use std::fmt::Display;
use std::str::FromStr;

use axum::http::Uri;
use soorma_api::registry::MAX_ROWS;
use soorma_core::{Name, Timestamp};
use soorma_ports::After;

use crate::cursor;
use crate::reply::{Refusal, query};
use crate::shape::Shape;

/// What stands in a query, and what was found wrong with it so far.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    shape: Shape,
}

impl Parameters {
    pub(crate) fn read(uri: &Uri) -> Result<Self, Refusal> {
        Ok(Self { pairs: query(uri)?, shape: Shape::of("query") })
    }

    /// Returns a parameter; of one that stands there twice, the last.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Reads a parameter of a type whose error says what there is.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let read = self.text(name)?.parse();
        read.map_err(|error: T::Err| {
            self.fault(name, "enum", &error.to_string(), &format!("is wrong: {error}"))
        })
        .ok()
    }

    /// Reads yes or no, in the words that the published services know; no where nothing is said.
    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        self.flag_or(name, false)
    }

    /// Reads yes or no, with what it is where nothing is said.
    pub(crate) fn flag_or(&mut self, name: &'static str, usual: bool) -> bool {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None => usual,
            Some("0" | "off" | "f" | "false" | "n" | "no") => false,
            Some("1" | "on" | "t" | "true" | "y" | "yes") => true,
            Some(_) => {
                let msg = "Input should be a valid boolean, unable to interpret input";
                self.fault(name, "bool_parsing", msg, "must be true or false");
                usual
            }
        }
    }

    /// Reads a text that must be there, and not blank.
    pub(crate) fn required(&mut self, name: &'static str) -> String {
        match self.text(name) {
            None => self.fault(name, "missing", "Field required", "is required"),
            Some(text) if text.trim().is_empty() => {
                self.fault(name, "value_error", "Value must not be blank", "must not be blank");
            }
            Some(text) => return text.to_owned(),
        }
        String::new()
    }

    /// Returns all that stands there under a name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.pairs.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Reads one of several words; the error of the type says which there are: `should be …`.
    pub(crate) fn choice<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let read = self.text(name)?.parse::<T>();
        read.map_err(|error| self.fault(name, "enum", &format!("Input {error}"), &error.to_string())).ok()
    }

    /// Reads a moment.
    pub(crate) fn moment(&mut self, name: &'static str) -> Option<Timestamp> {
        let read = self.text(name)?.parse::<Timestamp>();
        read.map_err(|error| {
            let msg = "Input should be a valid datetime";
            self.fault(name, "datetime_parsing", msg, &format!("is wrong: {error}"));
        })
        .ok()
    }

    /// Reads a number from 1 to another, and refuses what is beyond; so much where nothing is said.
    pub(crate) fn number(&mut self, name: &'static str, usual: usize, most: usize) -> usize {
        let Some(text) = self.text(name) else { return usual };
        let (rule, msg) = match text.parse::<i64>() {
            Err(_) => {
                let msg = "Input should be a valid integer, unable to parse string as an integer";
                ("int_parsing", msg.to_owned())
            }
            Ok(..1) => ("greater_than_equal", "Input should be greater than or equal to 1".to_owned()),
            Ok(number) => match usize::try_from(number) {
                Ok(number) if number <= most => return number,
                _ => ("less_than_equal", format!("Input should be less than or equal to {most}")),
            },
        };
        self.fault(name, rule, &msg, &format!("must be a number from 1 to {most}"));
        usual
    }

    /// Reads after which entry of a list in the order of time to go on.
    pub(crate) fn after(&mut self) -> Option<After> {
        let read = cursor::after(self.text("cursor")?);
        if read.is_none() {
            self.foreign_cursor();
        }
        read
    }

    /// Reads after which text to go on.
    pub(crate) fn after_text(&mut self) -> Option<String> {
        let read = cursor::texts(self.text("cursor")?);
        if read.is_none() {
            self.foreign_cursor();
        }
        read.map(|[text]| text)
    }

    /// Reads how many rows are wanted.
    pub(crate) fn limit(&mut self) -> usize {
        self.limit_within(MAX_ROWS, MAX_ROWS)
    }

    /// Reads how many rows are wanted; so many where nothing is said, and so many at most.
    pub(crate) fn limit_within(&mut self, usual: usize, most: usize) -> usize {
        let Some(text) = self.text("limit") else { return usual };
        match text.parse::<usize>() {
            Ok(limit @ 1..) => limit.min(most),
            _ => {
                let msg = "Input should be a valid integer, unable to parse string as an integer";
                self.fault("limit", "int_parsing", msg, &format!("must be a number from 1 to {most}"));
                usual
            }
        }
    }

    /// Reads after which row to go on, of so many names.
    pub(crate) fn cursor<const N: usize>(&mut self) -> Option<[Name; N]> {
        let read = cursor::read(self.text("cursor")?);
        if read.is_none() {
            self.foreign_cursor();
        }
        read
    }

    fn foreign_cursor(&mut self) {
        let says = "is none of ours; send back the nextCursor of an answer unchanged";
        self.fault("cursor", "value_error", says, says);
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, name: &'static str, rule: &str, msg: &str, says: &str) {
        let sent = self.text(name).and_then(|text| serde_json::to_string(text).ok());
        self.shape.within(name.into(), |shape| shape.fault(rule, msg, says, sent.as_deref()));
    }

    /// Says all that is wrong, where something is.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        self.shape.end(Some(()))
    }
}
