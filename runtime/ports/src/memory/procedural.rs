//! How something is done.

use async_trait::async_trait;
use soorma_core::{Error, MemoryScope, Skill};
use uuid::Uuid;

use super::{After, Found, Listed, Recall};

/// Procedural memory (CONTRACT 3.3): skills, prompts and rules of an agent, found by when they are to be used.
#[async_trait]
pub trait Procedural {
    /// Stores one. Of a name that the agent has, it is the next version of it; says whether there was none.
    async fn store_skill(&self, scope: &MemoryScope, new: NewSkill) -> Result<(Skill, bool), Error>;

    /// Stores another in the place of one, as its next version; nothing where there is none.
    async fn replace_skill(
        &self,
        scope: &MemoryScope,
        id: Uuid,
        new: NewSkill,
    ) -> Result<Option<Skill>, Error>;

    /// Returns one by its id.
    async fn skill(&self, scope: &MemoryScope, id: Uuid) -> Result<Option<Skill>, Error>;

    /// Lists them, newest first.
    async fn skills(&self, scope: &MemoryScope, query: &SkillQuery) -> Result<Listed<Skill>, Error>;

    /// Searches those of an agent by their triggers.
    async fn relevant_skills(
        &self,
        scope: &MemoryScope,
        agent: &str,
        recall: &Recall,
    ) -> Result<Found<Skill>, Error>;

    /// Removes one; says whether it was there.
    async fn remove_skill(&self, scope: &MemoryScope, id: Uuid) -> Result<bool, Error>;
}

/// A skill, prompt or rule.
#[derive(Debug, Clone)]
pub struct NewSkill {
    /// For which agent: at most 255 bytes.
    pub agent: String,
    /// What it is called: at most 255 bytes.
    pub name: Option<String>,
    /// When it is to be used: at most 8 KiB. Without it, it is found by time alone.
    pub trigger: Option<String>,
    /// What sort it is: at most 64 bytes, not blank.
    pub procedure_type: String,
    /// What it says: at most [`NewFact::MAX_CONTENT_BYTES`](super::NewFact::MAX_CONTENT_BYTES).
    pub content: String,
}

/// What is asked of skills.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SkillQuery {
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this sort.
    pub procedure_type: Option<String>,
    /// After this one.
    pub after: Option<After>,
    /// At most so many.
    pub limit: usize,
}
