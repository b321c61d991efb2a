//! JSON Pointers (RFC 6901), as faults name places and as references name subschemas.

use std::borrow::Cow;

use serde_json::Value;

/// Appends one step to a pointer.
pub(super) fn push(pointer: &str, step: &str) -> String {
    let mut pushed = String::with_capacity(pointer.len() + 1 + step.len());
    pushed.push_str(pointer);
    pushed.push('/');
    for character in step.chars() {
        match character {
            '~' => pushed.push_str("~0"),
            '/' => pushed.push_str("~1"),
            other => pushed.push(other),
        }
    }
    pushed
}

/// Returns the fragment of a reference as text: `%41` is `A`. Nothing where it is no UTF-8.
pub(super) fn decode_fragment(fragment: &str) -> Option<Cow<'_, str>> {
    if !fragment.contains('%') {
        return Some(Cow::Borrowed(fragment));
    }
    let mut decoded = Vec::with_capacity(fragment.len());
    let mut bytes = fragment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { hex(bytes.next()?)? * 16 + hex(bytes.next()?)? } else { byte });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Returns what a reference within the document names by pointer; nothing where it names by anchor or leaves the
/// document.
pub(super) fn local<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&decode_fragment(reference.strip_prefix('#')?)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_are_escaped() {
        assert_eq!(push("/a", "b/c~d"), "/a/b~1c~0d");
    }

    #[test]
    fn fragments_are_decoded_and_broken_ones_refused() {
        assert_eq!(decode_fragment("/a%20b").as_deref(), Some("/a b"));
        assert_eq!(decode_fragment("/%C3%A4").as_deref(), Some("/ä"));
        for broken in ["%", "%4", "%zz", "%C3"] {
            assert_eq!(decode_fragment(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_local_reference_finds_its_target() {
        let root = json!({"$defs": {"a/b": 1}});
        assert_eq!(local(&root, "#/$defs/a~1b"), Some(&json!(1)));
        assert_eq!(local(&root, "#"), Some(&root));
        assert_eq!(local(&root, "#/nothing"), None);
        assert_eq!(local(&root, "other#"), None);
    }
}
