//! Models: what turns texts into vectors.
//!
//! Feature hashing is here and asks nobody; an endpoint that speaks as OpenAI's does is asked over HTTP; with the feature `local-models`
//! a sentence model is read from a folder and runs here.

mod beginning;
mod hashing;
#[cfg(feature = "local-models")]
mod local;
mod openai;
mod secret;

pub use hashing::HashingEmbedder;
#[cfg(feature = "local-models")]
pub use local::{LocalConfig, LocalEmbedder};
pub use openai::{OpenAiConfig, OpenAiEmbedder};
pub use secret::Secret;
