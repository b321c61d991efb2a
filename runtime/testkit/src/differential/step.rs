//! What may be asked of a log, at random.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use soorma_core::{Name, TenantId, Topic};
use soorma_ports::Settle;

use crate::{name, tenant};

/// The last one is where dead letters are told of.
pub(super) const TOPICS: [Topic; 4] =
    [Topic::ActionRequests, Topic::BusinessFacts, Topic::TaskEvents, Topic::SystemEvents];
/// All durations are multiples of this, and what a case takes in real time is far less: so nothing falls due in
/// between the one log's call and the other's. All of a case together is less than the hour after which a server is asked for its time.
pub(super) const UNIT: Duration = Duration::from_secs(30);
/// Members of one group, each with topics of its own.
const SLOTS: usize = 2;
/// Of two groups of two tenants.
pub(super) const MEMBERS: usize = 4 * SLOTS;

/// Whose, and which group.
pub(super) type GroupNo = (usize, usize);
/// Of which group, and which of its members.
pub(super) type MemberNo = (usize, usize, usize);

/// One call. Topics, groups and members are numbers, events and dead letters ranks; of members there are only those who joined, so
/// their numbers are taken modulo how many there are.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Append {
        tenant: usize,
        events: Vec<(usize, u8)>,
    },
    Join {
        member: MemberNo,
        topics: Vec<usize>,
        start: Place,
        limits: Limits,
    },
    Next {
        member: usize,
        max: usize,
    },
    Settle {
        member: usize,
        settlements: Vec<Settlement>,
    },
    SettleAsNobody {
        group: GroupNo,
        settlements: Vec<Settlement>,
    },
    Pause {
        group: GroupNo,
        paused: bool,
    },
    Seek {
        group: GroupNo,
        to: Place,
    },
    Remove {
        group: GroupNo,
    },
    Group {
        group: GroupNo,
    },
    Groups {
        tenant: Option<usize>,
        after: Option<GroupNo>,
        limit: usize,
    },
    CountGroups {
        tenant: usize,
    },
    Expire,
    Redrive {
        tenant: usize,
        letters: Vec<usize>,
    },
    Discard {
        tenant: usize,
        letters: Vec<usize>,
    },
    Read {
        tenant: Option<usize>,
        topic: usize,
        after: usize,
        limit: usize,
    },
    DeadLetters {
        tenant: usize,
        group: Option<usize>,
        topic: Option<usize>,
        told: bool,
        after: usize,
        limit: usize,
    },
    DeadLetter {
        tenant: usize,
        letter: usize,
    },
    Elapse {
        units: u32,
    },
    SetClock {
        hours: i8,
    },
    Reopen,
}

impl Step {
    /// Whether it may move the end of a topic: what is given up is told of.
    pub(super) fn appends(&self) -> bool {
        matches!(
            self,
            Self::Append { .. }
                | Self::Next { .. }
                | Self::Settle { .. }
                | Self::SettleAsNobody { .. }
                | Self::Reopen
        )
    }
}

/// What a group may do.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) attempts: u32,
    pub(super) unsettled: u32,
    pub(super) within: u32,
    pub(super) keyed: bool,
    pub(super) expire: Option<u32>,
}

/// Where to start, or to go on.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Now,
    Earliest,
    After(Vec<(usize, usize)>),
}

/// Which of the last deliveries, what is said of it, and when it is to come again.
pub(super) type Settlement = (usize, u8, u32);

pub(super) fn settle(what: u8, units: u32) -> Settle {
    let (after, cause) = (UNIT * units, format!("cause {what}"));
    match what {
        0..=2 => Settle::Ack,
        3 | 4 => Settle::Retry { after, cause },
        5 => Settle::Release { after },
        6 => Settle::Reject { cause },
        _ => Settle::Extend,
    }
}

pub(super) fn whose(tenant_no: usize) -> TenantId {
    tenant(["acme", "globex"][tenant_no % 2])
}

pub(super) fn group_name(group: usize) -> Name {
    name(["workers", "auditors"][group % 2])
}

/// One has more to do than the other: what is rare needs a history.
fn mostly_first() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![3 => Just(0_usize), 1 => Just(1)]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        1 => Just(Place::Now),
        1 => Just(Place::Earliest),
        2 => vec((0..TOPICS.len(), 0..12_usize), 0..3).prop_map(Place::After),
    ]
}

pub(super) fn join() -> impl Strategy<Value = Step> {
    let member = (mostly_first(), mostly_first(), 0..SLOTS);
    let limits = (1..4_u32, 1..6_u32, 1..4_u32, any::<bool>(), option::of(1..4_u32)).prop_map(
        |(attempts, unsettled, within, keyed, expire)| Limits { attempts, unsettled, within, keyed, expire },
    );
    (member, vec(0..TOPICS.len(), 1..4), place(), limits)
        .prop_map(|(member, topics, start, limits)| Step::Join { member, topics, start, limits })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let (tenant, topic) = (mostly_first(), 0..TOPICS.len());
    let group = (tenant.clone(), mostly_first());
    let member = 0..MEMBERS;
    let settlements = || vec((0..100_usize, 0..8_u8, 0..3_u32), 1..4);
    prop_oneof![
        8 => (tenant.clone(), vec((topic.clone(), 0..40_u8), 0..6))
            .prop_map(|(tenant, events)| Step::Append { tenant, events }),
        4 => join(),
        10 => (member.clone(), 0..5_usize).prop_map(|(member, max)| Step::Next { member, max }),
        8 => (member, settlements()).prop_map(|(member, settlements)| Step::Settle { member, settlements }),
        3 => (group.clone(), settlements())
            .prop_map(|(group, settlements)| Step::SettleAsNobody { group, settlements }),
        1 => (group.clone(), any::<bool>()).prop_map(|(group, paused)| Step::Pause { group, paused }),
        // Twice as many: a group that stays paused tells nothing.
        1 => group.clone().prop_map(|group| Step::Pause { group, paused: false }),
        3 => (group.clone(), place()).prop_map(|(group, to)| Step::Seek { group, to }),
        1 => group.clone().prop_map(|group| Step::Remove { group }),
        2 => group.clone().prop_map(|group| Step::Group { group }),
        2 => (option::of(tenant.clone()), option::of(group.clone()), 0..5_usize)
            .prop_map(|(tenant, after, limit)| Step::Groups { tenant, after, limit }),
        1 => tenant.clone().prop_map(|tenant| Step::CountGroups { tenant }),
        1 => Just(Step::Expire),
        2 => (tenant.clone(), vec(0..6_usize, 0..4)).prop_map(|(tenant, letters)| Step::Redrive { tenant, letters }),
        1 => (tenant.clone(), vec(0..6_usize, 0..2)).prop_map(|(tenant, letters)| Step::Discard { tenant, letters }),
        2 => (option::of(tenant.clone()), topic.clone(), 0..30_usize, 0..5_usize)
            .prop_map(|(tenant, topic, after, limit)| Step::Read { tenant, topic, after, limit }),
        2 => (tenant.clone(), option::of(0..2_usize), option::of(topic), any::<bool>(), 0..3_usize, 0..5_usize).prop_map(
            |(tenant, group, topic, told, after, limit)| Step::DeadLetters { tenant, group, topic, told, after, limit }
        ),
        1 => (tenant.clone(), 0..6_usize).prop_map(|(tenant, letter)| Step::DeadLetter { tenant, letter }),
        3 => (1..4_u32).prop_map(|units| Step::Elapse { units }),
        1 => (-3..3_i8).prop_map(|hours| Step::SetClock { hours }),
        1 => Just(Step::Reopen),
    ]
}
