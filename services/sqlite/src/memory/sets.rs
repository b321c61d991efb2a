//! The vectors that are in memory: a set for each scope and generation that was asked, the one that was asked longest ago is let go first.
//!
//! The writer never waits for a set: it lays down what has changed, and who asks next takes it in. A set is made while it is already on the
//! shelf, so that no commit passes it by; who asks for it meanwhile waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::changes::Change;
use super::resident::Resident;
use super::shelf::Shelf;

/// So many scopes are known to be sound; then it is looked again.
const MOST_CHECKED: usize = 100_000;

/// A scope and a generation.
pub(super) type Place = (i64, i64);

#[derive(Debug)]
pub(crate) struct Sets {
    most_bytes: usize,
    shelf: Mutex<Shelf>,
    /// What was looked through in this process and found sound.
    checked: Mutex<Checked>,
}

#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Scopes whose words the index has.
    pub(super) scopes: BTreeSet<i64>,
    /// Of a generation, up to which key all vectors are sound.
    pub(super) vectors: BTreeMap<i64, i64>,
}

/// One set. Where it is not on the shelf any more, it is not as it was committed by now.
#[derive(Debug)]
pub(super) struct Shelved {
    place: Place,
    /// Nothing when it could not be read.
    set: RwLock<Option<Resident>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_in(set: &mut Resident, change: Change) {
    match change {
        Change::Put { entry, part, vector, .. } => {
            // It was checked before it was written.
            let _taken = set.insert(entry, part, &vector);
        }
        Change::Remove { entry, .. } => set.remove(entry),
        Change::All => {}
    }
}

impl Sets {
    pub(crate) fn new(most_bytes: usize) -> Arc<Self> {
        Arc::new(Self { most_bytes, shelf: Mutex::default(), checked: Mutex::default() })
    }

    /// Returns how much may be in memory.
    pub(super) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Returns the set of a place if it is there.
    pub(super) fn find(&self, place: Place) -> Option<Arc<Shelved>> {
        lock(&self.shelf).find(place)
    }

    /// Reads the set of a place, unless another does it just now. What `load` reads must have been committed after it was called.
    pub(super) fn load<E>(
        &self,
        place: Place,
        load: impl FnOnce() -> Result<Resident, E>,
    ) -> Result<Arc<Shelved>, E> {
        let made = Arc::new(Shelved { place, set: RwLock::new(None) });
        let mut set = made.set.write().unwrap_or_else(PoisonError::into_inner);
        {
            let mut shelf = lock(&self.shelf);
            if let Some(found) = shelf.find(place) {
                return Ok(found);
            }
            shelf.put(place, made.clone());
        }
        match load() {
            Ok(loaded) => {
                self.weigh(&made, &loaded);
                *set = Some(loaded);
            }
            Err(error) => {
                let _gone = lock(&self.shelf).remove(place, Some(&made));
                return Err(error);
            }
        }
        drop(set);
        Ok(made)
    }

    /// Looks at a set as it was committed by now; nothing where it could not be read, or is not on the shelf any more.
    pub(super) fn look<T>(&self, shelved: &Arc<Shelved>, look: impl FnOnce(&Resident) -> T) -> Option<T> {
        if lock(&self.shelf).waits(shelved)? {
            let mut set = shelved.set.write().unwrap_or_else(PoisonError::into_inner);
            // With the set in hand, so that changes are taken in in the order in which they were laid down.
            let waiting = lock(&self.shelf).take_waiting(shelved)?;
            if let Some(set) = &mut *set {
                for change in waiting {
                    take_in(set, change);
                }
                self.weigh(shelved, set);
            }
        }
        shelved.set.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look)
    }

    /// Notes what a set takes, and lets others go until there is room; itself where it alone is too much, after whoever has it in hand.
    fn weigh(&self, shelved: &Arc<Shelved>, set: &Resident) {
        let mut gone = Vec::new();
        let mut shelf = lock(&self.shelf);
        shelf.weigh(shelved, set.bytes());
        if set.expected_bytes() > self.most_bytes {
            gone.extend(shelf.remove(shelved.place, Some(shelved)));
        }
        gone.extend(shelf.make_room(self.most_bytes, Some(shelved.place)));
        // What is gone is given back when nobody waits for the shelf.
        drop(shelf);
        drop(gone);
    }

    /// Lays down what was committed, in its order.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        let mut gone = Vec::new();
        let mut shelf = lock(&self.shelf);
        for change in changes {
            gone.extend(shelf.lay_down(change));
        }
        gone.extend(shelf.make_room(self.most_bytes, None));
        drop(shelf);
        drop(gone);
    }

    /// Forgets all that was read.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *lock(&self.shelf));
        *lock(&self.checked) = Checked::default();
        drop(gone);
    }

    /// Remembers that the index has the words of a scope.
    pub(super) fn has_words(&self, scope: i64) {
        let mut checked = self.checked();
        if checked.scopes.len() >= MOST_CHECKED {
            checked.scopes.clear();
        }
        checked.scopes.insert(scope);
    }

    pub(super) fn checked(&self) -> MutexGuard<'_, Checked> {
        lock(&self.checked)
    }

    #[cfg(test)]
    fn places(&self) -> Vec<Place> {
        lock(&self.shelf).places()
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        lock(&self.shelf).bytes()
    }
}

impl Shelved {
    pub(super) fn place(&self) -> Place {
        self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::shelf::MOST_WAITING;

    const HERE: Place = (1, 1);

    fn axis(nth: usize) -> Vec<f32> {
        (0..64).map(|place| if place == nth { 1.0 } else { 0.0 }).collect()
    }

    fn put(scope: i64, entry: i64) -> Change {
        Change::Put { scope, generation: 1, entry, part: 0, vector: axis(0).into() }
    }

    fn loaded(sets: &Sets, place: Place, entries: std::ops::Range<i64>) -> Arc<Shelved> {
        let load = || {
            let mut set = Resident::new(64);
            entries.for_each(|entry| assert!(set.insert(entry, 0, &axis(1))));
            Ok::<_, ()>(set)
        };
        sets.load(place, load).unwrap()
    }

    fn len(sets: &Sets, set: &Arc<Shelved>) -> Option<usize> {
        sets.look(set, Resident::len)
    }

    fn bytes_of(entries: std::ops::Range<i64>) -> usize {
        let sets = Sets::new(usize::MAX);
        loaded(&sets, HERE, entries);
        sets.bytes()
    }

    #[test]
    fn a_set_has_what_was_committed_while_it_was_read() {
        let sets = Sets::new(usize::MAX);
        let load = || {
            sets.apply(vec![put(1, 7), put(2, 8), Change::Remove { scope: 1, entry: 0 }]);
            let mut set = Resident::new(64);
            assert!(set.insert(0, 0, &axis(1)));
            Ok::<_, ()>(set)
        };
        let set = sets.load(HERE, load).unwrap();
        assert_eq!(sets.look(&set, |set| [7, 8, 0].map(|entry| set.has(entry))), Some([true, false, false]));
    }

    #[test]
    fn the_set_that_was_asked_longest_ago_goes_first() {
        let sets = Sets::new(bytes_of(0..100) * 2);
        for scope in [1, 2] {
            loaded(&sets, (scope, 1), 0..100);
        }
        assert!(sets.find((1, 1)).is_some());
        loaded(&sets, (3, 1), 0..100);
        assert_eq!(sets.places(), [(1, 1), (3, 1)]);
    }

    #[test]
    fn a_set_that_nobody_asks_goes_when_too_much_waits_for_it() {
        let sets = Sets::new(usize::MAX);
        loaded(&sets, HERE, 0..1);
        let most = i64::try_from(MOST_WAITING).unwrap();
        sets.apply((0..most).map(|entry| put(1, entry)).collect());
        assert_eq!(sets.find(HERE).map(|set| len(&sets, &set)), Some(Some(MOST_WAITING)));
        sets.apply((0..=most).map(|entry| put(1, entry)).collect());
        assert!(sets.find(HERE).is_none());
        assert_eq!(sets.bytes(), 0);
    }

    #[test]
    fn what_waits_takes_room_like_what_was_read() {
        let sets = Sets::new(bytes_of(0..100) * 2);
        loaded(&sets, (1, 1), 0..100);
        loaded(&sets, (2, 1), 0..100);
        let before = sets.bytes();
        sets.apply(vec![put(2, 0)]);
        assert!(sets.bytes() > before / 2);
        assert_eq!(sets.places(), [(2, 1)], "it has no room beside the other");
        sets.apply((0..500).map(|entry| put(2, entry)).collect());
        assert!(sets.places().is_empty() && sets.bytes() == 0, "nor with all that waits for it");
    }

    #[test]
    fn a_set_that_grows_by_changes_makes_room_and_goes_when_it_is_too_large() {
        let sets = Sets::new(bytes_of(0..100) * 3);
        loaded(&sets, (1, 1), 0..100);
        let set = loaded(&sets, (2, 1), 0..10);
        let mut last = 0;
        while sets.find((2, 1)).is_some() {
            sets.apply(vec![put(2, last)]);
            let held = len(&sets, &set);
            assert!(sets.find((1, 1)).is_none() || sets.bytes() <= sets.most_bytes());
            last += 1;
            assert!(held.is_some() && last < 10_000);
        }
        assert!(sets.places().is_empty() && sets.bytes() == 0);
        assert_eq!(len(&sets, &set), None, "who holds on to it does not take it for what is committed");
    }

    #[test]
    fn a_set_that_cannot_be_read_is_not_there() {
        let sets = Sets::new(usize::MAX);
        let other = Arc::new(Mutex::new(None));
        let failed = sets.load(HERE, || {
            // Another has found it meanwhile.
            *lock(&other) = sets.find(HERE);
            Err(())
        });
        assert!(failed.is_err() && sets.places().is_empty());
        let other = lock(&other).take().unwrap();
        assert_eq!(len(&sets, &other), None);
    }
}
