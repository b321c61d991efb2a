//! An agent as a supervised actor: the author's side ([`Tool`], [`Worker`], [`Ctx`]), the hosting ([`Agents`]), and the proxies of agents
//! that run elsewhere.
//!
//! A hosted agent is a supervisor over its instances and a dispatcher. The dispatcher takes events from the agent's
//! group, never more than there are instances free, hands each to one instance, and settles it by what came of it:
//!
//! - the handler returned: what it published leaves under ids derived from the event's, then the event is acknowledged;
//! - the handler failed in a way it expected: the asker is told, and the event is acknowledged;
//! - it panicked, was killed, took too long, or said so: the event is tried again later, and after the last attempt
//!   becomes a dead letter;
//! - too many failures in a row open the breaker: nothing is taken until one try has gone well; failures without end put
//!   the agent in quarantine, where it harms nobody and its events wait in the log.
#![deny(missing_docs)]

mod agent;
mod breaker;
mod capability;
mod ctx;
mod dispatcher;
mod emission;
mod external;
mod handler;
mod host;
mod instance;
mod lease;
mod limits;
mod memory;
mod pool;
mod registrar;
mod reply;

pub use agent::{Agent, Tool, Worker};
pub use capability::CapabilitySpec;
pub use ctx::Ctx;
pub use emission::Emission;
pub use handler::Fault;
pub use host::{Agents, Runtime, agent_of};
pub use limits::{Breaker, Instances, Limits};
pub use memory::{AgentMemory, Search, Searched, StoreKnowledge};
