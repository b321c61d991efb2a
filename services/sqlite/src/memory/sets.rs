//! The vectors that are in memory: a set for each scope and generation that was asked, the one that was asked longest ago is let go first.
//!
//! The writer never waits for a set: it lays down what has changed, and who asks next takes it in. A set is made while it is already on the
//! shelf, so that no commit passes it by; who asks for it meanwhile waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use super::changes::Change;
use super::resident::Resident;

/// So many changes wait for who asks next; with more, reading the set anew is as good.
const MOST_WAITING: usize = 4_096;
/// So many scopes are known to be sound; then it is looked again.
const MOST_CHECKED: usize = 100_000;
/// What a set takes beside its rows.
const OVERHEAD: usize = 1_024;

/// A scope and a generation.
pub(super) type Place = (i64, i64);

#[derive(Debug)]
pub(crate) struct Sets {
    most_bytes: usize,
    uses: AtomicU64,
    shelf: Mutex<BTreeMap<Place, Arc<Shelved>>>,
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

/// One set on the shelf.
#[derive(Debug)]
pub(super) struct Shelved {
    waiting: Mutex<Vec<Change>>,
    used: AtomicU64,
    bytes: AtomicUsize,
    /// Nothing when it could not be read.
    set: RwLock<Option<Resident>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelved {
    fn new() -> Self {
        let (waiting, used, bytes) = (Mutex::default(), AtomicU64::new(0), AtomicUsize::new(OVERHEAD));
        Self { waiting, used, bytes, set: RwLock::new(None) }
    }

    /// Returns the set as it was committed by now; nothing where it could not be read.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Option<Resident>> {
        if !lock(&self.waiting).is_empty() {
            let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
            // With the set in hand, so that changes are taken in in the order in which they were laid down.
            let waiting = std::mem::take(&mut *lock(&self.waiting));
            if let Some(set) = &mut *set {
                for change in waiting {
                    take_in(set, change);
                }
                self.bytes.store(set.bytes() + OVERHEAD, Ordering::Relaxed);
            }
        }
        self.set.read().unwrap_or_else(PoisonError::into_inner)
    }
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
        Arc::new(Self {
            most_bytes,
            uses: AtomicU64::new(0),
            shelf: Mutex::default(),
            checked: Mutex::default(),
        })
    }

    /// Returns how much may be in memory.
    pub(super) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Returns the set of a place if it is there.
    pub(super) fn find(&self, place: Place) -> Option<Arc<Shelved>> {
        let found = lock(&self.shelf).get(&place).cloned()?;
        found.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(found)
    }

    /// Reads the set of a place, unless another does it just now. What `load` reads must have been committed after it was called.
    pub(super) fn load<E>(
        &self,
        place: Place,
        load: impl FnOnce() -> Result<Resident, E>,
    ) -> Result<Arc<Shelved>, E> {
        let made = Arc::new(Shelved::new());
        let mut set = made.set.write().unwrap_or_else(PoisonError::into_inner);
        {
            let mut shelf = lock(&self.shelf);
            if let Some(found) = shelf.get(&place) {
                return Ok(found.clone());
            }
            shelf.insert(place, made.clone());
        }
        made.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        match load() {
            Ok(loaded) => {
                made.bytes.store(loaded.bytes() + OVERHEAD, Ordering::Relaxed);
                *set = Some(loaded);
            }
            Err(error) => {
                lock(&self.shelf).remove(&place);
                return Err(error);
            }
        }
        drop(set);
        self.make_room(place);
        Ok(made)
    }

    /// Lets sets go until the others fit; the one that is asked for now stays.
    fn make_room(&self, but: Place) {
        let mut shelf = lock(&self.shelf);
        let mut bytes: usize = shelf.values().map(|set| set.bytes.load(Ordering::Relaxed)).sum();
        while bytes > self.most_bytes {
            let others = shelf.iter().filter(|(place, _)| **place != but);
            let oldest =
                others.min_by_key(|(_, set)| set.used.load(Ordering::Relaxed)).map(|(place, _)| *place);
            let Some(gone) = oldest.and_then(|oldest| shelf.remove(&oldest)) else { break };
            bytes = bytes.saturating_sub(gone.bytes.load(Ordering::Relaxed));
        }
    }

    /// Lays down what was committed, in its order.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        let mut shelf = lock(&self.shelf);
        for change in changes {
            if shelf.is_empty() {
                return;
            }
            match &change {
                Change::Put { scope, generation, .. } => {
                    let place = (*scope, *generation);
                    let is_too_much = shelf.get(&place).is_some_and(|set| lay_down(set, change));
                    if is_too_much {
                        shelf.remove(&place);
                    }
                }
                Change::Remove { scope, .. } => {
                    let places = shelf.range((*scope, i64::MIN)..=(*scope, i64::MAX));
                    let too_much: Vec<Place> = places
                        .filter_map(|(place, set)| lay_down(set, change.clone()).then_some(*place))
                        .collect();
                    for place in too_much {
                        shelf.remove(&place);
                    }
                }
                Change::All => shelf.clear(),
            }
        }
    }

    /// Forgets all that was read.
    pub(super) fn clear(&self) {
        lock(&self.shelf).clear();
        *lock(&self.checked) = Checked::default();
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
        lock(&self.shelf).keys().copied().collect()
    }
}

/// Says whether so much waits that the set is to go.
fn lay_down(set: &Shelved, change: Change) -> bool {
    let mut waiting = lock(&set.waiting);
    waiting.push(change);
    waiting.len() > MOST_WAITING
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = (1, 1);

    fn axis(nth: usize) -> Vec<f32> {
        (0..4).map(|place| if place == nth { 1.0 } else { 0.0 }).collect()
    }

    fn put(scope: i64, entry: i64) -> Change {
        Change::Put { scope, generation: 1, entry, part: 0, vector: axis(0).into() }
    }

    fn loaded(sets: &Sets, place: Place, entries: std::ops::Range<i64>) -> Arc<Shelved> {
        let load = || {
            let mut set = Resident::new(4);
            entries.for_each(|entry| assert!(set.insert(entry, 0, &axis(1))));
            Ok::<_, ()>(set)
        };
        sets.load(place, load).unwrap()
    }

    fn len(set: &Shelved) -> Option<usize> {
        set.read().as_ref().map(Resident::len)
    }

    #[test]
    fn a_set_has_what_was_committed_while_it_was_read() {
        let sets = Sets::new(usize::MAX);
        let load = || {
            sets.apply(vec![put(1, 7), put(2, 8), Change::Remove { scope: 1, entry: 0 }]);
            let mut set = Resident::new(4);
            assert!(set.insert(0, 0, &axis(1)));
            Ok::<_, ()>(set)
        };
        let set = sets.load(HERE, load).unwrap();
        let read = set.read();
        let read = read.as_ref().unwrap();
        assert!(read.has(7) && !read.has(8) && !read.has(0));
    }

    #[test]
    fn the_set_that_was_asked_longest_ago_goes_first() {
        let one = loaded(&Sets::new(usize::MAX), HERE, 0..100);
        let sets = Sets::new(one.bytes.load(Ordering::Relaxed) * 2);
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
        assert_eq!(sets.find(HERE).map(|set| len(&set)), Some(Some(MOST_WAITING)));
        sets.apply((0..=most).map(|entry| put(1, entry)).collect());
        assert!(sets.find(HERE).is_none());
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
        assert_eq!(len(&other), None);
    }
}
