//! Whether the payloads of published events fit what their tenant has said of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use soorma_core::{Data, Error, Event, TenantId};
use soorma_ports::Looked;
use soorma_supervise::Rarely;
use tokio::time::Instant;

use crate::compiler::WITHIN;
use crate::config::Payloads;
use crate::made::Made;
use crate::schema::PayloadFault;
use crate::shared::Shared;
use crate::view::definitions::Rule;

/// Of how many event types it is known when they were logged.
const REMEMBERED: usize = 1_000;
/// How long the events of one publish are looked at, all together; one more may be under way.
const BUDGET: Duration = Duration::from_secs(2);
/// After how long of that it is another tenant's turn.
const TURN: Duration = Duration::from_millis(200);
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

/// An event that is to be looked at, by its place among those that are published with it.
#[derive(Debug)]
struct Task {
    nth: usize,
    rule: Rule,
    data: Option<Data>,
}

/// What came of looking at some.
struct Piece {
    looked: Vec<(Task, Result<(), Vec<PayloadFault>>)>,
    rest: Vec<Task>,
    took: Duration,
}

impl PayloadFaults {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn unchecked(&self) -> u64 {
        self.unchecked.load(Ordering::Relaxed)
    }

    /// Checks a payload where its schema is ready and it takes no time, or where there is none.
    pub(crate) fn check(&self, shared: &Shared, tenant: &TenantId, event: &Event) -> Result<Looked, Error> {
        let mode = shared.config.payloads_of(tenant);
        let Some(rule) = rule(shared, tenant, event, mode)? else { return Ok(Looked::Passed) };
        let bytes = event.data.as_ref().map_or(0, |data| data.as_str().len());
        match shared.ready.get(rule.slot()).filter(|made| made.is_quick(bytes)) {
            None => Ok(Looked::NotReady),
            Some(made) => self
                .judge((&rule, check(&made, event.data.as_ref())), mode, tenant, event)
                .map(|()| Looked::Passed),
        }
    }

    /// Checks payloads, on threads that nobody else waits for, in the tenant's turn, and has made ready what they are checked by.
    pub(crate) async fn check_all(
        &self,
        shared: &Arc<Shared>,
        tenant: &TenantId,
        events: &[Event],
    ) -> Result<(), Error> {
        let mode = shared.config.payloads_of(tenant);
        let mut tasks = Vec::new();
        for (nth, event) in events.iter().enumerate() {
            if let Some(rule) = rule(shared, tenant, event, mode)? {
                tasks.push(Task { nth, rule, data: event.data.clone() });
            }
        }
        self.work_off(shared, tenant, events, (tasks, BUDGET)).await
    }

    /// Looks at events for so long.
    async fn work_off(
        &self,
        shared: &Arc<Shared>,
        tenant: &TenantId,
        events: &[Event],
        (mut tasks, mut left): (Vec<Task>, Duration),
    ) -> Result<(), Error> {
        let deadline = Instant::now() + WITHIN;
        let mode = shared.config.payloads_of(tenant);
        while !tasks.is_empty() {
            let count = tasks.len();
            let piece = if left.is_zero() {
                Err(Error::invalid("the payloads take too long to check; send fewer at once"))
            } else {
                let (of, whose, turn) = (Arc::clone(shared), tenant.clone(), left.min(TURN));
                shared.compiler.within(tenant, deadline, move || look(&of, &whose, tasks, turn)).await
            };
            let piece = match piece {
                Ok(piece) => piece,
                // What is enforced is not let through since nobody could look at it.
                Err(error) if mode == Payloads::Enforce => return Err(error),
                Err(error) => {
                    self.pass_unchecked(tenant, count, &error);
                    return Ok(());
                }
            };
            for (task, outcome) in piece.looked {
                if let Some(event) = events.get(task.nth) {
                    self.judge((&task.rule, outcome), mode, tenant, event)?;
                }
            }
            tasks = piece.rest;
            left = left.saturating_sub(piece.took);
        }
        Ok(())
    }

    fn pass_unchecked(&self, tenant: &TenantId, events: usize, error: &Error) {
        self.unchecked.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(times) = self.late.happened() {
            tracing::warn!(%tenant, times, events, %error, "events were published whose payload was not looked at");
        }
    }

    fn judge(
        &self,
        (rule, outcome): (&Rule, Result<(), Vec<PayloadFault>>),
        mode: Payloads,
        tenant: &TenantId,
        event: &Event,
    ) -> Result<(), Error> {
        let Err(faults) = outcome else { return Ok(()) };
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
        let is_recent = |at: Instant| now.duration_since(at) < Rarely::EVERY;
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

/// Looks at events until the turn is over; at one in any case.
fn look(shared: &Shared, tenant: &TenantId, tasks: Vec<Task>, turn: Duration) -> Piece {
    let began = Instant::now();
    let (mut looked, mut rest) = (Vec::new(), tasks.into_iter());
    for task in rest.by_ref() {
        let made = shared.ready.get_or_make(tenant, task.rule.slot(), || task.rule.make());
        let outcome = check(&made, task.data.as_ref());
        looked.push((task, outcome));
        if began.elapsed() >= turn {
            break;
        }
    }
    Piece { looked, rest: rest.collect(), took: began.elapsed() }
}

/// Checks a payload. An event without one is as if it had an empty one.
fn check(made: &Made, data: Option<&Data>) -> Result<(), Vec<PayloadFault>> {
    if !made.can_check() {
        return Ok(());
    }
    let payload = match data {
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
    made.check(&payload)
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
    use serde_json::json;
    use soorma_core::{ErrorCode, Topic};
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
    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_not_looked_at_where_others_wait() {
        let shared = knowing(Payloads::Enforce, &["one"]);
        let (faults, one) = (PayloadFaults::default(), tenant("one"));
        let small = || Event { data: Data::from_json(r#"{"id":1}"#).ok(), ..order() };
        assert_eq!(faults.check(&shared, &one, &small()), Ok(Looked::NotReady), "it is not made yet");
        assert_eq!(faults.check_all(&shared, &one, &[small()]).await, Ok(()));
        assert_eq!(faults.check(&shared, &one, &small()), Ok(Looked::Passed));
        let large = json!({ "id": vec![0; 100_000] });
        let large = Event { data: Data::from_value(&large).ok(), ..order() };
        assert_eq!(faults.check(&shared, &one, &large), Ok(Looked::NotReady));
        assert_eq!(faults.check_all(&shared, &one, &[large]).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_looked_at_when_a_publish_has_had_its_time_is_refused_or_let_through_and_counted() {
        for mode in [Payloads::Enforce, Payloads::Warn] {
            let shared = knowing(mode, &["one"]);
            let (faults, one) = (PayloadFaults::default(), tenant("one"));
            let fits = || Event { data: Data::from_json(r#"{"id":1}"#).ok(), ..order() };
            let rule = rule(&shared, &one, &fits(), mode).expect("it is read").expect("there is one");
            let task = |nth| Task { nth, rule: rule.clone(), data: fits().data };
            let piece = look(&shared, &one, (0..3).map(task).collect(), Duration::ZERO);
            assert_eq!((piece.looked.len(), piece.rest.len()), (1, 2), "one at least is looked at in a turn");
            let events = [fits(), fits(), fits()];
            let outcome = faults.work_off(&shared, &one, &events, (piece.rest, Duration::ZERO)).await;
            match mode {
                Payloads::Enforce => {
                    let error = outcome.expect_err("it takes too long");
                    assert_eq!(error.code, ErrorCode::Invalid);
                    assert!(error.message.contains("send fewer at once"), "{error}");
                }
                _ => assert_eq!((outcome, faults.unchecked()), (Ok(()), 2)),
            }
        }
    }
}
