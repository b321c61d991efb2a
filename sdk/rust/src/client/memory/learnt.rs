//! What is known, what happened, and how something is done.

use reqwest::Method;
use serde::Serialize;
use soorma_api::memory::{EpisodeWindow, LogEpisode, Page, RecallQuery, StoreFact, StoreSkill};
use soorma_api::routes::memory as routes;
use soorma_core::{Episode, Error, Fact, Skill};
use soorma_ports::Found;
use uuid::Uuid;

use super::{ClientMemory, there};

impl ClientMemory<'_> {
    /// Stores what is known. Of a text that is known already, by its `external_id` or by what it says, there is still one.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn store_knowledge(&self, fact: &StoreFact) -> Result<Fact, Error> {
        self.sent(Method::POST, routes::SEMANTIC, &[], fact).await
    }

    /// Searches what is known.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn search_knowledge(&self, query: &RecallQuery) -> Result<Found<Fact>, Error> {
        self.found(routes::SEMANTIC_SEARCH, query).await
    }

    /// Lists what is known, newest first, a page at a time.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn knowledge(&self, query: &RecallQuery) -> Result<Page<Fact>, Error> {
        self.listed(routes::SEMANTIC, query).await
    }

    /// Returns what is known under an id, where there is something.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn fact(&self, id: Uuid) -> Result<Option<Fact>, Error> {
        there(self.asked(Method::GET, routes::FACT, &[&id.to_string()]).await)
    }

    /// Removes what is known; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_knowledge(&self, id: Uuid) -> Result<bool, Error> {
        self.removed(routes::FACT, &[&id.to_string()]).await
    }

    /// Adds to what happened.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn log_interaction(&self, episode: &LogEpisode) -> Result<Episode, Error> {
        self.sent(Method::POST, routes::EPISODIC, &[], episode).await
    }

    /// Returns what happened with an agent last, newest first. Of very long texts there may be fewer than asked: some MiB come at once.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn recent_history(&self, agent: &str, limit: usize) -> Result<Vec<Episode>, Error> {
        let query =
            RecallQuery { agent_id: Some(agent.to_owned()), limit: Some(limit), ..RecallQuery::default() };
        self.listed(routes::EPISODIC_RECENT, &query).await
    }

    /// Searches what happened with an agent.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn search_interactions(&self, query: &RecallQuery) -> Result<Found<Episode>, Error> {
        self.found(routes::EPISODIC_SEARCH, query).await
    }

    /// Lists what happened, newest first, a page at a time.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn interactions(&self, query: &RecallQuery) -> Result<Page<Episode>, Error> {
        self.listed(routes::EPISODIC, query).await
    }

    /// Returns the end of a conversation with an agent, oldest first, as much of it as fits into so many tokens.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn conversation(
        &self,
        agent: &str,
        session: Option<&str>,
        max_tokens: usize,
    ) -> Result<EpisodeWindow, Error> {
        #[derive(Serialize)]
        struct Query<'a> {
            agent_id: &'a str,
            session_id: Option<&'a str>,
            max_tokens: usize,
        }
        self.listed(routes::EPISODIC_WINDOW, &Query { agent_id: agent, session_id: session, max_tokens })
            .await
    }

    /// Stores a skill, prompt or rule. Of a name that its agent has, it is the next version.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn store_skill(&self, skill: &StoreSkill) -> Result<Skill, Error> {
        self.sent(Method::POST, routes::PROCEDURAL, &[], skill).await
    }

    /// Searches an agent's skills by when they are to be used.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn relevant_skills(&self, query: &RecallQuery) -> Result<Found<Skill>, Error> {
        self.found(routes::PROCEDURAL_CONTEXT, query).await
    }

    /// Lists skills, newest first, a page at a time.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn skills(&self, query: &RecallQuery) -> Result<Page<Skill>, Error> {
        self.listed(routes::PROCEDURAL, query).await
    }

    /// Returns the skill of an id, where there is one.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn skill(&self, id: Uuid) -> Result<Option<Skill>, Error> {
        there(self.asked(Method::GET, routes::SKILL, &[&id.to_string()]).await)
    }

    /// Puts another in the place of a skill, as its next version.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn replace_skill(&self, id: Uuid, skill: &StoreSkill) -> Result<Skill, Error> {
        self.sent(Method::PUT, routes::SKILL, &[&id.to_string()], skill).await
    }

    /// Removes a skill; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_skill(&self, id: Uuid) -> Result<bool, Error> {
        self.removed(routes::SKILL, &[&id.to_string()]).await
    }
}
