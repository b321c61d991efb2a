//! Dead letters: listed, given back, dropped. Their ids are their places in the stream of groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use soorma_core::{Event, Name, TenantId};
use soorma_ports::{DeadLetter, DeadLetterFilter, EventLogError};

use crate::core::Core;
use crate::error::corrupt;
use crate::group::{Letter, MARK_STAYS, MOST_BURIED, Saved};
use crate::names::LetterKey;
use crate::wire::Put;

/// How many are read at once.
const READ_AT_ONCE: usize = 250;
/// How often others may be faster before a call is given up.
const MOST_RACES: usize = 100;

/// A letter, where it stands.
struct Found {
    id: u64,
    group: Name,
    key: LetterKey,
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
                let wanted = letter.filter(|letter| {
                    filter.kind.as_ref().is_none_or(|kind| letter.letter.event.kind == *kind)
                });
                letters.extend(wanted.map(Found::into_dead_letter));
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
        let (group, key) = self.names.whose_letter(tenant, subject)?;
        let letter = Letter::read(payload).filter(|letter| !letter.redriven)?;
        Some(Found { id, group, key, letter })
    }

    pub(crate) async fn discard(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.handle(tenant, ids, Verb::Discard).await
    }

    pub(crate) async fn redrive(&self, tenant: &TenantId, ids: &[u64]) -> Result<Vec<u64>, EventLogError> {
        self.handle(tenant, ids, Verb::Redrive).await
    }

    /// Deals with letters group by group; returns which were there, in the order of the call, each once.
    async fn handle(&self, tenant: &TenantId, ids: &[u64], verb: Verb) -> Result<Vec<u64>, EventLogError> {
        let mut handled = Vec::new();
        for some in ids.chunks(MOST_BURIED) {
            let mut by_group: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
            for id in some {
                if let Some(found) = self.find_letter(tenant, *id).await? {
                    let ids = by_group.entry(found.group).or_default();
                    if !ids.contains(id) {
                        ids.push(*id);
                    }
                }
            }
            let mut of_these = Vec::new();
            for (group, ids) in by_group {
                of_these.extend(self.handle_group(tenant, &group, &ids, verb).await?);
            }
            for id in some {
                if let Some(nth) = of_these.iter().position(|handled| handled == id) {
                    handled.push(of_these.swap_remove(nth));
                }
            }
        }
        Ok(handled)
    }

    async fn handle_group(
        &self,
        tenant: &TenantId,
        group: &Name,
        ids: &[u64],
        verb: Verb,
    ) -> Result<Vec<u64>, EventLogError> {
        for _ in 0..MOST_RACES {
            let (Some(mut state), revision) = self.load(tenant, group).await? else { return Ok(Vec::new()) };
            let now = self.now();
            let (mut puts, mut handled) = (Vec::new(), Vec::new());
            for id in ids {
                // Read anew each time: it may have been dealt with in between.
                let Some(mut found) = self.find_letter(tenant, *id).await? else { continue };
                let subject = self.names.letter(tenant, group, found.key);
                let (payload, ttl) = match verb {
                    Verb::Redrive => {
                        let key = state.key.as_ref().and_then(|key| key.of(&found.letter.event));
                        if !state.redrive(found.key, found.letter.first_at, key, now) {
                            continue;
                        }
                        found.letter.redriven = true;
                        let letter = serde_json::to_vec(&found.letter);
                        (letter.map_err(|error| corrupt("a dead letter", error))?.into(), None)
                    }
                    Verb::Discard => {
                        state.discard();
                        (bytes::Bytes::new(), Some(MARK_STAYS))
                    }
                };
                puts.push(Put { subject, payload, expected: Some(*id), ttl });
                handled.push(*id);
            }
            if handled.is_empty() {
                return Ok(Vec::new());
            }
            match self.save(tenant, group, &state, revision, puts).await? {
                Saved::As(_) => return Ok(handled),
                Saved::Raced => {}
            }
        }
        Err(EventLogError::Unavailable(format!(
            "the members of the group {group} were faster too often; try again"
        )))
    }

    /// Appends the announcements of letters that are still there, as the leader knows them: a server that lags behind would not find
    /// what was stored just now.
    pub(crate) async fn announce(
        &self,
        tenant: &TenantId,
        group: &Name,
        letters: &[LetterKey],
    ) -> Result<(), EventLogError> {
        let stream = self.names.groups_stream();
        let found = letters.iter().map(|key| async {
            let subject = self.names.letter(tenant, group, *key);
            let found = self.wire.newest(&stream, &subject).await?;
            Ok(found.and_then(|(id, payload)| self.read_letter(tenant, id, &subject, &payload)))
        });
        let found = try_join_all(found).await?;
        let mut letters: Vec<DeadLetter> = found.into_iter().flatten().map(Found::into_dead_letter).collect();
        letters.sort_unstable_by_key(|letter| letter.id);
        let events: Vec<Arc<Event>> =
            letters.iter().filter_map(|letter| letter.announcement(tenant)).map(Arc::new).collect();
        if !events.is_empty() {
            self.append(tenant, &events).await?;
        }
        Ok(())
    }
}

/// What is done with letters.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Redrive,
    Discard,
}

impl Found {
    fn into_dead_letter(self) -> DeadLetter {
        self.letter.into_dead_letter(self.id, self.group, self.key.position)
    }
}
