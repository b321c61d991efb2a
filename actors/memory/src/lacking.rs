//! What is stored without a vector: from which entry on it is to be looked for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// Ids are in the order of time, and what has just been written is at their end: who looks from there does not look through all that has its vector.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    first: Mutex<Option<Uuid>>,
    some: Notify,
}

impl Lacking {
    fn first(&self) -> MutexGuard<'_, Option<Uuid>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that an entry has none.
    pub(crate) fn add(&self, id: Uuid) {
        let mut first = self.first();
        *first = Some(first.map_or(id, |first| first.min(id)));
        drop(first);
        self.some.notify_one();
    }

    /// Says that any may have none.
    pub(crate) fn add_all(&self) {
        self.add(Uuid::nil());
    }

    /// Waits until some have none.
    pub(crate) async fn some(&self) {
        self.some.notified().await;
    }

    /// Returns the first that was said since it was asked last.
    pub(crate) fn take(&self) -> Option<Uuid> {
        self.first().take()
    }
}

/// Returns the id before one; nothing before the first.
pub(crate) fn before(id: Uuid) -> Option<Uuid> {
    id.as_u128().checked_sub(1).map(Uuid::from_u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_of_those_that_were_said_is_told_once() {
        let lacking = Lacking::default();
        assert_eq!(lacking.take(), None);
        for id in [7, 3, 5] {
            lacking.add(Uuid::from_u128(id));
        }
        lacking.some().await;
        assert_eq!((lacking.take(), lacking.take()), (Some(Uuid::from_u128(3)), None));
        lacking.add(Uuid::from_u128(9));
        lacking.add_all();
        lacking.some().await;
        assert_eq!(lacking.take().map(before), Some(None), "from the first on");
        assert_eq!(before(Uuid::from_u128(3)), Some(Uuid::from_u128(2)));
    }
}
