//! A set by its codes, as it is seen from a vector.

use std::f32::consts::PI;

use fearless_simd::{Level, Simd, SimdBase, SimdFrom, SimdMask, dispatch, u16x32};

/// In how many signs each row differs from a vector, and what that says of how near it is.
#[derive(Debug)]
pub(crate) struct View {
    level: Level,
    distances: Vec<u16>,
    /// For each distance how many rows are as near or nearer.
    within: Vec<usize>,
    sphere: Sphere,
}

/// Where the rows and the vector lie around the mean of the set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sphere {
    /// How far the rows are from it, squared, on average.
    pub(crate) rows: f32,
    /// How far the vector is from it, squared.
    pub(crate) vector: f32,
}

/// What is compared at once.
const LANES: usize = 32;

impl View {
    /// Takes the distances of all rows, and how many rows have each of them.
    pub(crate) fn new(level: Level, distances: Vec<u16>, mut counts: Vec<usize>, sphere: Sphere) -> Self {
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        Self { level, distances, within: counts, sphere }
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
        let mut found = Vec::with_capacity(
            self.within(to).saturating_sub(from.checked_sub(1).map_or(0, |before| self.within(before))),
        );
        let from = u16::try_from(from).unwrap_or(u16::MAX);
        let to = u16::try_from(to).unwrap_or(u16::MAX);
        dispatch!(self.level, simd => ring(simd, &self.distances, from, to, &mut found));
        found
    }

    /// Returns how far a row with a cosine is at most, but for one of 44 such rows; nearer ones are less far.
    ///
    /// Of a turn by some angle each sign tells with the chance of that angle in half a circle, and for itself: so the distance is binomial,
    /// and this is its mean and two deviations. Rows are taken to be as far from the mean of the set as they are on average.
    pub(crate) fn likely(&self, cosine: f32) -> usize {
        let Sphere { rows, vector } = self.sphere;
        // |a - b|² = |a|² + |b|² - 2|a||b| cos, seen from the mean; and from zero, where both are 1, it is 2 - 2 cos.
        let turn =
            ((rows + vector - 2.0 + 2.0 * cosine) / (2.0 * (rows * vector).sqrt())).clamp(-1.0, 1.0).acos()
                / PI;
        #[expect(clippy::cast_precision_loss, reason = "some thousands at most")]
        let signs = self.farthest() as f32;
        let likely = signs.mul_add(turn, 2.0 * (signs * turn * (1.0 - turn)).sqrt()).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and not beyond the farthest"
        )]
        // Where all vectors are one there is no angle.
        if likely.is_nan() { self.farthest() } else { (likely as usize).min(self.farthest()) }
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
        View::new(Level::new(), distances.to_vec(), counts, Sphere { rows: 1.0, vector: 1.0 })
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
    fn what_is_nearer_is_likely_less_far() {
        let view = view(&[0; 40]);
        let likely = [1.0, 0.9, 0.5, 0.0, -1.0].map(|cosine| view.likely(cosine));
        assert_eq!(likely.first(), Some(&0), "itself");
        assert!(likely.is_sorted(), "{likely:?}");
        assert!(
            (270..290).contains(&likely[3]),
            "a right angle is half of the signs and two deviations: {likely:?}"
        );
        assert_eq!(likely.last(), Some(&512));
    }

    #[test]
    fn where_all_vectors_are_one_anything_is_likely() {
        let sphere = Sphere { rows: 0.0, vector: 0.0 };
        assert_eq!(View::new(Level::new(), vec![0], vec![1; 513], sphere).likely(1.0), 512);
    }
}
