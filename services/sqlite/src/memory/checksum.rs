//! How a vector stands in the file, and how it is known that it still does.

use soorma_ports::{Generation, MemoryStoreError};

/// How far the square of a length may be from 1: what rounding leaves of it.
const TOLERANCE: f32 = 1e-3;

pub(super) fn is_unit(vector: &[f32]) -> bool {
    let square: f32 = vector.iter().map(|number| number * number).sum();
    (square - 1.0).abs() < TOLERANCE
}

/// Refuses what is no vector of a generation.
pub(super) fn check(generation: &Generation, vector: &[f32]) -> Result<(), MemoryStoreError> {
    if vector.len() != generation.dimensions() {
        let (found, wanted) = (vector.len(), generation.dimensions());
        return Err(MemoryStoreError::Invalid(format!(
            "a vector of {generation} has {wanted} numbers, not {found}"
        )));
    }
    if !is_unit(vector) {
        return Err(MemoryStoreError::Invalid("a vector is of length 1".into()));
    }
    Ok(())
}

pub(super) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Reads a vector into `vector`; says whether it is one of so many numbers, of length 1, and as it was written.
pub(super) fn read(bytes: &[u8], expected: i64, dimensions: usize, vector: &mut Vec<f32>) -> bool {
    vector.clear();
    let (numbers, rest) = bytes.as_chunks::<4>();
    if numbers.len() != dimensions || !rest.is_empty() || checksum(bytes) != expected {
        return false;
    }
    vector.extend(numbers.iter().map(|number| f32::from_le_bytes(*number)));
    is_unit(vector)
}

/// The number that stands for a group beside the vectors of its entries; 0 where there is none.
pub(super) fn part(group: &str) -> i64 {
    if group.is_empty() { 0 } else { checksum(group.as_bytes()) }
}

/// FNV-1a, eight bytes at a time: it is to find damage, and withstands nobody who means harm.
pub(super) fn checksum(bytes: &[u8]) -> i64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let all = words.chain(rest.iter().map(|byte| u64::from(*byte)));
    // The rotation carries what the product leaves in the upper half down again.
    all.fold(0xcbf2_9ce4_8422_2325, |sum: u64, word| (sum ^ word).wrapping_mul(PRIME).rotate_left(29))
        .cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_reads_back_as_it_was_written() {
        let vector = [0.6_f32, 0.0, -0.8];
        let (written, mut read_back) = (bytes(&vector), Vec::new());
        assert!(read(&written, checksum(&written), 3, &mut read_back));
        assert_eq!(read_back, vector);
    }

    #[test]
    fn any_bit_that_has_changed_is_noticed() {
        let written = bytes(&[0.6_f32, 0.0, -0.8]);
        let (sum, mut vector) = (checksum(&written), Vec::new());
        for byte in 0..written.len() {
            for bit in 0..8 {
                let mut damaged = written.clone();
                damaged[byte] ^= 1 << bit;
                assert!(!read(&damaged, sum, 3, &mut vector), "byte {byte}, bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_no_vector_is_not_read_as_one() {
        let mut vector = Vec::new();
        for (damaged, dimensions) in [
            (vec![1.0_f32], 2),
            (vec![1.0, 0.0, 0.0], 2),
            (vec![f32::NAN, 1.0], 2),
            (vec![0.0, 0.0], 2),
            (vec![1.0, 0.1], 2),
        ] {
            let damaged = bytes(&damaged);
            assert!(!read(&damaged, checksum(&damaged), dimensions, &mut vector), "{damaged:?}");
        }
        assert!(!read(&[0; 7], checksum(&[0; 7]), 1, &mut vector));
        let generation = Generation::new("m", 2).unwrap();
        assert_eq!(check(&generation, &[0.6, 0.8]), Ok(()));
        for refused in [&[1.0_f32][..], &[1.0, 1.0], &[f32::NAN, 0.0], &[0.0, 0.0]] {
            assert!(matches!(check(&generation, refused), Err(MemoryStoreError::Invalid(_))), "{refused:?}");
        }
    }
}
