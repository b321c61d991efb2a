//! The vectors of one scope and generation in memory, and the groups that their entries are in.

use std::collections::HashMap;

use soorma_vectors::{Near, VectorSet};

use super::admitted::Admitted;

/// What a row takes beside its numbers: its key, its place, its code.
const BESIDE: usize = 120;

/// What so many vectors take in memory, but for the room that they have for more.
pub(super) fn expected_bytes(rows: usize, dimensions: usize) -> usize {
    rows.saturating_mul(dimensions * size_of::<f32>() + BESIDE)
}

#[derive(Debug)]
pub(super) struct Resident {
    dimensions: usize,
    set: VectorSet,
    /// The parts of entries that are in a group.
    parts: HashMap<i64, i64>,
}

impl Resident {
    pub(super) fn new(dimensions: usize) -> Self {
        Self { dimensions, set: VectorSet::new(dimensions), parts: HashMap::new() }
    }

    /// Puts a vector in the place of that of the entry; says whether it is one.
    pub(super) fn insert(&mut self, entry: i64, part: i64, vector: &[f32]) -> bool {
        if self.set.insert(entry, vector).is_err() {
            return false;
        }
        if part == 0 {
            self.parts.remove(&entry);
        } else {
            self.parts.insert(entry, part);
        }
        true
    }

    pub(super) fn remove(&mut self, entry: i64) {
        self.set.remove(entry);
        self.parts.remove(&entry);
    }

    #[cfg(test)]
    pub(super) fn has(&self, entry: i64) -> bool {
        self.set.contains(entry)
    }

    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    /// Returns what it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        // A byte of the table's own for each place.
        self.set.bytes() + self.parts.capacity() * (size_of::<(i64, i64)>() + 1)
    }

    /// Returns what so many are expected to take, by which it is decided whether they have room.
    pub(super) fn expected_bytes(&self) -> usize {
        expected_bytes(self.len(), self.dimensions)
    }

    /// Returns the nearest of what is admitted, best first.
    pub(super) fn nearest(&self, query: &[f32], wanted: usize, admitted: &Admitted) -> Vec<Near> {
        let admit = |entry: i64| {
            let is_in = |part| self.parts.get(&entry).copied().unwrap_or(0) == part;
            admitted.has(entry) && admitted.part.is_none_or(is_in)
        };
        // The query was checked before.
        self.set.nearest(query, wanted, admit).unwrap_or_default()
    }
}
