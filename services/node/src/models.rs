//! Which embedder a configuration means.

use std::sync::Arc;

use soorma_models::{HashingEmbedder, OpenAiConfig, OpenAiEmbedder, Secret};
use soorma_ports::{Embedder, Entropy};

use crate::config::{EmbedderKind, Models};
use crate::node::NodeError;

/// Makes the embedder of a configuration, where it names one. Nobody is asked for anything yet.
pub(crate) fn embedder(
    config: &Models,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<Arc<dyn Embedder>>, NodeError> {
    let wrong = wrong(config);
    if !wrong.is_empty() {
        return Err(NodeError::Models(wrong.join(". ")));
    }
    let embedder: Arc<dyn Embedder> = match config.embedder {
        None => return Ok(None),
        Some(EmbedderKind::Hashing) => Arc::new(HashingEmbedder::new()),
        Some(EmbedderKind::OpenAi) => {
            let embedder = OpenAiEmbedder::new(openai(config), Arc::clone(entropy));
            Arc::new(
                embedder.map_err(|error| NodeError::Models(format!("models.embedder = openai: {error}")))?,
            )
        }
    };
    let finds = match config.embedder {
        Some(EmbedderKind::Hashing) => "shared words and spellings, not meaning",
        _ => "what the model holds to be alike",
    };
    tracing::info!(generation = %embedder.generation(), finds, "texts become vectors");
    Ok(Some(embedder))
}

/// Says what does not go together, a sentence each.
fn wrong(config: &Models) -> Vec<String> {
    let given = [
        (
            "embedder_url",
            !config.embedder_url.is_empty(),
            "the base address of the endpoint, such as https://api.openai.com/v1",
        ),
        (
            "embedder_model",
            !config.embedder_model.is_empty(),
            "the name of its model, such as text-embedding-3-small",
        ),
        (
            "embedder_dimensions",
            config.embedder_dimensions.is_some(),
            "how many numbers a vector of the model has, such as 1536",
        ),
    ];
    if config.embedder == Some(EmbedderKind::OpenAi) {
        let missing = given.into_iter().filter(|(_, given, _)| !given);
        return missing
            .map(|(key, _, what)| format!("models.embedder = openai needs models.{key}; write {what}"))
            .collect();
    }
    let others = [
        ("embedder_key", !config.embedder_key.is_empty(), ""),
        ("embedder_shortens", config.embedder_shortens, ""),
    ];
    let is = match config.embedder {
        Some(EmbedderKind::Hashing) => "hashing, which asks no endpoint",
        _ => "none",
    };
    let too_much = given.into_iter().chain(others).filter(|(_, given, _)| *given);
    too_much
        .map(|(key, ..)| {
            format!("models.{key} is given and models.embedder is {is}; leave it out, or write models.embedder = openai")
        })
        .collect()
}

fn openai(config: &Models) -> OpenAiConfig {
    let dimensions = config.embedder_dimensions.and_then(|dimensions| usize::try_from(dimensions).ok());
    OpenAiConfig {
        key: (!config.embedder_key.is_empty()).then(|| Secret::new(config.embedder_key.as_str())),
        shortens: config.embedder_shortens,
        ..OpenAiConfig::new(
            config.embedder_url.as_str(),
            config.embedder_model.as_str(),
            dimensions.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MachineEntropy;

    fn made(config: &Models) -> Result<Option<String>, String> {
        let entropy: Arc<dyn Entropy> = Arc::new(MachineEntropy);
        let embedder = embedder(config, &entropy).map_err(|error| error.to_string())?;
        Ok(embedder.map(|embedder| embedder.generation().to_string()))
    }

    fn openai() -> Models {
        Models {
            embedder: Some(EmbedderKind::OpenAi),
            embedder_url: "http://localhost:8000".into(),
            embedder_model: "bge-small".into(),
            embedder_dimensions: Some(384),
            ..Models::default()
        }
    }

    #[test]
    fn what_is_named_is_made() {
        let hashing = Models { embedder: Some(EmbedderKind::Hashing), ..Models::default() };
        let keyed = Models { embedder_key: "hunter2".into(), embedder_shortens: true, ..openai() };
        for (config, generation) in [
            (Models::default(), None),
            (hashing, Some("hashing-v1/256")),
            (openai(), Some("openai:bge-small/384")),
            (keyed, Some("openai:bge-small/384")),
        ] {
            assert_eq!(made(&config), Ok(generation.map(str::to_owned)));
        }
    }

    #[test]
    fn what_does_not_go_together_is_said_all_at_once() {
        let hashing = Models { embedder: Some(EmbedderKind::Hashing), ..Models::default() };
        let bare = Models { embedder: Some(EmbedderKind::OpenAi), ..Models::default() };
        for (config, says) in [
            (
                bare,
                &[
                    "needs models.embedder_url; write the base address",
                    "needs models.embedder_model; write the name",
                    "needs models.embedder_dimensions; write how many",
                ][..],
            ),
            (Models { embedder_dimensions: None, ..openai() }, &["needs models.embedder_dimensions"]),
            (
                Models { embedder: None, embedder_key: "hunter2".into(), ..openai() },
                &[
                    "models.embedder_url is given and models.embedder is none; leave it out",
                    "models.embedder_model is given",
                    "models.embedder_dimensions is given",
                    "models.embedder_key is given",
                ],
            ),
            (
                Models { embedder_dimensions: Some(256), ..hashing.clone() },
                &["models.embedder is hashing, which asks no"],
            ),
            (Models { embedder_shortens: true, ..hashing }, &["models.embedder_shortens is given"]),
            (
                Models { embedder_url: "http://ada:hunter2@host".into(), ..openai() },
                &["openai: the endpoint's address has a user"],
            ),
            (Models { embedder_key: "hunter2\u{1}".into(), ..openai() }, &["openai: the key has characters"]),
            (Models { embedder_model: " a".into(), ..openai() }, &["openai: a model has a name"]),
        ] {
            let refused = made(&config).unwrap_err();
            assert!(says.iter().all(|says| refused.contains(says)), "{refused}");
            assert_eq!(refused.split(". ").count(), says.len(), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
