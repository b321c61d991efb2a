//! The sockets of Soorma: one trait a file, its contract in numbered clauses.
//!
//! Whoever implements a port runs the suite of that port in `soorma-testkit`, which has a case for each clause.
#![deny(missing_docs)]

mod authenticator;
mod bus;
mod clock;
mod dead_letter;
mod description;
mod directory;
mod embedder;
mod entropy;
mod event_log;
mod external;
mod group;
mod memory;
mod memory_store;
mod registry_store;

pub use authenticator::{AuthError, Authenticator, Principal, PrincipalKind, UnknownKind};
pub use bus::{Bus, Live, Subscriber, Subscription};
pub use clock::Clock;
pub use dead_letter::{DeadLetter, DeadLetterFilter};
pub use description::{Described, DescribedCapability, DescribedField, Description};
pub use directory::{
    AgentPage, AgentQuery, Directory, Looked, PayloadCheck, Ranked, Ranking, Registered, Said, Tally,
};
pub use embedder::{Embedder, EmbedderError, Generation, InvalidGeneration, unit};
pub use entropy::{Entropy, new_event_id};
pub use event_log::{Appended, Bounds, Entry, EventLog, EventLogError, Follower, Page, Reach};
pub use external::{
    Acks, Connection, ExternalAgent, ExternalAgents, InvalidTicket, Kinds, Outgoing, Publishing, Ticket,
};
pub use group::{
    Consumer, ConsumerSpec, Delivery, DeliveryId, GroupCommand, GroupKey, GroupPlace, GroupStatus, Settle,
    Start,
};
pub use memory::{
    After, EpisodeQuery, Episodic, Found, ListQuery, Listed, Memory, MemoryTally, NewEpisode, NewFact,
    NewPlan, NewPlanContext, NewSession, NewSkill, NewTaskContext, PlanContextChange, PlanQuery, Procedural,
    Recall, RecallFilter, Semantic, SetWhen, SkillQuery, TaskContextChange, Upkeep, Weights, Window, Work,
    Working, WorkingOp, WorkingWatch,
};
pub use memory_store::{
    Embedded, Erased, KindCount, KindErased, MemoryAct, MemoryAfter, MemoryDone, MemoryDraft, MemoryEntry,
    MemoryFilter, MemoryOrder, MemoryPage, MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore,
    MemoryStoreError, MemoryWrite, NewVector, RankQuery, Ranks, Seen, Unembedded, When,
};
pub use registry_store::{
    ReadFrom, Refused, RegistryAct, RegistryChange, RegistryPage, RegistryRow, RegistryStore,
    RegistryStoreError, RegistryWrite, Standing, Written,
};
