//! Appending.
//!
//! Each event has a subject of its own, which ends with its id, and is published on condition that the subject has no message
//! yet. So the server itself refuses an id that it has, for as long as it has it, and says where it stands.
//!
//! Several events of one topic are one atomic batch. Where they are of several topics, see `calls`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use soorma_core::{Event, Json, Name, Position, TenantId, Topic};
use soorma_ports::{Appended, EventLogError};

use crate::core::Core;
use crate::error::Refused;
use crate::wire::{MOST_IN_BATCH, Put};

/// How often a call is tried again when others append the same ids.
pub(crate) const TRIES: usize = 50;
/// What a dead letter adds to its event, and headers: an event that fits fits also as a dead letter.
const MARGIN: usize = 8 << 10;

/// Where events stand.
pub(crate) type Places = HashMap<(Topic, Name), Appended>;

/// An event on its way.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) topic: Topic,
    pub(crate) id: Name,
    pub(crate) payload: Bytes,
}

impl Core {
    pub(crate) async fn append(
        &self,
        tenant: &TenantId,
        events: &[Arc<Event>],
    ) -> Result<Vec<Appended>, EventLogError> {
        let most = self.wire.client.server_info().max_payload.saturating_sub(MARGIN);
        let mut envelopes = Vec::with_capacity(events.len());
        let mut ids = BTreeSet::new();
        for event in events {
            if !ids.insert((event.topic, event.id.as_str())) {
                continue;
            }
            let payload = Bytes::from(event.to_json(Json::Snake));
            if payload.len() > most {
                return Err(EventLogError::Invalid(format!(
                    "the event {} has {} bytes; the NATS server takes at most {most} (its max_payload less {MARGIN})",
                    event.id,
                    payload.len()
                )));
            }
            envelopes.push(Envelope { topic: event.topic, id: event.id.clone(), payload });
        }
        let topics: BTreeSet<Topic> = envelopes.iter().map(|envelope| envelope.topic).collect();
        let mut places = if topics.len() > 1 {
            self.append_over_topics(tenant, &envelopes).await?
        } else {
            self.append_all(tenant, envelopes).await?
        };
        let answers = events.iter().map(|event| {
            let place = places.get_mut(&(event.topic, event.id.clone()))?;
            let answer = *place;
            // The same id again, in the same call.
            place.duplicate = true;
            Some(answer)
        });
        answers.collect::<Option<_>>().ok_or_else(|| EventLogError::Corrupt("an event has no place".into()))
    }

    /// Appends different events, topic by topic; all of one topic or none.
    pub(crate) async fn append_all(
        &self,
        tenant: &TenantId,
        envelopes: Vec<Envelope>,
    ) -> Result<Places, EventLogError> {
        let mut places = HashMap::new();
        let mut by_topic: BTreeMap<Topic, Vec<Envelope>> = BTreeMap::new();
        for envelope in envelopes {
            by_topic.entry(envelope.topic).or_default().push(envelope);
        }
        for (topic, mut open) in by_topic {
            for tried in 0.. {
                let is_last = tried == TRIES;
                let outcome = match &open[..] {
                    [] => break,
                    [one] => self.put_one(tenant, one).await.map(|appended| vec![appended]),
                    several => self.put_several(tenant, topic, several).await,
                };
                match outcome {
                    Ok(appended) => {
                        let ids = open.drain(..).map(|envelope| (topic, envelope.id));
                        places.extend(ids.zip(appended));
                    }
                    Err(refused @ Refused::Log(_)) => return Err(refused.into_error()),
                    Err(refused) if is_last => return Err(refused.into_error()),
                    Err(Refused::BatchBroken(_)) => tokio::time::sleep(backoff(tried)).await,
                    Err(Refused::Raced(_)) => {
                        for (id, position) in self.known(tenant, topic, &open).await? {
                            open.retain(|envelope| envelope.id != id);
                            places.insert((topic, id), Appended { position, duplicate: true });
                        }
                    }
                }
            }
        }
        Ok(places)
    }

    async fn put_one(&self, tenant: &TenantId, envelope: &Envelope) -> Result<Appended, Refused> {
        match self.store(envelope.topic, vec![self.put_of(tenant, envelope)]).await {
            Ok(sequence) => Ok(Appended { position: Position(sequence), duplicate: false }),
            Err(Refused::Raced(Some(sequence))) if sequence > 0 => {
                Ok(Appended { position: Position(sequence), duplicate: true })
            }
            Err(refused) => Err(refused),
        }
    }

    async fn put_several(
        &self,
        tenant: &TenantId,
        topic: Topic,
        envelopes: &[Envelope],
    ) -> Result<Vec<Appended>, Refused> {
        if envelopes.len() > MOST_IN_BATCH {
            return Err(too_many(envelopes.len(), topic.as_str()).into());
        }
        let puts = envelopes.iter().map(|envelope| self.put_of(tenant, envelope)).collect();
        let last = self.store(topic, puts).await?;
        // They stand side by side.
        let behind = (0..envelopes.len() as u64).rev();
        Ok(behind.map(|behind| Appended { position: Position(last - behind), duplicate: false }).collect())
    }

    async fn store(&self, topic: Topic, call: Vec<Put>) -> Result<u64, Refused> {
        match &self.gathered {
            Some(gathered) => gathered.store(topic, call).await,
            None => self.wire.store(&call).await,
        }
    }

    fn put_of(&self, tenant: &TenantId, envelope: &Envelope) -> Put {
        let subject = self.names.event(envelope.topic, tenant, &envelope.id);
        Put { subject, payload: envelope.payload.clone(), expected: Some(0), ttl: None }
    }

    /// Returns which of these the log has, and where.
    async fn known(
        &self,
        tenant: &TenantId,
        topic: Topic,
        envelopes: &[Envelope],
    ) -> Result<Vec<(Name, Position)>, EventLogError> {
        let subjects: Vec<String> =
            envelopes.iter().map(|envelope| self.names.event(topic, tenant, &envelope.id)).collect();
        let found = self.wire.last_of(&self.names.events_stream(topic), &subjects).await?;
        let known = found.into_iter().filter_map(|message| {
            let (_, id) = self.names.whose_event(topic, &message.subject)?;
            Some((id, Position(message.sequence)))
        });
        Ok(known.collect())
    }
}

pub(crate) fn too_many(count: usize, of: &str) -> EventLogError {
    EventLogError::Invalid(format!(
        "{count} events of {of} in one call are too many; at most {MOST_IN_BATCH} can be appended together"
    ))
}

/// 5 ms to 200 ms: as long as some batches of others take.
pub(crate) fn backoff(tried: usize) -> std::time::Duration {
    std::time::Duration::from_millis(5 << tried.min(5))
}
