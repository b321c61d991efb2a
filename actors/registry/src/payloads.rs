//! Whether the payloads of published events fit what their tenant has said of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use soorma_core::{Error, Event, TenantId};
use tokio::time::Instant;

use crate::config::Payloads;
use crate::shared::Shared;
use crate::view::definitions::Rule;

/// How often the same is logged at most.
const SAID_EVERY: Duration = Duration::from_secs(60);
/// Of how many event types it is known when they were logged.
const REMEMBERED: usize = 1_000;
/// How many faults an error names.
const NAMED: usize = 5;

/// Counts payloads that do not fit, and logs them now and then.
#[derive(Debug, Default)]
pub(crate) struct PayloadFaults {
    count: AtomicU64,
    said: Mutex<HashMap<(TenantId, String), Instant>>,
}

impl PayloadFaults {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self, shared: &Shared, tenant: &TenantId, event: &Event) -> Result<(), Error> {
        let mode = shared.config.payloads_of(tenant);
        if mode == Payloads::Off {
            return Ok(());
        }
        let view = match shared.view() {
            Ok(view) => view,
            // What is enforced is not let through since nobody knows it yet.
            Err(error) if mode == Payloads::Enforce => return Err(error),
            Err(_) => return Ok(()),
        };
        let Some(rule) = view.tenant(tenant).and_then(|tenant| tenant.definitions().rule(&event.kind)) else {
            return Ok(());
        };
        let Some(why) = misfit(&rule, event) else { return Ok(()) };
        self.count.fetch_add(1, Ordering::Relaxed);
        let message = format!("the payload of '{}' does not fit {}: {why}", event.kind, rule.name());
        if mode == Payloads::Enforce {
            return Err(Error::invalid(message));
        }
        if self.is_news(tenant, &event.kind) {
            tracing::warn!(%tenant, id = %event.id, source = event.source, message, "an event was published all the same");
        }
        Ok(())
    }

    /// Whether an event type was not logged for a while. Where too many are, they are not.
    fn is_news(&self, tenant: &TenantId, kind: &str) -> bool {
        let now = Instant::now();
        let is_recent = |at: Instant| now.duration_since(at) < SAID_EVERY;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.clone(), kind.to_owned());
        if said.get(&key).is_some_and(|at| is_recent(*at)) {
            return false;
        }
        if said.len() >= REMEMBERED {
            said.retain(|_, at| is_recent(*at));
        }
        if said.len() >= REMEMBERED {
            return false;
        }
        said.insert(key, now);
        true
    }
}

/// Says why a payload does not fit, if it does not. An event without one is as if it had an empty one.
fn misfit(rule: &Rule, event: &Event) -> Option<String> {
    let schema = rule.compiled()?;
    let payload = match &event.data {
        None => Value::Object(Map::new()),
        Some(data) => match data.parse() {
            Ok(payload) => payload,
            Err(error) => return Some(format!("it cannot be checked: {error}")),
        },
    };
    let faults = schema.check(&payload).err()?;
    Some(listed(&faults))
}

/// Lists the first faults, and says how many more there are.
pub(crate) fn listed<T: std::fmt::Display>(faults: &[T]) -> String {
    let named: Vec<_> = faults.iter().take(NAMED).map(ToString::to_string).collect();
    match faults.len().saturating_sub(NAMED) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}
