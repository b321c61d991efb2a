//! What is asked of the registry.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soorma_core::{
    AgentRecord, Data, Error, ErrorCode, EventDefinition, Name, PayloadSchema, TenantId, Timestamp, Topic,
};
use soorma_ports::{
    AgentPage, AgentQuery, Description, Directory, Ranking, Refused, Registered, RegistryAct, Standing,
    Tally, Written,
};
use tokio::time::{Instant, timeout};

use crate::announcement;
use crate::compiler::{WITHIN, on_a_thread};
use crate::describe::describe;
use crate::limits::{bytes_for, check_record, check_standing, room_for};
use crate::payloads::listed;
use crate::registry::Registry;
use crate::schema::CompiledSchema;
use crate::view::Tenant;
use crate::view::row::Row;
use crate::weight::{of_agent, of_event, of_schema, of_standing};

/// How long the store may take to say that it is there.
const CHECK_WITHIN: Duration = Duration::from_secs(5);
/// How long a schema is that is looked at where others wait.
const SMALL: usize = 1_024;

#[async_trait]
impl Directory for Registry {
    async fn register(
        &self,
        tenant: &TenantId,
        agent: AgentRecord,
        standing: Standing,
    ) -> Result<bool, Error> {
        check_record(&agent)?;
        check_standing(&standing)?;
        let before = self.row(tenant, &agent.id)?;
        if before.is_none() {
            self.room_for_agent(tenant, &agent.id)?;
        }
        let takes = of_agent(&agent) + of_standing(&standing);
        self.room(tenant, ("agent", &agent.id), before.as_ref().map_or(0, |row| row.whole_bytes()), takes)?;
        let was_gone_since = before.and_then(|row| self.expired_since(&row));
        let (id, asked_at) = (agent.id.clone(), Instant::now());
        match self.shared.write(tenant, RegistryAct::PutAgent { agent, standing }).await? {
            Ok(written) => {
                self.is_here(tenant, &id, written, was_gone_since, asked_at)?;
                Ok(written.made)
            }
            Err(refused) => Err(surprising(refused)),
        }
    }

    async fn heartbeat(
        &self,
        tenant: &TenantId,
        agent: &Name,
        standing: Option<Standing>,
    ) -> Result<bool, Error> {
        standing.as_ref().map_or(Ok(()), check_standing)?;
        let before = self.row(tenant, agent)?;
        if let (Some(row), Some(standing)) = (&before, &standing) {
            let had = of_standing(&row.life().standing);
            self.room(tenant, ("the reason of agent", agent), had, of_standing(standing))?;
        }
        let was_gone_since = before.and_then(|row| self.expired_since(&row));
        let asked_at = Instant::now();
        match self.shared.write(tenant, RegistryAct::Hear { agent: agent.clone(), standing }).await? {
            Ok(written) => {
                self.is_here(tenant, agent, written, was_gone_since, asked_at)?;
                Ok(true)
            }
            Err(Refused::NotFound) => Ok(false),
            Err(refused) => Err(surprising(refused)),
        }
    }

    async fn deregister(&self, tenant: &TenantId, agent: &Name) -> Result<bool, Error> {
        let before = self.row(tenant, agent)?;
        let what = RegistryAct::RemoveAgent { agent: agent.clone(), unless_heard_after: None };
        match self.shared.write(tenant, what).await? {
            Ok(written) => {
                if let Some(row) = before {
                    let (now, heard_at) = (self.shared.clock.now(), row.life().heard_at);
                    let event =
                        announcement::deregistered(tenant, row.record(), now, heard_at, written.revision);
                    self.announce(tenant, event);
                }
                Ok(true)
            }
            Err(Refused::NotFound) => Ok(false),
            Err(refused) => Err(surprising(refused)),
        }
    }

    fn agent(&self, tenant: &TenantId, agent: &Name) -> Result<Option<Registered>, Error> {
        Ok(self.row(tenant, agent)?.map(|row| row.registered(self.shared.now())))
    }

    async fn agents(&self, tenant: &TenantId, query: &AgentQuery) -> Result<AgentPage, Error> {
        match self.tenant(tenant)? {
            Some(tenant) => tenant.find(query, self.shared.now()).await,
            None => Ok(AgentPage::default()),
        }
    }

    async fn rank(&self, tenant: &TenantId, query: &AgentQuery, meaning: &str) -> Result<Ranking, Error> {
        let embedder = self.meaning.asked(meaning)?;
        let tenant = self.tenant(tenant)?.unwrap_or_default();
        let most = Ranking::MAX_CANDIDATES;
        let (candidates, more) =
            tenant.candidates(&AgentQuery { limit: most, ..query.clone() }, self.shared.now()).await?;
        if more {
            return Err(Error::invalid(format!(
                "more than {most} agents fit, which are too many to rank; narrow it down by capability, event, topic, kind, status or text"
            )));
        }
        Ok(self.meaning.rank(&**embedder, &tenant.turns, candidates, (meaning, query.limit)).await)
    }

    async fn define_event(&self, tenant: &TenantId, event: EventDefinition) -> Result<bool, Error> {
        for (which, schema) in
            [("payload", &event.payload_schema), ("answer's payload", &event.response_schema)]
        {
            if let Some(schema) = schema {
                self.admit(tenant, schema, format!("the schema of the {which} of '{}'", event.name)).await?;
            }
        }
        let mut before = 0;
        if let Some(known) = self.tenant(tenant)? {
            let known = known.definitions();
            if let Some(known) = known.event(event.name.as_str()) {
                before = of_event(known);
            } else {
                let most = self.shared.config.max_events_per_tenant;
                room_for("event", &event.name, known.event_count(), most)?;
            }
        }
        self.room(tenant, ("event", &event.name), before, of_event(&event))?;
        match self.shared.write(tenant, RegistryAct::PutEvent(event)).await? {
            Ok(written) => Ok(written.made),
            Err(refused) => Err(surprising(refused)),
        }
    }

    fn event(&self, tenant: &TenantId, name: &Name) -> Result<Option<Arc<EventDefinition>>, Error> {
        Ok(self.tenant(tenant)?.and_then(|tenant| tenant.definitions().event(name.as_str()).cloned()))
    }

    fn events(
        &self,
        tenant: &TenantId,
        topic: Option<Topic>,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Arc<EventDefinition>>, Error> {
        let tenant = self.tenant(tenant)?;
        Ok(tenant
            .map(|tenant| tenant.definitions().events(topic, after.map(Name::as_str), limit))
            .unwrap_or_default())
    }

    async fn put_schema(&self, tenant: &TenantId, schema: PayloadSchema) -> Result<(), Error> {
        let called = format!("{}@{}", schema.name, schema.version);
        let exists = || {
            Error::new(ErrorCode::AlreadyExists, format!("Schema '{called}' already exists for this tenant"))
        };
        if let Some(known) = self.tenant(tenant)? {
            let known = known.definitions();
            if known.schema(schema.name.as_str(), Some(schema.version.as_str())).is_some() {
                return Err(exists());
            }
            let most = self.shared.config.max_schemas_per_tenant;
            room_for("schema", &schema.name, known.schema_count(), most)?;
        }
        self.room(tenant, ("schema", &schema.name), 0, of_schema(&schema))?;
        self.admit(tenant, &schema.schema, format!("schema '{called}'")).await?;
        match self.shared.write(tenant, RegistryAct::PutSchema(schema)).await? {
            Ok(_) => Ok(()),
            Err(Refused::AlreadyExists) => Err(exists()),
            Err(refused) => Err(surprising(refused)),
        }
    }

    fn schema(
        &self,
        tenant: &TenantId,
        name: &Name,
        version: Option<&str>,
    ) -> Result<Option<Arc<PayloadSchema>>, Error> {
        let tenant = self.tenant(tenant)?;
        Ok(tenant.and_then(|tenant| {
            tenant.definitions().schema(name.as_str(), version).map(|row| Arc::clone(&row.schema))
        }))
    }

    fn schemas(
        &self,
        tenant: &TenantId,
        owner: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Arc<PayloadSchema>>, Error> {
        let tenant = self.tenant(tenant)?;
        Ok(tenant.map(|tenant| tenant.definitions().schemas(owner, after, limit)).unwrap_or_default())
    }

    fn schema_versions(
        &self,
        tenant: &TenantId,
        name: &Name,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Arc<PayloadSchema>>, Error> {
        let tenant = self.tenant(tenant)?;
        Ok(tenant
            .map(|tenant| tenant.definitions().versions(name.as_str(), after, limit))
            .unwrap_or_default())
    }

    async fn describe(
        &self,
        tenant: &TenantId,
        agents: &[Registered],
        max_chars: usize,
    ) -> Result<Description, Error> {
        let known = self.tenant(tenant)?.unwrap_or_default();
        describe((&self.shared.compiler, &self.shared.ready), (tenant, &known), agents, max_chars).await
    }

    fn tally(&self) -> Tally {
        let agents = u64::try_from(self.shared.view_so_far().agents()).unwrap_or(u64::MAX);
        Tally {
            agents,
            payload_faults: self.payload_faults(),
            payloads_unchecked: self.payload_faults.unchecked(),
        }
    }

    async fn check(&self) -> Result<(), Error> {
        self.shared.view()?;
        let late = || Error::unavailable("the registry's store does not answer");
        timeout(CHECK_WITHIN, self.shared.store.check()).await.map_err(|_| late())??;
        Ok(())
    }
}

impl Registry {
    fn tenant(&self, tenant: &TenantId) -> Result<Option<Arc<Tenant>>, Error> {
        Ok(self.shared.view()?.tenant(tenant))
    }

    fn row(&self, tenant: &TenantId, agent: &Name) -> Result<Option<Arc<Row>>, Error> {
        Ok(self.tenant(tenant)?.and_then(|tenant| tenant.agent(agent)))
    }

    /// Refuses an agent that would be one too many. What is on its way at the same time is not counted: there may be as many more as may
    /// wait for the store.
    fn room_for_agent(&self, tenant: &TenantId, agent: &Name) -> Result<(), Error> {
        let (view, config) = (self.shared.view()?, &self.shared.config);
        let has = view.tenant(tenant).map_or(0, |tenant| tenant.agents().len());
        room_for("agent", agent, has, config.max_agents_per_tenant)?;
        if view.agents() >= config.max_agents {
            return Err(self.no_room_for_anybody("there is no room for more agents on this platform"));
        }
        Ok(())
    }

    /// Refuses what takes more room than what is in its place, when there is no more; as above.
    fn room(
        &self,
        tenant: &TenantId,
        (what, name): (&str, &Name),
        before: usize,
        takes: usize,
    ) -> Result<(), Error> {
        if takes <= before {
            return Ok(());
        }
        let (view, config, more) = (self.shared.view()?, &self.shared.config, takes - before);
        let has = view.tenant(tenant).map_or(0, |tenant| tenant.bytes());
        bytes_for(what, name, has.saturating_add(more), config.max_bytes_per_tenant)?;
        if view.bytes().saturating_add(more) > config.max_bytes {
            let message = "there is no room for more in the registry of this platform";
            return Err(self.no_room_for_anybody(message));
        }
        Ok(())
    }

    /// How much all tenants have is no tenant's business.
    fn no_room_for_anybody(&self, message: &str) -> Error {
        Error::new(ErrorCode::Overloaded, message).retry_after(self.shared.config.sweep_every)
    }

    /// Returns when an agent whose lease has run out was last heard.
    fn expired_since(&self, row: &Row) -> Option<Timestamp> {
        let life = row.life();
        life.is_expired(self.shared.now()).then_some(life.heard_at)
    }

    /// Notes that an agent was heard by this process, and says so where that is news.
    fn is_here(
        &self,
        tenant: &TenantId,
        agent: &Name,
        written: Written,
        was_gone_since: Option<Timestamp>,
        at: Instant,
    ) -> Result<(), Error> {
        // It may have been removed since.
        let Some(row) = self.row(tenant, agent)? else { return Ok(()) };
        let now = self.shared.clock.now();
        {
            let mut life = row.life();
            life.heard_here = life.heard_here.max(Some(at));
        }
        if let Some(heard_at) = was_gone_since {
            self.announce(tenant, announcement::returned(tenant, row.record(), now, heard_at));
        } else if written.made {
            self.announce(tenant, announcement::registered(tenant, row.record(), now, written.revision));
        }
        Ok(())
    }
}

impl Registry {
    /// Refuses what is no schema that payloads can be checked by.
    async fn admit(&self, tenant: &TenantId, schema: &Data, called: String) -> Result<(), Error> {
        let (schema, small) = (schema.clone(), is_small(schema));
        let look = move || {
            let value = schema
                .parse()
                .map_err(|error| Error::invalid(format!("{called} cannot be read: {error}")))?;
            CompiledSchema::new(&value)
                .map(drop)
                .map_err(|faults| Error::invalid(format!("{called} cannot be used: {}", listed(&faults))))
        };
        if small {
            return look();
        }
        let Some(turn) = self.shared.compiler.turn(tenant, Instant::now() + WITHIN).await else {
            let busy = "other schemas of yours are being looked at; try again in a moment";
            return Err(Error::new(ErrorCode::Overloaded, busy).retry_after(WITHIN));
        };
        on_a_thread(turn, look).await?
    }
}

/// Whether a schema is looked at in about a millisecond at the most, whatever it says: it is short, and nothing in it multiplies. What is
/// escaped may be anything.
fn is_small(schema: &Data) -> bool {
    let text = schema.as_str();
    text.len() <= SMALL && !["pattern", "Ref", "$ref", "\\"].iter().any(|word| text.contains(word))
}

/// The store refuses what cannot be refused by its own contract.
fn surprising(refused: Refused) -> Error {
    Error::internal(format!("the registry's store refused a write: {refused}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use soorma_bus::EventBus;
    use soorma_testkit::{MemoryLog, MemoryRegistry, TestClock, tenant};

    use super::*;
    use crate::config::Config;

    #[tokio::test(start_paused = true)]
    async fn a_small_schema_waits_for_no_turn_and_who_waits_in_vain_is_of_one_tenant() {
        let clock = Arc::new(TestClock::new());
        let bus = EventBus::new(MemoryLog::new(Arc::clone(&clock) as _), soorma_bus::Config::default());
        let (_branch, registry) = Registry::new(MemoryRegistry::new(), clock, bus, Config::default());
        let admit = async |whose: &str, schema: Value| {
            let schema = Data::from_value(&schema).expect("an object");
            registry.admit(&tenant(whose), &schema, "it".to_owned()).await.map_err(|error| error.code)
        };
        let turn = registry.shared.compiler.turn(&tenant("busy"), Instant::now() + WITHIN).await;
        let small = json!({ "properties": { "id": { "type": "string", "maxLength": 9 } } });
        assert_eq!(admit("busy", small).await, Ok(()));
        assert_eq!(admit("busy", json!({ "type": 1 })).await, Err(ErrorCode::Invalid));
        let long = json!({ "description": "d".repeat(SMALL) });
        let costly = [
            json!({ "pattern": "a" }),
            json!({ "patternProperties": { "a": true } }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": true } }),
            json!({ "$dynamicRef": "#a", "$dynamicAnchor": "b", "$defs": { "a": { "$anchor": "a" } } }),
            long,
        ];
        for schema in costly {
            assert_eq!(admit("other", schema.clone()).await, Ok(()), "{schema}");
            assert_eq!(admit("busy", schema.clone()).await, Err(ErrorCode::Overloaded), "{schema}");
        }
        drop(turn);
        assert!(!is_small(&Data::from_json(r#"{"p\u0061ttern":"a"}"#).expect("an object")), "it is escaped");
        assert_eq!(admit("busy", json!({ "pattern": "a" })).await, Ok(()));
    }
}
