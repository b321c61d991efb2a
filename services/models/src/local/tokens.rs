//! How a model reads a text: as numbers of words and pieces of words.

use tokenizers::{PostProcessor, Tokenizer, TruncationParams};

use crate::beginning::beginning;

/// The tokenizer of a model.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    most_bytes: usize,
}

/// A token is a few letters. What is longer is one unknown word, whatever its length, or white space.
const BYTES_OF_A_TOKEN: usize = 32;

impl Tokens {
    /// Reads `tokenizer.json`, for a model that takes so many tokens and knows so many words.
    pub(super) fn open(json: &[u8], most: usize, words: usize) -> Result<Self, String> {
        let broken =
            |error: tokenizers::Error| format!("tokenizer.json cannot be read: {error}; copy it again");
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(broken)?;
        // Of all tokens, and not how many there are: numbers may be left out.
        let last = tokenizer.get_vocab(true).into_values().max();
        let last = last.ok_or("tokenizer.json has no words in it; copy it again")?;
        if usize::try_from(last).is_ok_and(|last| last >= words) {
            return Err(format!(
                "tokenizer.json has words up to number {last} and the model knows {words}; copy both from the same model"
            ));
        }
        let around = tokenizer.get_post_processor().map_or(0, |around| around.added_tokens(false));
        if around >= most {
            return Err(format!(
                "tokenizer.json puts {around} tokens around a text and the model takes {most}; copy both from the same model"
            ));
        }
        let truncation = TruncationParams { max_length: most, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(broken)?;
        // Texts of different length are never laid beside each other.
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, most_bytes: most.saturating_mul(BYTES_OF_A_TOKEN) })
    }

    /// Returns what is read of a text: of a long one the beginning.
    pub(super) fn beginning<'a>(&self, text: &'a str) -> &'a str {
        beginning(text.trim_start(), self.most_bytes)
    }

    /// Reads a text.
    pub(super) fn of(&self, text: &str) -> Result<Vec<u32>, String> {
        // What the tokenizer says of a text might hold it.
        let encoding =
            self.tokenizer.encode_fast(text, true).map_err(|_| "a text cannot be read".to_owned())?;
        Ok(encoding.get_ids().to_vec())
    }
}
