//! How many words of a sentence stand in a text: what can be said of meaning without a model.

use std::collections::HashMap;

/// The different words of a sentence, in lower case.
#[derive(Debug)]
pub(super) struct Sentence {
    words: HashMap<String, usize>,
}

impl Sentence {
    pub(super) fn new(text: &str) -> Self {
        let mut words = HashMap::new();
        for word in words_of(text) {
            let nth = words.len();
            words.entry(word).or_insert(nth);
        }
        Self { words }
    }

    /// Returns which part of the words a text has, from 0 to 1. Whole words count, wherever they stand and however often.
    pub(super) fn in_common(&self, text: &str) -> f32 {
        let mut found = vec![false; self.words.len()];
        for word in words_of(text) {
            if let Some(nth) = self.words.get(&word)
                && let Some(found) = found.get_mut(*nth)
            {
                *found = true;
            }
        }
        // A sentence has some thousand words at most: as numbers they are exact.
        let number = |count: usize| f32::from(u16::try_from(count).unwrap_or(u16::MAX));
        match found.len() {
            0 => 0.0,
            all => number(found.into_iter().filter(|found| *found).count()) / number(all),
        }
    }
}

/// Takes a text apart at what is neither letter nor digit, so that `web_research` has two words.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_the_words_that_is_found_is_counted() {
        for (sentence, text, part) in [
            ("look things up in the web", "web_research\nSearches the Web", 2.0 / 6.0),
            ("web web WEB", "web", 1.0),
            ("web", "website", 0.0),
            ("web research", "web_research", 1.0),
            ("Straße", "STRASSE straße", 1.0),
            ("?!", "anything", 0.0),
            ("anything", "", 0.0),
        ] {
            let scored = Sentence::new(sentence).in_common(text);
            assert!((scored - part).abs() < 1e-6, "{sentence} in {text}: {scored}");
        }
    }
}
