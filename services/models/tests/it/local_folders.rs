//! Folders that hold no model that can be used: each is refused at the start, by the file that is at fault.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use soorma_models::{LocalConfig, LocalEmbedder};
use soorma_ports::EmbedderError;

use super::local::open;
use super::tiny::{self, Tensor, WORDS, write_json};

/// Spoils a folder, and returns what is said of it.
fn refused(spoil: impl FnOnce(&Path)) -> String {
    let folder = tiny::folder();
    open(&folder).unwrap();
    spoil(folder.path());
    match open(&folder).unwrap_err() {
        EmbedderError::Invalid(says) => says,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_missing_is_named_and_some_may_be_missing() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let says = refused(|folder| fs::remove_file(folder.join(name)).unwrap());
        assert!(says.starts_with(&format!("{name} is missing in /")), "{says}");
        assert!(
            says.ends_with("copy all files of the model there, as sentence-transformers saves them"),
            "{says}"
        );
    }
    let nowhere = tiny::folder().path().join("nowhere");
    let says = LocalEmbedder::open(LocalConfig::new(&nowhere)).unwrap_err().to_string();
    assert!(says.starts_with(&format!("there is no folder {}; write", nowhere.display())), "{says}");
    let says = refused(|folder| {
        fs::remove_file(folder.join("config.json")).unwrap();
        fs::create_dir(folder.join("config.json")).unwrap();
    });
    assert!(says.starts_with("config.json in /") && says.contains("cannot be read"), "{says}");

    let folder = tiny::folder();
    fs::remove_file(folder.path().join("modules.json")).unwrap();
    fs::remove_dir_all(folder.path().join("1_Pooling")).unwrap();
    open(&folder).unwrap();
}

#[test]
fn weights_that_are_damaged_are_found_before_anything_is_asked() {
    let whole = tiny::safetensors(&tiny::tensors(7), "F32", tiny::f32_bytes);
    let cut = |at: usize| whole[..at].to_vec();
    let mut torn = whole.clone();
    torn[20] = b'\xff';
    let mut endless = whole.clone();
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut longer = whole.clone();
    longer.extend([0; 4]);
    for (file, what) in [
        (Vec::new(), "empty"),
        (cut(5), "cut within the first number"),
        (cut(200), "cut within the header"),
        (cut(whole.len() - 1), "cut at the end"),
        (torn, "torn header"),
        (endless, "endless header"),
        (longer, "something behind it"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90868376\n".to_vec(),
            "a pointer to it",
        ),
    ] {
        let says = refused(|folder| fs::write(folder.join("model.safetensors"), &file).unwrap());
        assert!(says.starts_with("model.safetensors is damaged or not whole: "), "{what}: {says}");
        assert!(says.ends_with("; copy it again") && !says.contains('\n'), "{what}: {says}");
    }
}

#[test]
fn weights_of_another_model_are_found() {
    let spoilt = |spoil: fn(&mut tiny::Tensors)| {
        let mut tensors = tiny::tensors(7);
        spoil(&mut tensors);
        let file = tiny::safetensors(&tensors, "F32", tiny::f32_bytes);
        refused(|folder| fs::write(folder.join("model.safetensors"), file).unwrap())
    };
    let says = spoilt(|tensors| drop(tensors.remove("encoder.layer.1.output.dense.bias")));
    assert!(says.starts_with("model.safetensors has no 'encoder.layer.1.output.dense.bias'"), "{says}");
    let says = spoilt(|tensors| {
        let narrow = Tensor { shape: vec![16], numbers: vec![1.0; 16] };
        tensors.insert("embeddings.LayerNorm.weight".into(), narrow);
    });
    assert!(says.contains("'embeddings.LayerNorm.weight' as [16] and config.json says [32]"), "{says}");
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut tensors = tiny::tensors(7);
        tensors.get_mut("encoder.layer.0.intermediate.dense.weight").unwrap().numbers[700] = number;
        let file = tiny::safetensors(&tensors, "F32", tiny::f32_bytes);
        let says = refused(|folder| fs::write(folder.join("model.safetensors"), file).unwrap());
        assert!(
            says.starts_with("'encoder.layer.0.intermediate.dense.weight'") && says.contains("are none"),
            "{says}"
        );
    }
    let whole = tiny::safetensors(&tiny::tensors(7), "I32", tiny::f32_bytes);
    let says = refused(|folder| fs::write(folder.join("model.safetensors"), whole).unwrap());
    assert!(says.contains("is made of I32; models of floating point numbers"), "{says}");
}

#[test]
fn a_tokenizer_that_does_not_fit_is_found() {
    for (spoil, expected) in [
        ((|_| json!({ "version": "1.0" })) as fn(Value) -> Value, "tokenizer.json cannot be read: "),
        (|_| json!([]), "tokenizer.json cannot be read: "),
        (
            |mut tokenizer| {
                tokenizer["model"]["vocab"]["unheardof"] = json!(WORDS);
                tokenizer
            },
            "tokenizer.json has words up to number 96 and the model knows 96; copy both from the same model",
        ),
        (
            |mut tokenizer| {
                tokenizer["model"]["unk_token"] = json!("[NONE]");
                tokenizer
            },
            "the model does not work: a text cannot be read; copy",
        ),
        (
            |mut tokenizer| {
                let many = vec![json!({ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }); 60];
                tokenizer["post_processor"]["single"].as_array_mut().unwrap().extend(many);
                tokenizer
            },
            "tokenizer.json puts 62 tokens around a text and the model takes 48",
        ),
    ] {
        let says = refused(|folder| write_json(folder, "tokenizer.json", &spoil(tiny::tokenizer())));
        assert!(says.starts_with(expected), "{says}");
    }
}

#[test]
fn models_of_kinds_that_are_not_known_are_refused() {
    for (key, value, expected) in [
        ("model_type", json!("roberta"), "a model of the kind 'roberta' and bert alone"),
        ("hidden_act", json!("relu"), "hidden_act 'relu' and gelu alone"),
        ("position_embedding_type", json!("relative_key"), "position_embedding_type 'relative_key'"),
        ("num_attention_heads", json!(5), "numbers that no model has"),
        ("num_attention_heads", json!(0), "numbers that no model has"),
        ("num_hidden_layers", json!(1_000_000), "numbers that no model has"),
        ("layer_norm_eps", json!(-1), "numbers that no model has"),
        ("hidden_size", json!("many"), "config.json cannot be read: invalid type"),
        ("max_position_embeddings", json!(7), "the model takes 7 tokens, which is no sentence"),
        ("hidden_size", Value::Null, "config.json cannot be read: invalid type"),
    ] {
        let mut config = tiny::config();
        config[key] = value;
        let says = refused(|folder| write_json(folder, "config.json", &config));
        assert!(says.contains(expected), "{says}");
    }
    let max = json!({ "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true });
    let says = refused(|folder| write_json(folder, "1_Pooling/config.json", &max));
    assert!(says.contains("a pooling that is not known here"), "{says}");
    let says = refused(|folder| write_json(folder, "1_Pooling/config.json", &json!({})));
    assert!(says.contains("a pooling that is not known here"), "{says}");
    let dense = json!([{ "idx": 0, "path": "2_Dense", "type": "sentence_transformers.models.Dense" }]);
    let says = refused(|folder| write_json(folder, "modules.json", &dense));
    assert!(says.starts_with("modules.json has a step 'Dense' that is not known here"), "{says}");
}

#[test]
fn names_and_bounds_that_cannot_be_are_refused() {
    let folder = tiny::folder();
    let good = || LocalConfig::new(folder.path());
    for (config, says) in [
        (LocalConfig { name: Some(String::new()), ..good() }, "a model has a name"),
        (LocalConfig { name: Some(" a".into()), ..good() }, "a model has a name"),
        (LocalConfig { name: Some("m".repeat(195)), ..good() }, "at most 200 characters"),
        (LocalConfig { max_batch: 0, ..good() }, "texts of a call"),
        (LocalConfig { batch_tokens: 0, ..good() }, "tokens of a batch"),
        (LocalConfig { calls_at_once: usize::MAX, ..good() }, "calls at once"),
        (LocalConfig { all_within: Duration::ZERO, ..good() }, "no time, or too much"),
    ] {
        let refused = LocalEmbedder::open(config).unwrap_err();
        assert!(
            matches!(&refused, EmbedderError::Invalid(_)) && refused.to_string().contains(says),
            "{refused}"
        );
    }
}
