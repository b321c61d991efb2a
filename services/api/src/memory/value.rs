//! How a value of working memory is set and changed.

use serde::{Deserialize, Serialize};
use soorma_core::AnyJson;

/// A value to be set. `null` is a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetValue {
    /// The value.
    pub value: AnyJson,
    /// After how many seconds it is gone, at most [`MAX_TTL_SECONDS`](super::MAX_TTL_SECONDS).
    #[serde(default, alias = "ttl_seconds", skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Sets it only where this state of it is there.
    #[serde(default, alias = "if_revision", skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<u64>,
    /// Sets it only where nothing is there.
    #[serde(default, alias = "if_absent", skip_serializing_if = "std::ops::Not::not")]
    pub if_absent: bool,
}

/// How a value is to be changed, in one step that no other comes between.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum ChangeValue {
    /// Adds a number; where nothing is there, to 0.
    Increment {
        /// The number.
        by: AnyJson,
    },
    /// Adds an element at the end of a list; where nothing is there, of an empty one.
    Append {
        /// The element.
        value: AnyJson,
    },
    /// Adds all elements of a list at the end of a list.
    Extend {
        /// The elements, as a list.
        value: AnyJson,
    },
    /// Sets fields of an object, and removes those that are set to `null`.
    Merge {
        /// The fields, as an object.
        value: AnyJson,
    },
    /// Sets another value where this one is.
    CompareAndSet {
        /// The value that must be there; nothing where none may be.
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<AnyJson>,
        /// The value that is set.
        value: AnyJson,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_there_is_left_out_and_null_is_a_value() {
        let null = || AnyJson::from_json("null").expect("JSON");
        for (expected, text) in [
            (None, r#"{"op":"compare_and_set","value":null}"#),
            (Some(null()), r#"{"op":"compare_and_set","expected":null,"value":null}"#),
        ] {
            let change = ChangeValue::CompareAndSet { expected, value: null() };
            assert_eq!(serde_json::to_string(&change).expect("JSON"), text);
        }
        let set = SetValue { value: null(), ttl_seconds: Some(5), if_revision: None, if_absent: false };
        assert_eq!(serde_json::to_string(&set).expect("JSON"), r#"{"value":null,"ttlSeconds":5}"#);
    }
}
