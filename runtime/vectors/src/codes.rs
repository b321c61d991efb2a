//! Signs of vectors: what is left of each in a cache line.

use fearless_simd::{Level, dispatch};

use crate::rotation::Rotation;
use crate::view::View;

/// For each row of a set the signs of its numbers, seen from the mean of the set and turned.
///
/// Two vectors whose signs differ in few places are near. Seen from zero, the vectors of a usual model all lie on one side, and most of their
/// signs would be the same.
#[derive(Debug)]
pub(crate) struct Codes {
    level: Level,
    mean: Box<[f32]>,
    rotation: Rotation,
    /// How many of these a row has.
    lines: usize,
    codes: Vec<Line>,
}

/// 512 signs: a cache line, so that reading one never touches two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
struct Line([u64; 8]);

const SIGNS: usize = 512;

impl Codes {
    /// Makes the codes of all rows.
    pub(crate) fn of(level: Level, rows: &[f32], dimensions: usize) -> Self {
        let size = dimensions.next_power_of_two().max(SIGNS);
        let lines = size / SIGNS;
        let mut codes = Self {
            level,
            mean: mean(level, rows, dimensions),
            rotation: Rotation::new(size),
            lines,
            codes: Vec::with_capacity(rows.len() / dimensions * lines),
        };
        let mut turned = vec![0.0; size];
        for row in rows.chunks_exact(dimensions) {
            codes.turn(row, &mut turned);
            codes.codes.extend(turned.as_chunks().0.iter().map(|numbers| signs(level, numbers)));
        }
        codes
    }

    /// Adds the code of one more row.
    pub(crate) fn push(&mut self, vector: &[f32]) {
        let code = self.code(vector);
        self.codes.extend(code);
    }

    /// Puts the code of a vector in the place of a row's.
    pub(crate) fn replace(&mut self, row: usize, vector: &[f32]) {
        let code = self.code(vector);
        for (old, new) in self.codes.iter_mut().skip(row * self.lines).zip(code) {
            *old = new;
        }
    }

    /// Puts the last row in the place of one.
    pub(crate) fn swap_remove(&mut self, row: usize) {
        let last = self.codes.len().saturating_sub(self.lines);
        self.codes.copy_within(last.., row * self.lines);
        self.codes.truncate(last);
    }

    /// Looks at all rows from a vector.
    pub(crate) fn view(&self, vector: &[f32]) -> View {
        let code = self.code(vector);
        let mut distances = vec![0_u16; self.codes.len() / self.lines];
        let mut counts = vec![0; self.lines * SIGNS + 1];
        // Counted as they are made: else the compiler would take several rows at once, a word of each, which is slower than a row after the other.
        dispatch!(self.level, _simd => match code.as_slice() {
            [line] => for (row, distance) in self.codes.iter().zip(&mut distances) {
                *distance = differing(row, line);
                count(&mut counts, *distance);
            },
            lines => for (row, distance) in self.codes.chunks_exact(self.lines).zip(&mut distances) {
                for (one, other) in row.iter().zip(lines) {
                    *distance = distance.saturating_add(differing(one, other));
                }
                count(&mut counts, *distance);
            },
        });
        View::new(self.level, distances, counts)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.codes.capacity() * size_of::<Line>() + size_of_val::<[f32]>(&self.mean) + self.rotation.bytes()
    }

    fn code(&self, vector: &[f32]) -> Vec<Line> {
        let mut turned = vec![0.0; self.lines * SIGNS];
        self.turn(vector, &mut turned);
        turned.as_chunks().0.iter().map(|numbers| signs(self.level, numbers)).collect()
    }

    /// Writes a vector as it is seen from the mean, turned, to `turned`.
    fn turn(&self, vector: &[f32], turned: &mut [f32]) {
        turned.fill(0.0);
        for ((turned, number), mean) in turned.iter_mut().zip(vector).zip(&self.mean) {
            *turned = number - mean;
        }
        self.rotation.turn(self.level, turned);
    }
}

/// Returns the mean of all rows.
fn mean(level: Level, rows: &[f32], dimensions: usize) -> Box<[f32]> {
    let mut sums = vec![0.0_f64; dimensions];
    dispatch!(level, _simd => for row in rows.chunks_exact(dimensions) {
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum += f64::from(*number);
        }
    });
    let count = (rows.len() / dimensions).max(1) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "rounded to what the numbers themselves are")]
    sums.into_iter().map(|sum| (sum / count) as f32).collect()
}

/// Returns a bit for each number: whether it is negative.
fn signs(level: Level, turned: &[f32; SIGNS]) -> Line {
    let mut line = [0; 8];
    dispatch!(level, _simd => for (word, numbers) in line.iter_mut().zip(turned.as_chunks::<64>().0) {
        for (nth, number) in numbers.iter().enumerate() {
            *word |= u64::from(number.to_bits() >> 31) << nth;
        }
    });
    Line(line)
}

#[inline(always)]
fn count(counts: &mut [usize], distance: u16) {
    if let Some(count) = counts.get_mut(usize::from(distance)) {
        *count += 1;
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "at most 512")]
fn differing(one: &Line, other: &Line) -> u16 {
    let mut sum = 0;
    for (one, other) in one.0.iter().zip(&other.0) {
        sum += (one ^ other).count_ones();
    }
    sum as u16
}
