//! What the edge is built from, and what its requests share.

use std::fmt;
use std::sync::Arc;

use soorma_core::{Error, TenantId, TreeNode};
use soorma_ports::{Bus, Clock, Directory, Entropy, ExternalAgents, Memory, new_event_id};
use tokio::sync::watch;

use crate::access::Access;
use crate::config::Config;
use crate::counters::Counters;
use crate::streams::Streams;

/// How long a question to the log may take that an answer waits for.
pub(crate) const CHECK_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Shows a tree, to a tenant or whole.
type ShowTree = dyn Fn(Option<&TenantId>, usize, usize) -> TreeNode + Send + Sync;

/// What the edge is built from.
#[derive(Clone)]
pub struct Edge {
    /// Where events go to and come from.
    pub bus: Arc<dyn Bus>,
    /// Who takes events from groups for streams.
    pub agents: Arc<dyn ExternalAgents>,
    /// Who is here, what they can do, and what events mean.
    pub directory: Arc<dyn Directory>,
    /// What is known, what happened, how things are done, and what is at hand.
    pub memory: Arc<dyn Memory>,
    /// Which vectors memory has made, as `/health` shows it: model and dimensions; nothing where there is no embedder.
    pub embedder: Option<String>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// Who is let in.
    pub access: Access,
    /// Bounds and times.
    pub config: Config,
    /// Which event log stands below, as `/health` shows it.
    pub adapter: String,
    /// Shows the supervision tree, down to a depth, at most so many children of each; for a tenant without what is of others.
    pub tree: Arc<ShowTree>,
    /// Says whether the node takes work: not while it starts or drains.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("access", &self.access)
            .field("config", &self.config)
            .field("adapter", &self.adapter)
            .finish_non_exhaustive()
    }
}

/// What requests share.
pub(crate) struct App {
    pub(crate) edge: Edge,
    pub(crate) streams: Arc<Streams>,
    pub(crate) counters: Counters,
    /// True from when the server closes.
    pub(crate) stopping: watch::Receiver<bool>,
}

pub(crate) type Shared = Arc<App>;

/// Waits until the server closes.
pub(crate) async fn closing(stopping: &mut watch::Receiver<bool>) {
    // That the sender is gone means the same.
    let _closing = stopping.wait_for(|stopping| *stopping).await;
}

impl App {
    pub(crate) fn new(edge: Edge, stopping: watch::Receiver<bool>) -> Shared {
        let streams = Streams::new(&edge.config);
        Arc::new(Self { edge, streams, counters: Counters::default(), stopping })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.edge.config
    }

    pub(crate) fn bus(&self) -> &dyn Bus {
        &*self.edge.bus
    }

    pub(crate) fn agents(&self) -> &dyn ExternalAgents {
        &*self.edge.agents
    }

    pub(crate) fn directory(&self) -> &dyn Directory {
        &*self.edge.directory
    }

    pub(crate) fn memory(&self) -> &dyn Memory {
        &*self.edge.memory
    }

    pub(crate) fn new_id(&self) -> soorma_core::EventId {
        new_event_id(&*self.edge.clock, &*self.edge.entropy)
    }

    /// Asks whether events can be published, and takes silence for a no.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        within("the event log", self.bus().check()).await
    }

    /// Asks whether the registry can be read and written, and takes silence for a no.
    pub(crate) async fn check_directory(&self) -> Result<(), Error> {
        within("the registry", self.directory().check()).await
    }

    /// Asks whether memory can be read and written, and takes silence for a no.
    pub(crate) async fn check_memory(&self) -> Result<(), Error> {
        within("memory", self.memory().check_memory()).await
    }
}

async fn within(who: &str, check: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let silence = || Error::unavailable(format!("{who} did not answer within {} s", CHECK_WITHIN.as_secs()));
    tokio::time::timeout(CHECK_WITHIN, check).await.unwrap_or_else(|_| Err(silence()))
}
