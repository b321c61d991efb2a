//! A sentence model that is made here, of two layers and a few letters: it means nothing, and is computed like any other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const HIDDEN: usize = 32;
pub(crate) const WIDE: usize = 64;
pub(crate) const LAYERS: usize = 2;
pub(crate) const HEADS: usize = 4;
pub(crate) const PLACES: usize = 48;
/// More than the tokenizer has, as real models do.
pub(crate) const WORDS: usize = 96;

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Vec<f32>,
}

/// Numbers that look random and are always the same (SplitMix64).
struct Numbers(u64);

impl Numbers {
    /// Between -1 and 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u16::try_from((z ^ (z >> 31)) >> 48).unwrap();
        f32::from(bits) / 32_768.0 - 1.0
    }
}

/// All tensors of the model.
pub(crate) fn tensors(seed: u64) -> Tensors {
    let mut numbers = Numbers(seed);
    let mut tensors = Tensors::new();
    let mut add = |name: String, shape: &[usize], middle: f32, spread: f32| {
        let count = shape.iter().product();
        let numbers = (0..count).map(|_| middle + spread * numbers.next()).collect();
        tensors.insert(name, Tensor { shape: shape.to_vec(), numbers });
    };
    add("embeddings.word_embeddings.weight".into(), &[WORDS, HIDDEN], 0.0, 1.0);
    add("embeddings.position_embeddings.weight".into(), &[PLACES, HIDDEN], 0.0, 0.5);
    add("embeddings.token_type_embeddings.weight".into(), &[2, HIDDEN], 0.0, 0.5);
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..LAYERS {
        let at = format!("encoder.layer.{layer}");
        for (part, to, from) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", WIDE, HIDDEN),
            ("output.dense", HIDDEN, WIDE),
        ] {
            add(format!("{at}.{part}.weight"), &[to, from], 0.0, 0.4);
            add(format!("{at}.{part}.bias"), &[to], 0.0, 0.2);
        }
        norms.push(format!("{at}.attention.output.LayerNorm"));
        norms.push(format!("{at}.output.LayerNorm"));
    }
    for norm in norms {
        add(format!("{norm}.weight"), &[HIDDEN], 1.0, 0.2);
        add(format!("{norm}.bias"), &[HIDDEN], 0.0, 0.2);
    }
    tensors
}

/// Writes tensors as a safetensors file has them: the length of a header, the header, the numbers.
pub(crate) fn safetensors(tensors: &Tensors, kind: &str, bytes_of: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, tensor) in tensors {
        let begins = data.len();
        data.extend(tensor.numbers.iter().flat_map(|number| bytes_of(*number)));
        let entry = json!({ "dtype": kind, "shape": tensor.shape, "data_offsets": [begins, data.len()] });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}

pub(crate) fn f32_bytes(number: f32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// Letters, digits and a few signs, at the beginning of a word and within it.
fn words() -> Vec<String> {
    let letters = || ('a'..='z').chain('0'..='9');
    let mut words: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    words.extend(letters().map(String::from));
    words.extend(letters().map(|letter| format!("##{letter}")));
    words.extend([".", ",", "!", "?"].map(str::to_owned));
    words
}

/// The number of a word.
pub(crate) fn token(word: &str) -> usize {
    words().iter().position(|known| known == word).unwrap()
}

/// `tokenizer.json`. It asks for filling up and for cutting, as files of real models do: both are the model's, and not to be heeded.
pub(crate) fn tokenizer() -> Value {
    let vocab: BTreeMap<String, usize> =
        words().into_iter().enumerate().map(|(number, word)| (word, number)).collect();
    let special = |word: &str| json!({ "id": token(word), "content": word, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false });
    let named = |word: &str| json!({ "id": word, "ids": [token(word)], "tokens": [word] });
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(special);
    json!({
        "version": "1.0",
        "truncation": { "max_length": 12, "strategy": "LongestFirst", "stride": 0 },
        "padding": { "strategy": { "Fixed": 12 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]" },
        "added_tokens": special,
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                { "SpecialToken": { "id": "[CLS]", "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } },
                { "SpecialToken": { "id": "[SEP]", "type_id": 0 } },
            ],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "[CLS]": named("[CLS]"), "[SEP]": named("[SEP]") },
        },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab },
    })
}

/// `config.json`.
pub(crate) fn config() -> Value {
    json!({
        "_name_or_path": "makers/tiny",
        "model_type": "bert",
        "vocab_size": WORDS,
        "max_position_embeddings": PLACES,
        "type_vocab_size": 2,
        "hidden_size": HIDDEN,
        "intermediate_size": WIDE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "hidden_dropout_prob": 0.1,
    })
}

/// A folder with the whole model in it.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_json(folder.path(), "config.json", &config());
    write_json(folder.path(), "tokenizer.json", &tokenizer());
    fs::write(folder.path().join("model.safetensors"), safetensors(&tensors(7), "F32", f32_bytes)).unwrap();
    write_json(
        folder.path(),
        "modules.json",
        &json!([
            { "idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer" },
            { "idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling" },
            { "idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize" },
        ]),
    );
    let pooling = json!({ "word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false });
    write_json(folder.path(), "1_Pooling/config.json", &pooling);
    folder
}

pub(crate) fn write_json(folder: &Path, name: &str, value: &Value) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, serde_json::to_vec(value).unwrap()).unwrap();
}
