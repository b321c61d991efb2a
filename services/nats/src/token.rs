//! Texts of others as one token of a subject.
//!
//! Letters, digits, `-` and `_` stay as they are; every other byte becomes `=` and two hex digits. So two texts never
//! give one token, and each token gives its text back.

use std::fmt::Write as _;

/// Writes a text as a token.
pub(crate) fn encode(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ok = write!(token, "={byte:02X}");
        }
    }
    token
}

/// Reads a token, if it is one that [`encode`] writes.
pub(crate) fn decode(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (encode(&text) == token).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_means_something_in_a_subject_is_written_otherwise() {
        for (text, token) in [
            ("acme", "acme"),
            ("a.b", "a=2Eb"),
            (">", "=3E"),
            ("*", "=2A"),
            ("ä b", "=C3=A4=20b"),
            ("=", "=3D"),
        ] {
            assert_eq!(encode(text), token);
            assert_eq!(decode(token).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_was_not_written_by_us_is_no_token() {
        for token in ["=", "=4", "=41", "=2e", "=zz", "=+1", "a.b", "=FF", "a b"] {
            assert_eq!(decode(token), None, "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_token_gives_its_text_back(text in ".{1,64}") {
            let token = encode(&text);
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte)));
            prop_assert_eq!(decode(&token), Some(text));
        }
    }
}
