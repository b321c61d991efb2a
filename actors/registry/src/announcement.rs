//! What is said on `system-events` of agents that come and go. Ids are derived from what is said, so that several nodes that say the same
//! say it once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soorma_core::{AgentRecord, Data, Event, EventId, TenantId, Timestamp, Topic};
use soorma_ports::Bus;
use soorma_supervise::{Failure, TaskCx};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

/// How many announcements wait at most, beside expiries, which wait in the wheel.
pub(crate) const WAITING: usize = 1_024;
/// How many are published at once.
const AT_ONCE: usize = 64;
/// The UUIDv5 namespace of the ids.
const ANNOUNCEMENTS: Uuid = Uuid::from_u128(0x0b5d_93a7_2f4e_5d0c_8e61_7a3c_91d2_44f8);

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is on the bus.
    Said,
    /// The bus will never take it.
    Refused,
    /// It may be tried again.
    Later,
}

/// An agent is there that was not there before, by the revision of the store.
pub(crate) fn registered(tenant: &TenantId, agent: &AgentRecord, at: Timestamp, revision: u64) -> Event {
    event("agent.registered", tenant, agent, at, Some(at), revision)
}

/// An agent was removed, by itself or in its name.
pub(crate) fn deregistered(
    tenant: &TenantId,
    agent: &AgentRecord,
    at: Timestamp,
    heard_at: Timestamp,
    revision: u64,
) -> Event {
    event("agent.deregistered", tenant, agent, at, Some(heard_at), revision)
}

/// An agent's lease has run out.
pub(crate) fn expired(tenant: &TenantId, agent: &AgentRecord, heard_at: Timestamp, lease: Duration) -> Event {
    event(
        "agent.expired",
        tenant,
        agent,
        heard_at.plus(lease),
        Some(heard_at),
        heard_at.micros().unsigned_abs(),
    )
}

/// An agent is there again whose lease had run out; it was last heard, before that, at a time.
pub(crate) fn returned(tenant: &TenantId, agent: &AgentRecord, at: Timestamp, heard_at: Timestamp) -> Event {
    event("agent.returned", tenant, agent, at, Some(heard_at), heard_at.micros().unsigned_abs())
}

fn event(
    kind: &str,
    tenant: &TenantId,
    agent: &AgentRecord,
    at: Timestamp,
    heard_at: Option<Timestamp>,
    ordinal: u64,
) -> Event {
    // The length stands before what may hold anything, so that no two lists of parts give one text.
    let text = format!(
        "{kind}:{}:{tenant}{}:{}:{ordinal}",
        tenant.as_str().len(),
        agent.id.as_str().len(),
        agent.id
    );
    let id = EventId::from(Uuid::new_v5(&ANNOUNCEMENTS, text.as_bytes()));
    let mut event = Event::new(id, "soorma", kind, at, Topic::SystemEvents);
    event.subject = Some(agent.id.to_string());
    event.data =
        Data::from_value(&json!({ "agent_id": agent.id, "name": agent.name, "last_heard": heard_at })).ok();
    event
}

/// Publishes announcements of one tenant; says what became of each.
pub(crate) async fn publish(bus: &dyn Bus, tenant: &TenantId, events: Vec<Event>) -> Vec<Fate> {
    let mut fates = Vec::with_capacity(events.len());
    for some in events.chunks(AT_ONCE) {
        if fates.last() == Some(&Fate::Later) {
            // The log is away: the others would fare no better.
            fates.extend(some.iter().map(|_| Fate::Later));
            continue;
        }
        match bus.publish(tenant, some.to_vec()).await {
            Ok(_) => fates.extend(some.iter().map(|_| Fate::Said)),
            Err(error) if error.code.may_retry() => {
                tracing::warn!(%tenant, %error, count = events.len(), "announcements of agents could not be published");
                fates.extend(some.iter().map(|_| Fate::Later));
            }
            // One that is refused, by a schema of the tenant's, is not to silence the others.
            Err(_) => {
                for event in some {
                    fates.push(alone(bus, tenant, event).await);
                }
            }
        }
    }
    fates
}

async fn alone(bus: &dyn Bus, tenant: &TenantId, event: &Event) -> Fate {
    match bus.publish(tenant, vec![event.clone()]).await {
        Ok(_) => Fate::Said,
        Err(error) => {
            tracing::warn!(%tenant, kind = event.kind, %error, "an announcement of an agent was refused");
            if error.code.may_retry() { Fate::Later } else { Fate::Refused }
        }
    }
}

/// What waits to be announced.
pub(crate) type Waiting = Arc<Mutex<mpsc::Receiver<(TenantId, Event)>>>;

/// Publishes what waits until it is asked to stop.
pub(crate) async fn run(waiting: Waiting, bus: Arc<dyn Bus>, cx: TaskCx) -> Result<(), Failure> {
    let mut waiting = waiting.lock().await;
    loop {
        let mut some = Vec::new();
        let count = tokio::select! {
            biased;
            () = cx.stopping() => 0,
            count = waiting.recv_many(&mut some, AT_ONCE) => count,
        };
        if count == 0 {
            return Ok(());
        }
        let mut some = some.into_iter().peekable();
        while let Some((tenant, event)) = some.next() {
            let mut events = vec![event];
            while let Some((_, event)) = some.next_if(|(next, _)| *next == tenant) {
                events.push(event);
            }
            // What is lost was said in vain: it can be read from the registry.
            let _fates = publish(&*bus, &tenant, events).await;
        }
    }
}
