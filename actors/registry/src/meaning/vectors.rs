//! Vectors that are kept, the room that there is for them, and whose turn it is to have more made.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many KiB of vectors all tenants of a node keep: a million of 256 numbers, or 170,000 of 1,536.
const MOST_KIB: usize = 1_024 * 1_024;

/// The room for vectors.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST_KIB)))
    }

    /// Keeps a vector as long as somebody has it; `None` where there is no room.
    pub(super) fn keep(&self, numbers: Vec<f32>) -> Option<Vector> {
        let kib = u32::try_from(size_of_val(numbers.as_slice()).div_ceil(1_024)).ok()?;
        let room = Arc::clone(&self.0).try_acquire_many_owned(kib).ok()?;
        Some(Vector { numbers: numbers.into(), _room: room })
    }
}

/// The vector of what an agent says of itself.
#[derive(Debug)]
pub(crate) struct Vector {
    numbers: Box<[f32]>,
    /// Its room, free when it is dropped.
    _room: OwnedSemaphorePermit,
}

impl Vector {
    /// Returns the cosine between this vector and another one of length 1 and as many numbers.
    pub(super) fn cosine(&self, other: &[f32]) -> f32 {
        let product: f32 = self.numbers.iter().zip(other).map(|(a, b)| a * b).sum();
        // Rounding may lead beyond 1; and zero has one sign, so that who is alike stays in order.
        product.clamp(-1.0, 1.0) + 0.0
    }
}

/// Whose turn it is in a tenant to have vectors made, and until when nobody tries.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    turn: Mutex<()>,
    rest_until: std::sync::Mutex<Option<Instant>>,
}

impl Turns {
    /// Waits for one's turn, which ends when what is returned is dropped.
    pub(super) async fn next(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(super) fn rest(&self, time: Duration) {
        *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    pub(super) fn rest_until(&self) -> Option<Instant> {
        *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_vectors_and_again_when_one_is_dropped() {
        let room = Room(Arc::new(Semaphore::new(3)));
        let kept = room.keep(vec![0.0; 257]).expect("two KiB");
        let _small = room.keep(vec![0.0]).expect("one, however small");
        assert!(room.keep(vec![0.0]).is_none());
        drop(kept);
        assert!(room.keep(vec![0.0; 512]).is_some());
    }

    #[test]
    fn a_cosine_is_never_beyond_1_and_zero_has_one_sign() {
        let room = Room::new();
        let cosine = |one: &[f32], other: &[f32]| room.keep(one.to_vec()).expect("room").cosine(other);
        for (one, other, expected) in [
            (&[1.000_001_f32, 0.0][..], &[1.0_f32, 0.0][..], 1.0_f32),
            (&[-1.000_001, 0.0], &[1.0, 0.0], -1.0),
            (&[-0.0, 0.0], &[1.0, -0.0], 0.0),
            (&[0.6, 0.8], &[0.8, 0.6], 0.96),
        ] {
            let cosine = cosine(one, other);
            assert!((cosine - expected).abs() < 1e-6, "{one:?} {other:?}: {cosine}");
            assert!(cosine != 0.0 || cosine.is_sign_positive());
        }
    }
}
