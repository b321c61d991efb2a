//! What is on the shelf of sets: what each of them takes, what waits for it, and which was asked longest ago.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::changes::Change;
use super::sets::{Place, Shelved};

/// So many changes wait for who asks next; with more, reading the set anew is as good.
pub(super) const MOST_WAITING: usize = 4_096;
/// What a set takes beside its rows.
const OVERHEAD: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Shelf {
    slots: BTreeMap<Place, Slot>,
    /// When each was asked last, the one that was asked longest ago first.
    by_use: BTreeMap<u64, Place>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Slot {
    set: Arc<Shelved>,
    used: u64,
    bytes: usize,
    waiting: Vec<Change>,
    waiting_bytes: usize,
}

impl Shelf {
    pub(super) fn find(&mut self, place: Place) -> Option<Arc<Shelved>> {
        let slot = self.slots.get_mut(&place)?;
        self.by_use.remove(&slot.used);
        self.uses += 1;
        slot.used = self.uses;
        self.by_use.insert(self.uses, place);
        Some(slot.set.clone())
    }

    pub(super) fn put(&mut self, place: Place, set: Arc<Shelved>) {
        self.uses += 1;
        let slot = Slot { set, used: self.uses, bytes: OVERHEAD, waiting: Vec::new(), waiting_bytes: 0 };
        self.by_use.insert(self.uses, place);
        self.bytes += OVERHEAD;
        self.slots.insert(place, slot);
    }

    /// Takes the set of a place down, where it is that one.
    pub(super) fn remove(&mut self, place: Place, set: Option<&Arc<Shelved>>) -> Option<Slot> {
        let is_it = |slot: &Slot| set.is_none_or(|set| Arc::ptr_eq(&slot.set, set));
        if !self.slots.get(&place).is_some_and(is_it) {
            return None;
        }
        let gone = self.slots.remove(&place)?;
        self.by_use.remove(&gone.used);
        self.bytes = self.bytes.saturating_sub(gone.bytes + gone.waiting_bytes);
        Some(gone)
    }

    fn slot(&mut self, set: &Arc<Shelved>) -> Option<&mut Slot> {
        self.slots.get_mut(&set.place()).filter(|slot| Arc::ptr_eq(&slot.set, set))
    }

    /// Whether something waits for a set; nothing where it is not here.
    pub(super) fn waits(&mut self, set: &Arc<Shelved>) -> Option<bool> {
        self.slot(set).map(|slot| !slot.waiting.is_empty())
    }

    pub(super) fn take_waiting(&mut self, set: &Arc<Shelved>) -> Option<Vec<Change>> {
        let slot = self.slot(set)?;
        let bytes = std::mem::take(&mut slot.waiting_bytes);
        let waiting = std::mem::take(&mut slot.waiting);
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(waiting)
    }

    /// Notes what a set takes by now.
    pub(super) fn weigh(&mut self, set: &Arc<Shelved>, bytes: usize) {
        let Some(slot) = self.slot(set) else { return };
        let before = std::mem::replace(&mut slot.bytes, bytes + OVERHEAD);
        self.bytes = self.bytes.saturating_sub(before) + bytes + OVERHEAD;
    }

    /// Takes down what was asked longest ago until the others fit. What is asked for now stays, or else what was asked last if little waits
    /// for it: alone it may be somewhat more than what fits, since it has room for more, and is not read anew for each change.
    pub(super) fn make_room(&mut self, most_bytes: usize, but: Option<Place>) -> Vec<Slot> {
        let mut gone = Vec::new();
        let but = but.or_else(|| {
            let last = self.by_use.values().next_back().copied();
            last.filter(|last| self.slots.get(last).is_some_and(|slot| slot.waiting_bytes <= most_bytes / 4))
        });
        while self.bytes > most_bytes {
            let oldest = self.by_use.values().find(|place| Some(**place) != but).copied();
            let Some(slot) = oldest.and_then(|oldest| self.remove(oldest, None)) else { break };
            gone.push(slot);
        }
        gone
    }

    /// Lays a change down for the sets that it is of; returns those for which too much waits, which are not here any more.
    pub(super) fn lay_down(&mut self, change: Change) -> Vec<Slot> {
        match &change {
            Change::Put { scope, generation, .. } => {
                let place = (*scope, *generation);
                self.lay_down_for(place, change).into_iter().collect()
            }
            Change::Remove { scope, .. } => {
                let places = self.slots.range((*scope, i64::MIN)..=(*scope, i64::MAX));
                let places: Vec<_> = places.map(|(place, _)| *place).collect();
                places.into_iter().filter_map(|place| self.lay_down_for(place, change.clone())).collect()
            }
            Change::All => std::mem::take(self).slots.into_values().collect(),
        }
    }

    fn lay_down_for(&mut self, place: Place, change: Change) -> Option<Slot> {
        let slot = self.slots.get_mut(&place)?;
        if slot.waiting.len() >= MOST_WAITING {
            return self.remove(place, None);
        }
        let bytes = change.bytes();
        slot.waiting.push(change);
        slot.waiting_bytes += bytes;
        self.bytes += bytes;
        None
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> Vec<Place> {
        self.slots.keys().copied().collect()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
