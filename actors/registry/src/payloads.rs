//! Whether the payloads of published events fit what their tenant has said of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use soorma_core::{Error, Event, TenantId};
use tokio::time::Instant;

use crate::config::Payloads;
use crate::rarely::EVERY;
use crate::schema::PayloadFault;
use crate::shared::Shared;
use crate::view::definitions::Rule;

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
        let Err(faults) = check(&rule, event) else { return Ok(()) };
        self.count.fetch_add(1, Ordering::Relaxed);
        if mode == Payloads::Enforce {
            let (kind, schema, why) = (&event.kind, rule.name(), listed(&faults));
            return Err(Error::invalid(format!("the payload of '{kind}' does not fit {schema}: {why}")));
        }
        if self.is_news(tenant, &event.kind) {
            // The sentences of faults show values, which are nobody's business who reads logs.
            let at: Vec<_> = faults.iter().take(NAMED).map(|fault| (&fault.pointer, &fault.rule)).collect();
            let (kind, schema) = (&event.kind, rule.name());
            tracing::warn!(%tenant, id = %event.id, kind, schema, ?at, "an event was published whose payload does not fit");
        }
        Ok(())
    }

    /// Whether an event type was not logged for a while. Where too many are, they are not.
    fn is_news(&self, tenant: &TenantId, kind: &str) -> bool {
        let now = Instant::now();
        let is_recent = |at: Instant| now.duration_since(at) < EVERY;
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

/// Checks a payload. An event without one is as if it had an empty one.
fn check(rule: &Rule, event: &Event) -> Result<(), Vec<PayloadFault>> {
    let Some(schema) = rule.check() else { return Ok(()) };
    let payload = match &event.data {
        None => Value::Object(Map::new()),
        Some(data) => match data.parse() {
            Ok(payload) => payload,
            Err(error) => {
                let sentence = format!("cannot be checked: {error}");
                let [pointer, keyword, rule] = [String::new(), String::new(), String::new()];
                return Err(vec![PayloadFault { pointer, keyword, rule, sentence }]);
            }
        },
    };
    schema.check(&payload)
}

/// Lists the first faults, and says how many more there are.
pub(crate) fn listed<T: std::fmt::Display>(faults: &[T]) -> String {
    let named: Vec<_> = faults.iter().take(NAMED).map(ToString::to_string).collect();
    match faults.len().saturating_sub(NAMED) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}
