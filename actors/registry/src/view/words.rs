//! Whether words stand in what an agent says, whatever their case.

use soorma_core::{AgentRecord, Error};

/// The most words of one question: each is looked for in every text.
const MOST: usize = 16;

/// Words in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// Takes a text apart.
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        let mut words: Vec<String> = Vec::new();
        for word in text.split_whitespace().map(str::to_lowercase) {
            if words.contains(&word) {
                continue;
            }
            if words.len() == MOST {
                return Err(Error::invalid(format!("a text to look for has at most {MOST} different words")));
            }
            words.push(word);
        }
        Ok(Self(words))
    }

    /// Returns how many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether each stands in the name, the description or a capability of an agent.
    pub(crate) fn are_in(&self, record: &AgentRecord) -> bool {
        self.0.iter().all(|word| {
            is_in(word, record.name.as_str())
                || is_in(word, &record.description)
                || record
                    .capabilities
                    .iter()
                    .any(|one| is_in(word, one.name.as_str()) || is_in(word, &one.description))
        })
    }
}

/// Whether a word in lower case stands in a text.
fn is_in(word: &str, text: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(word);
    }
    // Nearly all text is ASCII: nothing is copied to look through it.
    let (word, text) = (word.as_bytes(), text.as_bytes());
    let Some(first) = word.first() else { return true };
    let upper = first.to_ascii_uppercase();
    text.iter().enumerate().any(|(at, byte)| {
        (byte == first || *byte == upper)
            && text.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_it_stands_and_whatever_its_case() {
        for (word, text, found) in [
            ("web", "Web research", true),
            ("research", "web_ReSearch", true),
            ("research", "researc", false),
            ("h", "researcH", true),
            ("", "x", true),
            ("x", "", false),
            ("straße", "Eine STRASSE und eine Straße", true),
            ("é", "CAFÉ", true),
            ("é", "CAFE", false),
            ("aab", "aaab", true),
        ] {
            assert_eq!(is_in(word, text), found, "{word} in {text}");
            assert_eq!(text.to_lowercase().contains(word), found, "{word} in {text}");
        }
    }

    #[test]
    fn a_question_has_a_bounded_number_of_words() {
        let text = |n: usize| (0..n).map(|n| format!("W{n} w{n} ")).collect::<String>();
        assert_eq!(Words::new(&text(MOST)).expect("fits").0.len(), MOST);
        assert!(Words::new(&text(MOST + 1)).is_err());
        assert!(Words::new(" \t").expect("nothing to look for").0.is_empty());
    }
}
