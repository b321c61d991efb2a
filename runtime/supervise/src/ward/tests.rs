//! Whatever happens, in whatever order: the promises of a supervisor hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generate;
use tokio::time::Instant;

use super::{Effect, Exit, GRACE, Key, Ward};
use crate::backoff::Backoff;
use crate::intensity::Intensity;
use crate::spec::{Policy, Restart, Shutdown, Strategy};

#[derive(Debug, Clone)]
enum Step {
    /// The nth child that starts has started.
    Started(usize),
    /// The nth child that is alive ends.
    Ended(usize, u8),
    Wait(u64),
    Add,
    Remove(usize),
    Release(usize),
    Stop,
}

fn step() -> impl Generate<Value = Step> {
    prop_oneof![
        8 => any::<usize>().prop_map(Step::Started),
        6 => (any::<usize>(), 0..40_u8).prop_map(|(nth, how)| Step::Ended(nth, how)),
        3 => (0..3_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Add),
        1 => any::<usize>().prop_map(Step::Remove),
        1 => any::<usize>().prop_map(Step::Release),
        1 => Just(Step::Stop),
    ]
}

fn policy(n: u8) -> Arc<Policy> {
    let within = Duration::from_millis(500);
    Arc::new(Policy {
        id: format!("child-{n}").into(),
        restart: [Restart::Permanent, Restart::Transient, Restart::Temporary][usize::from(n % 3)],
        hold: n % 7 == 3,
        shutdown: [Some(Shutdown::Stop(within)), Some(Shutdown::Drain(within)), Some(Shutdown::Kill), None]
            [usize::from(n % 4)],
        start_within: n.is_multiple_of(2).then_some(within),
        backoff: if n.is_multiple_of(5) {
            Backoff::NONE
        } else {
            Backoff::exponential(Duration::from_millis(100), within)
        },
    })
}

/// The world around a ward: which children are really alive, and what they were told.
struct World {
    ward: Ward,
    now: Instant,
    /// Alive, and whether it has started.
    alive: BTreeMap<Key, bool>,
    told: Vec<Key>,
    readies: u32,
    ends: Vec<Option<String>>,
    ordered: bool,
}

impl World {
    fn effects(&mut self) {
        while let Some(effect) = self.ward.effect() {
            assert!(
                self.ends.is_empty() || !matches!(effect, Effect::Start(_)),
                "nothing starts after the end"
            );
            match effect {
                Effect::Start(key) => assert!(self.alive.insert(key, false).is_none(), "{key} runs already"),
                Effect::Ask(key, _) | Effect::AskOrderly(key) => {
                    assert!(self.alive.contains_key(&key), "{key} is asked to stop and does not run");
                    assert!(!self.told.contains(&key), "{key} is asked twice");
                    self.told.push(key);
                }
                Effect::Kill(key) => {
                    assert!(self.alive.contains_key(&key), "{key} is killed and does not run")
                }
                Effect::Abandon(key) => {
                    assert!(self.alive.remove(&key).is_some());
                    self.told.retain(|told| *told != key);
                }
                Effect::Ready => self.readies += 1,
                Effect::End(why) => {
                    assert!(self.alive.is_empty(), "it ends before its children {:?}", self.alive);
                    self.ends.push(why);
                }
                Effect::Note(..) | Effect::Forget(_) => {}
            }
            assert!(self.readies <= 1 && self.ends.len() <= 1);
            if self.ordered {
                let starting: Vec<_> = self.alive.iter().filter(|(_, up)| !**up).collect();
                assert!(
                    self.ward.strategy == Strategy::OneForOne || starting.len() <= 1,
                    "one after the other: {starting:?}"
                );
            }
        }
    }

    fn end(&mut self, key: Key, exit: Exit) {
        self.alive.remove(&key);
        self.told.retain(|told| *told != key);
        self.ward.ended(key, exit, self.now);
        self.effects();
    }

    fn nth(&self, nth: usize) -> Option<Key> {
        let keys: Vec<_> = self.alive.keys().collect();
        (!keys.is_empty()).then(|| *keys[nth % keys.len()])
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Started(nth) => {
                if let Some(key) = self.nth(*nth).filter(|key| !self.alive[key]) {
                    self.alive.insert(key, true);
                    self.ward.started(key, self.now);
                }
            }
            Step::Ended(nth, how) => {
                if let Some(key) = self.nth(*nth) {
                    let exit = match how {
                        0 => Exit::Fatal("x".to_owned()),
                        1..20 => Exit::Normal,
                        _ => Exit::Failed("x".to_owned()),
                    };
                    self.end(key, exit);
                }
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(*ms);
                self.ward.tick(self.now);
            }
            Step::Add => {
                let key = self.ward.children.last_key_value().map_or(0, |(key, _)| key + 1);
                self.ward.add(key, policy(u8::try_from(key % 200).unwrap()), self.now);
            }
            Step::Remove(nth) => self.ward.remove(Key::try_from(nth % 8).unwrap(), self.now),
            Step::Release(nth) => drop(self.ward.release(Key::try_from(nth % 8).unwrap(), self.now)),
            Step::Stop => self.ward.stop(self.now),
        }
        self.effects();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_ward_keeps_its_promises_whatever_happens(
        strategy in prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)],
        dynamic: bool,
        children in 0..6_u8,
        kinds: u8,
        intensity in 0..20_u32,
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let dynamic = dynamic && strategy == Strategy::OneForOne;
        let mut ward = Ward::new(strategy, Intensity::new(intensity, Duration::from_secs(1)), dynamic, 7);
        for n in 0..children {
            ward.enlist(Key::from(n), policy(n.wrapping_add(kinds)));
        }
        let mut world = World {
            ward, now: Instant::now(), alive: BTreeMap::new(), told: Vec::new(), readies: 0, ends: Vec::new(),
            ordered: !dynamic,
        };
        world.ward.begin(world.now);
        world.effects();
        // What is added while it runs starts at once, beside a group that is being restarted.
        world.ordered &= !steps.iter().any(|step| matches!(step, Step::Add | Step::Release(_)));
        for step in &steps {
            world.take(step);
        }
        // However it stands: told to stop, and with children that do as they are told or die of it, it ends once.
        world.take(&Step::Stop);
        for _ in 0..100 {
            if !world.ends.is_empty() {
                break;
            }
            match world.told.first().copied() {
                Some(key) => world.end(key, Exit::Normal),
                None => world.take(&Step::Wait(u64::try_from(GRACE.as_millis()).unwrap())),
            }
        }
        prop_assert_eq!(world.ends.len(), 1, "{:?}", world.ward);
    }

    /// Left alone with children that start and run, every supervisor has all of them up.
    #[test]
    fn left_in_peace_all_children_come_up(
        strategy in prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)],
        children in 1..6_u8,
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut ward = Ward::new(strategy, Intensity::new(1_000, Duration::from_secs(1)), false, 7);
        for n in 0..children {
            let mut policy = Policy::clone(&policy(n));
            (policy.restart, policy.hold) = (Restart::Permanent, false);
            ward.enlist(Key::from(n), Arc::new(policy));
        }
        let mut world = World {
            ward, now: Instant::now(), alive: BTreeMap::new(), told: Vec::new(), readies: 0, ends: Vec::new(), ordered: true,
        };
        world.ward.begin(world.now);
        world.effects();
        for step in steps.iter().filter(|step| matches!(step, Step::Started(_) | Step::Ended(_, 1..) | Step::Wait(_))) {
            world.take(step);
        }
        for _ in 0..100 {
            if let Some(key) = world.told.first().copied() {
                world.end(key, Exit::Normal);
            } else if let Some(key) = world.alive.iter().find(|(_, up)| !**up).map(|(key, _)| *key) {
                world.alive.insert(key, true);
                world.ward.started(key, world.now);
                world.effects();
            } else {
                world.take(&Step::Wait(300));
            }
        }
        prop_assert_eq!(world.alive.len(), usize::from(children), "{:?}", world.ward);
        prop_assert!(world.alive.values().all(|up| *up));
        prop_assert_eq!(world.readies, 1);
    }
}
