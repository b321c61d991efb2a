//! How a text is cut into words, and what the index has of a word.
//!
//! A word is a sequence of letters and digits, in lower case. The index gets it behind the number of its scope (`12_word`), and cuts at the
//! spaces that stand here alone: so it has no rules of its own about letters, and no query can mean anything but words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::checksum::checksum;

/// FTS5 cuts off what is longer than 32 KiB. Far below it, a word is known by its beginning and a checksum of all of it.
const LONGEST: usize = 256;

/// So much of a text is searched by words, some ten thousand of them: each takes time of the one who writes for all.
const INDEXED: usize = 64 * 1_024;

/// Names the tables by which Rust tells letters: with others, words may be cut in other ways.
pub(super) fn letters() -> String {
    let (major, minor, update) = char::UNICODE_VERSION;
    format!("{major}.{minor}.{update}")
}

/// The words of a text, in their order.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| {
        let word = word.to_lowercase();
        if word.len() <= LONGEST {
            return word;
        }
        let beginning = word.floor_char_boundary(LONGEST);
        // No other word is like it: none has this character in it.
        format!("{}_{:016x}", word.get(..beginning).unwrap_or_default(), checksum(word.as_bytes()))
    })
}

/// Each word once, in a fixed order.
pub(super) fn distinct(text: &str) -> BTreeSet<String> {
    words(text).collect()
}

/// What the index has of a word of a scope.
pub(super) fn term(scope: i64, word: &str) -> String {
    format!("{scope}_{word}")
}

/// What of a text is searched by words: its beginning, without a word that would be cut.
pub(super) fn indexed(text: &str) -> &str {
    if text.len() <= INDEXED {
        return text;
    }
    let beginning = text.get(..text.floor_char_boundary(INDEXED + 1)).unwrap_or_default();
    let end = beginning.rfind(|letter: char| !letter.is_alphanumeric()).unwrap_or_default();
    beginning.get(..end).unwrap_or_default()
}

/// What the index is given for a text, and how many words that are.
pub(super) fn terms(scope: i64, text: &str) -> (String, i64) {
    let text = indexed(text);
    let (mut terms, mut count) = (String::with_capacity(text.len() + text.len() / 2), 0);
    for word in words(text) {
        // Writing to a string does not fail.
        let _written = write!(terms, "{scope}_{word} ");
        count += 1;
    }
    (terms, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_whatever_their_case() {
        for (text, expected) in [
            ("", &[][..]),
            ("  -- ?! \u{0}", &[]),
            ("The cat's 2nd life", &["the", "cat", "s", "2nd", "life"]),
            ("a\"b*c:NEAR(d)^e", &["a", "b", "c", "near", "d", "e"]),
            ("ÄRGER straße Größe", &["ärger", "straße", "größe"]),
            ("日本語 x_y", &["日本語", "x", "y"]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_term_is_of_one_scope_and_one_word() {
        assert_eq!(terms(12, "The the 3"), ("12_the 12_the 12_3 ".into(), 3));
        assert_ne!(term(1, "2x"), term(12, "x"));
    }

    #[test]
    fn of_a_long_text_the_beginning_is_indexed_and_no_word_is_cut() {
        let most = "word ".repeat(INDEXED / 5);
        for (text, expected) in [
            (most.clone(), INDEXED / 5),
            (format!("{most}a"), INDEXED / 5 + 1),
            (format!("{most}ab"), INDEXED / 5),
            (format!("{most}a b"), INDEXED / 5 + 1),
            ("word ".repeat(INDEXED), INDEXED / 5),
            (format!("{}ü ", "x".repeat(INDEXED - 1)), 0),
            ("x".repeat(INDEXED + 1), 0),
        ] {
            let (terms, count) = terms(1, &text);
            assert_eq!(count, i64::try_from(expected).unwrap(), "{} bytes", text.len());
            assert!(terms.split(' ').all(|term| ["1_word", "1_a", ""].contains(&term)));
        }
    }

    #[test]
    fn long_words_are_told_apart() {
        let long = "ü".repeat(40_000);
        let other = format!("{long}u");
        let [one, two] = [&long, &other].map(|word| words(word).collect::<Vec<_>>());
        assert_eq!((one.len(), two.len()), (1, 1));
        assert!(one != two && one[0].len() < 300, "{one:?}");
    }
}
