//! The registry, as the edge, hosted agents and the bus see it.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use soorma_core::{
    AgentKind, AgentRecord, AgentStatus, Error, Event, EventDefinition, Name, PayloadSchema, RankedBy,
    TenantId, Timestamp, Topic,
};

use crate::{Description, Standing};

/// Who is here, what they can do, and what events mean.
///
/// # Contract
/// 1. Reading answers from memory. Before everything was read from the store once, it answers `unavailable`; when the store is away
///    later, with what is known.
/// 2. Who registered, changed or removed something and was answered reads it so from then on in this process; in another one on the same store
///    within a second.
/// 3. An agent whose lease has run out is `expired`: it is shown to nobody who does not ask for it, and comes back when it is heard again or registers.
/// 4. There is never more work waiting for the store than a bounded number: beyond that it answers `overloaded` at once.
/// 5. Nothing of one tenant is shown to, counted for, or changed by another.
/// 6. Ranking ends within a bounded time, whoever is away: where vectors cannot be had in time it goes by the words in common and says
///    so, since agents in a poorer order are of use to who asks, and none are not. What an agent says is turned into a vector when somebody of
///    its tenant first asks for something that it fits, once, and anew when it says something else.
#[async_trait]
pub trait Directory: Send + Sync + std::fmt::Debug + 'static {
    /// Registers an agent, or all of it anew; says whether it was not there before.
    async fn register(
        &self,
        tenant: &TenantId,
        agent: AgentRecord,
        standing: Standing,
    ) -> Result<bool, Error>;

    /// Renews an agent's lease, and says how it is where that is known; says whether it is there.
    async fn heartbeat(
        &self,
        tenant: &TenantId,
        agent: &Name,
        standing: Option<Standing>,
    ) -> Result<bool, Error>;

    /// Removes an agent; says whether it was there.
    async fn deregister(&self, tenant: &TenantId, agent: &Name) -> Result<bool, Error>;

    /// Returns an agent, also an expired one.
    fn agent(&self, tenant: &TenantId, agent: &Name) -> Result<Option<Registered>, Error>;

    /// Returns the agents that fit all that is asked, by name and then by id. Others are answered while it looks through many.
    async fn agents(&self, tenant: &TenantId, query: &AgentQuery) -> Result<AgentPage, Error>;

    /// Returns the agents that fit all that is asked, best first: those whose words on themselves are nearest in meaning to a sentence;
    /// alike ones by name and then by id.
    ///
    /// # Errors
    /// `invalid` without an embedder, for a sentence that is blank or has more than [`MAX_MEANING_BYTES`](Ranking::MAX_MEANING_BYTES), and where
    /// more than [`MAX_CANDIDATES`](Ranking::MAX_CANDIDATES) agents fit.
    async fn rank(&self, tenant: &TenantId, query: &AgentQuery, meaning: &str) -> Result<Ranking, Error>;

    /// Says what an event means; says whether nothing was said of it before. Its first topic stays.
    async fn define_event(&self, tenant: &TenantId, event: EventDefinition) -> Result<bool, Error>;

    /// Returns the definition of an event.
    fn event(&self, tenant: &TenantId, name: &Name) -> Result<Option<Arc<EventDefinition>>, Error>;

    /// Returns definitions by name, after `after`, at most `limit`; of one topic where one is given.
    fn events(
        &self,
        tenant: &TenantId,
        topic: Option<Topic>,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<Arc<EventDefinition>>, Error>;

    /// Registers a schema; `already_exists` for a name and version that are there, `invalid` for what is no schema.
    async fn put_schema(&self, tenant: &TenantId, schema: PayloadSchema) -> Result<(), Error>;

    /// Returns a schema: of a version, or the one that was registered last.
    fn schema(
        &self,
        tenant: &TenantId,
        name: &Name,
        version: Option<&str>,
    ) -> Result<Option<Arc<PayloadSchema>>, Error>;

    /// Returns schemas by name and then in the order in which they were registered, after `after` (a name and a version), at most `limit`; of one owner where one is given.
    fn schemas(
        &self,
        tenant: &TenantId,
        owner: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Arc<PayloadSchema>>, Error>;

    /// Returns the versions of a schema in the order in which they were registered, after a version, at most `limit`.
    fn schema_versions(
        &self,
        tenant: &TenantId,
        name: &Name,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Arc<PayloadSchema>>, Error>;

    /// Says in few words what agents can do and how they are asked for it, for a planner; in a text of at most `max_chars` characters,
    /// and how many agents there was no room for. `unavailable` where the schemas of the tenant are not ready within some seconds: what is ready
    /// by then stays so.
    async fn describe(
        &self,
        tenant: &TenantId,
        agents: &[Registered],
        max_chars: usize,
    ) -> Result<Description, Error>;

    /// Counts, for who watches over the whole node: of no tenant, and to be shown to none.
    fn tally(&self) -> Tally;

    /// Says whether the registry answers, and whether it can be written to.
    async fn check(&self) -> Result<(), Error>;
}

/// What the registry of a node counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The agents of all tenants, with those whose lease has run out.
    pub agents: u64,
    /// How many published events had a payload that does not fit its schema, since the node started.
    pub payload_faults: u64,
    /// How many were published without being looked at, since there was no time for it.
    pub payloads_unchecked: u64,
}

/// Looks at events before they are published.
#[async_trait]
pub trait PayloadCheck: Send + Sync + std::fmt::Debug + 'static {
    /// Says whether an event may be published in a tenant, where that can be said at once.
    ///
    /// # Errors
    /// `invalid`, with the path and the rule that its payload breaks.
    fn check_payload(&self, tenant: &TenantId, event: &Event) -> Result<Looked, Error>;

    /// Looks at events for which something has to be made ready first, or that take a while to look at, within some seconds. Who asks holds nothing that others wait for: a
    /// tenant with schemas that take long waits for itself.
    ///
    /// # Errors
    /// As [`check_payload`](Self::check_payload), and where they are so much that a publish has no time for it; `unavailable` where what must be
    /// looked at could not be in time.
    async fn check_payloads(&self, tenant: &TenantId, events: &[Event]) -> Result<(), Error>;
}

/// What came of looking at an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It may be published.
    Passed,
    /// What it is to be checked by is not ready, or it takes a while: ask [`check_payloads`](PayloadCheck::check_payloads).
    NotReady,
}

/// An agent and how it is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registered {
    /// What it said of itself.
    pub said: Arc<Said>,
    /// How it is now.
    pub standing: Standing,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// When it was last heard.
    pub heard_at: Timestamp,
    /// When its lease runs out, or ran out.
    pub expires_at: Timestamp,
}

/// What an agent said of itself, and how it is written on the wire.
#[derive(Debug)]
pub struct Said {
    /// What it said.
    pub record: AgentRecord,
    wire: OnceLock<Box<str>>,
}

impl Said {
    /// Keeps a record.
    pub fn new(record: AgentRecord) -> Self {
        Self { record, wire: OnceLock::new() }
    }

    /// Returns the record as JSON of the one who shows it, who writes it once for all who ask.
    pub fn wire(&self, write: impl FnOnce(&AgentRecord) -> String) -> &str {
        self.wire.get_or_init(|| write(&self.record).into_boxed_str())
    }
}

/// Which agents are asked for: those that fit all that is given.
#[derive(Debug, Clone, Default)]
pub struct AgentQuery {
    /// This one.
    pub id: Option<Name>,
    /// With this name, with or without the version that was folded into it.
    pub name: Option<String>,
    /// That consume this event type.
    pub consumes: Option<String>,
    /// That produce this event type.
    pub produces: Option<String>,
    /// With a capability of this name.
    pub capability: Option<String>,
    /// That consume or produce something on this topic, as far as their capabilities or the definitions of their events say.
    pub topic: Option<Topic>,
    /// Of this kind.
    pub kind: Option<AgentKind>,
    /// That are so; `expired` asks for those alone.
    pub status: Option<AgentStatus>,
    /// Whose name, description or capabilities have all of these words in them, whatever their case.
    pub text: Option<String>,
    /// Also those whose lease has run out.
    pub expired: bool,
    /// Of each name only the one that was heard last (CONTRACT 2.7).
    pub one_of_each_name: bool,
    /// After this name and id.
    pub after: Option<(Name, Name)>,
    /// At most so many.
    pub limit: usize,
}

/// Some of the agents that fit.
#[derive(Debug, Clone, Default)]
pub struct AgentPage {
    /// The agents.
    pub agents: Vec<Registered>,
    /// Whether there are more after them.
    pub more: bool,
}

/// Agents, best first.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// By what they are in this order.
    pub by: RankedBy,
    /// The agents.
    pub agents: Vec<Ranked>,
}

impl Ranking {
    /// The most agents that are compared for one question: so many take some milliseconds.
    pub const MAX_CANDIDATES: usize = 10_000;
    /// The most bytes of a sentence by whose meaning agents are asked for.
    pub const MAX_MEANING_BYTES: usize = 8 * 1_024;
}

/// An agent, and how well it fits.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// The agent.
    pub agent: Registered,
    /// By meaning, the cosine between the sentence and what the agent says of itself: 1 is the same, 0 has nothing to do with it. By words, the
    /// part of the sentence's words that the agent has, from 0 to 1. Scores of the two are not to be compared.
    pub score: f32,
}
