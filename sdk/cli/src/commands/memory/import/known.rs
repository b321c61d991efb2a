//! What is there already, of kinds that are not asked for by a name.

use std::collections::HashMap;

use soorma::api::memory::{Page, RecallQuery};
use soorma::{ClientMemory, Episode, Error, Fact, Skill, Uuid};

use crate::commands::memory::backup::{Entry, Kind, same_episode, same_fact, same_skill};

/// How many entries are asked for at once.
const ROWS: usize = 200;

/// What can be listed, newest first.
trait Listed {
    fn id(&self) -> Uuid;
    fn same(&self) -> Uuid;
}

impl Listed for Episode {
    fn id(&self) -> Uuid {
        self.id
    }

    fn same(&self) -> Uuid {
        same_episode(self)
    }
}

impl Listed for Skill {
    fn id(&self) -> Uuid {
        self.id
    }

    fn same(&self) -> Uuid {
        same_skill(self)
    }
}

impl Listed for Fact {
    fn id(&self) -> Uuid {
        self.id
    }

    fn same(&self) -> Uuid {
        same_fact(self)
    }
}

/// How many there are of each, of one kind.
#[derive(Debug, Default)]
pub(super) struct Known {
    counts: HashMap<Uuid, usize>,
    /// The one that is known and was stored last.
    newest: Option<Uuid>,
}

impl Known {
    /// Reads what there is of a kind.
    pub(super) async fn read(memory: ClientMemory<'_>, kind: Kind) -> Result<Self, Error> {
        let mut known = Self::default();
        let note = |known: &mut Self, id, same| {
            known.newest.get_or_insert(id);
            *known.counts.entry(same).or_default() += 1;
            false
        };
        match kind {
            Kind::Episodic => look(interactions(memory), |id, same| note(&mut known, id, same)).await?,
            Kind::Procedural => look(skills(memory), |id, same| note(&mut known, id, same)).await?,
            Kind::Semantic => look(knowledge(memory), |id, same| note(&mut known, id, same)).await?,
            _ => false,
        };
        Ok(known)
    }

    /// Says whether an entry is there that stands for this one. Where the same may stand several times, each stands for one.
    pub(super) fn takes(&mut self, entry: &Entry) -> bool {
        match entry {
            Entry::Episodic(episode) => self.take(same_episode(episode)),
            Entry::Procedural(skill) if skill.name.is_none() => self.take(same_skill(skill)),
            Entry::Procedural(skill) => self.counts.contains_key(&same_skill(skill)),
            Entry::Semantic(fact) => self.counts.contains_key(&same_fact(fact)),
            _ => false,
        }
    }

    fn take(&mut self, same: Uuid) -> bool {
        let left = self.counts.get_mut(&same).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    /// Notes the one that was stored last.
    pub(super) const fn stored(&mut self, id: Uuid) {
        self.newest = Some(id);
    }

    /// Looks whether an entry was stored although that was not answered: whether one that is the same is newer than all that is known. Returns
    /// its id.
    pub(super) async fn was_stored(
        &self,
        memory: ClientMemory<'_>,
        entry: &Entry,
    ) -> Result<Option<Uuid>, Error> {
        let mut found = None;
        let mut known = |wanted: Uuid, id: Uuid, same: Uuid| {
            let known = self.newest == Some(id);
            found = (!known && same == wanted).then_some(id);
            known || found.is_some()
        };
        match entry {
            Entry::Episodic(episode) => {
                let wanted = same_episode(episode);
                look(interactions(memory), |id, same| known(wanted, id, same)).await?;
            }
            Entry::Procedural(skill) => {
                let wanted = same_skill(skill);
                look(skills(memory), |id, same| known(wanted, id, same)).await?;
            }
            _ => {}
        }
        Ok(found)
    }
}

fn interactions(memory: ClientMemory<'_>) -> impl AsyncFn(RecallQuery) -> Result<Page<Episode>, Error> {
    async move |query| memory.interactions(&query).await
}

fn skills(memory: ClientMemory<'_>) -> impl AsyncFn(RecallQuery) -> Result<Page<Skill>, Error> {
    async move |query| memory.skills(&query).await
}

fn knowledge(memory: ClientMemory<'_>) -> impl AsyncFn(RecallQuery) -> Result<Page<Fact>, Error> {
    async move |query| memory.knowledge(&query).await
}

/// Looks at a list, newest first, until that is enough; says whether it was.
async fn look<T: Listed>(
    page: impl AsyncFn(RecallQuery) -> Result<Page<T>, Error>,
    mut enough: impl FnMut(Uuid, Uuid) -> bool,
) -> Result<bool, Error> {
    let mut query = RecallQuery { limit: Some(ROWS), also_invalid: true, ..RecallQuery::default() };
    loop {
        let Page { items, next_cursor, .. } = page(query.clone()).await?;
        if items.iter().any(|item| enough(item.id(), item.same())) {
            return Ok(true);
        }
        query.cursor = next_cursor;
        if query.cursor.is_none() {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_is_there_stands_for_one() {
        let mut known = Known { counts: [(Uuid::nil(), 2)].into(), newest: None };
        let taken = [(); 3].map(|()| known.take(Uuid::nil()));
        assert_eq!(taken, [true, true, false]);
        assert!(!known.take(Uuid::max()));
    }
}
