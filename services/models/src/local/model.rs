//! A model that was read from a folder.

use std::path::Path;

use soorma_ports::{EmbedderError, Generation, unit};

use super::batches::Sentence;
use super::bert::Bert;
use super::folder::{Folder, Pooling};
use super::tokens::Tokens;
use super::weights::{Weights, said};

pub(super) struct Model {
    tokens: Tokens,
    bert: Bert,
    generation: Generation,
}

impl Model {
    /// Reads a folder, and tries whether what is in it goes together.
    pub(super) fn open(folder: &Path, name: Option<&str>) -> Result<Self, String> {
        let Folder { shape, pooling, most_tokens, made_from } = Folder::open(folder)?;
        let json = Folder::tokenizer(folder)?;
        let tokens = Tokens::open(&json, most_tokens, shape.words)?;
        let bytes = Folder::weights(folder)?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let first = pooling == Pooling::First;
                let number = [&json, &bytes].into_iter().fold(FNV, |number, file| folded(number, file));
                let number = folded(number, format!("{most_tokens} {first}").as_bytes());
                format!("{}@{number:016x}", short(made_from.as_deref()))
            }
        };
        // The name is looked at by itself first: with ours before it, an empty one would be none.
        let generation = Generation::new(name.as_str(), shape.hidden)
            .and_then(|_| Generation::new(format!("local:{name}"), shape.hidden))
            .map_err(|error| error.to_string())?;
        let bert = Bert::open(&Weights::open(bytes)?, &shape, pooling)?;
        let model = Self { tokens, bert, generation };
        model
            .try_out()
            .map_err(|error| format!("the model does not work: {error}; copy all its files again"))?;
        Ok(model)
    }

    pub(super) const fn generation(&self) -> &Generation {
        &self.generation
    }

    /// Returns what counts of a text.
    pub(super) fn beginning<'a>(&self, text: &'a str) -> &'a str {
        self.tokens.beginning(text)
    }

    /// Reads texts, each with its place. What says nothing to the model is left out.
    pub(super) fn read(&self, texts: &[(usize, String)]) -> Result<Vec<Sentence>, EmbedderError> {
        let sentence = |(place, text): &(usize, String)| {
            let tokens = self.tokens.of(text).map_err(EmbedderError::Misunderstood)?;
            Ok(Sentence { place: *place, tokens })
        };
        let sentences = texts.iter().map(sentence).collect::<Result<Vec<_>, EmbedderError>>()?;
        Ok(sentences.into_iter().filter(|sentence| !sentence.tokens.is_empty()).collect())
    }

    /// Returns the vectors of sentences, in their order.
    pub(super) fn vectors(&self, sentences: &[Sentence]) -> Result<Vec<Vec<f32>>, EmbedderError> {
        let texts: Vec<&[u32]> = sentences.iter().map(|sentence| sentence.tokens.as_slice()).collect();
        let vectors = self.bert.vectors(&texts).map_err(|error| {
            EmbedderError::Misunderstood(format!("the model has failed: {}", said(&error)))
        })?;
        let vectors = vectors.into_iter().map(unit).collect::<Option<Vec<_>>>();
        vectors.filter(|vectors| vectors.len() == sentences.len()).ok_or_else(|| {
            EmbedderError::Misunderstood("the model has answered with what is no vector".to_owned())
        })
    }

    /// Has the model say something, so that a file that does not fit is found at the start.
    fn try_out(&self) -> Result<(), EmbedderError> {
        let texts = ["a", "Is this, perhaps, a sentence of 8 words?", "…"];
        let texts: Vec<_> = texts.into_iter().map(str::to_owned).enumerate().collect();
        let mut sentences = self.read(&texts)?;
        sentences.sort_by_key(|sentence| sentence.tokens.len());
        self.vectors(&sentences).map(drop)
    }
}

/// The last part of the name or path that a model was made from.
fn short(made_from: Option<&str>) -> &str {
    let last =
        made_from.and_then(|name| name.trim().trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next());
    let usual = |name: &&str| {
        name.len() <= 100
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    last.filter(|name| !name.is_empty()).filter(usual).unwrap_or("bert")
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// Folds bytes into a number, eight at a time: two files that differ in one place never have the same.
fn folded(number: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let number = words.iter().fold(number, |number, word| step(number, u64::from_le_bytes(*word)));
    let number = rest.iter().fold(number, |number, byte| step(number, u64::from(*byte)));
    step(number, u64::try_from(bytes.len()).unwrap_or_default())
}

const fn step(number: u64, word: u64) -> u64 {
    (number ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_what_the_model_was_made_from() {
        for (made_from, name) in [
            (Some("nreimers/MiniLM-L6-H384-uncased"), "MiniLM-L6-H384-uncased"),
            (Some("bge-small-en-v1.5"), "bge-small-en-v1.5"),
            (Some("/srv/models/e5_small/"), "e5_small"),
            (Some(r"C:\models\mine"), "mine"),
            (Some("my model\n"), "bert"),
            (Some("//"), "bert"),
            (Some(""), "bert"),
            (None, "bert"),
        ] {
            assert_eq!(short(made_from), name, "{made_from:?}");
        }
    }

    #[test]
    fn other_bytes_have_another_number() {
        let of = |bytes: &[u8]| folded(FNV, bytes);
        let bytes: Vec<u8> = (0..100).collect();
        let mut seen = vec![of(&bytes), of(&[]), of(&bytes[..99]), of(&[0]), of(&[0; 8]), of(&[0; 9])];
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                seen.push(of(&other));
            }
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
