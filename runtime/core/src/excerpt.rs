//! What of a refused text an error repeats: enough to recognise it, never all of a huge body.

/// The most characters of a text that an error repeats.
const SHOWN: usize = 200;

/// Returns the text, or its beginning and an ellipsis where it is long.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
    }
}
