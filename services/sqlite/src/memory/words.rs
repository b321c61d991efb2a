//! How a text is cut into words, and what the index has of a word.
//!
//! A word is a sequence of letters and digits, in lower case. The index gets it behind the number of its scope (`12_word`), and cuts at the
//! spaces that stand here alone: so it has no rules of its own about letters, and no query can mean anything but words.

use std::collections::BTreeSet;

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
fn indexed(text: &str) -> &str {
    if text.len() <= INDEXED {
        return text;
    }
    let beginning = text.get(..text.floor_char_boundary(INDEXED + 1)).unwrap_or_default();
    let end = beginning.rfind(|letter: char| !letter.is_alphanumeric()).unwrap_or_default();
    beginning.get(..end).unwrap_or_default()
}

/// The words of a text that are searched, in their order, each before a space.
#[derive(Debug)]
pub(super) struct Cut {
    words: String,
    /// How many.
    pub(super) count: i64,
}

impl Cut {
    pub(super) fn new(text: &str) -> Self {
        let text = indexed(text);
        let mut cut = Self { words: String::with_capacity(text.len() + 1), count: 0 };
        for word in words(text) {
            cut.words.push_str(&word);
            cut.words.push(' ');
            cut.count += 1;
        }
        cut
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.len()
    }

    /// What the index is given for them.
    pub(super) fn terms(&self, scope: i64) -> String {
        let before = term(scope, "");
        let mut terms = String::with_capacity(self.words.len() * 2);
        for word in self.words.split_inclusive(' ') {
            terms.push_str(&before);
            terms.push_str(word);
        }
        terms
    }
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
        let cut = Cut::new("The the 3");
        assert_eq!((cut.terms(12), cut.count), ("12_the 12_the 12_3 ".into(), 3));
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
            let cut = Cut::new(&text);
            assert_eq!(cut.count, i64::try_from(expected).unwrap(), "{} bytes", text.len());
            assert!(cut.terms(1).split(' ').all(|term| ["1_word", "1_a", ""].contains(&term)));
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
