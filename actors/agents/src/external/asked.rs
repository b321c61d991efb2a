//! Who asked what: the correlation ids that were published, and under which `agent_id` first. Bounded in number and time. No clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use soorma_core::Name;
use tokio::time::Instant;

/// How many are remembered of a tenant, the newest: more than 10 seconds' worth at 1,000 requests a second, in less than 15 MB.
pub(super) const MANY: usize = 20_000;
/// How many where nobody is connected who could be answered: those of one who connects just after.
pub(super) const FEW: usize = 1_000;
/// How many bytes an id has at most: as many as a name. Who makes longer ones is answered as one whom nobody knows.
const MAX_LENGTH: usize = Name::MAX_BYTES;
/// How long an answer may take.
pub(super) const KEEP: Duration = Duration::from_secs(3_600);

#[derive(Debug, Default)]
pub(super) struct Asked {
    by: HashMap<Arc<str>, Arc<str>>,
    /// Oldest first.
    order: VecDeque<(Arc<str>, Instant)>,
}

impl Asked {
    /// Notes who asked; whoever was first, stays. With more than `most`, the oldest makes room.
    pub(super) fn note(&mut self, correlation_id: &str, agent_id: &Arc<str>, most: usize, now: Instant) {
        self.forget_old(now);
        if correlation_id.len() > MAX_LENGTH || self.by.contains_key(correlation_id) {
            return;
        }
        let key: Arc<str> = correlation_id.into();
        self.by.insert(Arc::clone(&key), Arc::clone(agent_id));
        self.order.push_back((key, now));
        if self.order.len() > most {
            self.forget_oldest();
        }
    }

    pub(super) fn who(&mut self, correlation_id: &str, now: Instant) -> Option<Arc<str>> {
        self.forget_old(now);
        self.by.get(correlation_id).cloned()
    }

    pub(super) fn is_empty(&mut self, now: Instant) -> bool {
        self.forget_old(now);
        self.order.is_empty()
    }

    fn forget_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(_, at)| now.duration_since(*at) >= KEEP) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.by.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asked_first_is_remembered_for_an_hour() {
        let (mut asked, now) = (Asked::default(), Instant::now());
        asked.note("c", &"a".into(), MANY, now);
        asked.note("c", &"b".into(), MANY, now + KEEP / 2);
        assert_eq!(asked.who("c", now + KEEP / 2).as_deref(), Some("a"));
        assert_eq!(asked.who("d", now), None);
        assert_eq!(asked.who("c", now + KEEP), None);
        asked.note("c", &"b".into(), MANY, now + KEEP);
        assert_eq!(asked.who("c", now + KEEP).as_deref(), Some("b"));
        assert!(!asked.is_empty(now + KEEP) && asked.is_empty(now + KEEP * 2));
    }

    #[test]
    fn an_id_that_is_too_long_to_be_kept_is_not() {
        let (mut asked, now) = (Asked::default(), Instant::now());
        let [fits, too_long] = [MAX_LENGTH, MAX_LENGTH + 1].map(|length| "c".repeat(length));
        for id in [&fits, &too_long] {
            asked.note(id, &"a".into(), MANY, now);
        }
        assert_eq!((asked.who(&fits, now).as_deref(), asked.who(&too_long, now)), (Some("a"), None));
        assert_eq!(asked.order.len(), 1);
    }

    #[test]
    fn the_oldest_makes_room_for_the_newest() {
        let (mut asked, now) = (Asked::default(), Instant::now());
        for n in 0..=MANY {
            asked.note(&n.to_string(), &"a".into(), MANY, now);
        }
        assert_eq!((asked.who("0", now), asked.order.len(), asked.by.len()), (None, MANY, MANY));
        assert!(asked.who("1", now).is_some());
        asked.note("few", &"a".into(), FEW, now);
        assert_eq!(asked.order.len(), MANY, "what is known already is not given up for it");
        let mut asked = Asked::default();
        for n in 0..=FEW {
            asked.note(&n.to_string(), &"a".into(), FEW, now);
        }
        assert_eq!((asked.who("0", now), asked.order.len()), (None, FEW));
    }
}
