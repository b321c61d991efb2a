//! Agents that have failed and are not connected now, so that nobody is new by connecting again. Bounded in number and time. No clock.

use std::collections::VecDeque;

use soorma_core::Name;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::external::asked::KEEP;

/// How many are remembered of a tenant, the newest.
const MAX: usize = 1_000;

/// Oldest first.
#[derive(Debug, Default)]
pub(super) struct Failed(VecDeque<One>);

#[derive(Debug)]
struct One {
    group: Name,
    agent_id: Name,
    breaker: Breaker,
    since: Instant,
}

impl Failed {
    pub(super) fn put(&mut self, group: &Name, agent_id: &Name, breaker: Breaker, now: Instant) {
        self.take(group, agent_id, now);
        if self.0.len() >= MAX {
            self.0.pop_front();
        }
        self.0.push_back(One { group: group.clone(), agent_id: agent_id.clone(), breaker, since: now });
    }

    pub(super) fn take(&mut self, group: &Name, agent_id: &Name, now: Instant) -> Option<Breaker> {
        self.forget_old(now);
        let index = self.0.iter().position(|one| one.agent_id == *agent_id && one.group == *group)?;
        self.0.remove(index).map(|one| one.breaker)
    }

    pub(super) fn is_empty(&mut self, now: Instant) -> bool {
        self.forget_old(now);
        self.0.is_empty()
    }

    fn forget_old(&mut self, now: Instant) {
        while self.0.front().is_some_and(|one| now.duration_since(one.since) >= KEEP) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits;

    fn breaker() -> Breaker {
        let (pause, max_pause) = (Duration::from_secs(5), Duration::from_secs(5));
        Breaker::new(limits::Breaker { after: 10, pause, max_pause, tries: 1 })
    }

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn one_is_remembered_for_an_hour_by_its_group_and_id_and_taken_once() {
        let (mut failed, now) = (Failed::default(), Instant::now());
        failed.put(&name("g"), &name("a"), breaker(), now);
        assert!(failed.take(&name("g"), &name("b"), now).is_none());
        assert!(failed.take(&name("h"), &name("a"), now).is_none());
        assert!(failed.take(&name("g"), &name("a"), now).is_some());
        assert!(failed.take(&name("g"), &name("a"), now).is_none());
        failed.put(&name("g"), &name("a"), breaker(), now);
        assert!(!failed.is_empty(now + KEEP / 2) && failed.is_empty(now + KEEP));
    }

    #[test]
    fn the_oldest_makes_room_for_the_newest() {
        let (mut failed, now) = (Failed::default(), Instant::now());
        for n in 0..=MAX {
            failed.put(&name("g"), &name(&n.to_string()), breaker(), now);
        }
        failed.put(&name("g"), &name(&MAX.to_string()), breaker(), now);
        assert_eq!(failed.0.len(), MAX);
        assert!(failed.take(&name("g"), &name("0"), now).is_none());
        assert!(failed.take(&name("g"), &name("1"), now).is_some());
        assert!(failed.take(&name("g"), &name(&MAX.to_string()), now).is_some());
    }
}
