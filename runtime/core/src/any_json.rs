//! Any JSON value, kept as text.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::data::{DataError, compact};

/// A JSON value as text, exactly as it was sent but for white space and `\u` escapes: numbers keep all their digits. Cheap to clone.
#[derive(Clone)]
pub struct AnyJson(Arc<RawValue>);

impl AnyJson {
    /// Takes JSON text.
    ///
    /// # Errors
    /// When it is no JSON, or deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        Self::from_raw(serde_json::from_str::<Box<RawValue>>(text)?)
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// When it does not become JSON, or is too deep.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, DataError> {
        Self::from_raw(serde_json::value::to_raw_value(value)?)
    }

    fn from_raw(raw: Box<RawValue>) -> Result<Self, DataError> {
        use std::borrow::Cow;
        Ok(Self(match compact(raw.get())? {
            Cow::Borrowed(_) => raw.into(),
            Cow::Owned(text) => RawValue::from_string(text)?.into(),
        }))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads it as a type.
    ///
    /// # Errors
    /// When it is not of that type; the message names the place.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        Ok(serde_json::from_str(self.as_str())?)
    }
}

impl std::fmt::Debug for AnyJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for AnyJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Serialize for AnyJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_raw(Box::<RawValue>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_is_kept_with_all_its_digits() {
        for (sent, kept) in [
            ("null", "null"),
            (" [ 1.0, 12345678901234567890123 ] ", "[1.0,12345678901234567890123]"),
            (r#""caf\u00e9""#, r#""caf\u00e9""#),
            (r#"{ "a": {} }"#, r#"{"a":{}}"#),
        ] {
            let value = AnyJson::from_json(sent).expect("JSON");
            assert_eq!(value.as_str(), kept);
            assert_eq!(serde_json::to_string(&value).expect("JSON"), kept);
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        for text in ["", "{", "nul", "1 2"] {
            assert!(matches!(AnyJson::from_json(text), Err(DataError::Json(_))), "{text:?}");
        }
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(AnyJson::from_json(&deep(crate::MAX_DEPTH)).is_ok());
        assert!(matches!(AnyJson::from_json(&deep(crate::MAX_DEPTH + 1)), Err(DataError::TooDeep)));
    }
}
