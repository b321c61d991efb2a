//! Whether the payloads of published events fit what their tenant has said of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use soorma_core::{Error, Event, TenantId};
use soorma_ports::Looked;
use tokio::time::Instant;

use crate::compiler::WITHIN;
use crate::config::Payloads;
use crate::rarely::{EVERY, Rarely};
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
    /// How many were let through without being looked at.
    unchecked: AtomicU64,
    late: Rarely,
    said: Mutex<HashMap<(TenantId, String), Instant>>,
}

impl PayloadFaults {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn unchecked(&self) -> u64 {
        self.unchecked.load(Ordering::Relaxed)
    }

    /// Checks a payload where its schema is ready, or where there is none.
    pub(crate) fn check(&self, shared: &Shared, tenant: &TenantId, event: &Event) -> Result<Looked, Error> {
        let mode = shared.config.payloads_of(tenant);
        match rule(shared, tenant, event, mode)? {
            None => Ok(Looked::Passed),
            Some(rule) if !rule.is_compiled() => Ok(Looked::NotReady),
            Some(rule) => self.judge(&rule, mode, tenant, event).map(|()| Looked::Passed),
        }
    }

    /// Checks payloads, and has made ready what they are checked by.
    pub(crate) async fn check_all(
        &self,
        shared: &Shared,
        tenant: &TenantId,
        events: &[Event],
    ) -> Result<(), Error> {
        let deadline = Instant::now() + WITHIN;
        let mode = shared.config.payloads_of(tenant);
        for event in events {
            let Some(rule) = rule(shared, tenant, event, mode)? else { continue };
            if !rule.is_compiled() {
                let unready = rule.clone();
                match shared.compiler.within(tenant, deadline, move || unready.compile()).await {
                    Ok(()) => {}
                    // What is enforced is not let through since nobody could look at it.
                    Err(error) if mode == Payloads::Enforce => return Err(error),
                    Err(error) => {
                        self.unchecked.fetch_add(1, Ordering::Relaxed);
                        if let Some(count) = self.late.happened() {
                            tracing::warn!(%tenant, kind = event.kind, count, %error, "events were published whose payload was not looked at");
                        }
                        continue;
                    }
                }
            }
            self.judge(&rule, mode, tenant, event)?;
        }
        Ok(())
    }

    fn judge(&self, rule: &Rule, mode: Payloads, tenant: &TenantId, event: &Event) -> Result<(), Error> {
        let Err(faults) = check(rule, event) else { return Ok(()) };
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

/// Returns what the payload of an event is to follow, where it is looked at.
fn rule(shared: &Shared, tenant: &TenantId, event: &Event, mode: Payloads) -> Result<Option<Rule>, Error> {
    if mode == Payloads::Off {
        return Ok(None);
    }
    match shared.view() {
        Ok(view) => Ok(view.tenant(tenant).and_then(|tenant| tenant.definitions().rule(&event.kind))),
        // What is enforced is not let through since nobody knows it yet.
        Err(error) if mode == Payloads::Enforce => Err(error),
        Err(_) => Ok(None),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use soorma_core::{Data, ErrorCode, Topic};
    use soorma_ports::{RegistryChange, RegistryRow};
    use soorma_testkit::{MemoryRegistry, TestClock, event, name, tenant};

    use super::*;
    use crate::config::Config;

    /// A registry in which each of some tenants has said of an event that it must carry something.
    fn knowing(payloads: Payloads, tenants: &[&str]) -> Arc<Shared> {
        let config = Config { payloads, ..Config::default() };
        let clock = Arc::new(TestClock::new());
        let (shared, _queue) = Shared::new(MemoryRegistry::new(), clock, config);
        for (revision, named) in (1..).zip(tenants) {
            let schema = Data::from_value(&json!({ "required": ["id"] })).expect("an object");
            let definition = soorma_core::EventDefinition {
                name: name("order.placed"),
                topic: Topic::BusinessFacts,
                description: String::new(),
                payload_schema_name: None,
                response_schema_name: None,
                payload_schema: Some(schema),
                response_schema: None,
            };
            let row = RegistryRow::Event(Box::new(definition));
            let _lease = shared.view_so_far().apply(RegistryChange { revision, tenant: tenant(named), row });
        }
        shared.seen_upto(u64::MAX);
        shared
    }

    fn order() -> Event {
        let mut event = event("a", Topic::BusinessFacts);
        event.kind = "order.placed".into();
        event
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_made_ready_in_time_is_refused_or_let_through_and_counted_and_others_go_on() {
        for (mode, code) in [(Payloads::Enforce, Some(ErrorCode::Unavailable)), (Payloads::Warn, None)] {
            let shared = knowing(mode, &["busy", "other"]);
            let faults = PayloadFaults::default();
            let (busy, other) = (tenant("busy"), tenant("other"));
            let turn =
                shared.compiler.turn(&busy, Instant::now() + WITHIN).await.expect("nobody is before it");
            let began = Instant::now();
            // All of a batch wait no longer than one.
            let outcome = faults.check_all(&shared, &busy, &[order(), order()]).await;
            assert_eq!(outcome.as_ref().err().map(|error| error.code), code, "{mode}");
            assert_eq!(outcome.err().and_then(|error| error.retry_after), code.map(|_| WITHIN));
            assert_eq!(began.elapsed(), WITHIN);
            assert_eq!((faults.count(), faults.unchecked()), (0, if code.is_none() { 2 } else { 0 }));
            let began = Instant::now();
            let looked = faults.check_all(&shared, &other, &[order()]).await;
            assert_eq!((looked.is_ok(), faults.count()), (mode == Payloads::Warn, 1), "it was looked at");
            assert!(began.elapsed() < Duration::from_secs(1), "another tenant does not wait for this one");
            drop(turn);
            let _outcome = faults.check_all(&shared, &busy, &[order()]).await;
            assert_eq!(faults.count(), 2, "when it is its turn it is looked at");
        }
    }
}
