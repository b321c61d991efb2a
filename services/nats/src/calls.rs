//! Calls over several topics.
//!
//! No batch of the server spans topics, so such a call is written down as a whole, appended topic by topic, and crossed out.
//!
//! What is left written down (a topic was away in between, a process died) is finished by everybody who sees it: appended is
//! only what is not there yet, so one that is still at work is not disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use soorma_core::{Event, TenantId};
use soorma_ports::EventLogError;
use tokio::time::Instant;
use uuid::Uuid;

use crate::append::{Envelope, Places, TRIES, backoff, too_many};
use crate::core::Core;
use crate::error::Refused;
use crate::wire::{MOST_IN_BATCH, Put};

/// What the names of calls are derived with.
const CALLS: Uuid = Uuid::from_u128(0x1f3c_52d7_8f0e_4c39_9a5b_6d0e_27b4_c8a1);
/// How many calls that are left are finished at once: one that hangs does not hold up the others.
const FINISHED_AT_ONCE: usize = 16;
/// The shortest time between two looks for what is left.
const SHORTEST: Duration = Duration::from_secs(1);

impl Core {
    /// Appends different events of several topics. Not to be cut: what is left then is finished only later.
    pub(crate) async fn append_over_topics(
        &self,
        tenant: &TenantId,
        envelopes: &[Envelope],
    ) -> Result<Places, EventLogError> {
        if envelopes.len() > MOST_IN_BATCH {
            return Err(too_many(envelopes.len(), "all topics"));
        }
        let call = name_of(tenant, envelopes);
        self.write_down(tenant, &call, envelopes).await?;
        // From here on it will be there as a whole, whoever finishes it; but for what is refused for good.
        let answer = match self.append_all(tenant, envelopes.to_vec()).await {
            Err(error) if !is_for_good(&error) => {
                let later = format!("the call is written down and will be finished later: {error}");
                return Err(EventLogError::Unavailable(later));
            }
            answer => answer,
        };
        if let Err(error) = self.cross_out(&call).await {
            tracing::debug!(%call, %error, "a call is not crossed out, and will be finished once more");
        }
        answer
    }

    /// Writes a call down; the same call again, which somebody has not finished yet, stands there already.
    async fn write_down(
        &self,
        tenant: &TenantId,
        call: &str,
        envelopes: &[Envelope],
    ) -> Result<(), EventLogError> {
        let puts = envelopes.iter().enumerate().map(|(nth, envelope)| Put {
            subject: self.names.part_of_call(call, nth),
            payload: written_down(tenant, envelope),
            expected: Some(0),
            ttl: None,
        });
        let puts: Vec<Put> = puts.collect();
        for tried in 0.. {
            match self.wire.store(&puts).await {
                Ok(_) | Err(Refused::Raced(_)) => break,
                Err(Refused::BatchBroken(_)) if tried < TRIES => tokio::time::sleep(backoff(tried)).await,
                Err(refused) => return Err(refused.into_error()),
            }
        }
        Ok(())
    }

    async fn cross_out(&self, call: &str) -> Result<(), EventLogError> {
        self.wire.purge(&self.names.calls_stream(), &self.names.call(call)).await
    }

    /// Finishes what is left of calls, in this process or another, as long as it lives.
    pub(crate) async fn finish_what_is_left(self: Arc<Self>, answer_within: Duration) {
        let mut seen = BTreeMap::new();
        loop {
            let older_than = tokio::select! {
                // What was on its way was given up with the connection before.
                () = self.wire.connected() => Duration::ZERO,
                () = tokio::time::sleep(answer_within.max(SHORTEST)) => answer_within,
            };
            if let Err(error) = self.finish_calls(&mut seen, older_than).await {
                tracing::debug!(%error, "what is left of calls is not known now");
            }
        }
    }

    /// Finishes the calls that were first seen so long ago, as far as it can.
    pub(crate) async fn finish_calls(
        &self,
        seen: &mut BTreeMap<String, Instant>,
        older_than: Duration,
    ) -> Result<(), EventLogError> {
        let now = Instant::now();
        let subjects = self.wire.subjects(&self.names.calls_stream(), &self.names.all_calls()).await?;
        let calls: BTreeSet<String> =
            subjects.iter().filter_map(|subject| self.names.whose_part(subject)).map(str::to_owned).collect();
        seen.retain(|call, _| calls.contains(call));
        let left = calls.into_iter().filter(|call| {
            let first = *seen.entry(call.clone()).or_insert(now);
            now.duration_since(first) >= older_than
        });
        let left: Vec<String> = left.collect();
        let finished = stream::iter(left).map(async |call| self.finish_call(&call).await);
        let finished: Vec<_> = finished.buffer_unordered(FINISHED_AT_ONCE).collect().await;
        let errors: Vec<EventLogError> = finished.into_iter().filter_map(Result::err).collect();
        if let Some(error) = errors.first() {
            tracing::warn!(calls = errors.len(), %error, "calls that were begun are not finished, trying again");
        }
        Ok(())
    }

    async fn finish_call(&self, call: &str) -> Result<(), EventLogError> {
        let Some((tenant, envelopes)) = self.read_call(call).await? else {
            // Somebody has just finished it, it is dropped for its age, or it is not ours.
            tracing::debug!(%call, "a call is not there as a whole");
            return Ok(());
        };
        tracing::info!(%call, events = envelopes.len(), "finishing a call that was begun");
        match self.append_all(&tenant, envelopes).await {
            Ok(_) => {}
            Err(error) if is_for_good(&error) => {
                tracing::error!(%call, %error, "a call that was begun cannot be finished, it is dropped");
            }
            Err(error) => return Err(error),
        }
        self.cross_out(call).await
    }

    async fn read_call(&self, call: &str) -> Result<Option<(TenantId, Vec<Envelope>)>, EventLogError> {
        let Some(count) = parts_of(call) else { return Ok(None) };
        let (stream, filter) = (self.names.calls_stream(), self.names.call(call));
        let (mut whose, mut envelopes, mut after) = (None, Vec::new(), 0);
        loop {
            let range = self.wire.range(&stream, after, Some(&filter), MOST_IN_BATCH).await?;
            for message in range.messages {
                after = message.sequence;
                let Some((tenant, envelope)) = read_part(&message.payload) else { return Ok(None) };
                if *whose.get_or_insert_with(|| tenant.clone()) != tenant {
                    return Ok(None);
                }
                envelopes.push(envelope);
            }
            if !range.more {
                break;
            }
        }
        Ok(whose.filter(|_| envelopes.len() == count).map(|tenant| (tenant, envelopes)))
    }
}

/// Whether it does not help to try again: a message is larger than an operator lets the stream take.
fn is_for_good(error: &EventLogError) -> bool {
    matches!(error, EventLogError::Invalid(_))
}

/// The name of a call comes from what it appends, so the same call again has the same; it ends with the number of its parts.
fn name_of(tenant: &TenantId, envelopes: &[Envelope]) -> String {
    // Lengths stand before the parts, so that no two lists of parts give one text.
    let mut text = format!("{}:{tenant}", tenant.as_str().len());
    for envelope in envelopes {
        text.push_str(&format!("{}:{}:{}", envelope.topic.number(), envelope.id.as_str().len(), envelope.id));
    }
    format!("{}-{}", Uuid::new_v5(&CALLS, text.as_bytes()).simple(), envelopes.len())
}

fn parts_of(call: &str) -> Option<usize> {
    call.rsplit_once('-')?.1.parse().ok()
}

/// The tenant, a line break, and the event.
fn written_down(tenant: &TenantId, envelope: &Envelope) -> Bytes {
    let mut payload = Vec::with_capacity(tenant.as_str().len() + 1 + envelope.payload.len());
    payload.extend_from_slice(tenant.as_str().as_bytes());
    payload.push(b'\n');
    payload.extend_from_slice(&envelope.payload);
    payload.into()
}

fn read_part(payload: &Bytes) -> Option<(TenantId, Envelope)> {
    let end = payload.iter().position(|byte| *byte == b'\n')?;
    let tenant = TenantId::new(std::str::from_utf8(payload.get(..end)?).ok()?).ok()?;
    let payload = payload.slice(end + 1..);
    let event: Event = serde_json::from_slice(&payload).ok()?;
    Some((tenant, Envelope { topic: event.topic, id: event.id, payload }))
}

#[cfg(test)]
mod tests {
    use soorma_core::{Name, Topic};

    use super::*;

    #[test]
    fn a_call_has_one_name_and_no_other_call_has_it() {
        let of = |tenant: &str, events: &[(Topic, &str)]| {
            let events = events.iter().map(|(topic, id)| Envelope {
                topic: *topic,
                id: Name::new(*id).unwrap(),
                payload: Bytes::new(),
            });
            name_of(&TenantId::new(tenant).unwrap(), &events.collect::<Vec<_>>())
        };
        let (a, b) = (Topic::TaskEvents, Topic::PlanEvents);
        let one = of("acme", &[(a, "x"), (b, "y")]);
        assert_eq!(one, of("acme", &[(a, "x"), (b, "y")]));
        assert_eq!(parts_of(&one), Some(2));
        for other in [
            of("acme2", &[(a, "x"), (b, "y")]),
            of("acme", &[(b, "x"), (a, "y")]),
            of("acme", &[(b, "y"), (a, "x")]),
            of("acme", &[(a, "x"), (b, "y"), (b, "z")]),
            of("acme", &[(a, "x1"), (b, "y")]),
        ] {
            assert_ne!(one, other);
        }
    }
}
