//! The random work finds what is wrong with a store: each fault that is planted is found.

use std::sync::Arc;

use async_trait::async_trait;
use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    Erased, Generation, KindCount, KindErased, MemoryAct, MemoryAfter, MemoryDone, MemoryEntry, MemoryOrder,
    MemoryPage, MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore, MemoryStoreError, MemoryWrite,
    NewVector, RankQuery, Ranks, Seen, Unembedded, When,
};
use soorma_testkit::MapMemory;
use soorma_testkit::contract::memory_store::MemoryStoreHarness;
use uuid::Uuid;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    ExpiresAMomentLate,
    ForgetsLabelsOfAFilter,
    PutsWhateverIsThere,
    RemovesWhateverRevision,
    LeavesOutTheLastOfAPage,
    SkipsTiesInPages,
    ListsOnlyPrivateEntries,
    MixesGenerations,
    FiltersAfterTheDepth,
    KeepsNoVectorOfADraft,
    AddsVectorsToTheTenantThatIsNamedFirst,
    TellsOfVectorsThatAreThere,
    CountsTheTenantForAnOwner,
    ErasesTheTenantForAnOwner,
    ForgetsToExpire,
    TakesWordsForOne,
    LosesWhatIsReopened,
    TellsOfStatesInNoOrder,
}

/// A store with a fault, or the one that has none.
#[derive(Debug)]
struct Twisted {
    inner: Arc<MapMemory>,
    fault: Option<Fault>,
}

impl Twisted {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

#[async_trait]
impl MemoryStore for Twisted {
    async fn write(
        &self,
        mut writes: Vec<MemoryWrite>,
    ) -> Result<Vec<Result<MemoryDone, MemoryRefused>>, MemoryStoreError> {
        for write in &mut writes {
            match &mut write.act {
                MemoryAct::Put { when, .. } if self.has(Fault::PutsWhateverIsThere) => *when = When::Any,
                MemoryAct::Put { draft, .. } if self.has(Fault::KeepsNoVectorOfADraft) => draft.vector = None,
                MemoryAct::Remove { revision, .. } if self.has(Fault::RemovesWhateverRevision) => {
                    *revision = None
                }
                _ => {}
            }
        }
        self.inner.write(writes).await
    }

    async fn get(
        &self,
        scope: &MemoryScope,
        mut now: Timestamp,
        places: &[MemoryPlace],
    ) -> Result<Vec<Option<MemoryEntry>>, MemoryStoreError> {
        if self.has(Fault::ExpiresAMomentLate) {
            now = Timestamp::from_micros(now.micros() - 1);
        }
        self.inner.get(scope, now, places).await
    }

    async fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError> {
        let mut query = query.clone();
        if self.has(Fault::ForgetsLabelsOfAFilter) {
            query.filter.labels.truncate(1);
        }
        if self.has(Fault::ListsOnlyPrivateEntries) && query.filter.reach == Seen::Both {
            query.filter.reach = Seen::Private;
        }
        if let (true, Some(MemoryAfter::At(_, id))) = (self.has(Fault::SkipsTiesInPages), &mut query.after) {
            *id = if query.order == MemoryOrder::Oldest { Uuid::max() } else { Uuid::nil() };
        }
        let mut page = self.inner.list(scope, now, &query).await?;
        if self.has(Fault::LeavesOutTheLastOfAPage) && !page.more {
            page.entries.pop();
        }
        Ok(page)
    }

    async fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        place: (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u64)>, MemoryStoreError> {
        let mut states = self.inner.states(scope, now, place, after, limit).await?;
        if self.has(Fault::TellsOfStatesInNoOrder) {
            states.reverse();
        }
        Ok(states)
    }

    async fn rank(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &RankQuery,
    ) -> Result<Ranks, MemoryStoreError> {
        let mut query = query.clone();
        if let (true, Some(meaning)) = (self.has(Fault::MixesGenerations), &mut query.meaning) {
            meaning.generation = "a/4".parse().unwrap();
        }
        if let (true, Some(words)) = (self.has(Fault::TakesWordsForOne), &mut query.words) {
            words.retain(|letter| !letter.is_whitespace());
        }
        if !self.has(Fault::FiltersAfterTheDepth) {
            return self.inner.rank(scope, now, &query).await;
        }
        let whole = query.filter.clone();
        query.filter.kind = None;
        let ranks = self.inner.rank(scope, now, &query).await?;
        query.filter = whole;
        query.depth = 100_000;
        let fit = self.inner.rank(scope, now, &query).await?;
        let kept = |list: Vec<(Uuid, f32)>, of: &[(Uuid, f32)]| {
            list.into_iter().filter(|(id, _)| of.iter().any(|(other, _)| other == id)).collect()
        };
        let time = ranks.time.into_iter().filter(|id| fit.time.contains(id)).collect();
        Ok(Ranks { meaning: kept(ranks.meaning, &fit.meaning), words: kept(ranks.words, &fit.words), time })
    }

    async fn put_vectors(
        &self,
        generation: &Generation,
        mut vectors: Vec<NewVector>,
    ) -> Result<u64, MemoryStoreError> {
        if let (true, Some(first)) =
            (self.has(Fault::AddsVectorsToTheTenantThatIsNamedFirst), vectors.first().cloned())
        {
            vectors.iter_mut().for_each(|vector| vector.tenant = first.tenant.clone());
        }
        self.inner.put_vectors(generation, vectors).await
    }

    async fn unembedded(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Unembedded>, MemoryStoreError> {
        let of = if self.has(Fault::TellsOfVectorsThatAreThere) {
            "nobody/1".parse().unwrap()
        } else {
            generation.clone()
        };
        self.inner.unembedded(&of, after, limit).await
    }

    async fn drop_vectors(
        &self,
        tenant: Option<&TenantId>,
        but: Option<&Generation>,
    ) -> Result<u64, MemoryStoreError> {
        self.inner.drop_vectors(tenant, but).await
    }

    async fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Result<Vec<KindCount>, MemoryStoreError> {
        let owner = owner.filter(|_| !self.has(Fault::CountsTheTenantForAnOwner));
        self.inner.count(tenant, owner, generation).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<u64, MemoryStoreError> {
        if self.has(Fault::ForgetsToExpire) {
            return Ok(0);
        }
        self.inner.expire(now, limit).await
    }

    async fn retire(
        &self,
        kind: &MemoryKind,
        before: Timestamp,
        limit: usize,
    ) -> Result<u64, MemoryStoreError> {
        self.inner.retire(kind, before, limit).await
    }

    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<Vec<KindErased>, MemoryStoreError> {
        let whose = if self.has(Fault::ErasesTheTenantForAnOwner) { &Erased::Tenant } else { whose };
        self.inner.erase(tenant, whose).await
    }

    async fn check(&self) -> Result<(), MemoryStoreError> {
        self.inner.check().await
    }
}

/// A world whose store has the fault of this number.
struct World<const FAULT: usize>(Arc<MapMemory>);

const FAULTS: [Fault; 18] = [
    Fault::ExpiresAMomentLate,
    Fault::ForgetsLabelsOfAFilter,
    Fault::PutsWhateverIsThere,
    Fault::RemovesWhateverRevision,
    Fault::LeavesOutTheLastOfAPage,
    Fault::SkipsTiesInPages,
    Fault::ListsOnlyPrivateEntries,
    Fault::MixesGenerations,
    Fault::FiltersAfterTheDepth,
    Fault::KeepsNoVectorOfADraft,
    Fault::AddsVectorsToTheTenantThatIsNamedFirst,
    Fault::TellsOfVectorsThatAreThere,
    Fault::CountsTheTenantForAnOwner,
    Fault::ErasesTheTenantForAnOwner,
    Fault::ForgetsToExpire,
    Fault::TakesWordsForOne,
    Fault::LosesWhatIsReopened,
    Fault::TellsOfStatesInNoOrder,
];

impl<const FAULT: usize> MemoryStoreHarness for World<FAULT> {
    async fn fresh() -> Self {
        Self(MapMemory::new())
    }

    fn store(&self) -> Arc<dyn MemoryStore> {
        Arc::new(Twisted { inner: self.0.clone(), fault: FAULTS.get(FAULT).copied() })
    }

    async fn second(&self) -> Option<Arc<dyn MemoryStore>> {
        None
    }

    async fn reopen(self) -> Self {
        let loses = FAULTS.get(FAULT) == Some(&Fault::LosesWhatIsReopened);
        if loses { Self(MapMemory::new()) } else { self }
    }

    async fn damage_vectors(&self, id: Uuid) {
        self.0.damage_vectors(&soorma_testkit::tenant("acme"), id);
    }
}

/// How much work is done; a fault is found in it, and where there is none it is passed.
const CASES: u32 = 500;

fn is_found<const FAULT: usize>() {
    let found = std::panic::catch_unwind(|| {
        soorma_testkit::memory_differential::compare::<World<FAULT>>(1, CASES);
    });
    let why = found.expect_err("it is found");
    let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(why.starts_with("seed 1: "), "{why}");
}

#[test]
fn random_work_finds_no_fault_where_there_is_none() {
    soorma_testkit::memory_differential::compare::<World<{ usize::MAX }>>(1, CASES);
}

macro_rules! found {
    ($($name:ident = $fault:literal),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                is_found::<$fault>();
            }
        )*

        #[test]
        fn each_planted_fault_is_looked_for() {
            assert_eq!([$($fault),*], std::array::from_fn::<usize, { FAULTS.len() }, _>(|nth| nth));
        }
    };
}

found! {
    a_store_that_expires_a_moment_late_is_told = 0,
    a_store_that_forgets_labels_of_a_filter_is_told = 1,
    a_store_that_puts_whatever_is_there_is_told = 2,
    a_store_that_removes_whatever_revision_is_told = 3,
    a_store_that_leaves_out_the_last_of_a_page_is_told = 4,
    a_store_that_skips_ties_in_pages_is_told = 5,
    a_store_that_lists_only_private_entries_is_told = 6,
    a_store_that_mixes_generations_is_told = 7,
    a_store_that_filters_after_the_depth_is_told = 8,
    a_store_that_keeps_no_vector_of_a_draft_is_told = 9,
    a_store_that_adds_vectors_to_another_tenant_is_told = 10,
    a_store_that_tells_of_vectors_that_are_there_is_told = 11,
    a_store_that_counts_the_tenant_for_an_owner_is_told = 12,
    a_store_that_erases_the_tenant_for_an_owner_is_told = 13,
    a_store_that_forgets_to_expire_is_told = 14,
    a_store_that_takes_words_for_one_is_told = 15,
    a_store_that_loses_what_is_reopened_is_told = 16,
    a_store_that_tells_of_states_in_no_order_is_told = 17,
}
