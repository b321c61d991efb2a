//! A set by its codes, as it is seen from a vector.

use fearless_simd::{Level, Simd, SimdBase, SimdFrom, SimdMask, dispatch, u16x32};

/// In how many signs each row differs from a vector, and what that says of how near it is.
#[derive(Debug)]
pub(crate) struct View {
    level: Level,
    distances: Vec<u16>,
    /// For each distance how many rows are as near or nearer.
    within: Vec<usize>,
}

/// So many deviations more than the worst that was found. With one, a few in a hundred are missed of vectors of mixed kinds behind a filter; with two,
/// twice as many rows are measured as with one.
const DEVIATIONS: f32 = 1.25;

/// What is compared at once.
const LANES: usize = 32;

impl View {
    /// Takes the distances of all rows, and how many rows have each of them.
    pub(crate) fn new(level: Level, distances: Vec<u16>, mut counts: Vec<usize>) -> Self {
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        Self { level, distances, within: counts }
    }

    /// Returns how many rows are at most so far.
    pub(crate) fn within(&self, distance: usize) -> usize {
        self.within.get(distance).copied().unwrap_or(self.distances.len())
    }

    /// Returns the smallest distance that so many rows are within, or the largest that there is.
    pub(crate) fn reach(&self, count: usize) -> usize {
        self.within.partition_point(|within| *within < count).min(self.farthest())
    }

    /// Returns the rows that are so far, in the order in which they lie in memory.
    pub(crate) fn ring(&self, from: usize, to: usize) -> Vec<usize> {
        let before = from.checked_sub(1).map_or(0, |before| self.within(before));
        let mut found = Vec::with_capacity(self.within(to).saturating_sub(before));
        let from = u16::try_from(from).unwrap_or(u16::MAX);
        let to = u16::try_from(to).unwrap_or(u16::MAX);
        dispatch!(self.level, simd => ring(simd, &self.distances, from, to, &mut found));
        found
    }

    /// Returns in how many signs a row differs.
    pub(crate) fn distance(&self, row: usize) -> u16 {
        self.distances.get(row).copied().unwrap_or(u16::MAX)
    }

    /// Returns how far a row may look that is as near as one that looks so far.
    ///
    /// Each sign differs with the same chance and for itself, so that the distances of rows that are equally near are binomial.
    pub(crate) fn likely(&self, distance: u16) -> usize {
        let signs = self.farthest() as f32;
        let mean = f32::from(distance).min(signs);
        let likely = (mean + DEVIATIONS * (mean * (1.0 - mean / signs)).sqrt()).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between nothing and some thousands"
        )]
        let likely = likely as usize;
        likely.min(self.farthest())
    }

    fn farthest(&self) -> usize {
        self.within.len().saturating_sub(1)
    }
}

#[inline(always)]
fn ring<S: Simd>(simd: S, distances: &[u16], from: u16, to: u16, found: &mut Vec<usize>) {
    // What is below wraps around, and is then too far as well.
    let wide = u16x32::simd_from(simd, to.wrapping_sub(from));
    let (chunks, rest) = distances.as_chunks::<LANES>();
    let mut at = 0;
    for chunk in chunks {
        let mut hits = (u16x32::simd_from(simd, *chunk) - from).simd_le(wide).to_bitmask();
        while hits != 0 {
            found.push(at + hits.trailing_zeros() as usize);
            hits &= hits - 1;
        }
        at += LANES;
    }
    for (row, distance) in rest.iter().enumerate() {
        if (from..=to).contains(distance) {
            found.push(at + row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(distances: &[u16]) -> View {
        let mut counts = vec![0; 513];
        for distance in distances {
            counts[usize::from(*distance)] += 1;
        }
        View::new(Level::new(), distances.to_vec(), counts)
    }

    #[test]
    fn a_ring_has_the_rows_between_its_bounds_in_order() {
        let distances: Vec<u16> = (0..1_000).map(|row| u16::try_from(row * 37 % 513).unwrap()).collect();
        let view = view(&distances);
        for (from, to) in [(0, 0), (0, 512), (100, 200), (200, 200), (512, 512)] {
            let expected: Vec<usize> =
                (0..1_000).filter(|row| (from..=to).contains(&usize::from(distances[*row]))).collect();
            assert_eq!(view.ring(from, to), expected, "{from} to {to}");
            assert_eq!(view.ring(0, to).len(), view.within(to));
        }
    }

    #[test]
    fn a_reach_is_the_smallest_that_has_enough() {
        let view = view(&[3, 3, 5, 512]);
        for (count, reach) in [(0, 0), (1, 3), (2, 3), (3, 5), (4, 512), (5, 512)] {
            assert_eq!(view.reach(count), reach, "{count}");
        }
        assert_eq!([0, 3, 4, 5, 512, 9_999].map(|distance| view.within(distance)), [0, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn the_farther_a_row_looks_the_farther_another_may_look_that_is_as_near() {
        let view = view(&[0; 40]);
        let likely = [0, 1, 64, 256, 511, 512, u16::MAX].map(|distance| view.likely(distance));
        assert_eq!(likely, [0, 3, 74, 271, 512, 512, 512]);
    }
}
