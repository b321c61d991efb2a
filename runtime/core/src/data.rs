//! The payload of an event: one JSON object, kept as text.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// How deep objects and arrays may stand in one another: below what any JSON reader gives up at.
pub const MAX_DEPTH: usize = 64;

/// A JSON object as text, exactly as it was sent but for white space and `\u` escapes: numbers keep all
/// their digits. The text is one line of ASCII, since some SSE clients break lines at U+2028 and U+0085.
#[derive(Clone)]
pub struct Data(std::sync::Arc<RawValue>);

/// Why a JSON text is no [`Data`].
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It is an array, a string, a number or a truth value.
    #[error("data must be a JSON object")]
    NotAnObject,
    /// It is deeper than [`MAX_DEPTH`].
    #[error("data is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// It is no JSON, or not of the wanted type.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl Data {
    /// Takes JSON text.
    ///
    /// # Errors
    /// When it is no JSON, no object, or too deep.
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        Self::from_raw(serde_json::from_str::<Box<RawValue>>(text)?)
    }

    /// Writes a value as data.
    ///
    /// # Errors
    /// When it does not become a JSON object.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, DataError> {
        Self::from_raw(serde_json::value::to_raw_value(value)?)
    }

    fn from_raw(raw: Box<RawValue>) -> Result<Self, DataError> {
        if !raw.get().starts_with('{') {
            return Err(DataError::NotAnObject);
        }
        Ok(Self(match compact(raw.get())? {
            Cow::Borrowed(_) => raw.into(),
            Cow::Owned(text) => RawValue::from_string(text)?.into(),
        }))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads the data as a type.
    ///
    /// # Errors
    /// When it is not of that type; the message names the place.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        Ok(serde_json::from_str(self.as_str())?)
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_raw(Box::<RawValue>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Returns valid JSON without white space between tokens and without a byte above ASCII, or says it is too deep.
pub(crate) fn compact(json: &str) -> Result<Cow<'_, str>, DataError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut plain = true;
    for byte in json.bytes() {
        if in_string {
            plain &= byte.is_ascii();
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                in_string = false;
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(DataError::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => plain = false,
            _ => {}
        }
    }
    if plain {
        return Ok(Cow::Borrowed(json));
    }
    let mut out = String::with_capacity(json.len() + 16);
    (in_string, escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '"' {
                in_string = false;
            }
            if c.is_ascii() {
                out.push(c);
            } else {
                push_escape(&mut out, c);
            }
        } else if !matches!(c, ' ' | '\t' | '\n' | '\r') {
            in_string = c == '"';
            out.push(c);
        }
    }
    Ok(Cow::Owned(out))
}

/// Appends a character as one or two `\uXXXX`.
pub(crate) fn push_escape(out: &mut String, c: char) {
    use std::fmt::Write as _;
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ok = write!(out, "\\u{unit:04x}");
    }
}
