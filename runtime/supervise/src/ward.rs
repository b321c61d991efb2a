//! The decisions of a supervisor: what happened goes in, what to do comes out. No I/O, no clock, no actors.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::intensity::{Intensity, Window};
use crate::spec::{Policy, Restart, Shutdown, Strategy};

/// A child's place in start order; never used twice.
pub(crate) type Key = u64;

/// How long a killed child may take to end before it is given up on: a kill takes effect at the next await,
/// so one that computes without end never ends.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// What a supervisor is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Start(Key),
    Ask(Key, Shutdown),
    /// Asks a supervisor to stop its children and itself; bounded by its children's deadlines.
    AskOrderly(Key),
    Kill(Key),
    /// The child does not end: go on as if it had.
    Abandon(Key),
    /// For those who watch.
    Note(Key, Note),
    /// The child will not run again and is to be dropped.
    Forget(Key),
    /// All children have been up once.
    Ready,
    /// The supervisor itself ends; why, when it gives up.
    End(Option<String>),
}

/// What is shown of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    Up,
    Stopping,
    Waiting,
    Failed { reason: String, due: Instant },
    Held { reason: String },
    Done { reason: Option<String> },
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    Normal,
    Failed(String),
    /// It failed, and says that starting it again will not help.
    Fatal(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Down,
    Starting {
        deadline: Option<Instant>,
    },
    Up {
        since: Instant,
    },
    Backoff {
        due: Instant,
    },
    /// Told to stop, to be killed at the deadline.
    Stopping {
        deadline: Option<Instant>,
    },
    /// Killed, to be given up on at the deadline.
    Killed {
        deadline: Instant,
        too_slow: bool,
    },
    Held,
    Done,
}

#[derive(Debug)]
struct Child {
    policy: Arc<Policy>,
    phase: Phase,
    failures: u32,
    /// It is to be dropped when it ends.
    leaving: bool,
}

impl Child {
    fn alive(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting { .. } | Phase::Up { .. } | Phase::Stopping { .. } | Phase::Killed { .. }
        )
    }

    fn told(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. } | Phase::Killed { .. })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Running,
    Ending(Option<String>),
}

/// The children of one supervisor and what is to become of them.
#[derive(Debug)]
pub(crate) struct Ward {
    strategy: Strategy,
    intensity: Intensity,
    /// Dynamic children know no order: they stop all at once, and are dropped when they are done.
    dynamic: bool,
    seed: u64,
    children: BTreeMap<Key, Child>,
    /// Those of them that have not ended.
    alive: BTreeSet<Key>,
    window: Window,
    mode: Mode,
    /// The children from this one on are being started in order.
    boot: Option<Key>,
    ready: bool,
    /// Children that are stopped before the boot goes on.
    regroup: BTreeSet<Key>,
    due: BTreeSet<(Instant, Key)>,
    over: bool,
    effects: VecDeque<Effect>,
}

impl Ward {
    pub(crate) fn new(strategy: Strategy, intensity: Intensity, dynamic: bool, seed: u64) -> Self {
        Self {
            strategy,
            intensity,
            dynamic,
            seed,
            children: BTreeMap::new(),
            alive: BTreeSet::new(),
            window: Window::default(),
            mode: Mode::Running,
            boot: None,
            ready: false,
            regroup: BTreeSet::new(),
            due: BTreeSet::new(),
            over: false,
            effects: VecDeque::new(),
        }
    }

    /// What to do next, if anything.
    pub(crate) fn effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`tick`](Self::tick) is next to be called.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(crate) fn knows(&self, key: Key) -> bool {
        self.children.contains_key(&key)
    }

    /// Takes a child in without starting it; for those that are there before [`begin`](Self::begin).
    pub(crate) fn enlist(&mut self, key: Key, policy: Arc<Policy>) {
        self.children.insert(key, Child { policy, phase: Phase::Down, failures: 0, leaving: false });
    }

    /// Starts the children, one after the other.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.boot = Some(0);
        self.advance(now);
    }

    /// Takes in and starts a child.
    pub(crate) fn add(&mut self, key: Key, policy: Arc<Policy>, now: Instant) {
        if self.knows(key) {
            return;
        }
        self.enlist(key, policy);
        if self.mode == Mode::Running && self.boot.is_none() {
            self.start(key, now);
        }
    }

    /// Stops a child for good.
    pub(crate) fn remove(&mut self, key: Key, now: Instant) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.leaving = true;
        if child.alive() {
            if !child.told() {
                self.tell(key, now);
            }
        } else {
            self.forget(key);
            self.advance(now);
        }
    }

    /// Starts a held child again.
    pub(crate) fn release(&mut self, key: Key, now: Instant) -> bool {
        let Some(child) = self.children.get_mut(&key) else {
            return false;
        };
        if child.phase != Phase::Held || self.mode != Mode::Running {
            return false;
        }
        child.failures = 0;
        self.start(key, now);
        true
    }

    /// Stops all children, and then the supervisor.
    pub(crate) fn stop(&mut self, now: Instant) {
        if self.mode == Mode::Running {
            self.end(None, now);
        }
    }

    /// A child's start is done.
    pub(crate) fn started(&mut self, key: Key, now: Instant) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        if let Phase::Starting { deadline } = child.phase {
            if let Some(deadline) = deadline {
                self.due.remove(&(deadline, key));
            }
            self.set(key, Phase::Up { since: now });
            self.effects.push_back(Effect::Note(key, Note::Up));
            self.advance(now);
        }
    }

    /// A child has ended.
    pub(crate) fn ended(&mut self, key: Key, exit: Exit, now: Instant) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let phase = std::mem::replace(&mut child.phase, Phase::Down);
        self.alive.remove(&key);
        let (leaving, policy) = (child.leaving, Arc::clone(&child.policy));
        if let Phase::Starting { deadline: Some(at) }
        | Phase::Stopping { deadline: Some(at) }
        | Phase::Killed { deadline: at, .. } = phase
        {
            self.due.remove(&(at, key));
        }
        if leaving {
            self.forget(key);
        } else if self.mode != Mode::Running {
            self.effects.push_back(Effect::Note(key, Note::Done { reason: None }));
        } else if self.regroup.contains(&key) {
            // It stopped so that the group can start again; a temporary child stays away.
            if policy.restart == Restart::Temporary {
                self.done(key, None);
            } else {
                self.effects.push_back(Effect::Note(key, Note::Waiting));
            }
        } else {
            match (phase, exit) {
                (Phase::Killed { too_slow: true, .. }, _) => {
                    let within = policy.start_within.unwrap_or_default();
                    self.failed(key, &policy, None, format!("did not start within {within:?}"), now);
                }
                (_, Exit::Fatal(reason)) if policy.hold || policy.restart == Restart::Temporary => {
                    self.failed(key, &policy, None, reason, now);
                }
                (_, Exit::Fatal(reason)) => {
                    self.give_up(key, reason.clone(), format!("{}: {reason}", policy.id), now)
                }
                (Phase::Up { since }, Exit::Failed(reason)) => {
                    self.failed(key, &policy, Some(since), reason, now)
                }
                (_, Exit::Failed(reason)) => self.failed(key, &policy, None, reason, now),
                (Phase::Up { since }, Exit::Normal) if policy.restart == Restart::Permanent => {
                    self.failed(key, &policy, Some(since), "ended, and is permanent".to_owned(), now);
                }
                (_, Exit::Normal) if policy.restart == Restart::Permanent => {
                    self.failed(key, &policy, None, "ended, and is permanent".to_owned(), now);
                }
                (_, Exit::Normal) => self.done(key, None),
            }
        }
        self.advance(now);
    }

    /// Does what has become due.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some((due, key)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, key));
            let Some(child) = self.children.get_mut(&key) else {
                continue;
            };
            match child.phase {
                Phase::Backoff { .. } => {
                    child.phase = Phase::Down;
                    // In a group, or at the boot, its turn comes in order.
                    if self.regroup.is_empty() && self.boot.is_none_or(|boot| key < boot) {
                        self.start(key, now);
                    }
                }
                Phase::Starting { .. } => self.kill(key, true, now),
                Phase::Stopping { .. } => self.kill(key, false, now),
                Phase::Killed { .. } => {
                    self.effects.push_back(Effect::Abandon(key));
                    self.ended(key, Exit::Failed("did not end when it was killed".to_owned()), now);
                }
                Phase::Down | Phase::Up { .. } | Phase::Held | Phase::Done => {}
            }
        }
        self.advance(now);
    }

    fn failed(&mut self, key: Key, policy: &Policy, up_since: Option<Instant>, reason: String, now: Instant) {
        if policy.hold {
            self.set(key, Phase::Held);
            self.effects.push_back(Effect::Note(key, Note::Held { reason }));
            return;
        }
        if policy.restart == Restart::Temporary {
            self.done(key, Some(reason));
            return;
        }
        let calm = up_since.is_some_and(|since| now.duration_since(since) >= policy.backoff.calm);
        let seed = self.seed.rotate_left(17) ^ key;
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        if calm {
            child.failures = 0;
        }
        let due = now + policy.backoff.delay(child.failures, seed);
        child.failures = child.failures.saturating_add(1);
        if self.window.exceeds(self.intensity, now) {
            let Intensity { max, within } = self.intensity;
            let id = &policy.id;
            let why =
                format!("more than {max} restarts within {within:?}, the last when {id} failed: {reason}");
            self.effects.push_back(Effect::Note(key, Note::Done { reason: Some(reason) }));
            self.end(Some(why), now);
            return;
        }
        self.effects.push_back(Effect::Note(key, Note::Failed { reason, due }));
        if due > now {
            self.set(key, Phase::Backoff { due });
            self.due.insert((due, key));
        }
        let group = match self.strategy {
            Strategy::OneForOne => {
                if due == now && self.boot.is_none_or(|boot| key < boot) {
                    self.start(key, now);
                }
                return;
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => key,
        };
        // Whoever is down already, or waits for its own restart, needs no stop.
        let others = self.children.range(group..).filter(|(other, child)| **other != key && child.alive());
        self.regroup.extend(others.map(|(other, _)| *other));
        self.boot = Some(self.boot.map_or(group, |boot| boot.min(group)));
    }

    /// Stops all, and fails itself.
    fn give_up(&mut self, key: Key, reason: String, why: String, now: Instant) {
        self.effects.push_back(Effect::Note(key, Note::Done { reason: Some(reason) }));
        self.end(Some(why), now);
    }

    /// Goes on with what has an order: an end, a group that stops, a boot.
    fn advance(&mut self, now: Instant) {
        if let Mode::Ending(why) = &self.mode {
            let why = why.clone();
            if !self.over && self.stop_in_order(now) {
                self.over = true;
                self.effects.push_back(Effect::End(why));
            }
            return;
        }
        if !self.regroup.is_empty() {
            if !self.stop_in_order(now) {
                return;
            }
            self.regroup.clear();
        }
        while let Some(boot) = self.boot {
            let Some((key, phase)) =
                self.children.range(boot..).next().map(|(key, child)| (*key, &child.phase))
            else {
                self.boot = None;
                break;
            };
            match phase {
                Phase::Down => {
                    self.boot = Some(key);
                    self.start(key, now);
                    // Dynamic children do not wait for one another.
                    if !self.dynamic {
                        return;
                    }
                    self.boot = Some(key + 1);
                }
                Phase::Up { .. } | Phase::Done | Phase::Held => self.boot = Some(key + 1),
                _ if self.dynamic => self.boot = Some(key + 1),
                Phase::Starting { .. }
                | Phase::Backoff { .. }
                | Phase::Stopping { .. }
                | Phase::Killed { .. } => {
                    self.boot = Some(key);
                    return;
                }
            }
        }
        if !self.ready {
            self.ready = true;
            self.effects.push_back(Effect::Ready);
        }
    }

    /// Stops the group that is to start anew, or at the end all: the last first, each when the one after it has
    /// ended. Returns whether none of them is alive.
    fn stop_in_order(&mut self, now: Instant) -> bool {
        let last = if self.mode == Mode::Running {
            self.regroup.iter().rev().find(|key| self.alive.contains(key)).copied()
        } else {
            self.alive.last().copied()
        };
        let Some(last) = last else { return true };
        if self.children.get(&last).is_some_and(|child| !child.told()) {
            self.tell(last, now);
        }
        false
    }

    fn end(&mut self, why: Option<String>, now: Instant) {
        self.mode = Mode::Ending(why);
        self.boot = None;
        self.regroup.clear();
        // Whoever waits for a restart waits no longer.
        self.due.retain(|(_, key)| self.alive.contains(key));
        if self.dynamic {
            for key in self.alive.clone() {
                if self.children.get(&key).is_some_and(|child| !child.told()) {
                    self.tell(key, now);
                }
            }
        }
        self.advance(now);
    }

    fn start(&mut self, key: Key, now: Instant) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        let deadline = child.policy.start_within.map(|within| now + within);
        self.set(key, Phase::Starting { deadline });
        self.due.extend(deadline.map(|at| (at, key)));
        self.effects.push_back(Effect::Start(key));
    }

    fn tell(&mut self, key: Key, now: Instant) {
        let Some(child) = self.children.get(&key) else {
            return;
        };
        if let Phase::Starting { deadline: Some(at) } = child.phase {
            self.due.remove(&(at, key));
        }
        let shutdown = child.policy.shutdown;
        self.effects.push_back(Effect::Note(key, Note::Stopping));
        match shutdown {
            None => {
                self.set(key, Phase::Stopping { deadline: None });
                self.effects.push_back(Effect::AskOrderly(key));
            }
            Some(Shutdown::Kill) => self.kill(key, false, now),
            Some(shutdown @ (Shutdown::Drain(within) | Shutdown::Stop(within))) => {
                let deadline = now + within;
                self.set(key, Phase::Stopping { deadline: Some(deadline) });
                self.due.insert((deadline, key));
                self.effects.push_back(Effect::Ask(key, shutdown));
            }
        }
    }

    fn kill(&mut self, key: Key, too_slow: bool, now: Instant) {
        let deadline = now + GRACE;
        self.set(key, Phase::Killed { deadline, too_slow });
        self.due.insert((deadline, key));
        self.effects.push_back(Effect::Kill(key));
    }

    fn done(&mut self, key: Key, reason: Option<String>) {
        self.effects.push_back(Effect::Note(key, Note::Done { reason }));
        if self.dynamic {
            self.forget(key);
        } else {
            self.set(key, Phase::Done);
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(Child { phase: Phase::Backoff { due }, .. }) = self.children.remove(&key) {
            self.due.remove(&(due, key));
        }
        self.regroup.remove(&key);
        self.effects.push_back(Effect::Forget(key));
    }

    fn set(&mut self, key: Key, phase: Phase) {
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = phase;
            if child.alive() {
                self.alive.insert(key);
            } else {
                self.alive.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
