//! The entries, the keys by which they are found, and the last revision.

use std::collections::BTreeMap;

use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    Erased, Generation, KindCount, KindErased, MemoryAct, MemoryAfter, MemoryDone, MemoryDraft, MemoryEntry,
    MemoryFilter, MemoryPage, MemoryPlace, MemoryQuery, MemoryRefused, MemoryStoreError, MemoryWrite,
    NewVector, RankQuery, Ranks, Seen, Unembedded, When,
};
use uuid::Uuid;

use super::fits::{best_first, compare, is_expired, is_seen, is_taken};
use super::words::scores;

/// How many bytes of text are told at once of what has no vector, or one text.
const MOST_TEXT: usize = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct State {
    revision: u64,
    rows: BTreeMap<(TenantId, Uuid), Row>,
    keys: BTreeMap<Slot, Uuid>,
}

#[derive(Debug)]
struct Row {
    entry: MemoryEntry,
    vectors: BTreeMap<Generation, Vec<f32>>,
}

/// What one entry has for its own: a key, of one owner where it is private.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    tenant: TenantId,
    kind: MemoryKind,
    group: String,
    key: String,
    owner: Option<Owner>,
}

impl Slot {
    fn of(tenant: &TenantId, entry: &MemoryEntry) -> Option<Self> {
        let owner = (!entry.public).then(|| entry.owner.clone());
        let (kind, group, key) = (entry.kind.clone(), entry.group.clone(), entry.key.clone()?);
        Some(Self { tenant: tenant.clone(), kind, group, key, owner })
    }
}

impl Row {
    /// The vector of a generation, if it is one.
    fn sound(&self, generation: &Generation) -> Option<&[f32]> {
        let vector = self.vectors.get(generation)?;
        let is_unit = (product(vector, vector) - 1.0).abs() < 1e-3;
        (vector.len() == generation.dimensions() && is_unit).then_some(vector)
    }
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

impl State {
    pub(super) fn write(&mut self, write: MemoryWrite) -> Result<MemoryDone, MemoryRefused> {
        let MemoryWrite { scope, at, act } = write;
        match act {
            MemoryAct::Put { draft, when } => self.put(scope, at, *draft, when),
            MemoryAct::Remove { place, revision } => self.remove(&scope, at, &place, revision),
            MemoryAct::RemoveGroup { kind, group } => {
                let removed = self.remove_all(usize::MAX, |tenant, entry| {
                    *tenant == scope.tenant
                        && is_seen(entry, &scope, Seen::Private)
                        && !is_expired(entry, at)
                        && entry.kind == kind
                        && entry.group == group
                });
                Ok(MemoryDone::Removed(count(removed.len())))
            }
        }
    }

    fn put(
        &mut self,
        scope: MemoryScope,
        at: Timestamp,
        draft: MemoryDraft,
        when: When,
    ) -> Result<MemoryDone, MemoryRefused> {
        let holder = draft.key.clone().and_then(|key| {
            let (tenant, kind, group) = (scope.tenant.clone(), draft.kind.clone(), draft.group.clone());
            let owner = (!draft.public).then(|| scope.owner.clone());
            self.keys.get(&Slot { tenant, kind, group, key, owner }).copied()
        });
        let before = holder.and_then(|id| self.rows.get(&(scope.tenant.clone(), id)));
        let before = before.filter(|row| !is_expired(&row.entry, at)).map(|row| &row.entry);
        match (when, before.map(|entry| entry.revision)) {
            (When::Absent, Some(_)) => return Err(MemoryRefused::AlreadyExists),
            (When::Present, None) => return Err(MemoryRefused::NotFound),
            (When::Revision(expected), revision) if revision != Some(expected) => {
                return Err(MemoryRefused::Conflict { revision });
            }
            _ => {}
        }
        let made = before.is_none();
        let (id, owner, created_at) = match before {
            Some(entry) => (entry.id, entry.owner.clone(), entry.created_at),
            None => (draft.id, scope.owner, at),
        };
        let place = (scope.tenant, id);
        // An id is the caller's to choose, and his fault when it is taken.
        if made && holder != Some(id) && self.rows.contains_key(&place) {
            return Err(MemoryRefused::AlreadyExists);
        }
        let row = holder.and_then(|holder| self.take(&(place.0.clone(), holder)));
        let kept = row.filter(|row| !made && row.entry.text == draft.text);
        let mut vectors = kept.map(|row| row.vectors).unwrap_or_default();
        vectors.extend(draft.vector.map(|embedded| (embedded.generation, embedded.vector)));
        self.revision += 1;
        let revision = self.revision;
        let mut labels = draft.labels;
        labels.sort_unstable();
        let entry = MemoryEntry {
            id,
            owner: owner.clone(),
            kind: draft.kind,
            group: draft.group,
            key: draft.key,
            public: draft.public,
            text: draft.text,
            body: draft.body,
            labels,
            created_at,
            updated_at: at,
            valid_from: draft.valid_from,
            valid_until: draft.valid_until,
            expires_at: draft.expires_at,
            revision,
        };
        self.keys.extend(Slot::of(&place.0, &entry).map(|slot| (slot, id)));
        self.rows.insert(place, Row { entry, vectors });
        Ok(MemoryDone::Put { id, revision, made, created_at, owner })
    }

    fn remove(
        &mut self,
        scope: &MemoryScope,
        at: Timestamp,
        place: &MemoryPlace,
        revision: Option<u64>,
    ) -> Result<MemoryDone, MemoryRefused> {
        let entry = self.get(scope, at, place).filter(|entry| entry.owner == scope.owner);
        let entry = entry.ok_or(MemoryRefused::NotFound)?;
        if revision.is_some_and(|expected| expected != entry.revision) {
            return Err(MemoryRefused::Conflict { revision: Some(entry.revision) });
        }
        let place = (scope.tenant.clone(), entry.id);
        self.take(&place);
        Ok(MemoryDone::Removed(1))
    }

    /// Removes an entry with all that belongs to it.
    fn take(&mut self, place: &(TenantId, Uuid)) -> Option<Row> {
        let row = self.rows.remove(place)?;
        if let Some(slot) = Slot::of(&place.0, &row.entry) {
            self.keys.remove(&slot);
        }
        Some(row)
    }

    fn remove_all(
        &mut self,
        limit: usize,
        mut which: impl FnMut(&TenantId, &MemoryEntry) -> bool,
    ) -> Vec<Row> {
        let places = self.rows.iter().filter(|((tenant, _), row)| which(tenant, &row.entry));
        let places: Vec<_> = places.map(|(place, _)| place.clone()).take(limit).collect();
        places.iter().filter_map(|place| self.take(place)).collect()
    }

    pub(super) fn get(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        place: &MemoryPlace,
    ) -> Option<&MemoryEntry> {
        let id = match place {
            MemoryPlace::Id(id) => *id,
            MemoryPlace::Key { kind, group, key, public } => {
                let (kind, group, key) = (kind.clone(), group.clone(), key.clone());
                let owner = (!public).then(|| scope.owner.clone());
                *self.keys.get(&Slot { tenant: scope.tenant.clone(), kind, group, key, owner })?
            }
        };
        let entry = &self.rows.get(&(scope.tenant.clone(), id))?.entry;
        (is_seen(entry, scope, Seen::Both) && !is_expired(entry, now)).then_some(entry)
    }

    /// What a filter takes of what is seen.
    fn taken<'a>(
        &'a self,
        scope: &'a MemoryScope,
        now: Timestamp,
        filter: &'a MemoryFilter,
    ) -> impl Iterator<Item = &'a Row> {
        let of_tenant = self.rows.iter().filter(|((tenant, _), _)| *tenant == scope.tenant);
        of_tenant.map(|(_, row)| row).filter(move |Row { entry, .. }| {
            is_seen(entry, scope, filter.reach) && !is_expired(entry, now) && is_taken(entry, filter)
        })
    }

    pub(super) fn list(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        query: &MemoryQuery,
    ) -> Result<MemoryPage, MemoryStoreError> {
        let order = query.order;
        let mut places = Vec::new();
        for row in self.taken(scope, now, &query.filter) {
            let place = MemoryAfter::of(&row.entry, order);
            let is_after = match &query.after {
                None => true,
                Some(after) => compare(&place, after, order)
                    .ok_or_else(|| MemoryStoreError::Invalid("this is no place in that order".into()))?
                    .is_gt(),
            };
            if is_after {
                places.push((place, &row.entry));
            }
        }
        places
            .sort_by(|(one, _), (other, _)| compare(one, other, order).unwrap_or(std::cmp::Ordering::Equal));
        let mut bytes = 0;
        let fit = places.iter().take(query.limit).take_while(|(_, entry)| {
            let has_room = bytes < MemoryPage::MOST_BYTES;
            bytes += entry.text.as_ref().map_or(0, String::len) + entry.body.len();
            has_room
        });
        let entries: Vec<_> = fit.map(|(_, entry)| (*entry).clone()).collect();
        Ok(MemoryPage { more: places.len() > entries.len(), entries })
    }

    pub(super) fn states(
        &self,
        scope: &MemoryScope,
        now: Timestamp,
        (kind, group): (&MemoryKind, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, u64)> {
        let filter = MemoryFilter {
            kind: Some(kind.clone()),
            group: Some(group.to_owned()),
            ..MemoryFilter::default()
        };
        let states = self.taken(scope, now, &filter);
        let states = states.filter_map(|row| Some((row.entry.key.clone()?, row.entry.revision)));
        let mut states: Vec<_> =
            states.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after)).collect();
        states.sort_unstable();
        states.truncate(limit);
        states
    }

    pub(super) fn rank(&self, scope: &MemoryScope, now: Timestamp, query: &RankQuery) -> Ranks {
        let rows: Vec<_> = self.taken(scope, now, &query.filter).collect();
        let mut ranks = Ranks::default();
        if let Some(asked) = &query.meaning {
            let scored = rows.iter().filter_map(|row| {
                Some((row.entry.id, product(row.sound(&asked.generation)?, &asked.vector)))
            });
            ranks.meaning = best_first(scored.collect(), query.depth);
        }
        if let Some(words) = &query.words {
            let texts: Vec<_> =
                rows.iter().filter_map(|row| Some((row.entry.id, row.entry.text.as_deref()?))).collect();
            ranks.words = best_first(scores(&texts, words), query.depth);
        }
        if query.time {
            let mut times: Vec<_> = rows.iter().map(|row| (row.entry.created_at, row.entry.id)).collect();
            times.sort_unstable_by(|one, other| other.cmp(one));
            ranks.time = times.into_iter().map(|(_, id)| id).take(query.depth).collect();
        }
        ranks
    }

    pub(super) fn put_vectors(&mut self, generation: &Generation, vectors: Vec<NewVector>) -> u64 {
        let mut added = 0;
        for NewVector { tenant, id, revision, vector } in vectors {
            let row = self.rows.get_mut(&(tenant, id));
            if let Some(row) = row.filter(|row| row.entry.revision == revision) {
                row.vectors.insert(generation.clone(), vector);
                added += 1;
            }
        }
        added
    }

    pub(super) fn unembedded(
        &self,
        generation: &Generation,
        after: Option<Uuid>,
        limit: usize,
    ) -> Vec<Unembedded> {
        let missing = self.rows.iter().filter_map(|((tenant, id), row)| {
            let text = row.entry.text.clone().filter(|_| row.sound(generation).is_none())?;
            let (tenant, id, revision) = (tenant.clone(), *id, row.entry.revision);
            after.is_none_or(|after| id > after).then_some(Unembedded { tenant, id, revision, text })
        });
        let mut missing: Vec<_> = missing.collect();
        missing.sort_by_key(|one| one.id);
        let mut bytes = 0;
        let fits = |one: &Unembedded| {
            let begins = bytes == 0;
            bytes += one.text.len();
            begins || bytes <= MOST_TEXT
        };
        missing.into_iter().take(limit).take_while(fits).collect()
    }

    pub(super) fn drop_vectors(&mut self, tenant: Option<&TenantId>, but: Option<&Generation>) -> u64 {
        let mut dropped = 0;
        for ((of, _), row) in &mut self.rows {
            if tenant.is_none_or(|tenant| tenant == of) {
                let before = row.vectors.len();
                row.vectors.retain(|generation, _| but == Some(generation));
                dropped += before - row.vectors.len();
            }
        }
        count(dropped)
    }

    pub(super) fn count(
        &self,
        tenant: &TenantId,
        owner: Option<&Owner>,
        generation: Option<&Generation>,
    ) -> Vec<KindCount> {
        let mut kinds: BTreeMap<&str, KindCount> = BTreeMap::new();
        for ((of, _), row) in &self.rows {
            let entry = &row.entry;
            if of != tenant || owner.is_some_and(|owner| *owner != entry.owner) {
                continue;
            }
            let kind = entry.kind.clone();
            let none = KindCount { kind, entries: 0, public: 0, bytes: 0, texts: 0, embedded: 0 };
            let line = kinds.entry(entry.kind.as_str()).or_insert(none);
            line.entries += 1;
            line.public += u64::from(entry.public);
            line.bytes += count(entry.text.as_ref().map_or(0, String::len) + entry.body.len());
            line.texts += u64::from(entry.text.is_some());
            let is_embedded = generation.is_some_and(|generation| row.sound(generation).is_some());
            line.embedded += u64::from(is_embedded);
        }
        kinds.into_values().collect()
    }

    pub(super) fn expire(&mut self, now: Timestamp, limit: usize) -> u64 {
        count(self.remove_all(limit, |_, entry| is_expired(entry, now)).len())
    }

    pub(super) fn retire(&mut self, kind: &MemoryKind, before: Timestamp, limit: usize) -> u64 {
        let is_old = |entry: &MemoryEntry| entry.kind == *kind && entry.created_at < before;
        count(self.remove_all(limit, |_, entry| is_old(entry)).len())
    }

    pub(super) fn erase(&mut self, tenant: &TenantId, whose: &Erased) -> Vec<KindErased> {
        let erased = self.remove_all(usize::MAX, |of, entry| {
            of == tenant
                && match whose {
                    Erased::Owner(owner) => entry.owner == *owner,
                    Erased::ServiceTenant(of) => entry.owner.service_tenant() == of,
                    Erased::Tenant => true,
                }
        });
        let mut kinds: BTreeMap<String, KindErased> = BTreeMap::new();
        for Row { entry, vectors } in erased {
            let none = KindErased { kind: entry.kind.clone(), entries: 0, vectors: 0 };
            let line = kinds.entry(entry.kind.to_string()).or_insert(none);
            line.entries += 1;
            line.vectors += count(vectors.len());
        }
        kinds.into_values().collect()
    }

    pub(super) fn damage_vectors(&mut self, tenant: &TenantId, id: Uuid) {
        if let Some(row) = self.rows.get_mut(&(tenant.clone(), id)) {
            row.vectors.values_mut().for_each(|vector| vector.fill(0.0));
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
