//! One who follows the changes of a store and keeps what it was told.

use std::collections::{BTreeMap, BTreeSet};

use soorma_core::{AgentRecord, EventDefinition, Name, PayloadSchema, SchemaVersion, TenantId, Timestamp};
use soorma_ports::{
    ReadFrom, RegistryChange, RegistryPage, RegistryRow, RegistryStore, RegistryStoreError, Standing,
};

/// Which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Agent(TenantId, Name),
    Event(TenantId, Name),
    Schema(TenantId, Name, SchemaVersion),
}

/// An agent, as far as is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agent {
    pub(crate) record: AgentRecord,
    pub(crate) standing: Standing,
    pub(crate) registered_at: Timestamp,
    pub(crate) heard_at: Timestamp,
}

/// A row, without its revision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Row {
    Agent(Agent),
    Event(EventDefinition),
    Schema(PayloadSchema),
}

/// What is known up to a revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Follower {
    pub(crate) upto: u64,
    began: u64,
    pub(crate) rows: BTreeMap<Key, Row>,
}

impl Follower {
    /// Reads all that a store has, in pages.
    pub(crate) async fn from_zero(store: &dyn RegistryStore, limit: usize) -> Self {
        let mut follower = Self::default();
        follower.follow(store, limit).await.unwrap();
        follower
    }

    /// Goes on to the end.
    pub(crate) async fn follow(
        &mut self,
        store: &dyn RegistryStore,
        limit: usize,
    ) -> Result<(), RegistryStoreError> {
        while self.page(store, limit).await? {}
        Ok(())
    }

    /// Goes on by a page; says whether there is more.
    pub(crate) async fn page(
        &mut self,
        store: &dyn RegistryStore,
        limit: usize,
    ) -> Result<bool, RegistryStoreError> {
        let from = ReadFrom { after: self.upto, began: self.began };
        let page = store.changes(from, limit).await?;
        assert!(page.changes.len() <= limit, "{} changes", page.changes.len());
        assert!(!page.more || page.upto > self.upto, "a page moves on until the end: {page:?}");
        let more = page.more;
        self.take(page);
        Ok(more)
    }

    pub(crate) fn take(&mut self, page: RegistryPage) {
        let (begins, mut last, mut seen) = (self.upto == 0, self.upto, BTreeSet::new());
        assert!(page.upto >= self.upto, "not below what was asked after");
        for RegistryChange { revision, tenant, row } in page.changes {
            assert!(revision > last, "in the order of revisions, and past {last}: {revision}");
            last = revision;
            let (key, row) = self.told(tenant, row, begins);
            assert!(seen.insert(key.clone()), "once in a page: {key:?}");
            match row {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        assert!(page.upto >= last, "a page goes up to its last change at least");
        (self.upto, self.began) = (page.upto, page.began);
    }

    fn told(&self, tenant: TenantId, row: RegistryRow, begins: bool) -> (Key, Option<Row>) {
        match row {
            RegistryRow::Agent { agent, standing, registered_at, heard_at } => {
                let key = Key::Agent(tenant, agent.id.clone());
                (key, Some(Row::Agent(Agent { record: *agent, standing, registered_at, heard_at })))
            }
            RegistryRow::Heard { agent, standing, heard_at } => {
                let key = Key::Agent(tenant, agent);
                let Some(Row::Agent(known)) = self.rows.get(&key) else {
                    panic!("a sign of life of one whose record was never told: {key:?}")
                };
                let known = Agent { standing, heard_at, ..known.clone() };
                (key, Some(Row::Agent(known)))
            }
            RegistryRow::Removed { agent } => {
                assert!(!begins, "who begins is told of {agent}, which was removed");
                (Key::Agent(tenant, agent), None)
            }
            RegistryRow::Event(event) => (Key::Event(tenant, event.name.clone()), Some(Row::Event(*event))),
            RegistryRow::Schema(schema) => {
                let key = Key::Schema(tenant, schema.name.clone(), schema.version.clone());
                (key, Some(Row::Schema(*schema)))
            }
        }
    }

    /// The agents of `acme`, by their ids.
    pub(crate) fn agents(&self) -> BTreeMap<&str, &Agent> {
        let ours = self.rows.iter().filter_map(|(key, row)| match (key, row) {
            (Key::Agent(tenant, id), Row::Agent(agent)) if tenant.as_str() == "acme" => {
                Some((id.as_str(), agent))
            }
            _ => None,
        });
        ours.collect()
    }
}
