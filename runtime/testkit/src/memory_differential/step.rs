//! What may be asked of a store, at random. Few names, words and moments, so that they meet.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use soorma_core::{MemoryKind, MemoryScope, Timestamp};
use soorma_ports::{Erased, Generation, MemoryDraft, MemoryFilter, MemoryOrder, RankQuery, Seen};

use crate::contract::memory_store::steps::{ALL, at, embedded, generation, id, owner, scope};

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// By one of two handles.
    Write {
        by: usize,
        writes: Vec<Write>,
    },
    Get {
        by: usize,
        scope: MemoryScope,
        now: Timestamp,
        places: Vec<Place>,
    },
    /// By pages of this size, to the end.
    List {
        by: usize,
        scope: MemoryScope,
        now: Timestamp,
        filter: MemoryFilter,
        order: MemoryOrder,
        limit: usize,
    },
    Rank {
        by: usize,
        scope: MemoryScope,
        now: Timestamp,
        query: RankQuery,
    },
    PutVectors {
        by: usize,
        generation: Generation,
        vectors: Vec<Vector>,
    },
    /// By pages of this size, to the end.
    Unembedded {
        by: usize,
        generation: Generation,
        limit: usize,
    },
    DropVectors {
        tenant: Option<&'static str>,
        but: Option<Generation>,
    },
    Count {
        scope: MemoryScope,
        all: bool,
        generation: Option<Generation>,
    },
    Expire(Timestamp),
    Retire(MemoryKind, Timestamp),
    Erase(&'static str, Erased),
    Reopen,
}

/// One thing to write. Ids are given when it is done.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub scope: MemoryScope,
    pub at: Timestamp,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Put(Box<MemoryDraft>, When),
    Remove(Place, Option<Version>),
    RemoveGroup(MemoryKind, String),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Any,
    Absent,
    Present,
    Version(Version),
}

/// Which of the revisions that were given in a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Version {
    Last,
    First,
    /// One that was never given.
    None,
}

#[derive(Debug, Clone)]
pub(super) enum Place {
    /// One of the ids that were given.
    Id(usize),
    Key {
        kind: MemoryKind,
        group: String,
        key: String,
        public: bool,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Vector {
    pub tenant: &'static str,
    /// One of the ids that were given.
    pub id: usize,
    pub version: Version,
    pub degrees: f32,
}

fn tenants() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("acme"), 1 => Just("globex")]
}

fn scopes() -> impl Strategy<Value = MemoryScope> {
    let owners = prop_oneof![4 => Just(("s", "a")), 2 => Just(("s", "b")), 1 => Just(("t", "a"))];
    (tenants(), owners).prop_map(|(tenant, (service_tenant, user))| scope(tenant, service_tenant, user))
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..16_i64).prop_map(at)
}

fn kinds() -> impl Strategy<Value = MemoryKind> {
    prop_oneof![3 => Just(MemoryKind::SEMANTIC), 1 => Just(MemoryKind::WORKING)]
}

fn groups() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => Just("g".to_owned())]
}

fn keys() -> impl Strategy<Value = String> {
    select(vec!["k", "K", "it's"]).prop_map(str::to_owned)
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    let labels = vec!["x", "y=%", "z"];
    subsequence(labels, 0..=3).prop_map(|some| some.into_iter().map(str::to_owned).collect())
}

fn generations() -> impl Strategy<Value = Generation> {
    prop_oneof![3 => Just("a/4"), 1 => Just("b/4"), 1 => Just("a/3")].prop_map(generation)
}

/// Few directions, and none nearly as near as another to a third.
fn degrees() -> impl Strategy<Value = f32> {
    (0..12_u8).prop_map(|nth| f32::from(nth) * 15.0)
}

fn words() -> impl Strategy<Value = String> {
    vec(select(vec!["a", "B", "b", "ä", "Ä", "9", "a-b", "it's", "NEAR(", "\"", "*", "", "ab"]), 0..4)
        .prop_map(|words| words.join(" "))
}

fn draft() -> impl Strategy<Value = MemoryDraft> {
    let place = (kinds(), groups(), option::weighted(0.8, keys()), any::<bool>());
    let said = (option::weighted(0.85, words()), "[a-c]{0,3}", labels());
    let times = (
        option::weighted(0.3, time()),
        option::weighted(0.3, time()),
        option::weighted(0.3, (4..24_i64).prop_map(at)),
    );
    let vector = option::weighted(0.4, (degrees(), generations()));
    (place, said, times, vector).prop_map(|(place, said, (valid_from, valid_until, expires_at), vector)| {
        let ((kind, group, key, public), (text, body, labels)) = (place, said);
        let vector = vector.filter(|_| text.is_some()).map(|(degrees, of)| embedded(degrees, &of));
        MemoryDraft {
            id: id(0),
            kind,
            group,
            key,
            public,
            text,
            body,
            labels,
            valid_from,
            valid_until,
            expires_at,
            vector,
        }
    })
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![5 => Just(Version::Last), 2 => Just(Version::First), 1 => Just(Version::None)]
}

fn place() -> impl Strategy<Value = Place> {
    let key = (kinds(), groups(), keys(), any::<bool>());
    prop_oneof![
        (0..100_usize).prop_map(Place::Id),
        key.prop_map(|(kind, group, key, public)| Place::Key { kind, group, key, public }),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let when = prop_oneof![
        5 => Just(When::Any),
        2 => Just(When::Absent),
        1 => Just(When::Present),
        2 => version().prop_map(When::Version),
    ];
    let act = prop_oneof![
        10 => (draft(), when).prop_map(|(draft, when)| Act::Put(Box::new(draft), when)),
        3 => (place(), option::weighted(0.3, version())).prop_map(|(place, version)| Act::Remove(place, version)),
        1 => (kinds(), groups()).prop_map(|(kind, group)| Act::RemoveGroup(kind, group)),
    ];
    (scopes(), time(), act).prop_map(|(scope, at, act)| Write { scope, at, act })
}

fn filter() -> impl Strategy<Value = MemoryFilter> {
    let reach = prop_oneof![1 => Just(Seen::Private), 1 => Just(Seen::Public), 3 => Just(Seen::Both)];
    let labels = prop_oneof![2 => Just(Vec::new()), 1 => labels()];
    let rarely = || option::weighted(0.2, time());
    (option::of(kinds()), option::weighted(0.3, groups()), labels, reach, rarely(), rarely(), rarely())
        .prop_map(|(kind, group, labels, reach, since, before, valid_at)| MemoryFilter {
            kind,
            group,
            labels,
            reach,
            since,
            before,
            valid_at,
        })
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![1..5_usize, Just(ALL)]
}

fn rank() -> impl Strategy<Value = RankQuery> {
    let meaning = option::weighted(0.7, (degrees(), generations()));
    (filter(), meaning, option::weighted(0.7, words()), any::<bool>(), limit()).prop_map(
        |(filter, meaning, words, time, depth)| {
            let meaning = meaning.map(|(degrees, of)| embedded(degrees, &of));
            RankQuery { filter, meaning, words, time, depth }
        },
    )
}

fn vector() -> impl Strategy<Value = Vector> {
    (tenants(), 0..100_usize, version(), degrees()).prop_map(|(tenant, id, version, degrees)| Vector {
        tenant,
        id,
        version,
        degrees,
    })
}

fn erased() -> impl Strategy<Value = Erased> {
    prop_oneof![
        3 => Just(Erased::Owner(owner("s", "a"))),
        1 => Just(Erased::ServiceTenant("s".into())),
        1 => Just(Erased::Tenant),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let by = || 0..2_usize;
    let orders =
        select(vec![MemoryOrder::Newest, MemoryOrder::Oldest, MemoryOrder::Updated, MemoryOrder::Key]);
    prop_oneof![
        20 => (by(), vec(write(), 0..8)).prop_map(|(by, writes)| Step::Write { by, writes }),
        6 => (by(), scopes(), time(), vec(place(), 0..8))
            .prop_map(|(by, scope, now, places)| Step::Get { by, scope, now, places }),
        6 => (by(), scopes(), time(), filter(), orders, limit()).prop_map(
            |(by, scope, now, filter, order, limit)| Step::List { by, scope, now, filter, order, limit }
        ),
        10 => (by(), scopes(), time(), rank())
            .prop_map(|(by, scope, now, query)| Step::Rank { by, scope, now, query }),
        4 => (by(), generations(), vec(vector(), 0..8))
            .prop_map(|(by, generation, vectors)| Step::PutVectors { by, generation, vectors }),
        3 => (by(), generations(), limit())
            .prop_map(|(by, generation, limit)| Step::Unembedded { by, generation, limit }),
        1 => (option::of(tenants()), option::of(generations()))
            .prop_map(|(tenant, but)| Step::DropVectors { tenant, but }),
        3 => (scopes(), any::<bool>(), option::of(generations()))
            .prop_map(|(scope, all, generation)| Step::Count { scope, all, generation }),
        1 => time().prop_map(Step::Expire),
        1 => (kinds(), time()).prop_map(|(kind, before)| Step::Retire(kind, before)),
        1 => (tenants(), erased()).prop_map(|(tenant, whose)| Step::Erase(tenant, whose)),
        1 => Just(Step::Reopen),
    ]
}
