//! Where the members of a group wait, and how the writer calls them after a commit.
//!
//! Members with other topics wait elsewhere: a call is for one of those who wait in a place, so each of them must be able to
//! take what it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::log_clock::LogClock;
use crate::topic_set::TopicSet;

/// Where the members of one group wait that have the same topics.
#[derive(Debug)]
pub(crate) struct Signal {
    /// There may be something to hand out: called once for one member, who gets it or passes it on.
    pub(crate) available: Notify,
    /// Something falls due earlier than was said before: all set their timers.
    pub(crate) due: watch::Sender<Option<Instant>>,
}

impl Default for Signal {
    fn default() -> Self {
        Self { available: Notify::new(), due: watch::Sender::new(None) }
    }
}

type Place = (i64, TopicSet);

/// All places where members wait, and what is to be called out there after the commit.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    places: BTreeMap<Place, Waiting>,
    /// Groups in which there may be something, and of which topics.
    available: BTreeMap<i64, TopicSet>,
    /// Places in which something falls due earlier than announced.
    due: BTreeSet<Place>,
    /// Groups that are no more.
    removed: BTreeSet<i64>,
}

#[derive(Debug, Default)]
struct Waiting {
    signal: Arc<Signal>,
    /// For when the members that wait have set their timers.
    announced: Option<i64>,
}

impl Signals {
    /// Returns where members of a group with these topics wait.
    pub(super) fn of(&mut self, group: i64, topics: TopicSet) -> Arc<Signal> {
        self.places.entry((group, topics)).or_default().signal.clone()
    }

    /// Whether a member of a group is asking for events.
    pub(super) fn is_asked_for(&self, group: i64) -> bool {
        self.places.range(all(group)).any(|(_, waiting)| waiting.signal.due.receiver_count() > 0)
    }

    /// There may be something for one who takes these topics.
    pub(super) fn available(&mut self, group: i64, topics: TopicSet) {
        let so_far = self.available.entry(group).or_insert(TopicSet::NONE);
        *so_far = so_far.union(topics);
    }

    /// Something of a group falls due.
    pub(super) fn falls_due(&mut self, group: i64, due: i64) {
        for (place, waiting) in self.places.range_mut(all(group)) {
            if waiting.announced.is_none_or(|announced| due < announced) {
                waiting.announced = Some(due);
                self.due.insert(*place);
            }
        }
    }

    /// A member that found nothing waits until then; the others in its place do, too, since it may be the first to leave.
    pub(super) fn waits_until(&mut self, group: i64, topics: TopicSet, due: Option<i64>) {
        let Some(waiting) = self.places.get_mut(&(group, topics)) else { return };
        if due.is_some_and(|due| waiting.announced.is_none_or(|announced| due < announced)) {
            self.due.insert((group, topics));
        }
        waiting.announced = due;
    }

    /// The group is no more; its members are to hear of it.
    pub(super) fn removed(&mut self, group: i64) {
        self.removed.insert(group);
    }

    /// What was announced may be wrong, since the file has gone back.
    pub(super) fn forget_timers(&mut self) {
        for waiting in self.places.values_mut() {
            waiting.announced = None;
        }
    }

    /// Begins anew, with nothing to call out.
    pub(super) fn begin(&mut self) {
        self.available.clear();
        self.due.clear();
        self.removed.clear();
    }

    /// Calls all out, after the commit.
    pub(super) fn call(&mut self, time: &LogClock) {
        for place in std::mem::take(&mut self.due) {
            if let Some(waiting) = self.places.get(&place) {
                waiting.signal.due.send_replace(waiting.announced.and_then(|due| time.instant(due)));
            }
        }
        for (group, topics) in std::mem::take(&mut self.available) {
            for ((_, wanted), waiting) in self.places.range(all(group)) {
                if wanted.meets(topics) {
                    waiting.signal.available.notify_one();
                }
            }
        }
        for group in std::mem::take(&mut self.removed) {
            let places: Vec<Place> = self.places.range(all(group)).map(|(place, _)| *place).collect();
            for waiting in places.iter().filter_map(|place| self.places.remove(place)) {
                waiting.signal.available.notify_waiters();
            }
        }
    }
}

fn all(group: i64) -> std::ops::RangeInclusive<Place> {
    (group, TopicSet::NONE)..=(group, TopicSet::ALL)
}
