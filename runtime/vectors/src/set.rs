//! A set of vectors.

use std::collections::HashMap;

use fearless_simd::Level;

use crate::best::Best;
use crate::codes::Codes;
use crate::product::{cosine, cosines, squared};
use crate::search::{first, search};
use crate::{Near, WrongVector};

/// Unit vectors of one length in memory, each under a key.
#[derive(Debug)]
pub struct VectorSet {
    dimensions: usize,
    level: Level,
    /// One vector after another.
    rows: Vec<f32>,
    /// The key of each row.
    keys: Vec<i64>,
    places: HashMap<i64, usize>,
    /// Where there are many rows.
    codes: Option<Codes>,
    /// How many more may come before the codes are made anew: of other vectors the mean is another.
    fresh_for: usize,
}

/// Up to so many rows are read from end to end and the answer is exact: a quarter of a millisecond.
const FEW: usize = 10_000;

/// Where more than one of so many rows would be measured at first, all are.
const WORTH: usize = 8;

/// How far the square of a length may be from 1: as far as rounding to eight bits a number leads.
const TOLERANCE: f32 = 0.01;

impl VectorSet {
    /// Makes an empty set of vectors with so many numbers each.
    pub fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            level: Level::new(),
            rows: Vec::new(),
            keys: Vec::new(),
            places: HashMap::new(),
            codes: None,
            fresh_for: 0,
        }
    }

    /// Puts a vector under a key, in the place of one that is there.
    ///
    /// # Errors
    ///
    /// When it is no vector of this set; nothing is changed then.
    pub fn insert(&mut self, key: i64, vector: &[f32]) -> Result<(), WrongVector> {
        self.check(vector)?;
        if let Some(row) = self.places.get(&key).copied() {
            for (old, new) in self.rows.iter_mut().skip(row * self.dimensions).zip(vector) {
                *old = *new;
            }
            if let Some(codes) = &mut self.codes {
                codes.replace(row, vector);
            }
        } else {
            self.places.insert(key, self.keys.len());
            self.keys.push(key);
            self.rows.extend_from_slice(vector);
            if let Some(codes) = &mut self.codes {
                codes.push(vector);
            }
        }
        self.freshen();
        Ok(())
    }

    /// Takes the vector of a key out; says whether there was one.
    pub fn remove(&mut self, key: i64) -> bool {
        let Some(row) = self.places.remove(&key) else {
            return false;
        };
        let last = self.rows.len().saturating_sub(self.dimensions);
        self.rows.copy_within(last.., row * self.dimensions);
        self.rows.truncate(last);
        self.keys.swap_remove(row);
        if let Some(moved) = self.keys.get(row) {
            self.places.insert(*moved, row);
        }
        if let Some(codes) = &mut self.codes {
            codes.swap_remove(row);
        }
        self.shrink();
        true
    }

    /// Returns the `k` nearest of all that are admitted, the best first, and by key where they are equally near.
    ///
    /// There are always `k` where as many are admitted. With many vectors some of them may not be the nearest, about one in a hundred. A
    /// key is asked for only when its vector could be among them.
    ///
    /// # Errors
    ///
    /// When `query` could not be in this set.
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        admit: impl Fn(i64) -> bool,
    ) -> Result<Vec<Near>, WrongVector> {
        // Not generic within: it is compiled here, once, as this crate is.
        self.find(query, k, &admit)
    }

    /// Returns whether there is a vector under a key.
    pub fn contains(&self, key: i64) -> bool {
        self.places.contains_key(&key)
    }

    /// Returns how many vectors there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns what the set takes of memory, with the room that it has for more.
    pub fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<f32>()
            + self.keys.capacity() * size_of::<i64>()
            // And a byte of the table's own for each place.
            + self.places.capacity() * (size_of::<(i64, usize)>() + 1)
            + self.codes.as_ref().map_or(0, Codes::bytes)
    }

    fn find(&self, query: &[f32], k: usize, admit: &dyn Fn(i64) -> bool) -> Result<Vec<Near>, WrongVector> {
        self.check(query)?;
        if k == 0 {
            return Ok(Vec::new());
        }
        if let Some(codes) = &self.codes
            && first(k) <= self.len() / WORTH
        {
            return Ok(search(&codes.view(query), self.len(), k, |row| {
                let key = self.keys.get(row).copied().filter(|key| admit(*key))?;
                let from = row * self.dimensions;
                let vector = self.rows.get(from..from + self.dimensions)?;
                Some(Near { key, cosine: cosine(self.level, vector, query) })
            }));
        }
        let mut best = Best::new(k, self.len());
        // Nothing is known of them before they are measured.
        cosines(self.level, &self.rows, &self.keys, query, |near| best.offer(near, 0, admit));
        Ok(best.into_sorted())
    }

    fn check(&self, vector: &[f32]) -> Result<(), WrongVector> {
        if vector.len() != self.dimensions {
            return Err(WrongVector::Dimensions { expected: self.dimensions, found: vector.len() });
        }
        let squared = squared(self.level, vector);
        // Nor is it near 1 where a number is not finite.
        if (squared - 1.0).abs() <= TOLERANCE {
            return Ok(());
        }
        if vector.iter().all(|number| number.is_finite()) {
            Err(WrongVector::NotUnit { length: squared.sqrt() })
        } else {
            Err(WrongVector::NotFinite)
        }
    }

    /// Makes the codes when there are many rows, and anew when as many have come as were there.
    fn freshen(&mut self) {
        if self.codes.is_none() && self.len() <= FEW {
            return;
        }
        self.fresh_for = self.fresh_for.saturating_sub(1);
        if self.codes.is_none() || self.fresh_for == 0 {
            self.codes = Some(Codes::of(self.level, &self.rows, self.dimensions));
            self.fresh_for = self.len();
        }
    }

    /// Gives memory back when most rows are gone.
    fn shrink(&mut self) {
        let len = self.len();
        // Only far below what is many: who comes and goes around it does not have the codes made each time.
        if len < FEW / 2 {
            self.codes = None;
        }
        if len < self.keys.capacity() / 4 {
            self.keys.shrink_to(len * 2);
            self.places.shrink_to(len * 2);
            self.rows.shrink_to(len * 2 * self.dimensions);
        }
    }
}
