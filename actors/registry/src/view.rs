//! What is registered, as this process has read it from the store. Only the follower changes it.
//!
//! Each tenant has locks of its own, and none is held while anybody waits. A sign of life takes no lock that readers wait for.

pub(crate) mod agents;
pub(crate) mod definitions;
pub(crate) mod place;
pub(crate) mod row;
mod scan;
#[cfg(test)]
mod tests;
mod words;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dashmap::DashMap;
use soorma_core::{AgentRecord, Error, Name, TenantId, Timestamp};
use soorma_ports::{AgentPage, AgentQuery, RegistryChange, RegistryRow, Standing};

use crate::meaning::{Candidate, Turns};
use crate::view::agents::Agents;
use crate::view::definitions::Definitions;
use crate::view::row::{Moment, Row};
use crate::view::scan::{Kept, Piece, Scan};
use crate::weight::{of_event, of_schema, of_standing};

/// How much one reader looks at before others may change it, and before others have this thread: well below a millisecond.
const PIECE: Piece = Piece { rows: 1_000, bytes: 2 * 1_024 * 1_024 };

#[derive(Debug, Default)]
pub(crate) struct View {
    tenants: DashMap<TenantId, Arc<Tenant>>,
    agents: AtomicUsize,
    /// How much room all of it takes.
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
pub(crate) struct Tenant {
    agents: RwLock<Agents>,
    definitions: RwLock<Definitions>,
    /// How much room both take.
    bytes: AtomicUsize,
    /// Who has vectors made of the agents.
    pub(crate) turns: Turns,
}

impl Tenant {
    pub(crate) fn agents(&self) -> RwLockReadGuard<'_, Agents> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn definitions(&self) -> RwLockReadGuard<'_, Definitions> {
        self.definitions.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn agents_mut(&self) -> RwLockWriteGuard<'_, Agents> {
        self.agents.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn definitions_mut(&self) -> RwLockWriteGuard<'_, Definitions> {
        self.definitions.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn agent(&self, id: &Name) -> Option<Arc<Row>> {
        self.agents().get(id.as_str()).cloned()
    }

    /// Finds the agents that fit a query.
    pub(crate) async fn find(&self, query: &AgentQuery, now: Moment) -> Result<AgentPage, Error> {
        let (agents, more) = self.scan(query, now).await?;
        Ok(AgentPage { agents, more })
    }

    /// Finds them with their rows; says whether there are more than the query has room for.
    pub(crate) async fn candidates(
        &self,
        query: &AgentQuery,
        now: Moment,
    ) -> Result<(Vec<Candidate>, bool), Error> {
        self.scan(query, now).await
    }

    async fn scan<K: Kept>(&self, query: &AgentQuery, now: Moment) -> Result<(Vec<K>, bool), Error> {
        let mut scan = Scan::new(query, now)?;
        while !scan.go_on(&self.agents(), &self.definitions(), PIECE) {
            // However much a tenant has, and whatever it asks: others are answered meanwhile.
            tokio::task::yield_now().await;
        }
        Ok(scan.found())
    }

    /// Returns about how many bytes all that is registered takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn is_empty(&self) -> bool {
        self.agents().len() == 0 && self.definitions().is_empty()
    }
}

impl View {
    pub(crate) fn tenant(&self, tenant: &TenantId) -> Option<Arc<Tenant>> {
        self.tenants.get(tenant).map(|tenant| Arc::clone(&tenant))
    }

    /// Returns how many agents all tenants have.
    pub(crate) fn agents(&self) -> usize {
        self.agents.load(Ordering::Relaxed)
    }

    /// Returns about how many bytes all that is registered in all tenants takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Shows all agents of all tenants, tenant by tenant.
    pub(crate) fn each_agent(&self, mut show: impl FnMut(&Arc<Row>)) {
        let tenants: Vec<_> = self.tenants.iter().map(|tenant| Arc::clone(&tenant)).collect();
        for tenant in tenants {
            let rows: Vec<_> = tenant.agents().all().iter().map(Arc::clone).collect();
            rows.iter().for_each(&mut show);
        }
    }

    /// Takes over from a view of before what the store does not know.
    pub(crate) fn remember(&self, before: &Self) {
        before.each_agent(|old| {
            let row = self.tenant(&old.tenant).and_then(|tenant| tenant.agent(&old.record().id));
            let Some(row) = row else { return };
            row.life().heard_here = old.life().heard_here;
            if row.record() == old.record() {
                let vector = old.life().vector.clone();
                row.life().vector = vector;
            }
        });
    }

    /// Makes a change; returns the agent whose lease is to be looked at anew. The same change again changes nothing.
    pub(crate) fn apply(&self, change: RegistryChange) -> Option<Arc<Row>> {
        let RegistryChange { revision, tenant: id, row } = change;
        match row {
            RegistryRow::Agent { agent, standing, registered_at, heard_at } => {
                let tenant = self.tenant_or_new(&id);
                self.put_agent(&tenant, Row::new(id, tightened(*agent), standing, registered_at, heard_at))
            }
            RegistryRow::Heard { agent, standing, heard_at } => {
                let tenant = self.tenant(&id);
                let row = tenant.as_ref().and_then(|tenant| tenant.agent(&agent));
                let Some((tenant, row)) = tenant.zip(row) else {
                    tracing::debug!(tenant = %id, %agent, "an agent was heard that could not be read before");
                    return None;
                };
                self.heard(&tenant, &row, standing, heard_at).then_some(row)
            }
            RegistryRow::Removed { agent } => {
                self.remove_agent(&id, &agent);
                None
            }
            RegistryRow::Event(event) => {
                let (tenant, bytes) = (self.tenant_or_new(&id), of_event(&event));
                let before = tenant.definitions_mut().put_event(*event);
                self.weigh(&tenant, before.map_or(0, |before| of_event(&before)), bytes);
                None
            }
            RegistryRow::Schema(schema) => {
                let (tenant, bytes) = (self.tenant_or_new(&id), of_schema(&schema));
                if tenant.definitions_mut().put_schema(*schema, revision) {
                    self.weigh(&tenant, 0, bytes);
                }
                None
            }
        }
    }

    fn put_agent(&self, tenant: &Tenant, row: Row) -> Option<Arc<Row>> {
        let id = &row.record().id;
        let known = tenant.agent(id);
        if let Some(known) = &known
            && known.record() == row.record()
        {
            let (standing, registered_at, heard_at) = {
                let life = row.life();
                (life.standing.clone(), life.registered_at, life.heard_at)
            };
            known.life().registered_at = registered_at;
            return self.heard(tenant, known, standing, heard_at).then(|| Arc::clone(known));
        }
        if let Some(known) = &known {
            let mut old = known.life();
            old.leave();
            row.life().heard_here = old.heard_here;
        }
        self.weigh(tenant, known.as_ref().map_or(0, |known| known.whole_bytes()), row.whole_bytes());
        let row = Arc::new(row);
        // What was in its place is dropped after the lock.
        let _old = tenant.agents_mut().put(&row);
        if known.is_none() {
            self.agents.fetch_add(1, Ordering::Relaxed);
        }
        Some(row)
    }

    fn remove_agent(&self, id: &TenantId, agent: &Name) {
        let Some(tenant) = self.tenant(id) else { return };
        let removed = tenant.agents_mut().remove(agent.as_str());
        let Some(row) = removed else { return };
        row.life().leave();
        self.agents.fetch_sub(1, Ordering::Relaxed);
        self.weigh(&tenant, row.whole_bytes(), 0);
        if tenant.is_empty() {
            self.tenants.remove(id);
        }
    }

    /// Notes a sign of life; says whether the lease is to be looked at anew, since it was said that it has run out.
    fn heard(&self, tenant: &Tenant, row: &Row, standing: Standing, heard_at: Timestamp) -> bool {
        let mut life = row.life();
        self.weigh(tenant, of_standing(&life.standing), of_standing(&standing));
        life.standing = standing;
        let later = heard_at > life.heard_at;
        life.heard_at = heard_at;
        later && std::mem::take(&mut life.announced)
    }

    /// Notes that something takes more or less room than before.
    fn weigh(&self, tenant: &Tenant, before: usize, after: usize) {
        for bytes in [&tenant.bytes, &self.bytes] {
            // Beyond the end it goes on at zero: so less is taken away.
            bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    fn tenant_or_new(&self, id: &TenantId) -> Arc<Tenant> {
        match self.tenant(id) {
            Some(tenant) => tenant,
            None => Arc::clone(&self.tenants.entry(id.clone()).or_default()),
        }
    }
}

/// Gives back the room that lists keep for more than they will ever have.
fn tightened(mut record: AgentRecord) -> AgentRecord {
    record.description.shrink_to_fit();
    record.consumes.shrink_to_fit();
    record.produces.shrink_to_fit();
    for capability in &mut record.capabilities {
        capability.description.shrink_to_fit();
        capability.produces.shrink_to_fit();
    }
    record.capabilities.shrink_to_fit();
    record
}
