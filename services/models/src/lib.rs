//! Models: what turns texts into vectors.
//!
//! Feature hashing is here and asks nobody; an endpoint that speaks as OpenAI's does is asked over HTTP.

mod beginning;
mod hashing;
mod openai;
mod secret;

pub use hashing::HashingEmbedder;
pub use openai::{OpenAiConfig, OpenAiEmbedder};
pub use secret::Secret;
