//! What happened.

use async_trait::async_trait;
use soorma_core::{Data, Episode, Error, MemoryScope, Role};

use super::{After, Found, Listed, Recall, RecallFilter};

/// Episodic memory (CONTRACT 3.3): what was said and done with an agent, in order; it is only added to.
#[async_trait]
pub trait Episodic {
    /// Adds to it; a session that it names, and is there, was used now.
    async fn log_episode(&self, scope: &MemoryScope, new: NewEpisode) -> Result<Episode, Error>;

    /// Returns what happened, newest first.
    async fn episodes(&self, scope: &MemoryScope, query: &EpisodeQuery) -> Result<Listed<Episode>, Error>;

    /// Searches what happened with an agent, or with all where none is named.
    async fn search_episodes(
        &self,
        scope: &MemoryScope,
        agent: Option<&str>,
        recall: &Recall,
    ) -> Result<Found<Episode>, Error>;

    /// Returns the end of a conversation, as much of it as fits, oldest first. What does not fit whole is left out.
    async fn window(
        &self,
        scope: &MemoryScope,
        query: &EpisodeQuery,
        max_tokens: usize,
    ) -> Result<Window, Error>;
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct NewEpisode {
    /// With which agent: at most 255 bytes.
    pub agent: String,
    /// Who said it.
    pub role: Role,
    /// What was said: at most [`NewFact::MAX_CONTENT_BYTES`](super::NewFact::MAX_CONTENT_BYTES).
    pub content: String,
    /// What belongs to it.
    pub metadata: Data,
    /// The session that it is of: at most 100 characters.
    pub session: Option<String>,
}

/// What is asked of what happened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EpisodeQuery {
    /// With this agent.
    pub agent: Option<String>,
    /// Among which: session, role, times, metadata.
    pub filter: RecallFilter,
    /// After this one.
    pub after: Option<After>,
    /// At most so many.
    pub limit: usize,
}

/// The end of a conversation.
#[derive(Debug, Clone)]
pub struct Window {
    /// What was said, oldest first.
    pub episodes: Vec<Episode>,
    /// How many tokens it is, by the estimate that was used: a token is about four bytes.
    pub tokens: usize,
    /// Whether there is more before it that did not fit.
    pub cut: bool,
}
