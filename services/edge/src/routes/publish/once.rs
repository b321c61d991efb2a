//! Idempotency keys: the ids of events that have none follow from the key, so a repeat is refused by the log like any id it knows.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use soorma_api::{Problem, header as our};
use soorma_core::{
    Cursor, Error, ErrorCode, Event, EventDraft, EventId, Name, Position, Scope, TenantId, Topic,
};
use soorma_ports::Subscription;

use crate::access::single;
use crate::app::{App, CHECK_WITHIN};
use crate::reply::Refusal;

/// Stands where an emission has its group. No group has a line break in its name, so no emission has an id of ours.
const SPACE: &str = "\nidempotency-key";
/// How many events are read at most to find those that a repeat is compared with: a few batches that came in between.
const LOOK: usize = 10_000;

/// The key of a publish.
#[derive(Debug)]
pub(crate) struct Once {
    tenant: TenantId,
    key: Name,
}

impl Once {
    pub(crate) fn read(scope: &Scope, headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(text) = single(headers, our::IDEMPOTENCY_KEY)? else { return Ok(None) };
        let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = Some(text).filter(|_| visible).and_then(|text| Name::new(text).ok());
        let key = key.ok_or_else(|| {
            Error::invalid(format!(
                "header {} must have 1 to 255 visible ASCII characters; a UUID does",
                our::IDEMPOTENCY_KEY
            ))
        })?;
        Ok(Some(Self { tenant: scope.tenant.clone(), key }))
    }

    /// Gives a draft without an id the one that follows from the key, and from its place among so many; says whether it did. A batch
    /// that grows is another one: else its new events would be stored beside a refusal of the old ones.
    pub(crate) fn name(&self, draft: &mut EventDraft, ordinal: u32, count: usize) -> bool {
        if draft.id.as_ref().is_some_and(|id| !id.trim().is_empty()) {
            return false;
        }
        // The topic is the same for all: what the event goes to does not make another key of it.
        let space = format!("{SPACE} {count}");
        let id = EventId::emission(self.tenant.as_str(), &space, Topic::BusinessFacts, &self.key, ordinal);
        draft.id = Some(id.to_string());
        true
    }
}

/// Refuses a key that was used for something else: what stands in the log differs from what was sent.
pub(crate) async fn look_same(
    app: &App,
    tenant: &TenantId,
    again: Vec<(Event, Position)>,
) -> Result<(), Refusal> {
    let mut by_topic: BTreeMap<Topic, BTreeMap<Position, Event>> = BTreeMap::new();
    for (event, position) in again {
        by_topic.entry(event.topic).or_default().insert(position, event);
    }
    for (topic, sent) in by_topic {
        let comparing = compare(app, tenant, topic, sent);
        // What cannot be read in time, or is no longer kept, is taken as it is: it was answered before.
        if let Ok(Some(other)) = tokio::time::timeout(CHECK_WITHIN, comparing).await {
            let detail = format!(
                "this {} was used for another event before ({}); repeat a publish unchanged, or use another key",
                our::IDEMPOTENCY_KEY,
                other.id
            );
            return Err(Problem::new(ErrorCode::Conflict, detail).into());
        }
    }
    Ok(())
}

/// Returns an event that was sent and is not what stands in its place.
async fn compare(
    app: &App,
    tenant: &TenantId,
    topic: Topic,
    mut sent: BTreeMap<Position, Event>,
) -> Option<Event> {
    let (first, _) = sent.first_key_value()?;
    let before = Position(first.0.saturating_sub(1));
    let after = Some(Cursor::from_iter([(topic, before)]));
    let subscription = Subscription { tenant: tenant.clone(), topics: [topic].into(), after };
    let mut stored = app.bus().subscribe(subscription).await.ok()?;
    for _ in 0..LOOK {
        if sent.is_empty() {
            return None;
        }
        let stored = stored.next().await.ok()?;
        if let Some(sent) = sent.remove(&stored.entry.position) {
            let known = &stored.entry.event;
            if (&sent.kind, &sent.source, &sent.data) != (&known.kind, &known.source, &known.data) {
                return Some(sent);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &[u8]) -> Result<Option<Once>, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(our::IDEMPOTENCY_KEY, axum::http::HeaderValue::from_bytes(key).expect("a value"));
        Once::read(&Scope::default(), &headers)
    }

    #[test]
    fn a_key_has_1_to_255_visible_characters() {
        for (key, expect) in [
            ("k".to_owned(), true),
            ("k".repeat(255), true),
            ("k".repeat(256), false),
            (String::new(), false),
            ("a b".into(), false),
            ("caf\u{e9}".into(), false),
        ] {
            let status = read(key.as_bytes()).map_err(|refusal| refusal.into_problem().status);
            assert_eq!(
                status.as_ref().map(Option::is_some),
                if expect { Ok(true) } else { Err(&422) },
                "{key}"
            );
        }
        assert!(Once::read(&Scope::default(), &HeaderMap::new()).expect("no key").is_none());
    }

    #[test]
    fn ids_follow_from_tenant_key_and_place_and_an_id_that_was_sent_stays() {
        let name = |key: &str, tenant: &str, (ordinal, count), id: Option<&str>| {
            let tenant = TenantId::new(tenant).expect("a tenant");
            let once = Once { tenant, key: Name::new(key).expect("a key") };
            let mut draft = EventDraft { id: id.map(str::to_owned), ..EventDraft::default() };
            let derived = once.name(&mut draft, ordinal, count);
            (derived, draft.id.expect("an id"))
        };
        let first = name("k", "one", (0, 1), None);
        assert_eq!((first.0, &first), (true, &name("k", "one", (0, 1), Some(" "))));
        for other in [
            name("k", "one", (1, 1), None),
            name("k", "one", (0, 2), None),
            name("l", "one", (0, 1), None),
            name("k", "two", (0, 1), None),
        ] {
            assert_ne!(first.1, other.1);
        }
        assert_eq!(name("k", "one", (0, 1), Some("own")), (false, "own".to_owned()));
    }
}
