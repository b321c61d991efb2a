//! What of a text a sentence repeats: enough to recognise it, never all of it.

use serde_json::Value;

/// The most characters of a value or name that a sentence repeats.
const SHOWN: usize = 60;

/// The most characters of a pointer that a fault keeps. Names in a payload have no bound but its own.
const POINTER_SHOWN: usize = 512;

/// Returns the text, or its beginning and an ellipsis where it is long.
pub(super) fn excerpt(text: &str) -> String {
    cut(text, SHOWN)
}

/// Returns a JSON pointer, or its beginning and an ellipsis where it is very long.
pub(super) fn pointer_excerpt(pointer: &str) -> String {
    cut(pointer, POINTER_SHOWN)
}

/// Returns a value as JSON where it is small; of what is large, what it is.
pub(super) fn value_excerpt(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", excerpt(text)),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => excerpt(&value.to_string()),
    }
}

/// Returns the first names of a list, quoted, and how many more there are.
pub(super) fn names_excerpt<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const NAMED: usize = 3;
    let more = names.len().saturating_sub(NAMED);
    let named: Vec<_> = names.take(NAMED).map(|name| format!("\"{}\"", excerpt(name))).collect();
    match more {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_long_is_cut_between_characters() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"ä".repeat(61)), "ä".repeat(60) + "…");
        assert_eq!(pointer_excerpt(&"/a".repeat(300)).chars().count(), 513);
        assert_eq!(names_excerpt(["a", "b", "c", "d", "e"].into_iter()), r#""a", "b", "c" and 2 more"#);
    }

    #[test]
    fn large_values_are_named_by_what_they_are() {
        for (value, says) in [
            (json!(1.5), "1.5"),
            (json!(null), "null"),
            (json!("x"), "\"x\""),
            (json!([]), "[]"),
            (json!([1, 2]), "an array of 2"),
            (json!({"a": 1}), "an object of 1"),
        ] {
            assert_eq!(value_excerpt(&value), says);
        }
    }
}
