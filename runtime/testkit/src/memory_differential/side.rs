//! A store, and what is known of what it was given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use soorma_core::{MemoryScope, Owner, TenantId, Timestamp};
use soorma_ports::{
    KindCount, KindErased, MemoryAct, MemoryAfter, MemoryDone, MemoryEntry, MemoryFilter, MemoryOrder,
    MemoryPlace, MemoryQuery, MemoryRefused, MemoryStore, MemoryWrite, NewVector, RankQuery, Ranks,
};
use uuid::Uuid;

use super::step::{Act, Place, Step, Vector, Version, When, Write};
use crate::contract::memory_store::steps::{ALL, at, both, id, scope, towards, write};
use crate::tenant;

/// What came out of a step.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Nothing,
    Written(Vec<Written>),
    /// Their revisions are replaced by the how-manieth they are of the entry.
    Entries(Vec<Option<MemoryEntry>>),
    Ranked(Ranked),
    Unembedded(Vec<(TenantId, Uuid, u64, String)>),
    Number(u64),
    Counted(Vec<KindCount>),
    Erased(Vec<KindErased>),
    All(Vec<Self>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Written {
    Put {
        id: Uuid,
        made: bool,
        created_at: Timestamp,
        owner: Owner,
    },
    Removed(u64),
    NotFound,
    AlreadyExists,
    /// With the how-manieth revision in its place.
    Conflict(Option<u64>),
}

/// What stands in the lists: those that are equal are in no order, and which of them came last where the list was cut off is open.
#[derive(Debug, PartialEq)]
pub(super) struct Ranked {
    lengths: [usize; 3],
    meaning: Vec<BTreeSet<Uuid>>,
    words: BTreeSet<Uuid>,
    time: Vec<BTreeSet<Uuid>>,
}

pub(super) struct Side {
    handles: Vec<Arc<dyn MemoryStore>>,
    /// How many puts there were, by which ids are given.
    puts: u128,
    /// The ids of what was made, and when.
    made: Vec<Uuid>,
    created: BTreeMap<Uuid, Timestamp>,
    /// The revisions that were given, by the words for a place.
    revisions: BTreeMap<String, Vec<u64>>,
    /// Those that have no text.
    silent: BTreeSet<Uuid>,
}

fn by_id(id: Uuid) -> String {
    id.to_string()
}

fn by_key(scope: &MemoryScope, kind: &str, group: &str, key: &str, public: bool) -> String {
    let owner = (!public).then_some(&scope.owner);
    format!("{} {owner:?} {kind} {group:?} {key:?}", scope.tenant)
}

impl Side {
    pub(super) fn new(handles: Vec<Arc<dyn MemoryStore>>) -> Self {
        let (made, created, silent) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        Self { handles, puts: 0, made, created, revisions: BTreeMap::new(), silent }
    }

    /// The process ends.
    pub(super) fn let_go(&mut self) {
        self.handles.clear();
    }

    /// Goes on with the same data in a new process.
    pub(super) fn reopened(&mut self, handles: Vec<Arc<dyn MemoryStore>>) {
        self.handles = handles;
    }

    /// All that there is, for all who may see it.
    pub(super) async fn all(&mut self) -> Outcome {
        let mut all = Vec::new();
        for whose in ["acme", "globex"] {
            for (service_tenant, user) in [("s", "a"), ("s", "b"), ("t", "a")] {
                let scope = scope(whose, service_tenant, user);
                let listed = self.list(0, &scope, at(0), &both(), MemoryOrder::Oldest, ALL).await;
                self.check_states(&scope, &listed).await;
                all.push(listed);
            }
            all.push(Outcome::Counted(self.handles[0].count(&tenant(whose), None, None).await.unwrap()));
        }
        Outcome::All(all)
    }

    pub(super) async fn run(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Write { by, writes } => self.write(*by, writes).await,
            Step::Get { by, scope, now, places } => {
                let places: Vec<_> = places.iter().map(|place| self.place(place)).collect();
                let entries = self.handles[*by].get(scope, *now, &places).await.unwrap();
                Outcome::Entries(
                    entries.into_iter().map(|entry| entry.map(|entry| self.told(entry))).collect(),
                )
            }
            Step::List { by, scope, now, filter, order, limit } => {
                self.list(*by, scope, *now, filter, *order, *limit).await
            }
            Step::Rank { by, scope, now, query } => {
                let ranks = self.handles[*by].rank(scope, *now, query).await.unwrap();
                Outcome::Ranked(self.ranked(query, &ranks))
            }
            Step::PutVectors { by, generation, vectors } => {
                let vectors = vectors.iter().filter_map(|vector| self.vector(vector, generation)).collect();
                Outcome::Number(self.handles[*by].put_vectors(generation, vectors).await.unwrap())
            }
            Step::Unembedded { by, generation, limit } => {
                let (mut all, mut after) = (Vec::new(), None);
                loop {
                    let page = self.handles[*by].unembedded(generation, after, *limit).await.unwrap();
                    let Some(last) = page.last() else { break };
                    after = Some(last.id);
                    all.extend(page.into_iter().map(|one| {
                        let revision = self.nth(&by_id(one.id), one.revision);
                        (one.tenant, one.id, revision, one.text)
                    }));
                }
                Outcome::Unembedded(all)
            }
            Step::DropVectors { tenant: of, but } => {
                let of = of.map(tenant);
                Outcome::Number(self.handles[0].drop_vectors(of.as_ref(), but.as_ref()).await.unwrap())
            }
            Step::Count { scope, all, generation } => {
                let owner = (!all).then_some(&scope.owner);
                let count = self.handles[0].count(&scope.tenant, owner, generation.as_ref()).await;
                Outcome::Counted(count.unwrap())
            }
            Step::Expire(now) => Outcome::Number(self.handles[0].expire(*now, ALL).await.unwrap()),
            Step::Retire(kind, before) => {
                Outcome::Number(self.handles[0].retire(kind, *before, ALL).await.unwrap())
            }
            Step::Erase(of, whose) => {
                Outcome::Erased(self.handles[0].erase(&tenant(of), whose).await.unwrap())
            }
            Step::Reopen => Outcome::Nothing,
        }
    }

    async fn write(&mut self, by: usize, writes: &[Write]) -> Outcome {
        // A revision that is named was given before the call.
        let asked: Vec<_> = writes.iter().map(|write| self.asked(write)).collect();
        let answers = write(&*self.handles[by], asked.iter().map(|(_, write)| write.clone()).collect()).await;
        let answers = asked.iter().zip(answers).map(|((place, write), answer)| match answer {
            Ok(MemoryDone::Put { id, revision, made, created_at, owner }) => {
                self.given(place, id, revision);
                if made {
                    self.made.push(id);
                    self.created.insert(id, created_at);
                }
                let MemoryAct::Put { draft, .. } = &write.act else { panic!("nothing was to be put") };
                if draft.text.is_none() {
                    self.silent.insert(id)
                } else {
                    self.silent.remove(&id)
                };
                Written::Put { id, made, created_at, owner }
            }
            Ok(MemoryDone::Removed(count)) => Written::Removed(count),
            Err(MemoryRefused::NotFound) => Written::NotFound,
            Err(MemoryRefused::AlreadyExists) => Written::AlreadyExists,
            Err(MemoryRefused::Conflict { revision }) => {
                Written::Conflict(revision.map(|revision| self.nth(place, revision)))
            }
        });
        Outcome::Written(answers.collect())
    }

    /// A write with its id and revision, and the words for its place.
    fn asked(&mut self, write: &Write) -> (String, MemoryWrite) {
        let (place, act) = match &write.act {
            Act::Put(draft, when) => {
                self.puts += 1;
                let mut draft = draft.clone();
                // By an odd number, so that no two are one; in no order.
                draft.id = id(self.puts.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
                let place = match &draft.key {
                    Some(key) => by_key(&write.scope, draft.kind.as_str(), &draft.group, key, draft.public),
                    None => by_id(draft.id),
                };
                let when = match when {
                    When::Any => soorma_ports::When::Any,
                    When::Absent => soorma_ports::When::Absent,
                    When::Present => soorma_ports::When::Present,
                    When::Version(version) => soorma_ports::When::Revision(self.revision(&place, *version)),
                };
                (place, MemoryAct::Put { draft, when })
            }
            Act::Remove(place, version) => {
                let words = match (place, self.place(place)) {
                    (Place::Key { kind, group, key, public }, _) => {
                        by_key(&write.scope, kind.as_str(), group, key, *public)
                    }
                    (_, MemoryPlace::Id(id)) => by_id(id),
                    (place, _) => panic!("{place:?} is none"),
                };
                let revision = version.map(|version| self.revision(&words, version));
                (words, MemoryAct::Remove { place: self.place(place), revision })
            }
            Act::RemoveGroup(kind, group) => {
                let (kind, group) = (kind.clone(), group.clone());
                (String::new(), MemoryAct::RemoveGroup { kind, group })
            }
        };
        (place, MemoryWrite { scope: write.scope.clone(), at: write.at, act })
    }

    fn place(&self, place: &Place) -> MemoryPlace {
        match place {
            Place::Id(nth) => MemoryPlace::Id(self.id(*nth)),
            Place::Key { kind, group, key, public } => MemoryPlace::Key {
                kind: kind.clone(),
                group: group.clone(),
                key: key.clone(),
                public: *public,
            },
        }
    }

    fn id(&self, nth: usize) -> Uuid {
        nth.checked_rem(self.made.len()).map_or(id(7), |nth| self.made[nth])
    }

    fn vector(&self, vector: &Vector, of: &soorma_ports::Generation) -> Option<NewVector> {
        let id = self.id(vector.id);
        let revision = self.revision(&by_id(id), vector.version);
        // One without a text has no vector that anybody could make.
        let new =
            NewVector { tenant: tenant(vector.tenant), id, revision, vector: towards(vector.degrees, of) };
        (!self.silent.contains(&id)).then_some(new)
    }

    /// Writes down a revision; it is past all that were given before in its place and to its entry.
    fn given(&mut self, place: &str, id: Uuid, revision: u64) {
        for words in BTreeSet::from([place.to_owned(), by_id(id)]) {
            let given = self.revisions.entry(words).or_default();
            assert!(given.last().is_none_or(|last| *last < revision), "{revision} comes after {given:?}");
            given.push(revision);
        }
    }

    fn revision(&self, place: &str, version: Version) -> u64 {
        let given = self.revisions.get(place);
        let revision = match version {
            Version::Last => given.and_then(|given| given.last()),
            Version::First => given.and_then(|given| given.first()),
            Version::None => None,
        };
        // As large as a database's numbers are.
        revision.copied().unwrap_or(i64::MAX.unsigned_abs())
    }

    /// The how-manieth revision it is that was given there.
    fn nth(&self, place: &str, revision: u64) -> u64 {
        let given = self.revisions.get(place);
        let nth = given.and_then(|given| given.iter().position(|given| *given == revision));
        let nth = nth.unwrap_or_else(|| panic!("nobody was given {revision} for {place}: {given:?}"));
        u64::try_from(nth).unwrap()
    }

    fn told(&self, entry: MemoryEntry) -> MemoryEntry {
        MemoryEntry { revision: self.nth(&by_id(entry.id), entry.revision), ..entry }
    }

    async fn list(
        &self,
        by: usize,
        scope: &MemoryScope,
        now: Timestamp,
        filter: &MemoryFilter,
        order: MemoryOrder,
        limit: usize,
    ) -> Outcome {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let query = MemoryQuery { filter: filter.clone(), order, after, limit };
            let page = self.handles[by].list(scope, now, &query).await.unwrap();
            assert!(page.entries.len() <= limit && (!page.more || page.entries.len() == limit), "{page:?}");
            after = page.entries.last().map(|last| MemoryAfter::of(last, order));
            all.extend(page.entries.into_iter().map(|entry| Some(self.told(entry))));
            if !page.more {
                return Outcome::Entries(all);
            }
        }
    }

    /// What is told of the states of a group is what stands in its entries.
    async fn check_states(&self, scope: &MemoryScope, listed: &Outcome) {
        let Outcome::Entries(entries) = listed else { return };
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in entries.iter().flatten().filter(|entry| !entry.public) {
            if let Some(key) = &entry.key {
                let group = groups.entry((entry.kind.clone(), entry.group.clone())).or_default();
                group.push((key.clone(), (by_id(entry.id), entry.revision)));
            }
        }
        for ((kind, group), mut expected) in groups {
            expected.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            let states = self.handles[0].states(scope, at(0), (&kind, &group), None, ALL).await.unwrap();
            assert_eq!(states.len(), expected.len(), "{kind} {group}");
            for ((key, revision), (expected, (place, nth))) in states.iter().zip(&expected) {
                assert_eq!((key, self.nth(place, *revision)), (expected, *nth), "{kind} {group}");
            }
        }
    }

    fn ranked(&self, query: &RankQuery, ranks: &Ranks) -> Ranked {
        let is_whole = |length: usize| length < query.depth;
        let meaning = equals(&ranks.meaning, |(_, one), (_, other)| (one - other).abs() < 1e-4);
        let time = equals(&ranks.time, |one, other| self.created[one] == self.created[other]);
        let words = ranks.words.iter().map(|(id, _)| *id);
        let lengths = [ranks.meaning.len(), ranks.words.len(), ranks.time.len()];
        Ranked {
            lengths,
            meaning: ids(&meaning, is_whole(lengths[0]), |(id, _)| *id),
            words: words.filter(|_| is_whole(lengths[1])).collect(),
            time: ids(&time, is_whole(lengths[2]), |id| *id),
        }
    }
}

/// Parts a list where one that follows is not equal.
fn equals<T>(list: &[T], are_equal: impl Fn(&T, &T) -> bool) -> Vec<&[T]> {
    list.chunk_by(are_equal).collect()
}

/// The ids of the parts; without the last where the list was cut off, since others may be equal to it.
fn ids<T>(parts: &[&[T]], is_whole: bool, id: impl Fn(&T) -> Uuid) -> Vec<BTreeSet<Uuid>> {
    let count = if is_whole { parts.len() } else { parts.len().saturating_sub(1) };
    parts[..count].iter().map(|part| part.iter().map(&id).collect()).collect()
}
