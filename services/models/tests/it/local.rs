//! A sentence model from a folder passes the suite, and gives what BERT gives.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use soorma_models::{LocalConfig, LocalEmbedder};
use soorma_ports::{Embedder, EmbedderError};
use soorma_testkit::contract::embedder::EmbedderHarness;
use tempfile::TempDir;

use super::plain_bert::{mean, tokens_of, unit};
use super::tiny::{self, PLACES, token, write_json};

struct Local {
    folder: TempDir,
    embedder: Arc<LocalEmbedder>,
}

pub(crate) fn open(folder: &TempDir) -> Result<Arc<LocalEmbedder>, EmbedderError> {
    LocalEmbedder::open(LocalConfig::new(folder.path())).map(Arc::new)
}

impl EmbedderHarness for Local {
    const TOLERANCE: f32 = 0.0;
    const ENDS_WITHIN: Duration = Duration::from_secs(30);

    async fn fresh() -> Self {
        let folder = tiny::folder();
        let embedder = open(&folder).unwrap();
        Self { folder, embedder }
    }

    fn embedder(&self) -> Arc<dyn Embedder> {
        self.embedder.clone()
    }

    fn another(&self) -> Arc<dyn Embedder> {
        open(&self.folder).unwrap()
    }

    fn fall_silent(&self) -> bool {
        false
    }

    fn speak_again(&self) {}
}

soorma_testkit::embedder_contract!(
    #[tokio::test]
    Local
);

async fn vectors(folder: &TempDir, texts: &[&str]) -> Vec<Vec<f32>> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    open(folder).unwrap().embed(&texts).await.unwrap()
}

fn read(words: &[&str]) -> Vec<usize> {
    words.iter().map(|word| token(word)).collect()
}

fn assert_near(vector: &[f32], right: &[f64], within: f64, text: &str) {
    assert_eq!(vector.len(), right.len());
    for (number, right) in vector.iter().zip(right) {
        assert!((f64::from(*number) - right).abs() < within, "{text}: {vector:?} is not {right:?}");
    }
}

/// Texts of several lengths, some alike in length, and how they are read.
fn texts() -> Vec<(&'static str, Vec<usize>)> {
    vec![
        ("ab c", read(&["[CLS]", "a", "##b", "c", "[SEP]"])),
        ("Zeit.", read(&["[CLS]", "z", "##e", "##i", "##t", ".", "[SEP]"])),
        ("c ab", read(&["[CLS]", "c", "a", "##b", "[SEP]"])),
        ("42", read(&["[CLS]", "4", "##2", "[SEP]"])),
        (" Été \u{2014} 猫!", read(&["[CLS]", "e", "##t", "##e", "[UNK]", "[UNK]", "!", "[SEP]"])),
        ("a b c", read(&["[CLS]", "a", "b", "c", "[SEP]"])),
        ("\0", read(&["[CLS]", "[SEP]"])),
    ]
}

#[tokio::test]
async fn it_gives_what_bert_gives_computed_plainly() {
    let folder = tiny::folder();
    let (asked, read): (Vec<_>, Vec<_>) = texts().into_iter().unzip();
    let tensors = tiny::tensors(7);
    for (vector, (text, tokens)) in vectors(&folder, &asked).await.iter().zip(asked.iter().zip(&read)) {
        assert_near(vector, &mean(&tokens_of(&tensors, tokens)), 1e-5, text);
    }

    let first = json!({ "pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true });
    write_json(folder.path(), "1_Pooling/config.json", &first);
    for (vector, (text, tokens)) in vectors(&folder, &asked).await.iter().zip(asked.iter().zip(&read)) {
        assert_near(vector, &unit(tokens_of(&tensors, tokens).remove(0)), 1e-5, text);
    }
}

#[tokio::test]
async fn models_with_shorter_numbers_or_a_head_over_them_are_taken_too() {
    let tensors = tiny::tensors(7);
    let right = mean(&tokens_of(&tensors, &read(&["[CLS]", "a", "##b", "c", "[SEP]"])));
    let write =
        |folder: &TempDir, file| std::fs::write(folder.path().join("model.safetensors"), file).unwrap();

    let folder = tiny::folder();
    // bf16 is the upper half of f32.
    write(&folder, tiny::safetensors(&tensors, "BF16", |number| number.to_le_bytes()[2..].to_vec()));
    assert_near(&vectors(&folder, &["ab c"]).await[0], &right, 0.03, "bf16");

    let mut headed: tiny::Tensors =
        tensors.iter().map(|(name, tensor)| (format!("bert.{name}"), tensor.clone())).collect();
    headed.insert("classifier.weight".into(), tensors["encoder.layer.0.output.dense.bias"].clone());
    write(&folder, tiny::safetensors(&headed, "F32", tiny::f32_bytes));
    assert_near(&vectors(&folder, &["ab c"]).await[0], &right, 1e-5, "with a head");
}

#[tokio::test]
async fn of_a_long_text_as_many_tokens_count_as_the_model_takes() {
    let folder = tiny::folder();
    // Two of them stand around the text.
    for (most, counts) in [(None, PLACES - 2), (Some(16), 14), (Some(1_000), PLACES - 2)] {
        write_json(folder.path(), "sentence_bert_config.json", &json!({ "max_seq_length": most }));
        let full = vec!["a"; counts].join(" ");
        let (beyond, short) = (format!("{full} b"), vec!["a"; counts - 1].join(" "));
        let last = format!("{short} b");
        let vectors = vectors(&folder, &[&full, &beyond, &last, &short, &format!("  {full}")]).await;
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(&vectors[0], &vectors[1]), "what is beyond does not count: {most:?}");
        assert!(!near(&vectors[0], &vectors[2]), "the last one counts: {most:?}");
        assert!(!near(&vectors[0], &vectors[3]));
        assert!(near(&vectors[0], &vectors[4]), "white space is no text");
    }
}

#[tokio::test]
async fn other_files_are_another_generation_unless_it_is_given_a_name() {
    let folder = tiny::folder();
    let generation = |folder: &TempDir| open(folder).unwrap().generation().to_string();
    let mut seen = vec![generation(&folder)];
    assert!(seen[0].starts_with("local:tiny@") && seen[0].ends_with("/32"), "{}", seen[0]);
    assert_eq!(generation(&tiny::folder()), seen[0], "a copy is the same");
    let weights = |seed| tiny::safetensors(&tiny::tensors(seed), "F32", tiny::f32_bytes);
    std::fs::write(folder.path().join("model.safetensors"), weights(8)).unwrap();
    seen.push(generation(&folder));
    let mut tokenizer = tiny::tokenizer();
    tokenizer["normalizer"]["lowercase"] = json!(false);
    write_json(folder.path(), "tokenizer.json", &tokenizer);
    seen.push(generation(&folder));
    write_json(folder.path(), "sentence_bert_config.json", &json!({ "max_seq_length": 16 }));
    seen.push(generation(&folder));
    write_json(folder.path(), "1_Pooling/config.json", &json!({ "pooling_mode_cls_token": true }));
    seen.push(generation(&folder));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5, "{seen:?}");

    let named = LocalConfig { name: Some("mine".into()), ..LocalConfig::new(folder.path()) };
    assert_eq!(LocalEmbedder::open(named).unwrap().generation().to_string(), "local:mine/32");
}

#[tokio::test]
async fn what_is_beyond_its_places_is_told_so_at_once_and_what_takes_too_long_in_time() {
    let folder = tiny::folder();
    // A batch each, so that a call is many turns.
    let config = || LocalConfig { batch_tokens: 1, ..LocalConfig::new(folder.path()) };
    let texts: Vec<String> = (0..32).map(|i| format!("a text {i} and a long one, of a few words")).collect();

    let narrow = LocalEmbedder::open(LocalConfig { calls_at_once: 1, ..config() }).unwrap();
    let mut answers = join_all((0..3).map(|_| narrow.embed(&texts))).await;
    let (third, second) = (answers.pop().unwrap(), answers.pop().unwrap());
    assert_eq!(answers.pop().unwrap().unwrap().len(), 32);
    for refused in [second, third] {
        assert!(matches!(&refused, Err(EmbedderError::Busy { retry_after: Some(_), .. })), "{refused:?}");
    }
    assert_eq!(narrow.embed(&texts).await.unwrap().len(), 32, "and afterwards there is a place again");

    let hasty =
        LocalEmbedder::open(LocalConfig { all_within: Duration::from_micros(1), ..config() }).unwrap();
    let late = hasty.embed(&texts).await.unwrap_err();
    assert!(matches!(late, EmbedderError::Timeout(_)) && late.may_retry(), "{late:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn while_it_computes_others_have_this_thread() {
    let folder = tiny::folder();
    let embedder = open(&folder).unwrap();
    let texts = vec!["a long one, of a few words and more".to_owned(); 32];
    let mut turns = 0_u32;
    let computed = async { embedder.embed(&texts).await.unwrap() };
    tokio::pin!(computed);
    loop {
        tokio::select! {
            biased;
            vectors = &mut computed => break assert_eq!(vectors.len(), 32),
            () = tokio::task::yield_now() => turns += 1,
        }
    }
    assert!(turns > 0, "nobody else was asked meanwhile");
}
