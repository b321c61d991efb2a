//! The embedder of a node.

use std::path::Path;

use soorma_core::{Error, ErrorCode};
use soorma_node::config::{Config, EmbedderKind};
use soorma_node::{Node, NodeError, Options};

async fn start(data: &Path, set: impl FnOnce(&mut Config)) -> Result<Node, NodeError> {
    let mut config = Config::default();
    config.node.data = data.to_owned();
    set(&mut config);
    Node::start(config, Options { edge: false, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_the_embedder_that_is_configured_and_one_that_hashes_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let node = start(data.path(), |config| config.models.embedder = None).await.unwrap();
    assert!(node.embedder().is_none());
    node.stop().await.unwrap();

    let node = start(data.path(), |_| {}).await.unwrap();
    let vectors = node.embedder().unwrap().embed(&["order placed".to_owned()]).await.unwrap();
    assert_eq!(vectors[0].len(), 256);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_models_do_not_go_together_does_not_start_and_says_why() {
    let data = tempfile::tempdir().unwrap();
    let refused = start(data.path(), |config| {
        config.models.embedder = Some(EmbedderKind::OpenAi);
        config.models.embedder_url = "https://api.openai.com/v1".into();
        config.models.embedder_model = "text-embedding-3-small".into();
    });
    let error = refused.await.unwrap_err();
    let says = "models.embedder = openai needs models.embedder_dimensions; write how many numbers a vector of the model has, such as 1536";
    assert_eq!(error, NodeError::Models(says.into()));
    assert_eq!(Error::from(error).code, ErrorCode::Invalid);
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was done before");
}
