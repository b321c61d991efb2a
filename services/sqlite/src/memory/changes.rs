//! What a batch changes of vectors: those in memory hear of it after the commit, from the writer.

use std::sync::Arc;

use super::sets::Sets;

/// What happens to the vectors of an entry.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// It has one of a generation.
    Put { scope: i64, generation: i64, entry: i64, part: i64, vector: Arc<[f32]> },
    /// It has none any more.
    Remove { scope: i64, entry: i64 },
    /// More than is worth telling one by one.
    All,
}

impl Change {
    /// What it takes while it waits.
    pub(super) fn bytes(&self) -> usize {
        let numbers = if let Self::Put { vector, .. } = self { size_of_val(&**vector) } else { 0 };
        size_of::<Self>() + numbers
    }
}

/// The changes of the batch that is being written.
#[derive(Debug)]
pub(crate) struct Changes {
    sets: Arc<Sets>,
    batch: Vec<Change>,
}

impl Changes {
    pub(crate) fn new(sets: Arc<Sets>) -> Self {
        Self { sets, batch: Vec::new() }
    }

    /// Begins a batch; what was not committed has not happened.
    pub(crate) fn begin(&mut self) {
        self.batch.clear();
    }

    pub(super) fn note(&mut self, change: Change) {
        self.batch.push(change);
    }

    /// Tells what was committed.
    pub(crate) fn committed(&mut self) {
        if !self.batch.is_empty() {
            self.sets.apply(std::mem::take(&mut self.batch));
        }
    }

    /// Another process has written to the file: nothing that was read from it is trusted any more.
    pub(crate) fn distrust(&self) {
        self.sets.clear();
    }
}
