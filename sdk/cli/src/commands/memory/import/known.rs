//! What is there already, of kinds in which the same may stand more than once.

use std::collections::HashMap;

use soorma::api::memory::{Page, RecallQuery};
use soorma::{ClientMemory, Error, Uuid};

use crate::commands::memory::backup::{same_episode, same_skill};

/// How many entries are asked for at once.
const ROWS: usize = 200;

/// How many there are of each.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Uuid, usize>);

impl Known {
    pub(super) async fn read_episodes(&mut self, memory: ClientMemory<'_>) -> Result<(), Error> {
        self.read(same_episode, async |query| memory.interactions(&query).await).await
    }

    pub(super) async fn read_skills(&mut self, memory: ClientMemory<'_>) -> Result<(), Error> {
        self.read(same_skill, async |query| memory.skills(&query).await).await
    }

    async fn read<T>(
        &mut self,
        same: fn(&T) -> Uuid,
        page: impl AsyncFn(RecallQuery) -> Result<Page<T>, Error>,
    ) -> Result<(), Error> {
        let mut query = RecallQuery { limit: Some(ROWS), ..RecallQuery::default() };
        loop {
            let Page { items, next_cursor, .. } = page(query.clone()).await?;
            for item in &items {
                *self.0.entry(same(item)).or_default() += 1;
            }
            query.cursor = next_cursor;
            if query.cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes one of these, where there is one left.
    pub(super) fn take(&mut self, same: Uuid) -> bool {
        let left = self.0.get_mut(&same).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_is_there_stands_for_one() {
        let mut known = Known([(Uuid::nil(), 2)].into());
        let taken = [(); 3].map(|()| known.take(Uuid::nil()));
        assert_eq!(taken, [true, true, false]);
        assert!(!known.take(Uuid::max()));
    }
}
