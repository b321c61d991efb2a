//! Vectors that lie as those of real texts do. Independent random numbers do not: there everything is equally far from everything.
//!
//! The bench of vectors has them, too.

/// Random numbers that are the same everywhere: SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).unwrap()
    }

    /// Nearly normal, with a deviation of 1: four even numbers of 16 bits, without a function that differs from machine to machine.
    pub(crate) fn normal(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = [0, 16, 32, 48].iter().map(|shift| bits >> shift & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 3.0_f32.sqrt()
    }
}

/// Texts about some hundreds of things: a centre for each, and what is said of it in a few dimensions that all have in common.
#[derive(Debug)]
pub(crate) struct LikeReal {
    random: Random,
    centres: Vec<Vec<f32>>,
    latent: Vec<Vec<f32>>,
}

impl LikeReal {
    pub(crate) fn new(seed: u64, dimensions: usize) -> Self {
        let mut random = Random(seed);
        let mut units =
            |count| (0..count).map(|_| unit((0..dimensions).map(|_| random.normal()).collect())).collect();
        let (centres, latent) = (units(500), units(24));
        Self { random, centres, latent }
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        let mut vector = self.centres[self.random.below(self.centres.len() as u64)].clone();
        for axis in &self.latent {
            let much = self.random.normal() * 0.15;
            for (number, axis) in vector.iter_mut().zip(axis) {
                *number += much * axis;
            }
        }
        for number in &mut vector {
            *number += self.random.normal() * 0.005;
        }
        unit(vector)
    }

    pub(crate) fn vectors(&mut self, count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|_| self.vector()).collect()
    }
}

pub(crate) fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    for number in &mut vector {
        *number /= length;
    }
    vector
}

/// Texts of words, some of which are in many, each word hashed to some of 256 numbers, as an embedder without a model does it.
#[derive(Debug)]
pub(crate) struct Words {
    random: Random,
}

impl Words {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random(seed) }
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        let mut vector = vec![0.0; 256];
        let topic = self.random.below(300) * 17;
        for _ in 0..6 + self.random.below(14) {
            let word = if self.random.below(2) == 0 {
                topic + self.random.below(40)
            } else {
                self.random.below(3_000).min(self.random.below(3_000)).min(self.random.below(3_000))
            };
            // The word itself counts as much as three of its letters do four times.
            let mut hashes = Random(word as u64);
            for weight in [2.0, 1.0, 1.0, 1.0, 1.0] {
                let sign = if hashes.below(2) == 0 { weight } else { -weight };
                vector[hashes.below(256)] += sign;
            }
        }
        unit(vector)
    }

    pub(crate) fn vectors(&mut self, count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|_| self.vector()).collect()
    }
}
