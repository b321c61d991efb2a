//! Vectors that are kept, the room that there is for them, and whose turn it is to have more made.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The room for the vectors of all tenants of a node.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

/// Room for some vectors of one size, taken before they are made: nobody is asked for what cannot be kept.
#[derive(Debug)]
pub(super) struct Taken {
    room: OwnedSemaphorePermit,
    /// What each of them takes.
    kib: usize,
}

impl Room {
    pub(super) fn new(kib: usize) -> Self {
        Self(Arc::new(Semaphore::new(kib.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes room for so many vectors; `None` where there is not as much.
    pub(super) fn take(&self, count: usize, dimensions: usize) -> Option<Taken> {
        let kib = (dimensions * size_of::<f32>()).div_ceil(1_024);
        let all = u32::try_from(kib.checked_mul(count)?).ok()?;
        let room = Arc::clone(&self.0).try_acquire_many_owned(all).ok()?;
        Some(Taken { room, kib })
    }
}

impl Taken {
    /// Keeps one of the vectors as long as somebody has it; `None` when all were kept.
    pub(super) fn keep(&mut self, numbers: Vec<f32>) -> Option<Vector> {
        let room = self.room.split(self.kib)?;
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
    fn there_is_room_for_so_many_vectors_and_again_when_they_are_dropped() {
        let room = Room::new(5);
        let mut two = room.take(2, 257).expect("two KiB each");
        let mut small = room.take(1, 1).expect("one, however small");
        assert!(room.take(1, 1).is_none());
        let kept = [two.keep(vec![0.0; 257]), two.keep(vec![0.0; 257]), small.keep(vec![0.0])];
        assert!(kept.iter().all(Option::is_some));
        assert!(two.keep(vec![0.0; 257]).is_none(), "no more than was taken");
        drop((two, small));
        assert!(room.take(1, 1).is_none(), "they are kept");
        drop(kept);
        drop(room.take(1, 1_280).expect("all of it, and what is not used is given back"));
        assert!(room.take(5, 256).is_some());
        assert!(Room::new(usize::MAX).take(usize::MAX, 16_000).is_none(), "more than can be counted");
    }

    #[test]
    fn a_cosine_is_never_beyond_1_and_zero_has_one_sign() {
        let room = Room::new(1);
        for (one, other, expected) in [
            (&[1.000_001_f32, 0.0][..], &[1.0_f32, 0.0][..], 1.0_f32),
            (&[-1.000_001, 0.0], &[1.0, 0.0], -1.0),
            (&[-0.0, 0.0], &[1.0, -0.0], 0.0),
            (&[0.6, 0.8], &[0.8, 0.6], 0.96),
        ] {
            let vector = room.take(1, 2).and_then(|mut taken| taken.keep(one.to_vec())).expect("room");
            let cosine = vector.cosine(other);
            assert!((cosine - expected).abs() < 1e-6 && cosine.abs() <= 1.0, "{one:?} {other:?}: {cosine}");
            assert!(cosine != 0.0 || cosine.is_sign_positive());
        }
    }
}
