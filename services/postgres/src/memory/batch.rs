//! What writes do to the entries of one tenant that they are about: no SQL, no waiting.

use std::collections::{BTreeMap, BTreeSet};

use soorma_core::{MemoryScope, Owner};
use soorma_ports::{
    Embedded, MemoryAct, MemoryDone, MemoryDraft, MemoryPlace, MemoryRefused, MemoryWrite, When,
};
use uuid::Uuid;

use super::entry::{PUBLIC, private, whose};
use super::{fingerprint, unsigned};

/// What one entry has for its own: who sees it, kind, group, key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) whose: String,
    pub(super) kind: String,
    pub(super) group: String,
    pub(super) key: String,
}

impl Slot {
    fn of(scope: &MemoryScope, draft: &MemoryDraft) -> Option<Self> {
        let (whose, kind) = (whose(scope, draft.public), draft.kind.to_string());
        Some(Self { whose, kind, group: draft.group.clone(), key: draft.key.clone()? })
    }

    fn at(scope: &MemoryScope, place: &MemoryPlace) -> Option<Self> {
        let MemoryPlace::Key { kind, group, key, public } = place else { return None };
        let (whose, kind) = (whose(scope, *public), kind.to_string());
        Some(Self { whose, kind, group: group.clone(), key: key.clone() })
    }
}

/// The locks of the places in which entries are put, in the order in which they are taken.
pub(super) fn locks(writes: &[MemoryWrite]) -> BTreeSet<i64> {
    let places = writes.iter().filter_map(|write| {
        let MemoryAct::Put { draft, .. } = &write.act else { return None };
        let slot = Slot::of(&write.scope, draft)?;
        let place = [&*slot.whose, &*slot.kind, &*slot.group, &*slot.key];
        Some(fingerprint::lock(write.scope.tenant.as_str(), &place))
    });
    places.collect()
}

/// Which entries writes are about.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) ids: BTreeSet<Uuid>,
    pub(super) slots: BTreeSet<Slot>,
}

impl Wanted {
    pub(super) fn of(writes: &[&MemoryWrite]) -> Self {
        let mut wanted = Self::default();
        for write in writes {
            match &write.act {
                MemoryAct::Put { draft, .. } => {
                    // It may be another's.
                    wanted.ids.insert(draft.id);
                    wanted.slots.extend(Slot::of(&write.scope, draft));
                }
                MemoryAct::Remove { place: MemoryPlace::Id(id), .. } => {
                    wanted.ids.insert(*id);
                }
                MemoryAct::Remove { place, .. } => wanted.slots.extend(Slot::at(&write.scope, place)),
                MemoryAct::RemoveGroup { .. } => {}
            }
        }
        wanted
    }
}

/// An entry, as it is after what was done to it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) owner: Owner,
    pub(super) slot: Option<Slot>,
    pub(super) public: bool,
    pub(super) text: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) revision: i64,
    pub(super) change: Change,
}

/// What is to be written of an entry.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// What it is to be, where it was put.
    pub(super) put: Option<Box<Put>>,
    /// Whether it is in the tables, and what belongs to it.
    pub(super) stands: bool,
    /// Whether it is to go from there, also where another is to be put in its place.
    pub(super) goes: bool,
    /// Whether its vectors are to go.
    pub(super) drops_vectors: bool,
    /// Whether other words or labels belong to it now.
    pub(super) has_other_words: bool,
    /// Whether its vectors are to be told when it expires.
    pub(super) expires_otherwise: bool,
}

#[derive(Debug)]
pub(super) struct Put {
    pub(super) draft: MemoryDraft,
    pub(super) updated_at: i64,
    pub(super) vectors: Vec<Embedded>,
}

impl Row {
    /// Whether it is there, for who comes at a time.
    fn is_there(&self, at: i64) -> bool {
        self.is_written() && self.expires_at.is_none_or(|expires_at| expires_at > at)
    }

    /// Whether it will be in the tables.
    fn is_written(&self) -> bool {
        self.change.put.is_some() || (self.change.stands && !self.change.goes)
    }

    fn remove(&mut self) {
        self.change.put = None;
        self.change.goes = self.change.stands;
    }
}

/// The entries of one tenant that writes are about.
#[derive(Debug, Default)]
pub(super) struct Held {
    rows: BTreeMap<Uuid, Row>,
    slots: BTreeMap<Slot, Uuid>,
}

impl Held {
    /// Takes an entry as it is in the tables.
    pub(super) fn hold(&mut self, id: Uuid, row: Row) {
        self.slots.extend(row.slot.clone().map(|slot| (slot, id)));
        self.rows.insert(id, row);
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&Uuid, &Row)> {
        self.rows.iter()
    }

    /// Carries out one write; an entry that changes has this revision or a greater one.
    pub(super) fn write(&mut self, write: MemoryWrite, revision: i64) -> Result<MemoryDone, MemoryRefused> {
        let MemoryWrite { scope, at, act } = write;
        match act {
            MemoryAct::Put { draft, when } => self.put(scope, at.micros(), *draft, when, revision),
            MemoryAct::Remove { place, revision } => self.remove(&scope, at.micros(), &place, revision),
            // What is removed is not known here.
            MemoryAct::RemoveGroup { .. } => Ok(MemoryDone::Removed(0)),
        }
    }

    fn put(
        &mut self,
        scope: MemoryScope,
        at: i64,
        mut draft: MemoryDraft,
        when: When,
        revision: i64,
    ) -> Result<MemoryDone, MemoryRefused> {
        let slot = Slot::of(&scope, &draft);
        let holder = slot.as_ref().and_then(|slot| self.slots.get(slot)).copied();
        let before = holder.and_then(|id| Some((id, self.rows.get(&id)?)));
        let there = before.filter(|(_, row)| row.is_there(at));
        match (when, there.map(|(_, row)| unsigned(row.revision))) {
            (When::Absent, Some(_)) => return Err(MemoryRefused::AlreadyExists),
            (When::Present, None) => return Err(MemoryRefused::NotFound),
            (When::Revision(expected), revision) if revision != Some(expected) => {
                return Err(MemoryRefused::Conflict { revision });
            }
            _ => {}
        }
        let made = there.is_none();
        let (id, owner, created_at) = match there {
            Some((id, row)) => (id, row.owner.clone(), row.created_at),
            None => (draft.id, scope.owner, at),
        };
        // An id is the caller's to choose, and his fault when it is taken.
        if made && holder != Some(id) && self.rows.get(&id).is_some_and(Row::is_written) {
            return Err(MemoryRefused::AlreadyExists);
        }
        // One that has expired makes place.
        let last = before.map_or(0, |(_, row)| row.revision);
        let revision = revision.max(last.saturating_add(1));
        if made && let Some(gone) = holder.and_then(|id| self.rows.get_mut(&id)) {
            gone.remove();
        }
        draft.labels.sort_unstable();
        let brought = draft.vector.take();
        let expires_at = draft.expires_at.map(soorma_core::Timestamp::micros);
        let before = self.rows.remove(&id);
        let change = change(before, made, &draft, expires_at);
        let mut vectors = change.put.map(|put| put.vectors).unwrap_or_default();
        if let Some(brought) = brought {
            vectors.retain(|vector| vector.generation != brought.generation);
            vectors.push(brought);
        }
        let row = Row {
            owner: owner.clone(),
            slot: slot.clone(),
            public: draft.public,
            text: draft.text.clone(),
            labels: draft.labels.clone(),
            created_at,
            expires_at,
            revision,
            change: Change { put: Some(Box::new(Put { draft, updated_at: at, vectors })), ..change },
        };
        self.hold(id, row);
        Ok(MemoryDone::Put {
            id,
            revision: unsigned(revision),
            made,
            created_at: soorma_core::Timestamp::from_micros(created_at),
            owner,
        })
    }

    fn remove(
        &mut self,
        scope: &MemoryScope,
        at: i64,
        place: &MemoryPlace,
        revision: Option<u64>,
    ) -> Result<MemoryDone, MemoryRefused> {
        let id = match place {
            MemoryPlace::Id(id) => Some(*id),
            MemoryPlace::Key { .. } => Slot::at(scope, place).and_then(|slot| self.slots.get(&slot)).copied(),
        };
        let row = id.and_then(|id| self.rows.get_mut(&id));
        let row =
            row.filter(|row| row.owner == scope.owner && row.is_there(at)).ok_or(MemoryRefused::NotFound)?;
        if revision.is_some_and(|expected| expected != unsigned(row.revision)) {
            return Err(MemoryRefused::Conflict { revision: Some(unsigned(row.revision)) });
        }
        row.remove();
        if let Some(slot) = &row.slot {
            self.slots.remove(slot);
        }
        Ok(MemoryDone::Removed(1))
    }
}

/// What is to be written where an entry is put, beside the entry; with the vectors that it was to have already, where it keeps them.
fn change(before: Option<Row>, made: bool, draft: &MemoryDraft, expires_at: Option<i64>) -> Change {
    let Some(before) = before else { return Change { has_other_words: true, ..Change::default() } };
    let keeps = !made && before.text == draft.text;
    let was = before.change;
    Change {
        put: was.put.filter(|_| keeps),
        stands: was.stands,
        // An entry in the place of one that is gone is another, though it has its id.
        goes: was.goes || (made && was.stands),
        drops_vectors: was.drops_vectors || !keeps,
        has_other_words: was.has_other_words || !keeps || before.labels != draft.labels,
        expires_otherwise: was.expires_otherwise || before.expires_at != expires_at,
    }
}

/// Who sees it, of an entry.
pub(super) fn whose_is(row: &Row) -> String {
    if row.public { PUBLIC.to_owned() } else { private(&row.owner) }
}
