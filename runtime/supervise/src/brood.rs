//! The specs of a supervisor's children: what an incarnation of it starts, and what the tree shows. It outlives them all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::spec::{Child, ChildSpec, Strategy};
use crate::ward::Key;

/// Why a child was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is a child of that id.
    #[error("a child of that id exists")]
    Exists,
    /// There are as many children as there may be.
    #[error("there are as many children as there may be")]
    Full,
}

/// See the file's own words.
pub(crate) struct Brood {
    pub(crate) strategy: Strategy,
    specs: Mutex<Specs>,
}

#[derive(Default)]
struct Specs {
    by_key: BTreeMap<Key, Listed>,
    keys: HashMap<Arc<str>, Key>,
    next: Key,
}

struct Listed {
    spec: ChildSpec,
    /// It is on its way out, and no later incarnation starts it.
    leaving: bool,
}

impl Brood {
    pub(crate) fn new(strategy: Strategy) -> Self {
        Self { strategy, specs: Mutex::default() }
    }

    fn specs(&self) -> MutexGuard<'_, Specs> {
        self.specs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, spec: ChildSpec) -> Result<Key, StartError> {
        let mut specs = self.specs();
        if specs.keys.contains_key(&spec.policy.id) {
            return Err(StartError::Exists);
        }
        let key = specs.next;
        specs.next += 1;
        specs.keys.insert(Arc::clone(&spec.policy.id), key);
        specs.by_key.insert(key, Listed { spec, leaving: false });
        Ok(key)
    }

    pub(crate) fn get(&self, key: Key) -> Option<ChildSpec> {
        self.specs().by_key.get(&key).map(|listed| listed.spec.clone())
    }

    pub(crate) fn leave(&self, id: &str) -> Option<Key> {
        let mut specs = self.specs();
        let key = *specs.keys.get(id)?;
        if let Some(listed) = specs.by_key.get_mut(&key) {
            listed.leaving = true;
        }
        Some(key)
    }

    pub(crate) fn forget(&self, key: Key) {
        let mut specs = self.specs();
        if let Some(listed) = specs.by_key.remove(&key) {
            specs.keys.remove(&listed.spec.policy.id);
        }
    }

    pub(crate) fn key(&self, id: &str) -> Option<Key> {
        self.specs().keys.get(id).copied()
    }

    pub(crate) fn all(&self) -> Vec<(Key, ChildSpec)> {
        let mut specs = self.specs();
        let gone: Vec<Key> =
            specs.by_key.iter().filter(|(_, listed)| listed.leaving).map(|(key, _)| *key).collect();
        for key in gone {
            if let Some(listed) = specs.by_key.remove(&key) {
                specs.keys.remove(&listed.spec.policy.id);
            }
        }
        specs.by_key.iter().map(|(key, listed)| (*key, listed.spec.clone())).collect()
    }

    pub(crate) fn ids(&self) -> Vec<Arc<str>> {
        self.specs().by_key.values().map(|listed| Arc::clone(&listed.spec.policy.id)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.specs().by_key.len()
    }

    /// The first children that are to be shown, at most `limit`, and how many those are. Where all are, they are not looked at to be counted:
    /// there may be very many.
    pub(crate) fn first(
        &self,
        limit: usize,
        seen: Option<&dyn Fn(&str) -> bool>,
    ) -> (Vec<Arc<dyn Child>>, usize) {
        let specs = self.specs();
        let child = |listed: &Listed| Arc::clone(&listed.spec.child);
        let Some(seen) = seen else {
            return (specs.by_key.values().take(limit).map(child).collect(), specs.by_key.len());
        };
        let mut shown = specs.by_key.values().filter(|listed| seen(&listed.spec.policy.id));
        let first: Vec<_> = shown.by_ref().take(limit).map(child).collect();
        let all = first.len() + shown.count();
        (first, all)
    }

    pub(crate) fn child(&self, id: &str) -> Option<Arc<dyn Child>> {
        let specs = self.specs();
        let key = specs.keys.get(id)?;
        specs.by_key.get(key).map(|listed| Arc::clone(&listed.spec.child))
    }
}
