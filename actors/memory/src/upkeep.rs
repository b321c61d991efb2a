//! How much there is, and how it is looked after.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use soorma_core::{
    EmbeddingStatus, Error, MemoryReceipt, MemoryStats, Owner, ReceiptLine, StatsLine, TenantId,
};
use soorma_ports::{Erased, MemoryTally, Upkeep};

use crate::memories::Memories;

/// Does something when it is dropped: also where what comes before fails halfway.
struct Afterwards<F: FnMut()>(F);

impl<F: FnMut()> Drop for Afterwards<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[async_trait]
impl Upkeep for Memories {
    async fn stats(&self, tenant: &TenantId, owner: Option<&Owner>) -> Result<MemoryStats, Error> {
        let shared = &self.shared;
        let _held = shared.reading(tenant)?;
        let generation = shared.embedding.as_ref().map(|embedding| embedding.generation());
        let counts = shared.ask(shared.store.count(tenant, owner, generation)).await?;
        let embedding = shared.embedding.as_ref().map(|embedding| EmbeddingStatus {
            generation: embedding.generation().to_string(),
            texts: counts.iter().map(|count| count.texts).sum(),
            embedded: counts.iter().map(|count| count.embedded).sum(),
            available: !embedding.is_away(),
        });
        let kinds = counts.into_iter().map(|count| StatsLine {
            kind: count.kind,
            entries: count.entries,
            public: count.public,
            bytes: count.bytes,
            texts: count.texts,
            embedded: count.embedded,
        });
        Ok(MemoryStats {
            tenant_id: tenant.clone(),
            service_tenant_id: owner.map(|owner| owner.service_tenant().to_owned()),
            user_id: owner.map(|owner| owner.user().to_owned()),
            kinds: kinds.collect(),
            embedding,
        })
    }

    async fn erase(&self, tenant: &TenantId, whose: &Erased) -> Result<MemoryReceipt, Error> {
        let shared = &self.shared;
        let held = shared.reading(tenant)?;
        let (of, tenant_of, whose_of) = (Arc::clone(shared), tenant.clone(), whose.clone());
        let lines = self
            .errands
            .have_done(async move {
                let _held = held;
                // Whether or not it is known that all is gone: nothing of it is to be answered from here.
                let _after = Afterwards(|| {
                    of.questions.forget(&tenant_of);
                    of.tenants.count_again(&tenant_of);
                    of.watches.changed_in(&tenant_of);
                });
                of.ask_for_all(of.store.erase(&tenant_of, &whose_of)).await
            })
            .await?;
        let (service_tenant_id, user_id) = match whose {
            Erased::Owner(owner) => (Some(owner.service_tenant().to_owned()), Some(owner.user().to_owned())),
            Erased::ServiceTenant(service_tenant) => (Some(service_tenant.clone()), None),
            Erased::Tenant => (None, None),
        };
        let receipt = MemoryReceipt {
            tenant_id: tenant.clone(),
            service_tenant_id,
            user_id,
            entries: lines.iter().map(|line| line.entries).sum(),
            vectors: lines.iter().map(|line| line.vectors).sum(),
            kinds: lines
                .into_iter()
                .map(|line| ReceiptLine { kind: line.kind, entries: line.entries, vectors: line.vectors })
                .collect(),
            erased_at: shared.now(),
        };
        tracing::info!(%tenant, entries = receipt.entries, vectors = receipt.vectors, "memory is erased");
        Ok(receipt)
    }

    async fn reembed(&self, tenant: &TenantId) -> Result<u64, Error> {
        let shared = &self.shared;
        let held = shared.reading(tenant)?;
        if shared.embedding.is_none() {
            let message = "this node has no embedder to make vectors anew; set models.embedder";
            return Err(Error::invalid(message));
        }
        let (of, tenant) = (Arc::clone(shared), tenant.clone());
        self.errands
            .have_done(async move {
                let _held = held;
                let _after = Afterwards(|| of.lacking.add_all());
                // Of all generations: also what former models have left goes.
                of.ask_for_all(of.store.drop_vectors(Some(&tenant), None)).await
            })
            .await
    }

    fn tally(&self) -> MemoryTally {
        let embedding = self.shared.embedding.as_ref();
        MemoryTally {
            embedded: embedding.map_or(0, |embedding| embedding.embedded()),
            deferred: self.shared.deferred.load(Ordering::Relaxed),
            without_meaning: self.shared.without_meaning.load(Ordering::Relaxed),
            expired: self.shared.expired.load(Ordering::Relaxed),
            embedder_away: embedding.is_some_and(|embedding| embedding.is_away()),
        }
    }

    async fn check_memory(&self) -> Result<(), Error> {
        self.shared.ask(self.shared.store.check()).await
    }
}
