//! Dead letters: listed, given back, dropped. Their ids are their places in the stream of groups.

use std::collections::BTreeMap;

use soorma_core::{Name, Position, TenantId, Topic};
use soorma_ports::{DeadLetter, DeadLetterFilter, EventLogError};

use crate::core::Core;
use crate::error::{Refused, corrupt};
use crate::group::{Due, Letter, MARK_STAYS, MOST_BURIED, Saved};
use crate::wire::Put;

/// How many are read at once.
const READ_AT_ONCE: usize = 250;
/// How often others may be faster before a call is given up.
const MOST_RACES: usize = 100;

/// A letter, where it stands.
struct Found {
    id: u64,
    group: Name,
    topic: Topic,
    position: Position,
    letter: Letter,
}

impl Core {
    pub(crate) async fn dead_letters(
        &self,
        tenant: &TenantId,
        filter: &DeadLetterFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        let (stream, mut after) = (self.names.groups_stream(), after);
        let subjects = self.names.letters(tenant, filter.group.as_ref(), filter.topic);
        let mut letters = Vec::new();
        while letters.len() < limit {
            let range = self.wire.range(&stream, after, Some(&subjects), READ_AT_ONCE).await?;
            for message in &range.messages {
                after = message.sequence;
                let letter = self.read_letter(tenant, message.sequence, &message.subject, &message.payload);
                letters.extend(letter.map(Found::into_dead_letter));
            }
            if !range.more {
                break;
            }
        }
        letters.truncate(limit);
        Ok(letters)
    }

    pub(crate) async fn dead_letter(
        &self,
        tenant: &TenantId,
        id: u64,
    ) -> Result<Option<DeadLetter>, EventLogError> {
        Ok(self.find_letter(tenant, id).await?.map(Found::into_dead_letter))
    }

    async fn find_letter(&self, tenant: &TenantId, id: u64) -> Result<Option<Found>, EventLogError> {
        let found = self.wire.at(&self.names.groups_stream(), id).await?;
        Ok(found.and_then(|(subject, payload)| self.read_letter(tenant, id, &subject, &payload)))
    }

    fn read_letter(&self, tenant: &TenantId, id: u64, subject: &str, payload: &[u8]) -> Option<Found> {
        let (group, topic, position) = self.names.whose_letter(tenant, subject)?;
        let letter = Letter::read(payload).filter(|letter| !letter.redriven)?;
        Some(Found { id, group, topic, position, letter })
    }

    pub(crate) async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        let mut discarded = Vec::new();
        for id in ids {
            let Some(found) = self.find_letter(tenant, *id).await? else { continue };
            let mark = Put {
                subject: self.names.letter(tenant, &found.group, found.topic, found.position),
                payload: bytes::Bytes::new(),
                // Unless it was redriven or discarded in between.
                expected: Some(*id),
                ttl: Some(MARK_STAYS),
            };
            match self.wire.put(mark).await {
                Ok(_) => discarded.push(*id),
                Err(Refused::Raced(_)) => {}
                Err(refused) => return Err(refused.into_error()),
            }
        }
        Ok(discarded)
    }

    pub(crate) async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        let mut given_back = Vec::new();
        for some in ids.chunks(MOST_BURIED) {
            let mut by_group: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
            for id in some {
                if let Some(found) = self.find_letter(tenant, *id).await? {
                    by_group.entry(found.group).or_default().push(*id);
                }
            }
            let mut of_these = Vec::new();
            for (group, ids) in by_group {
                of_these.extend(self.redrive_group(tenant, &group, &ids).await?);
            }
            // In the order of the call, each once.
            for id in some {
                if let Some(nth) = of_these.iter().position(|given_back| given_back == id) {
                    given_back.push(of_these.swap_remove(nth));
                }
            }
        }
        Ok(given_back)
    }

    async fn redrive_group(
        &self,
        tenant: &TenantId,
        group: &Name,
        ids: &[u64],
    ) -> Result<Vec<u64>, EventLogError> {
        for _ in 0..MOST_RACES {
            let (Some(held), revision) = self.load(tenant, group).await? else { return Ok(Vec::new()) };
            let now = Due { server: self.time.now(), wall: self.clock.now() };
            let (mut state, mut puts, mut given_back) = (held, Vec::new(), Vec::new());
            for id in ids {
                // Read anew each time: it may have been dealt with in between.
                let Some(mut found) = self.find_letter(tenant, *id).await? else { continue };
                if !state.takes(found.topic) || !state.redrive(found.topic, found.position, now) {
                    continue;
                }
                found.letter.redriven = true;
                let payload =
                    serde_json::to_vec(&found.letter).map_err(|error| corrupt("a dead letter", error))?;
                let subject = self.names.letter(tenant, group, found.topic, found.position);
                puts.push(Put { subject, payload: payload.into(), expected: Some(*id), ttl: None });
                given_back.push(*id);
            }
            if given_back.is_empty() {
                return Ok(Vec::new());
            }
            match self.save(tenant, group, &state, revision, puts).await? {
                Saved::As(_) => return Ok(given_back),
                Saved::Raced => {}
            }
        }
        Err(EventLogError::Unavailable(format!(
            "the members of the group {group} were faster too often; try again"
        )))
    }
}

impl Found {
    fn into_dead_letter(self) -> DeadLetter {
        self.letter.into_dead_letter(self.id, self.group, self.position)
    }
}
