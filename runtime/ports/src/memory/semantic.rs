//! What is known.

use async_trait::async_trait;
use soorma_core::{Data, Error, Fact, MemoryScope, Timestamp};
use uuid::Uuid;

use super::{Found, ListQuery, Listed, Recall};

/// Semantic memory (CONTRACT 3.3): texts with an external id are upserted by it, others by what they say; private and public ones apart.
#[async_trait]
pub trait Semantic {
    /// Stores a text, or another in its place; says whether there was none.
    ///
    /// # Errors
    /// `invalid` for what is beyond a bound of [`NewFact`].
    async fn store_fact(&self, scope: &MemoryScope, new: NewFact) -> Result<(Fact, bool), Error>;

    /// Searches.
    async fn search_facts(&self, scope: &MemoryScope, recall: &Recall) -> Result<Found<Fact>, Error>;

    /// Returns one by its id, private or public.
    async fn fact(&self, scope: &MemoryScope, id: Uuid) -> Result<Option<Fact>, Error>;

    /// Lists them.
    async fn facts(&self, scope: &MemoryScope, query: &ListQuery) -> Result<Listed<Fact>, Error>;

    /// Removes one of the owner's own; says whether it was there.
    async fn remove_fact(&self, scope: &MemoryScope, id: Uuid) -> Result<bool, Error>;
}

/// A text to be known.
#[derive(Debug, Clone)]
pub struct NewFact {
    /// What is known: at most [`MAX_CONTENT_BYTES`](Self::MAX_CONTENT_BYTES). It may be empty.
    pub content: String,
    /// What the one who stores it calls it: at most 255 characters.
    pub external_id: Option<String>,
    /// Whether all of the tenant see it.
    pub public: bool,
    /// What belongs to it: at most [`MAX_METADATA_BYTES`](Self::MAX_METADATA_BYTES).
    pub metadata: Data,
    /// Words by which it is found: at most [`MAX_TAGS`](Self::MAX_TAGS) of at most 128 bytes. They stand in the metadata as `tags`.
    pub tags: Option<Vec<String>>,
    /// Where it comes from: at most 255 bytes. It stands in the metadata as `source`.
    pub source: Option<String>,
    /// From when it holds.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, not with that moment.
    pub valid_to: Option<Timestamp>,
    /// The episode that it comes from.
    pub episode: Option<Uuid>,
}

impl NewFact {
    /// The most bytes of a content.
    pub const MAX_CONTENT_BYTES: usize = 1_024 * 1_024;
    /// The most bytes of metadata as JSON.
    pub const MAX_METADATA_BYTES: usize = 64 * 1_024;
    /// The most tags.
    pub const MAX_TAGS: usize = 100;
}
