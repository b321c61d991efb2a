//! The list by meaning: from the sets in memory, and from the file for what has no room there.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use soorma_vectors::Near;
use uuid::Uuid;

use super::admitted::Admitted;
use super::checksum;
use super::entry;
use super::resident::{Resident, expected_bytes};
use super::sets::{Place, Sets, Shelved};
use crate::numbers::size;

/// How many rows are read at once from a scope that has no room in memory.
const CHUNK: usize = 4_096;
/// More than was asked for, for rows that are equally near or gone meanwhile.
const SPARE: usize = 16;

/// Where the vectors of a scope are found.
#[derive(Debug)]
pub(super) enum Source {
    Memory(Arc<Shelved>),
    File,
    Nowhere,
}

/// The vectors of one generation, on a reader's connection.
pub(super) struct Vectors<'a> {
    pub(super) connection: &'a Connection,
    pub(super) sets: &'a Sets,
    pub(super) generation: i64,
    pub(super) dimensions: usize,
    /// The keys of those that were found damaged.
    pub(super) damaged: Vec<i64>,
}

impl Vectors<'_> {
    /// Has the vectors of a scope in memory, if they have room there. To be called outside of a transaction: what it reads must be what
    /// is committed now.
    pub(super) fn source(&mut self, scope: i64) -> rusqlite::Result<Source> {
        let (sets, place) = (self.sets, (scope, self.generation));
        if let Some(found) = sets.find(place) {
            return Ok(Source::Memory(found));
        }
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM memory_vectors WHERE generation = ?1 AND scope = ?2")?
            .query_row([self.generation, scope], |row| row.get(0))?;
        if count == 0 {
            Ok(Source::Nowhere)
        } else if expected_bytes(size(count), self.dimensions) > sets.most_bytes() {
            Ok(Source::File)
        } else {
            sets.load(place, || self.read_all(place)).map(Source::Memory)
        }
    }

    fn read_all(&mut self, place: Place) -> rusqlite::Result<Resident> {
        let mut set = Resident::new(self.dimensions);
        self.each(place, |entry, part, vector| set.insert(entry, part, vector))?;
        Ok(set)
    }

    /// Goes through the vectors of a place; those that are damaged, or that are not taken, are noted.
    fn each(
        &mut self,
        (scope, generation): Place,
        mut take: impl FnMut(i64, i64, &[f32]) -> bool,
    ) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached(
            "SELECT key, entry, part, checksum, vector FROM memory_vectors WHERE generation = ?1 AND scope = ?2",
        )?;
        let mut rows = select.query(params![generation, scope])?;
        let mut vector = Vec::with_capacity(self.dimensions);
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(4)?.as_blob().unwrap_or_default();
            let is_sound = checksum::read(bytes, row.get(3)?, self.dimensions, &mut vector);
            if !is_sound || !take(row.get(1)?, row.get(2)?, &vector) {
                self.damaged.push(row.get(0)?);
            }
        }
        Ok(())
    }

    /// Returns the nearest of the admitted entries of one scope, as many as asked for whenever there are so many.
    pub(super) fn nearest(
        &mut self,
        source: &Source,
        admitted: &Admitted,
        group: Option<&str>,
        query: &[f32],
        depth: usize,
    ) -> rusqlite::Result<Vec<(Uuid, f32)>> {
        let mut wanted = depth.saturating_add(SPARE);
        loop {
            let near = self.near(source, admitted, query, wanted)?;
            let is_all = near.len() < wanted;
            let mut found = Vec::with_capacity(near.len());
            let mut select = self.connection.prepare_cached(
                "SELECT id FROM memory_entries WHERE key = ?1 AND (?2 IS NULL OR bundle = ?2)",
            )?;
            for Near { key, cosine } in near {
                // It may have come after this moment.
                if let Some(id) = select.query_row(params![key, group], |row| entry::id(row, 0)).optional()? {
                    found.push((id, cosine));
                }
            }
            if found.len() >= depth || is_all {
                return Ok(found);
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    fn near(
        &mut self,
        source: &Source,
        admitted: &Admitted,
        query: &[f32],
        wanted: usize,
    ) -> rusqlite::Result<Vec<Near>> {
        let nearest = |set: &Resident| set.nearest(query, wanted, admitted);
        match source {
            Source::Nowhere => return Ok(Vec::new()),
            Source::Memory(set) => {
                if let Some(near) = self.sets.look(set, nearest) {
                    return Ok(near);
                }
            }
            Source::File => {}
        }
        let mut best = Vec::new();
        let mut chunk = Resident::new(self.dimensions);
        let dimensions = self.dimensions;
        self.each((admitted.scope, self.generation), |entry, part, vector| {
            if chunk.len() >= CHUNK {
                merge(&mut best, nearest(&chunk), wanted);
                chunk = Resident::new(dimensions);
            }
            chunk.insert(entry, part, vector)
        })?;
        merge(&mut best, nearest(&chunk), wanted);
        Ok(best)
    }
}

fn merge(best: &mut Vec<Near>, more: Vec<Near>, wanted: usize) {
    best.extend(more);
    best.sort_by(|one, other| other.cosine.total_cmp(&one.cosine).then(one.key.cmp(&other.key)));
    best.truncate(wanted);
}
