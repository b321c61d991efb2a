//! What a text is made of: words, and three letters at a time. Pure.

/// What was found in a text: hashes, each as often as it was found.
#[derive(Debug, Default)]
pub(super) struct Features {
    words: Vec<u64>,
    grams: Vec<u64>,
}

/// What three letters count beside a word: a word has about as many of them as it has letters.
const GRAM: f32 = 0.5;

const WORD_SEED: u64 = 0x736f_6f72_6d61_2d77;
const GRAM_SEED: u64 = 0x736f_6f72_6d61_2d67;

/// What stands before and after the letters of a word, so that its first and last ones are told from those within.
const EDGE: char = '\u{2}';

impl Features {
    /// Takes a text apart at what is neither letter nor digit, and where a small letter is followed by a large one (`orderPlaced`);
    /// whatever is large is made small.
    pub(super) fn of(text: &str) -> Self {
        let mut found = Self::default();
        let mut word = vec![EDGE];
        let mut after_small = false;
        for letter in text.chars() {
            if !letter.is_alphanumeric() || (after_small && letter.is_uppercase()) {
                found.end(&mut word);
            }
            if letter.is_alphanumeric() {
                word.extend(letter.to_lowercase());
            }
            after_small = letter.is_lowercase();
        }
        found.end(&mut word);
        found.words.sort_unstable();
        found.grams.sort_unstable();
        found
    }

    /// Takes the word that has come together, if there is one, and begins another.
    fn end(&mut self, word: &mut Vec<char>) {
        if word.len() > 1 {
            self.words.push(hash(WORD_SEED, word));
            word.push(EDGE);
            self.grams.extend(word.windows(3).map(|gram| hash(GRAM_SEED, gram)));
            word.truncate(1);
        }
    }

    /// Adds each feature to one of so many numbers, or takes it away, as its hash says: what falls on the same number by chance
    /// cancels out as often as it adds up. What is found often counts by the root of how often: every machine computes a root alike.
    pub(super) fn sums<const N: usize>(&self) -> [f32; N] {
        let mut sums = [0.0; N];
        for (hashes, weight) in [(&self.words, 1.0), (&self.grams, GRAM)] {
            for same in hashes.chunk_by(|a, b| a == b) {
                let Some(hash) = same.first() else { continue };
                let often = f32::from(u16::try_from(same.len()).unwrap_or(u16::MAX));
                let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
                let place = usize::try_from(hash & 0xffff_ffff).unwrap_or_default() % N;
                if let Some(sum) = sums.get_mut(place) {
                    *sum += sign * weight * often.sqrt();
                }
            }
        }
        sums
    }
}

/// FNV-1a over characters, and the last steps of splitmix64 to mix the bits. It must never change: vectors are kept.
fn hash(seed: u64, letters: &[char]) -> u64 {
    let fold =
        |hash: u64, letter: &char| (hash ^ u64::from(u32::from(*letter))).wrapping_mul(0x0100_0000_01b3);
    let mut hash = letters.iter().fold(seed, fold);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<u64> {
        Features::of(text).words
    }

    #[test]
    fn texts_are_taken_apart_at_what_is_no_letter_and_where_a_name_is_written_in_one() {
        for (text, same) in [
            ("Order PLACED", "order placed"),
            ("order.placed", "order placed"),
            ("order_placed-", "order placed"),
            ("orderPlaced", "order placed"),
            ("  placed\n\tOrder!", "order placed"),
            ("ÜBER Straße", "über straße"),
            ("日本、語", "日本 語"),
            ("URLs v2", "urls v2"),
        ] {
            assert_eq!(words(text), words(same), "{text}");
        }
        assert_ne!(words("order placed"), words("orderplaced"));
        assert!(words("! \u{301} 🦀 …").is_empty());
    }

    #[test]
    fn a_word_has_as_many_threes_as_letters() {
        for (word, threes) in [("a", 1), ("ab", 2), ("abc", 3), ("straße", 6), ("日本語", 3)] {
            assert_eq!(Features::of(word).grams.len(), threes, "{word}");
        }
    }

    #[test]
    fn what_is_found_often_counts_by_the_root() {
        let once = Features::of("order").sums::<256>();
        let four = Features::of("order order order order").sums::<256>();
        assert!(once.iter().zip(&four).all(|(once, four)| (once * 2.0).to_bits() == four.to_bits()));
    }
}
