//! What all of memory stands on: the store, who turns texts into vectors, and what is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use soorma_core::{Error, ErrorCode, MemoryScope, TenantId, Timestamp, retry_after};
use soorma_ports::{
    After, Clock, Embedded, EmbedderError, Entropy, Listed, MemoryAct, MemoryAfter, MemoryDone, MemoryDraft,
    MemoryEntry, MemoryOrder, MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore, MemoryStoreError,
    MemoryWrite, When,
};
use soorma_supervise::Outage;
use tokio::time::timeout;
use uuid::Uuid;

use crate::bounds::kib;
use crate::config::Config;
use crate::embedder::{Embedding, Lane, NoVector};
use crate::lacking::Lacking;
use crate::questions::Questions;
use crate::tenants::{Place, Tenants};
use crate::watch::Watches;

/// How long the store may take: then it counts as away, and nobody waits any longer.
const WITHIN: Duration = Duration::from_secs(10);
/// The same for what is done in as many parts as it takes: each of them is short, all of them are as long as a tenant is large.
const ALL_WITHIN: Duration = Duration::from_secs(600);
/// How often something is read and written anew that others change at the same time.
pub(crate) const TRIES: u32 = 32;

/// What became of a write that the store took.
pub(crate) type Outcome = Result<MemoryDone, MemoryRefused>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn MemoryStore>,
    pub(crate) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pub(crate) config: Config,
    pub(crate) embedding: Option<Arc<Embedding>>,
    pub(crate) questions: Arc<Questions>,
    pub(crate) tenants: Tenants,
    pub(crate) watches: Arc<Watches>,
    outage: Outage,
    fullness: Outage,
    /// Something is stored without a vector.
    pub(crate) lacking: Lacking,
    pub(crate) deferred: AtomicU64,
    pub(crate) without_meaning: AtomicU64,
    pub(crate) expired: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn MemoryStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        config: Config,
    ) -> Self {
        let questions = Arc::<Questions>::default();
        let embedding = config.embedder.clone();
        let embedding =
            embedding.map(|embedder| Arc::new(Embedding::new(embedder, Arc::clone(&questions), &config)));
        Self {
            store,
            clock,
            entropy,
            embedding,
            questions,
            tenants: Tenants::new(&config),
            watches: Arc::default(),
            outage: Outage::new("memory's store"),
            fullness: Outage::new("room in memory's store"),
            lacking: Lacking::default(),
            deferred: AtomicU64::new(0),
            without_meaning: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            config,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes an id. Later ones come after earlier ones.
    pub(crate) fn new_id(&self) -> Uuid {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(self.now().unix_ms(), &random).into_uuid()
    }

    /// Waits for the store, not for ever, and notes how it is.
    pub(crate) async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, MemoryStoreError>>,
    ) -> Result<T, Error> {
        self.heard(within(WITHIN, call).await)
    }

    /// The same for what is done in parts.
    pub(crate) async fn ask_for_all<T>(
        &self,
        call: impl Future<Output = Result<T, MemoryStoreError>>,
    ) -> Result<T, Error> {
        self.heard(within(ALL_WITHIN, call).await)
    }

    fn heard<T>(&self, answer: Result<T, MemoryStoreError>) -> Result<T, Error> {
        match &answer {
            Ok(_) => self.outage.over(),
            Err(MemoryStoreError::Unavailable(why)) => drop(self.outage.failed(why)),
            Err(MemoryStoreError::Full(why)) => drop(self.fullness.failed(why)),
            Err(error @ MemoryStoreError::Corrupt(_)) => {
                tracing::error!(%error, "memory's store did not do as it was asked");
            }
            Err(MemoryStoreError::Invalid(_)) => {}
        }
        answer.map_err(Error::from)
    }

    /// The same of a write: where the store has not answered, nobody knows whether it was done, and who blindly did it again might do it twice.
    fn heard_of_write<T>(&self, answer: Result<T, MemoryStoreError>) -> Result<T, Error> {
        let is_unknown = matches!(answer, Err(MemoryStoreError::Unavailable(_)));
        self.heard(answer).map_err(|error| if is_unknown { not_answered() } else { error })
    }

    /// Has writes carried out together; what is the fault of one is not the others'.
    pub(crate) async fn write(&self, writes: Vec<MemoryWrite>) -> Vec<Result<Outcome, Error>> {
        let count = writes.len();
        let again = if count > 1 { writes.clone() } else { Vec::new() };
        let error = match self.write_together(writes).await {
            Ok(outcomes) => {
                self.fullness.over();
                return outcomes.into_iter().map(Ok).collect();
            }
            Err(error) => error,
        };
        if count == 1 || matches!(error, MemoryStoreError::Unavailable(_)) {
            let error = self.heard_of_write::<()>(Err(error)).err().unwrap_or_else(unknown);
            return vec![Err(error); count];
        }
        let mut answers = Vec::with_capacity(count);
        for write in again {
            let outcome = self.write_together(vec![write]).await;
            let outcome = outcome.map(|outcomes| outcomes.into_iter().next());
            answers.push(self.heard_of_write(outcome).and_then(|outcome| outcome.ok_or_else(unknown)));
        }
        answers
    }

    async fn write_together(&self, writes: Vec<MemoryWrite>) -> Result<Vec<Outcome>, MemoryStoreError> {
        let count = writes.len();
        let outcomes = within(WITHIN, self.store.write(writes)).await?;
        if outcomes.len() == count {
            self.outage.over();
            return Ok(outcomes);
        }
        Err(MemoryStoreError::Unavailable(format!("it answered {} of {count} writes", outcomes.len())))
    }

    /// Has one write carried out.
    pub(crate) async fn write_one(&self, scope: &MemoryScope, act: MemoryAct) -> Result<Outcome, Error> {
        let write = MemoryWrite { scope: scope.clone(), at: self.now(), act };
        self.write(vec![write]).await.pop().unwrap_or_else(|| Err(unknown()))
    }

    /// Puts an entry; returns it as it is now, and whether there was none. Its room is to be [taken](Tenants::enter_to_add) before.
    pub(crate) async fn put(
        &self,
        place: &Place,
        scope: &MemoryScope,
        draft: MemoryDraft,
        when: When,
    ) -> Result<Result<(MemoryEntry, bool), MemoryRefused>, Error> {
        let at = self.now();
        let act = MemoryAct::Put { draft: Box::new(draft.clone()), when };
        let write = MemoryWrite { scope: scope.clone(), at, act };
        let outcome = self.write(vec![write]).await.pop().unwrap_or_else(|| Err(unknown()))?;
        Ok(outcome.and_then(|done| Self::put_so(place, draft, at, done)))
    }

    /// Notes that an entry was put; returns it.
    pub(crate) fn put_so(
        place: &Place,
        draft: MemoryDraft,
        at: Timestamp,
        done: MemoryDone,
    ) -> Result<(MemoryEntry, bool), MemoryRefused> {
        let MemoryDone::Put { id, revision, made, created_at, owner } = done else {
            return Err(MemoryRefused::NotFound);
        };
        match made {
            true => place.added(weight(&draft)),
            false => place.replaced(weight(&draft)),
        }
        let entry = MemoryEntry {
            id,
            owner,
            kind: draft.kind,
            group: draft.group,
            key: draft.key,
            public: draft.public,
            text: draft.text,
            body: draft.body,
            labels: draft.labels,
            created_at,
            updated_at: at,
            valid_from: draft.valid_from,
            valid_until: draft.valid_until,
            expires_at: draft.expires_at,
            revision,
        };
        Ok((entry, made))
    }

    /// Has the text of a draft turned into a vector, if that is done in time; returns whether it is to get one later. Nothing of the store is held meanwhile.
    pub(crate) async fn embed(&self, draft: &mut MemoryDraft) -> bool {
        let (Some(embedding), Some(text)) = (&self.embedding, &draft.text) else { return false };
        match embedding.vector(Lane::Write, text, self.config.embed_within).await {
            Ok(vector) => {
                draft.vector = Some(Embedded { generation: embedding.generation().clone(), vector });
                false
            }
            Err(why) => {
                tracing::debug!(%why, "a text is stored without a vector");
                self.deferred.fetch_add(1, Ordering::Relaxed);
                // What is refused is refused again.
                !matches!(why, NoVector::Embedder(EmbedderError::Invalid(_)))
            }
        }
    }

    /// Has it that what was stored without a vector gets one. To be called when it is stored.
    pub(crate) fn embed_later(&self, lacks: bool, id: Uuid) {
        if lacks {
            self.lacking.add(id);
        }
    }

    /// Returns the entry at a place.
    pub(crate) async fn get(
        &self,
        scope: &MemoryScope,
        place: MemoryPlace,
    ) -> Result<Option<MemoryEntry>, Error> {
        let places = [place];
        let mut entries = self.ask(self.store.get(scope, self.now(), &places)).await?;
        Ok(entries.pop().flatten())
    }

    /// Lists entries in an order by time.
    pub(crate) async fn list(
        &self,
        scope: &MemoryScope,
        query: MemoryQuery,
    ) -> Result<Listed<MemoryEntry>, Error> {
        let page = self.ask(self.store.list(scope, self.now(), &query)).await?;
        let last = page.entries.last().filter(|_| page.more);
        let next = last.map(|entry| match query.order {
            MemoryOrder::Updated => After { at: entry.updated_at, id: entry.id },
            _ => After { at: entry.created_at, id: entry.id },
        });
        Ok(Listed { items: page.entries, next })
    }

    /// Removes an entry; says whether it was there.
    pub(crate) async fn remove(&self, scope: &MemoryScope, place: MemoryPlace) -> Result<bool, Error> {
        let held = self.tenants.enter(&scope.tenant, 0)?;
        match self.write_one(scope, MemoryAct::Remove { place, revision: None }).await? {
            Ok(MemoryDone::Removed(count)) => {
                held.removed(count);
                Ok(count > 0)
            }
            Ok(MemoryDone::Put { .. }) | Err(_) => Ok(false),
        }
    }

    /// Reads what is at a place, makes something of it, and writes that if nobody else has written meanwhile; else again. Nothing is written where nothing is
    /// made.
    pub(crate) async fn change(
        &self,
        scope: &MemoryScope,
        at: MemoryPlace,
        make: impl Fn(Option<&MemoryEntry>) -> Result<Option<MemoryDraft>, Error> + Send + Sync,
    ) -> Result<Option<(MemoryEntry, bool)>, Error> {
        let _held = self.tenants.enter(&scope.tenant, 0)?;
        for tried in 0..TRIES {
            let there = self.get(scope, at.clone()).await?;
            let Some(mut draft) = make(there.as_ref())? else { return Ok(None) };
            let had = there.as_ref().map(weight_there);
            let place = self.tenants.enter_to_put(&scope.tenant, weight(&draft), had)?;
            let says_else = there.as_ref().is_none_or(|there| there.text != draft.text);
            let lacks = says_else && self.embed(&mut draft).await;
            let when = there.as_ref().map_or(When::Absent, |there| When::Revision(there.revision));
            if let Ok(put) = self.put(&place, scope, draft, when).await? {
                self.embed_later(lacks, put.0.id);
                return Ok(Some(put));
            }
            drop(place);
            self.wait_a_little(tried).await;
        }
        Err(changes_too_fast())
    }

    /// Waits before something is tried again that others change, too: not at first.
    pub(crate) async fn wait_a_little(&self, tried: u32) {
        if tried >= 2 {
            let mut seed = [0; 8];
            self.entropy.fill(&mut seed);
            let (first, longest) = (Duration::from_millis(1), Duration::from_millis(50));
            tokio::time::sleep(retry_after(tried - 1, first, longest, u64::from_le_bytes(seed))).await;
        }
    }

    /// Begins a request that puts so many bytes where perhaps something is, in its place or behind it. Only who has no room for more waits for what is there: it may still be changed.
    pub(crate) async fn enter_to_put(
        &self,
        scope: &MemoryScope,
        at: impl FnOnce() -> MemoryPlace,
        bytes: usize,
        grows: bool,
    ) -> Result<Place, Error> {
        let place = self.tenants.enter(&scope.tenant, kib(bytes))?;
        if let Err(full) = self.tenants.room(&place, bytes, None) {
            let there = self.get(scope, at()).await?.ok_or(full)?;
            let had = if grows { 0 } else { weight_there(&there) };
            self.tenants.room(&place, bytes, Some(had))?;
        }
        Ok(place)
    }

    /// Begins to read for a tenant.
    pub(crate) fn reading(&self, tenant: &TenantId) -> Result<Place, Error> {
        self.tenants.enter(tenant, 0)
    }
}

async fn within<T>(
    within: Duration,
    call: impl Future<Output = Result<T, MemoryStoreError>>,
) -> Result<T, MemoryStoreError> {
    timeout(within, call).await.unwrap_or_else(|_| {
        Err(MemoryStoreError::Unavailable(format!("no answer within {} seconds", within.as_secs())))
    })
}

/// Returns how many bytes an entry takes: its text and its body, as a store counts them.
pub(crate) fn weight(draft: &MemoryDraft) -> usize {
    draft.body.len() + draft.text.as_ref().map_or(0, String::len)
}

/// The same of an entry that is there.
fn weight_there(entry: &MemoryEntry) -> usize {
    entry.body.len() + entry.text.as_ref().map_or(0, String::len)
}

/// Returns the place of a list in an order by time.
pub(crate) fn after(after: Option<&After>) -> Option<MemoryAfter> {
    after.map(|after| MemoryAfter::At(after.at, after.id))
}

/// An answer that does not say whether it was done.
pub(crate) fn unknown() -> Error {
    Error::unavailable("memory was interrupted; whether it was written is not known. Try again")
        .retry_after(Duration::from_secs(1))
}

/// What is told where the store has not answered a write.
fn not_answered() -> Error {
    let message =
        "the memory's store is away; whether it was written is not known. Look before you write it again";
    Error::unavailable(message).retry_after(Duration::from_secs(1))
}

/// What is told who never has the last word.
pub(crate) fn changes_too_fast() -> Error {
    let message = "others change this so fast that it could not be done, and it was not; try again";
    Error::new(ErrorCode::Overloaded, message).retry_after(Duration::from_millis(100))
}
