//! The rows, and the one sequence in which they changed.
//!
//! An agent stands in it at two places: where its record was said, and where it was last heard. So one who pages finds the record at its place
//! however often the agent is heard meanwhile, and never a sign of life of an agent whose record he has not got.

use std::collections::BTreeMap;
use std::ops::Bound;

use soorma_core::{AgentRecord, EventDefinition, Name, PayloadSchema, SchemaVersion, TenantId, Timestamp};
use soorma_ports::{
    ReadFrom, Refused, RegistryAct, RegistryChange, RegistryPage, RegistryRow, RegistryStoreError,
    RegistryWrite, Standing, Written,
};

type Key = (TenantId, Name);

#[derive(Debug, Default)]
pub(super) struct State {
    revision: u64,
    /// Up to where something may be missing.
    forgotten: u64,
    agents: BTreeMap<Key, Agent>,
    removed: BTreeMap<Key, Removed>,
    events: BTreeMap<Key, (u64, EventDefinition)>,
    schemas: BTreeMap<(TenantId, Name, SchemaVersion), PayloadSchema>,
    order: BTreeMap<u64, Place>,
}

#[derive(Debug)]
struct Agent {
    record: AgentRecord,
    standing: Standing,
    registered_at: Timestamp,
    heard_at: Timestamp,
    /// The revision at which its record was said.
    said: u64,
    revision: u64,
    /// Whether its record cannot be read.
    is_damaged: bool,
}

#[derive(Debug)]
struct Removed {
    at: Timestamp,
    revision: u64,
}

/// What stands at a place of the sequence.
#[derive(Debug, Clone)]
enum Place {
    Said(Key),
    Heard(Key),
    Removed(Key),
    Event(Key),
    Schema(TenantId, Name, SchemaVersion),
}

impl State {
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn write(&mut self, write: RegistryWrite) -> Result<Written, Refused> {
        let RegistryWrite { tenant, at, what } = write;
        match what {
            RegistryAct::PutAgent { agent, standing } => Ok(self.put_agent(tenant, agent, standing, at)),
            RegistryAct::Hear { agent, standing } => self.hear((tenant, agent), standing, at),
            RegistryAct::RemoveAgent { agent, unless_heard_after } => {
                self.remove((tenant, agent), unless_heard_after, at)
            }
            RegistryAct::PutEvent(event) => Ok(self.put_event(tenant, event)),
            RegistryAct::PutSchema(schema) => {
                self.put_schema(tenant, PayloadSchema { created_at: at, ..schema })
            }
        }
    }

    /// Gives something the next place.
    fn place(&mut self, place: Place) -> u64 {
        self.revision += 1;
        self.order.insert(self.revision, place);
        self.revision
    }

    fn put_agent(
        &mut self,
        tenant: TenantId,
        record: AgentRecord,
        standing: Standing,
        at: Timestamp,
    ) -> Written {
        let key = (tenant, record.id.clone());
        let revision = self.place(Place::Said(key.clone()));
        if let Some(removed) = self.removed.remove(&key) {
            self.order.remove(&removed.revision);
        }
        let before = self.agents.remove(&key);
        let registered_at = before.as_ref().map_or(at, |before| before.registered_at);
        if let Some(before) = &before {
            self.order.remove(&before.said);
            self.order.remove(&before.revision);
        }
        let (said, is_damaged) = (revision, false);
        let agent = Agent { record, standing, registered_at, heard_at: at, said, revision, is_damaged };
        self.agents.insert(key, agent);
        Written { revision, made: before.is_none() }
    }

    fn hear(&mut self, key: Key, standing: Option<Standing>, at: Timestamp) -> Result<Written, Refused> {
        let agent = self.agents.get(&key).ok_or(Refused::NotFound)?;
        let (said, before) = (agent.said, agent.revision);
        let is_news =
            at > agent.heard_at || standing.as_ref().is_some_and(|standing| *standing != agent.standing);
        if !is_news {
            return Ok(Written { revision: before, made: false });
        }
        if before != said {
            self.order.remove(&before);
        }
        let revision = self.place(Place::Heard(key.clone()));
        let agent = self.agents.get_mut(&key).ok_or(Refused::NotFound)?;
        agent.revision = revision;
        agent.heard_at = agent.heard_at.max(at);
        if let Some(standing) = standing {
            agent.standing = standing;
        }
        Ok(Written { revision, made: false })
    }

    fn remove(
        &mut self,
        key: Key,
        unless_heard_after: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Written, Refused> {
        let agent = self.agents.get(&key).ok_or(Refused::NotFound)?;
        if unless_heard_after.is_some_and(|limit| agent.heard_at > limit) {
            return Err(Refused::Conflict);
        }
        let (said, before) = (agent.said, agent.revision);
        self.order.remove(&said);
        self.order.remove(&before);
        self.agents.remove(&key);
        let revision = self.place(Place::Removed(key.clone()));
        self.removed.insert(key, Removed { at, revision });
        Ok(Written { revision, made: false })
    }

    fn put_event(&mut self, tenant: TenantId, mut event: EventDefinition) -> Written {
        let key = (tenant, event.name.clone());
        let revision = self.place(Place::Event(key.clone()));
        let before = self.events.remove(&key);
        if let Some((place, before)) = &before {
            self.order.remove(place);
            event.topic = before.topic;
        }
        self.events.insert(key, (revision, event));
        Written { revision, made: before.is_none() }
    }

    fn put_schema(&mut self, tenant: TenantId, schema: PayloadSchema) -> Result<Written, Refused> {
        let key = (tenant, schema.name.clone(), schema.version.clone());
        if self.schemas.contains_key(&key) {
            return Err(Refused::AlreadyExists);
        }
        let revision = self.place(Place::Schema(key.0.clone(), key.1.clone(), key.2.clone()));
        self.schemas.insert(key, schema);
        Ok(Written { revision, made: true })
    }

    pub(super) fn forget(&mut self, removed_before: Timestamp) -> u64 {
        let mut count = 0;
        let Self { removed, order, forgotten, .. } = self;
        removed.retain(|_, one| {
            let stays = one.at >= removed_before;
            if !stays {
                order.remove(&one.revision);
                *forgotten = one.revision.max(*forgotten);
                count += 1;
            }
            stays
        });
        count
    }

    pub(super) fn damage(&mut self, tenant: &TenantId, agent: &Name) {
        if let Some(agent) = self.agents.get_mut(&(tenant.clone(), agent.clone())) {
            agent.is_damaged = true;
        }
    }

    pub(super) fn changes(&self, from: ReadFrom, limit: usize) -> Result<RegistryPage, RegistryStoreError> {
        let began = from.admit(self.revision, self.forgotten)?;
        let after = from.after;
        let mut page = RegistryPage { changes: Vec::new(), upto: after, more: false, began };
        for (read, (revision, place)) in
            self.order.range((Bound::Excluded(after), Bound::Unbounded)).enumerate()
        {
            if read >= limit {
                page.more = true;
                return Ok(page);
            }
            page.upto = *revision;
            page.changes.extend(self.change(*revision, place, after));
        }
        page.upto = self.revision;
        Ok(page)
    }

    /// What is told of a place to one who asks after a revision.
    fn change(&self, revision: u64, place: &Place, after: u64) -> Option<RegistryChange> {
        let (tenant, row) = match place {
            Place::Said(key) => {
                let Agent { record, standing, registered_at, heard_at, is_damaged, .. } =
                    self.agents.get(key)?;
                if *is_damaged {
                    return None;
                }
                let (agent, standing) = (Box::new(record.clone()), standing.clone());
                let (registered_at, heard_at) = (*registered_at, *heard_at);
                (&key.0, RegistryRow::Agent { agent, standing, registered_at, heard_at })
            }
            Place::Heard(key) => {
                let Agent { standing, heard_at, said, .. } = self.agents.get(key)?;
                // Else it stands before in this page, as it is now.
                let is_known = *said <= after;
                let heard = RegistryRow::Heard {
                    agent: key.1.clone(),
                    standing: standing.clone(),
                    heard_at: *heard_at,
                };
                (&key.0, is_known.then_some(heard)?)
            }
            Place::Removed(key) => {
                (&key.0, (after > 0).then(|| RegistryRow::Removed { agent: key.1.clone() })?)
            }
            Place::Event(key) => (&key.0, RegistryRow::Event(Box::new(self.events.get(key)?.1.clone()))),
            Place::Schema(tenant, name, version) => {
                let key = (tenant.clone(), name.clone(), version.clone());
                (tenant, RegistryRow::Schema(Box::new(self.schemas.get(&key)?.clone())))
            }
        };
        Some(RegistryChange { revision, tenant: tenant.clone(), row })
    }
}
