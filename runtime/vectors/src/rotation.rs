//! A turn of space that spreads what a vector says over all its numbers.

use fearless_simd::{Level, dispatch};

/// A randomised Hadamard transform: signs from a fixed seed, then sums and differences, twice.
///
/// After it no number of a vector matters more than another, whatever the vectors are like, so that the signs of the numbers say as much
/// as so few bits can. Lengths are not kept, angles are: signs need no more.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// For each round, 1 or -1 for each number.
    signs: [Box<[f32]>; ROUNDS],
}

/// After one round a vector with few numbers that are not zero still has few values; after two it has none of its shape left.
const ROUNDS: usize = 2;

/// Any: it is fixed so that the same set gives the same answer everywhere.
const SEED: u64 = 0x536f_6f72_6d61_2e76;

impl Rotation {
    /// Makes a rotation of so many numbers, a power of two.
    pub(crate) fn new(size: usize) -> Self {
        let mut state = SEED;
        Self { signs: std::array::from_fn(|_| (0..size).map(|_| sign(&mut state)).collect()) }
    }

    /// Turns what is in `numbers`.
    pub(crate) fn turn(&self, level: Level, numbers: &mut [f32]) {
        dispatch!(level, _simd => {
            for signs in &self.signs {
                for (number, sign) in numbers.iter_mut().zip(signs) {
                    *number *= *sign;
                }
                sums_and_differences(numbers);
            }
        });
    }

    pub(crate) fn bytes(&self) -> usize {
        self.signs.iter().map(|signs| size_of_val::<[f32]>(signs)).sum()
    }
}

/// The Hadamard transform in place.
#[inline(always)]
fn sums_and_differences(numbers: &mut [f32]) {
    let mut half = 1;
    while half < numbers.len() {
        for block in numbers.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                (*low, *high) = (*low + *high, *low - *high);
            }
        }
        half *= 2;
    }
}

/// The next of a row of signs: a bit of SplitMix64.
fn sign(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    if mixed >> 63 == 0 { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_kept() {
        let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
        let (mut one, mut other) = (vec![0.0; 512], vec![0.0; 512]);
        (one[3], one[100], other[100], other[511]) = (0.6, 0.8, 0.6, -0.8);
        let rotation = Rotation::new(512);
        for vector in [&mut one, &mut other] {
            rotation.turn(Level::new(), vector);
        }
        let cosine = product(&one, &other) / (product(&one, &one) * product(&other, &other)).sqrt();
        assert!((cosine - 0.48).abs() < 1e-5, "{cosine}");
    }

    #[test]
    fn what_stood_in_one_number_is_spread_over_all() {
        for at in [0, 1, 255, 511] {
            let mut vector = vec![0.0; 512];
            vector[at] = 1.0;
            Rotation::new(512).turn(Level::new(), &mut vector);
            let negative = vector.iter().filter(|number| **number < 0.0).count();
            assert!((180..=332).contains(&negative), "{at}: {negative}");
            // Of 512 numbers with a deviation of the root of 512 none is eight times as large.
            assert!(vector.iter().all(|number| number.abs() < 8.0 * 512.0_f32.sqrt()));
        }
    }
}
