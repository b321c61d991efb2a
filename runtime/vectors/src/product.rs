//! Products of vectors, as fast as memory gives them.

use fearless_simd::{Level, Simd, SimdFrom, SimdSplit, dispatch, f32x16};

use crate::Near;

/// What a register of the widest machines takes; narrower ones take it in parts.
const LANES: usize = 16;

/// Says to `each` how near every row is, in order.
pub(crate) fn cosines(level: Level, rows: &[f32], keys: &[i64], query: &[f32], mut each: impl FnMut(Near)) {
    dispatch!(level, simd => {
        for (row, key) in rows.chunks_exact(query.len()).zip(keys) {
            each(Near { key: *key, cosine: angle(product(simd, row, query)) });
        }
    });
}

/// Returns the cosine of the angle between two unit vectors.
pub(crate) fn cosine(level: Level, one: &[f32], other: &[f32]) -> f32 {
    dispatch!(level, simd => angle(product(simd, one, other)))
}

/// Returns the square of a vector's length.
pub(crate) fn squared(level: Level, vector: &[f32]) -> f32 {
    dispatch!(level, simd => product(simd, vector, vector))
}

/// Rounding may lead beyond 1; and zero has one sign, so that who is equally near stays in order.
#[inline(always)]
fn angle(product: f32) -> f32 {
    product.clamp(-1.0, 1.0) + 0.0
}

/// Returns the product of two vectors: four sums at once, so that none waits for the one before.
///
/// They are added in the same order on every machine, and without fused multiplication: so the sum is the same, too.
#[inline(always)]
fn product<S: Simd>(simd: S, one: &[f32], other: &[f32]) -> f32 {
    let (ones, one_rest) = one.as_chunks::<LANES>();
    let (others, other_rest) = other.as_chunks::<LANES>();
    let (one_fours, one_last) = ones.as_chunks::<4>();
    let (other_fours, other_last) = others.as_chunks::<4>();
    let mut sums = [f32x16::simd_from(simd, 0.0); 4];
    for (one, other) in one_fours.iter().zip(other_fours) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += f32x16::simd_from(simd, *a) * f32x16::simd_from(simd, *b);
        }
    }
    let [first, second, third, fourth] = sums;
    let mut sum = (first + second) + (third + fourth);
    for (a, b) in one_last.iter().zip(other_last) {
        sum += f32x16::simd_from(simd, *a) * f32x16::simd_from(simd, *b);
    }
    let (low, high) = sum.split();
    let (low, high) = (low + high).split();
    let [a, b, c, d]: [f32; 4] = (low + high).into();
    let mut rest = 0.0;
    for (a, b) in one_rest.iter().zip(other_rest) {
        rest += a * b;
    }
    ((a + b) + (c + d)) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose products and sums are exact in any order.
    fn numbers(length: usize, step: usize) -> Vec<f32> {
        (0..length).map(|nth| [0.0, 1.0, -2.0, 3.0, -4.0, 5.0, -6.0][nth * step % 7]).collect()
    }

    #[test]
    fn a_product_has_all_numbers_of_both_in_it_whatever_their_length() {
        for length in [1, 2, 15, 16, 17, 63, 64, 65, 80, 83, 256, 383, 384, 1_000] {
            let (one, other) = (numbers(length, 1), numbers(length, 3));
            let expected: f32 = one.iter().zip(&other).map(|(a, b)| a * b).sum();
            let found = dispatch!(Level::new(), simd => product(simd, &one, &other));
            assert!((found - expected).abs() < f32::EPSILON, "{length}: {found} {expected}");
        }
    }

    #[test]
    fn every_machine_finds_the_same_cosine() {
        let unit = |step| {
            let numbers = numbers(391, step);
            let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
            numbers.into_iter().map(|number| number / length).collect::<Vec<f32>>()
        };
        let (one, other) = (unit(1), unit(5));
        let here = cosine(Level::new(), &one, &other);
        assert_eq!(here.to_bits(), cosine(Level::baseline(), &one, &other).to_bits());
    }

    #[test]
    fn a_cosine_is_never_beyond_1_and_zero_has_one_sign() {
        for (one, other, expected) in [
            (&[1.000_001_f32, 0.0][..], &[1.0_f32, 0.0][..], 1.0_f32),
            (&[-1.000_001, 0.0], &[1.0, 0.0], -1.0),
            (&[-0.0, 0.0], &[1.0, -0.0], 0.0),
        ] {
            assert_eq!(cosine(Level::new(), one, other).to_bits(), expected.to_bits(), "{one:?} {other:?}");
        }
    }
}
