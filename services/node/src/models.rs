//! Which embedder a configuration means.

use std::sync::Arc;

use soorma_models::{HashingEmbedder, OpenAiConfig, OpenAiEmbedder, Secret};
use soorma_ports::{Embedder, Entropy};

use crate::config::{EmbedderKind, Models};
use crate::node::NodeError;

/// Makes the embedder of a configuration, where it names one. Nobody is asked for anything yet; a model that is to run here is read.
pub(crate) async fn embedder(
    config: &Models,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<Arc<dyn Embedder>>, NodeError> {
    let wrong = wrong(config);
    if !wrong.is_empty() {
        return Err(NodeError::Models(wrong.join(". ")));
    }
    let (embedder, finds): (Arc<dyn Embedder>, _) = match config.embedder {
        None => return Ok(None),
        Some(EmbedderKind::Hashing) => {
            (Arc::new(HashingEmbedder::new()), "shared words and spellings, not meaning")
        }
        Some(EmbedderKind::Local) => {
            let embedder = local::embedder(config).await;
            (embedder.map_err(|why| NodeError::Models(format!("models.embedder = local: {why}")))?, ALIKE)
        }
        Some(EmbedderKind::OpenAi) => {
            let embedder = OpenAiEmbedder::new(openai(config), Arc::clone(entropy));
            let embedder =
                embedder.map_err(|error| NodeError::Models(format!("models.embedder = openai: {error}")))?;
            (Arc::new(embedder), ALIKE)
        }
    };
    // Who started the node says it; and `/health` does.
    tracing::debug!(generation = %embedder.generation(), finds, "texts become vectors");
    Ok(Some(embedder))
}

const ALIKE: &str = "what the model holds to be alike";

/// A key that some embedders take.
struct Taken {
    key: &'static str,
    given: bool,
    by: &'static [EmbedderKind],
    /// Who cannot do without it, and what to write.
    needed: Option<(EmbedderKind, &'static str)>,
}

/// Says what does not go together, a sentence each.
fn wrong(config: &Models) -> Vec<String> {
    use EmbedderKind::{Local, OpenAi};
    let keys = [
        Taken {
            key: "embedder_folder",
            given: config.embedder_folder.is_some(),
            by: &[Local],
            needed: Some((Local, "the folder of a sentence model, in which config.json is")),
        },
        Taken {
            key: "embedder_url",
            given: !config.embedder_url.is_empty(),
            by: &[OpenAi],
            needed: Some((OpenAi, "the base address of the endpoint, such as https://api.openai.com/v1")),
        },
        Taken {
            key: "embedder_model",
            given: !config.embedder_model.is_empty(),
            by: &[OpenAi, Local],
            needed: Some((OpenAi, "the name of its model, such as text-embedding-3-small")),
        },
        Taken {
            key: "embedder_dimensions",
            given: config.embedder_dimensions.is_some(),
            by: &[OpenAi],
            needed: Some((OpenAi, "how many numbers a vector of the model has, such as 1536")),
        },
        Taken { key: "embedder_key", given: !config.embedder_key.is_empty(), by: &[OpenAi], needed: None },
        Taken { key: "embedder_shortens", given: config.embedder_shortens, by: &[OpenAi], needed: None },
    ];
    let is = config.embedder.map_or("none", EmbedderKind::name);
    let said = keys.iter().filter_map(|Taken { key, given, by, needed }| {
        let takes = config.embedder.is_some_and(|embedder| by.contains(&embedder));
        match needed {
            Some((who, what)) if !given && config.embedder == Some(*who) => {
                Some(format!("models.embedder = {is} needs models.{key}; write {what}"))
            }
            _ if *given && !takes => {
                let who = by.first().map_or("none", |who| who.name());
                Some(format!(
                    "models.{key} is given and models.embedder is {is}; leave it out, or write models.embedder = {who}"
                ))
            }
            _ => None,
        }
    });
    said.collect()
}

#[cfg(feature = "local-models")]
mod local {
    use std::sync::Arc;

    use soorma_models::{LocalConfig, LocalEmbedder};
    use soorma_ports::Embedder;

    use crate::config::Models;

    /// Reads the model of a folder, on a thread where it may take its time.
    pub(super) async fn embedder(config: &Models) -> Result<Arc<dyn Embedder>, String> {
        let name = (!config.embedder_model.is_empty()).then(|| config.embedder_model.clone());
        let folder = config.embedder_folder.clone().unwrap_or_default();
        let config = LocalConfig { name, ..LocalConfig::new(folder) };
        match tokio::task::spawn_blocking(|| LocalEmbedder::open(config)).await {
            Ok(Ok(embedder)) => Ok(Arc::new(embedder)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the model cannot be read; copy all its files again".to_owned()),
        }
    }
}

#[cfg(not(feature = "local-models"))]
mod local {
    use std::sync::Arc;

    use soorma_ports::Embedder;

    use crate::config::Models;

    /// Says how to come by what is not in this build.
    #[expect(clippy::unused_async, reason = "in builds with the feature a model is read and waited for")]
    pub(super) async fn embedder(_: &Models) -> Result<Arc<dyn Embedder>, String> {
        Err("this soorma is built without local models; build it with `cargo install --path sdk/cli --features local-models` (for a program of yours: the feature local-models of the crate soorma), or write hashing or openai"
            .to_owned())
    }
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

    async fn made(config: &Models) -> Result<Option<String>, String> {
        let entropy: Arc<dyn Entropy> = Arc::new(MachineEntropy);
        let embedder = embedder(config, &entropy).await.map_err(|error| error.to_string())?;
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

    #[tokio::test]
    async fn what_is_named_is_made() {
        let hashing = Models { embedder: Some(EmbedderKind::Hashing), ..Models::default() };
        let keyed = Models { embedder_key: "hunter2".into(), embedder_shortens: true, ..openai() };
        for (config, generation) in [
            (Models::default(), Some("hashing-v1/256")),
            (Models { embedder: None, ..Models::default() }, None),
            (hashing, Some("hashing-v1/256")),
            (openai(), Some("openai:bge-small/384")),
            (keyed, Some("openai:bge-small/384")),
        ] {
            assert_eq!(made(&config).await, Ok(generation.map(str::to_owned)));
        }
    }

    #[tokio::test]
    async fn what_does_not_go_together_is_said_all_at_once() {
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
                &[
                    "models.embedder_dimensions is given and models.embedder is hashing; leave it out, or write models.embedder = openai",
                ],
            ),
            (Models { embedder_shortens: true, ..hashing }, &["models.embedder_shortens is given"]),
            (
                Models { embedder: Some(EmbedderKind::Local), ..Models::default() },
                &[
                    "models.embedder = local needs models.embedder_folder; write the folder of a sentence model",
                ],
            ),
            (
                Models { embedder: Some(EmbedderKind::Local), embedder_folder: Some("m".into()), ..openai() },
                &[
                    "models.embedder_url is given and models.embedder is local; leave it out, or write models.embedder = openai",
                    "models.embedder_dimensions is given",
                ],
            ),
            (
                Models { embedder_folder: Some("m".into()), ..openai() },
                &[
                    "models.embedder_folder is given and models.embedder is openai; leave it out, or write models.embedder = local",
                ],
            ),
            (
                Models { embedder_url: "http://ada:hunter2@host".into(), ..openai() },
                &["openai: the endpoint's address has a user"],
            ),
            (Models { embedder_key: "hunter2\u{1}".into(), ..openai() }, &["openai: the key has characters"]),
            (Models { embedder_model: " a".into(), ..openai() }, &["openai: a model has a name"]),
        ] {
            let refused = made(&config).await.unwrap_err();
            assert!(says.iter().all(|says| refused.contains(says)), "{refused}");
            assert_eq!(refused.split(". ").count(), says.len(), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_folder_without_a_model_or_a_build_without_such_models_is_refused() {
        let local = Models {
            embedder: Some(EmbedderKind::Local),
            embedder_folder: Some("/nowhere/at/all".into()),
            ..Models::default()
        };
        let refused = made(&local).await.unwrap_err();
        let says = if cfg!(feature = "local-models") {
            "there is no folder /nowhere/at/all; write the folder of a sentence model"
        } else {
            "this soorma is built without local models; build it with `cargo install"
        };
        assert!(refused.starts_with(&format!("models.embedder = local: {says}")), "{refused}");
    }
}
