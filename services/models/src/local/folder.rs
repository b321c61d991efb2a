//! What stands in the folder of a sentence model, and what of it can be used.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A folder, read whole but for the weights.
pub(super) struct Folder {
    pub(super) shape: Shape,
    pub(super) pooling: Pooling,
    /// How many tokens of a text count, with the two that stand around it.
    pub(super) most_tokens: usize,
    /// What the model says it was made from.
    pub(super) made_from: Option<String>,
}

/// How large the parts of the model are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) words: usize,
    pub(super) places: usize,
    pub(super) kinds: usize,
    pub(super) hidden: usize,
    pub(super) wide: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) epsilon: f32,
}

/// How one vector is made of those of all tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    /// The vector of the token that stands before the text.
    First,
}

/// `config.json`.
#[derive(Deserialize)]
struct Config {
    model_type: Option<String>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: String,
    layer_norm_eps: f32,
    position_embedding_type: Option<String>,
    #[serde(rename = "_name_or_path")]
    made_from: Option<String>,
}

/// `1_Pooling/config.json`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_mean_tokens: bool,
    pooling_mode_cls_token: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// `sentence_bert_config.json`.
#[derive(Deserialize)]
struct Sentences {
    max_seq_length: Option<usize>,
}

/// A row of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

const fn two() -> usize {
    2
}

/// The largest such models have 1.4 GB.
const MOST_OF_WEIGHTS: u64 = 2 * 1_024 * 1_024 * 1_024;

/// Words of a hundred languages are 20 MB.
const MOST_OF_TEXT: u64 = 64 * 1_024 * 1_024;

/// The largest has 24.
const MOST_LAYERS: usize = 128;

/// The two around a text, and something between them.
const FEWEST_TOKENS: usize = 8;

impl Folder {
    /// Reads what the model is like.
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        if !folder.is_dir() {
            return Err(format!(
                "there is no folder {}; write the folder of a sentence model, in which config.json is",
                folder.display()
            ));
        }
        let config: Config = parsed(needed(folder, "config.json", MOST_OF_TEXT)?, "config.json")?;
        let shape = config.shape()?;
        for module in optional::<Vec<Module>>(folder, "modules.json")?.unwrap_or_default() {
            let kind = module.kind.rsplit('.').next().unwrap_or_default();
            if !["Transformer", "Pooling", "Normalize"].contains(&kind) {
                return Err(format!(
                    "modules.json has a step '{kind}' that is not known here; take a model of Transformer, Pooling and Normalize"
                ));
            }
        }
        let pooling = optional::<PoolingConfig>(folder, "1_Pooling/config.json")?;
        let sentences = optional::<Sentences>(folder, "sentence_bert_config.json")?;
        let most_tokens = sentences.and_then(|sentences| sentences.max_seq_length);
        let most_tokens = most_tokens.map_or(shape.places, |most| most.min(shape.places));
        if most_tokens < FEWEST_TOKENS {
            return Err(format!("the model takes {most_tokens} tokens, which is no sentence"));
        }
        Ok(Self {
            shape,
            pooling: pooling.map_or(Ok(Pooling::Mean), |config| config.pooling())?,
            most_tokens,
            made_from: config.made_from,
        })
    }

    /// Reads the words.
    pub(super) fn tokenizer(folder: &Path) -> Result<Vec<u8>, String> {
        needed(folder, "tokenizer.json", MOST_OF_TEXT)
    }

    /// Reads the weights into memory.
    pub(super) fn weights(folder: &Path) -> Result<Vec<u8>, String> {
        needed(folder, "model.safetensors", MOST_OF_WEIGHTS)
    }
}

impl Config {
    fn shape(&self) -> Result<Shape, String> {
        let architecture = self.model_type.as_deref().unwrap_or("bert");
        if architecture != "bert" {
            return Err(format!(
                "config.json is of a model of the kind '{architecture}' and bert alone is known here; take a model such as all-MiniLM-L6-v2"
            ));
        }
        if self.hidden_act != "gelu" {
            return Err(format!(
                "config.json has hidden_act '{}' and gelu alone is known here",
                self.hidden_act
            ));
        }
        let positions = self.position_embedding_type.as_deref().unwrap_or("absolute");
        if positions != "absolute" {
            return Err(format!(
                "config.json has position_embedding_type '{positions}' and absolute alone is known here"
            ));
        }
        let numbers = [
            self.vocab_size,
            self.max_position_embeddings,
            self.type_vocab_size,
            self.hidden_size,
            self.intermediate_size,
            self.num_hidden_layers,
            self.num_attention_heads,
        ];
        let heads_fit = self.hidden_size.checked_rem(self.num_attention_heads) == Some(0);
        let epsilon_fits = self.layer_norm_eps > 0.0 && self.layer_norm_eps < 1.0;
        if numbers.contains(&0) || self.num_hidden_layers > MOST_LAYERS || !heads_fit || !epsilon_fits {
            return Err("config.json has numbers that no model has; copy it again".to_owned());
        }
        Ok(Shape {
            words: self.vocab_size,
            places: self.max_position_embeddings,
            kinds: self.type_vocab_size,
            hidden: self.hidden_size,
            wide: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            epsilon: self.layer_norm_eps,
        })
    }
}

impl Shape {
    /// What attention multiplies by: one through the root of the numbers that a head has.
    pub(super) fn head_scale(&self) -> f64 {
        let of_a_head = self.hidden.checked_div(self.heads).and_then(|numbers| u32::try_from(numbers).ok());
        f64::from(of_a_head.unwrap_or(1)).sqrt().recip()
    }
}

impl PoolingConfig {
    fn pooling(&self) -> Result<Pooling, String> {
        let other = self.pooling_mode_max_tokens
            || self.pooling_mode_mean_sqrt_len_tokens
            || self.pooling_mode_weightedmean_tokens
            || self.pooling_mode_lasttoken;
        match (self.pooling_mode_mean_tokens, self.pooling_mode_cls_token, other) {
            (true, false, false) => Ok(Pooling::Mean),
            (false, true, false) => Ok(Pooling::First),
            _ => Err(
                "1_Pooling/config.json asks for a pooling that is not known here; take a model with pooling_mode_mean_tokens or pooling_mode_cls_token alone"
                    .to_owned(),
            ),
        }
    }
}

/// Reads a file that must be there.
fn needed(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, String> {
    read(folder, name, most)?.ok_or_else(|| {
        format!(
            "{name} is missing in {}; copy all files of the model there, as sentence-transformers saves them",
            folder.display()
        )
    })
}

/// Reads a file that models may have.
fn optional<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>, String> {
    read(folder, name, MOST_OF_TEXT)?.map(|bytes| parsed(bytes, name)).transpose()
}

fn parsed<T: DeserializeOwned>(bytes: Vec<u8>, name: &str) -> Result<T, String> {
    serde_json::from_slice(&bytes).map_err(|error| format!("{name} cannot be read: {error}; copy it again"))
}

fn read(folder: &Path, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error| format!("{name} in {} cannot be read: {error}", folder.display());
    let file = match File::open(folder.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or_default());
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|bytes| bytes > most) {
        return Err(format!("{name} in {} is larger than {most} bytes", folder.display()));
    }
    Ok(Some(bytes))
}
