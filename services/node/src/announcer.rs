//! Says on `system-events` what happens to agents, so that others can act on it.

use std::sync::Arc;

use serde_json::json;
use soorma_agents::agent_of;
use soorma_core::{Data, Event, TenantId, Topic};
use soorma_ports::{Bus, Clock, Entropy, new_event_id};
use soorma_supervise::{Failure, Lifecycle, Observer, TaskCx, Turn};
use tokio::sync::{Mutex, mpsc};

/// How many announcements wait at most. A storm of more says nothing new; the log lines and the tree have them all.
const WAITING: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Announcer {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    heard: Mutex<mpsc::Receiver<(String, String)>>,
}

impl Announcer {
    pub(crate) fn new(
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> (Observer, Arc<Self>) {
        let (sender, heard) = mpsc::channel(WAITING);
        let observer: Observer = Arc::new(move |turn: &Lifecycle| {
            let Turn::Quarantined { reason } = &turn.turn else { return };
            let full = sender.try_send((turn.path.clone(), reason.clone())).is_err();
            if full {
                tracing::warn!(agent = %turn.path, "a quarantine is not announced: too many are");
            }
        });
        (observer, Arc::new(Self { bus, clock, entropy, heard: Mutex::new(heard) }))
    }

    pub(crate) async fn run(self: Arc<Self>, cx: TaskCx) -> Result<(), Failure> {
        let mut heard = self.heard.lock().await;
        loop {
            let next = tokio::select! {
                next = heard.recv() => next,
                () = cx.stopping() => None,
            };
            let Some((path, reason)) = next else { return Ok(()) };
            let Some((tenant, event)) = self.event(&path, &reason) else { continue };
            if let Err(error) = self.bus.publish(&tenant, vec![event]).await {
                tracing::warn!(agent = %path, %error, "a quarantine could not be announced");
            }
        }
    }

    /// `root/agents/hosted/<shard>/<agent>` or, of another tenant, `…/<agent>@<tenant>`.
    fn event(&self, path: &str, reason: &str) -> Option<(TenantId, Event)> {
        let id = path.strip_prefix("root/agents/hosted/")?.split_once('/')?.1;
        let (tenant, agent) = agent_of(id)?;
        let id = new_event_id(&*self.clock, &*self.entropy);
        let mut event = Event::new(id, "soorma", "agent.quarantined", self.clock.now(), Topic::SystemEvents);
        event.subject = Some(agent.clone());
        event.data = Data::from_value(&json!({ "agent": agent, "reason": reason, "path": path })).ok();
        Some((tenant, event))
    }
}
